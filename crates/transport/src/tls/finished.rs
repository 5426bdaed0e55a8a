//! The session ID: the client's Finished `verify_data` of the handshake (`tls-unique`, wire.md §2.5).
//!
//! rustls does not show Finished messages. Both ends of a connection compute each `verify_data` exactly once, through
//! the key derivation of the cipher suite, so a suite with its key derivation wrapped sees them pass. What was seen is
//! kept in a task-local value that exists while the handshake future is polled: connections cannot mix.
//!
//! | TLS | computed through | per handshake | the client's is |
//! |---|---|---|---|
//! | 1.3 | `Hkdf::hmac_sign` | 2: server's, client's | the last |
//! | 1.2 | `Prf::for_secret`, label `client finished` | 1 | the only one |

use std::cell::RefCell;

use rustls::Error;
use rustls::crypto::tls12::Prf;
use rustls::crypto::tls13::{Hkdf, HkdfExpander, OkmBlock};
use rustls::crypto::{ActiveKeyExchange, hmac};

tokio::task_local! {
    static CAPTURED: RefCell<Captured>;
}

/// The Finished messages computed during one handshake.
#[derive(Debug, Default)]
pub(super) struct Captured {
    count: usize,
    last: Vec<u8>,
}

impl Captured {
    /// The client's `verify_data`, if exactly `expected` Finished messages were computed.
    pub(super) fn client_finished(self, expected: usize) -> Option<Vec<u8>> {
        (self.count == expected).then_some(self.last)
    }
}

/// Runs a whole TLS handshake and returns its result together with the Finished messages it computed.
pub(super) async fn capture<F: Future>(handshake: F) -> (F::Output, Captured) {
    let scope = async {
        let output = handshake.await;
        (output, CAPTURED.with(RefCell::take))
    };
    CAPTURED.scope(RefCell::default(), scope).await
}

/// Outside of [`capture`] nobody asks for the session ID.
fn record(verify_data: &[u8]) {
    let _ = CAPTURED.try_with(|captured| {
        let mut captured = captured.borrow_mut();
        captured.count += 1;
        captured.last = verify_data.to_vec();
    });
}

/// The key derivation of a TLS 1.3 suite, with the Finished messages recorded.
pub(super) struct CapturingHkdf(pub(super) &'static dyn Hkdf);

impl Hkdf for CapturingHkdf {
    fn extract_from_zero_ikm(&self, salt: Option<&[u8]>) -> Box<dyn HkdfExpander> {
        self.0.extract_from_zero_ikm(salt)
    }

    fn extract_from_secret(&self, salt: Option<&[u8]>, secret: &[u8]) -> Box<dyn HkdfExpander> {
        self.0.extract_from_secret(salt, secret)
    }

    fn extract_from_kx_shared_secret(
        &self,
        salt: Option<&[u8]>,
        kx: Box<dyn ActiveKeyExchange>,
        peer_pub_key: &[u8],
    ) -> Result<Box<dyn HkdfExpander>, Error> {
        self.0.extract_from_kx_shared_secret(salt, kx, peer_pub_key)
    }

    fn expander_for_okm(&self, okm: &OkmBlock) -> Box<dyn HkdfExpander> {
        self.0.expander_for_okm(okm)
    }

    fn hmac_sign(&self, key: &OkmBlock, message: &[u8]) -> hmac::Tag {
        let verify_data = self.0.hmac_sign(key, message);
        record(verify_data.as_ref());
        verify_data
    }
}

/// The key derivation of a TLS 1.2 suite, with the client's Finished recorded.
pub(super) struct CapturingPrf(pub(super) &'static dyn Prf);

impl Prf for CapturingPrf {
    fn for_key_exchange(
        &self,
        output: &mut [u8; 48],
        kx: Box<dyn ActiveKeyExchange>,
        peer_pub_key: &[u8],
        label: &[u8],
        seed: &[u8],
    ) -> Result<(), Error> {
        self.0.for_key_exchange(output, kx, peer_pub_key, label, seed)
    }

    fn for_secret(&self, output: &mut [u8], secret: &[u8], label: &[u8], seed: &[u8]) {
        self.0.for_secret(output, secret, label, seed);
        if label == b"client finished" {
            record(output);
        }
    }
}
