//! Certificates for the tests: Ed25519 ones made in the process, Ed448 ones by the `openssl` program.

use std::path::Path;
use std::process::Command;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PKCS_ED25519};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use smp_protocol::key::SigningKey;
use smp_transport::tls::Credential;

/// Somebody with an Ed25519 key and the contents of a certificate to be issued.
pub(crate) struct Party {
    pub(crate) params: CertificateParams,
    key: SigningKey,
}

impl Party {
    /// A certificate authority.
    pub(crate) fn authority(name: &str) -> Self {
        let mut party = Self::leaf(name);
        party.params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        party
    }

    /// A party that issues nothing.
    pub(crate) fn leaf(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(4760, 1, 1);
        Self { params, key: SigningKey::generate_ed25519() }
    }

    /// The same name with another key.
    pub(crate) fn impostor(&self) -> Self {
        Self { params: self.params.clone(), key: SigningKey::generate_ed25519() }
    }

    pub(crate) fn signed_by(&self, issuer: &Self) -> CertificateDer<'static> {
        let signer = Issuer::from_params(&issuer.params, issuer.rcgen_key());
        self.params.signed_by(&self.rcgen_key(), &signer).unwrap().der().clone()
    }

    pub(crate) fn key(&self) -> SigningKey {
        self.key.clone()
    }

    fn rcgen_key(&self) -> KeyPair {
        let der = PrivatePkcs8KeyDer::from(self.key.to_pkcs8().to_vec());
        KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_ED25519).unwrap()
    }
}

/// `length` parties, each to be issued by the next.
pub(crate) fn parties(length: usize) -> Vec<Party> {
    let name = |position| format!("party {position}");
    (0..length).map(|i| if i == 0 { Party::leaf(&name(i)) } else { Party::authority(&name(i)) }).collect()
}

/// Each party's certificate, issued by the next one, the last by itself.
pub(crate) fn issue(parties: &[Party]) -> Vec<CertificateDer<'static>> {
    let issuers = parties.iter().skip(1).chain(parties.last());
    parties.iter().zip(issuers).map(|(party, issuer)| party.signed_by(issuer)).collect()
}

/// A chain of these parties with the leaf's key.
pub(crate) fn credential_of(parties: &[Party]) -> Credential {
    Credential::new(issue(parties), parties[0].key()).unwrap()
}

/// An Ed25519 chain.
pub(crate) fn ed25519(length: usize) -> Credential {
    credential_of(&parties(length))
}

/// An Ed448 chain, made as an operator would.
pub(crate) fn ed448(length: usize) -> Credential {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    for position in (0..length).rev() {
        openssl_issue(directory, position, position + 1 == length);
    }
    let read = |name: String| std::fs::read(directory.join(name)).unwrap();
    let certificates = (0..length).map(|i| read(format!("{i}.crt")).into()).collect();
    Credential::new(certificates, SigningKey::from_pkcs8(&read("0.key".to_owned())).unwrap()).unwrap()
}

/// Writes `<position>.key` and `<position>.crt`, issued by `<position + 1>` unless it is the root; dates reach 4764.
fn openssl_issue(directory: &Path, position: usize, root: bool) {
    let (key, request, certificate) = (format!("{position}.key"), format!("{position}.csr"), format!("{position}.crt"));
    let (issuer, issuer_key) = (format!("{}.crt", position + 1), format!("{}.key", position + 1));
    let extensions = format!("basicConstraints = critical, CA:{}\n", if position == 0 { "FALSE" } else { "TRUE" });
    std::fs::write(directory.join("extensions"), extensions).unwrap();
    openssl(directory, &["genpkey", "-algorithm", "ed448", "-outform", "DER", "-out", &key]);
    let subject = format!("/CN=Ed448 party {position}/O=test");
    openssl(directory, &["req", "-new", "-key", &key, "-keyform", "DER", "-subj", &subject, "-out", &request]);
    let mut sign = vec!["x509", "-req", "-in", &request, "-days", "999999", "-extfile", "extensions"];
    sign.extend(["-outform", "DER", "-out", &certificate]);
    if root {
        sign.extend(["-key", &key, "-keyform", "DER"]);
    } else {
        sign.extend(["-CA", &issuer, "-CAform", "DER", "-CAkey", &issuer_key, "-CAkeyform", "DER", "-CAcreateserial"]);
    }
    openssl(directory, &sign);
}

fn openssl(directory: &Path, arguments: &[&str]) {
    let output = Command::new("openssl").current_dir(directory).args(arguments).output().unwrap();
    assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}
