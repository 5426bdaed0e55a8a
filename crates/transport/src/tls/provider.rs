//! The cryptography offered on a plain SMP port (wire.md §2.1): ChaCha20-Poly1305 in TLS 1.3 and 1.2, X448 and X25519,
//! Ed448 and Ed25519, nothing else.

use std::sync::{Arc, LazyLock};

use rustls::crypto::{CryptoProvider, SupportedKxGroup, WebPkiSupportedAlgorithms, aws_lc_rs};
use rustls::{SignatureScheme, SupportedCipherSuite, Tls12CipherSuite, Tls13CipherSuite};

use super::finished::{CapturingHkdf, CapturingPrf};
use super::x448::X448;

/// Signature schemes in order of preference.
pub(super) const SIGNATURE_SCHEMES: &[SignatureScheme] = &[SignatureScheme::ED448, SignatureScheme::ED25519];

/// A key exchange group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// 0x001E.
    X448,
    /// 0x001D.
    X25519,
}

impl Group {
    /// The groups of a plain SMP port in order of preference.
    pub const DEFAULT: &[Self] = &[Self::X448, Self::X25519];

    fn supported(self) -> &'static dyn SupportedKxGroup {
        match self {
            Self::X448 => &X448,
            Self::X25519 => aws_lc_rs::kx_group::X25519,
        }
    }
}

static TLS13_SUITE: LazyLock<Tls13CipherSuite> = LazyLock::new(|| {
    static HKDF: LazyLock<CapturingHkdf> = LazyLock::new(|| CapturingHkdf(tls13().hkdf_provider));
    fn tls13() -> &'static Tls13CipherSuite {
        aws_lc_rs::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256.tls13().expect("the suite belongs to TLS 1.3")
    }
    let suite = tls13();
    Tls13CipherSuite {
        common: rustls::CipherSuiteCommon { ..suite.common },
        hkdf_provider: &*HKDF,
        aead_alg: suite.aead_alg,
        quic: None,
    }
});

static TLS12_SUITE: LazyLock<Tls12CipherSuite> = LazyLock::new(|| {
    static PRF: LazyLock<CapturingPrf> = LazyLock::new(|| CapturingPrf(tls12().prf_provider));
    fn tls12() -> &'static Tls12CipherSuite {
        match aws_lc_rs::cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 {
            SupportedCipherSuite::Tls12(suite) => suite,
            SupportedCipherSuite::Tls13(_) => unreachable!("the suite belongs to TLS 1.2"),
        }
    }
    let suite = tls12();
    Tls12CipherSuite {
        common: rustls::CipherSuiteCommon { ..suite.common },
        prf_provider: &*PRF,
        kx: suite.kx,
        sign: SIGNATURE_SCHEMES,
        aead_alg: suite.aead_alg,
    }
});

/// The provider with these groups, most preferred first.
///
/// It verifies no signatures itself: the verifiers of this crate do.
pub(super) fn provider(groups: &[Group]) -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        cipher_suites: vec![SupportedCipherSuite::Tls13(&TLS13_SUITE), SupportedCipherSuite::Tls12(&TLS12_SUITE)],
        kx_groups: groups.iter().map(|group| group.supported()).collect(),
        signature_verification_algorithms: WebPkiSupportedAlgorithms { all: &[], mapping: &[] },
        ..aws_lc_rs::default_provider()
    })
}
