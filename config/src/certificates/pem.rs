//! PEM files: certificates and private keys.

use rustls_pemfile::Item;
use x509_cert::der::pem::LineEnding;
use zeroize::{Zeroize, Zeroizing};

/// Why a text has no usable private key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum PemKeyError {
    #[error("no private key found")]
    Missing,
    #[error("unexpected key algorithm {0}, expected Ed25519 or Ed448")]
    Algorithm(&'static str),
    #[error("invalid PEM: {0}")]
    Malformed(String),
}

/// DER of every certificate of a PEM text, in order; other sections are skipped.
pub(super) fn certificates(text: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let mut found = Vec::new();
    for item in rustls_pemfile::read_all(&mut &text[..]) {
        if let Item::X509Certificate(der) = item.map_err(|error| error.to_string())? {
            found.push(der.to_vec());
        }
    }
    Ok(found)
}

/// PKCS#8 DER of the first private key of a PEM text.
pub(super) fn private_key_der(text: &[u8]) -> Result<Zeroizing<Vec<u8>>, PemKeyError> {
    for item in rustls_pemfile::read_all(&mut &text[..]) {
        match item.map_err(|error| PemKeyError::Malformed(error.to_string()))? {
            Item::Pkcs8Key(mut der) => {
                let copied = Zeroizing::new(der.secret_pkcs8_der().to_vec());
                der.zeroize();
                return Ok(copied);
            }
            Item::Pkcs1Key(_) => return Err(PemKeyError::Algorithm("RSA")),
            Item::Sec1Key(_) => return Err(PemKeyError::Algorithm("ECDSA")),
            _ => {}
        }
    }
    Err(PemKeyError::Missing)
}

/// PEM text of one certificate.
pub(super) fn certificate_text(der: &[u8]) -> String {
    text("CERTIFICATE", der)
}

/// PEM text of one certificate request.
pub(super) fn request_text(der: &[u8]) -> String {
    text("CERTIFICATE REQUEST", der)
}

fn text(label: &'static str, der: &[u8]) -> String {
    x509_cert::der::pem::encode_string(label, LineEnding::LF, der).expect("certificates are far below the size limit")
}
