//! Certificates that involve Ed448, encoded by `x509-cert` and signed by our own keys.

use signature::{Keypair, Signer};
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{self, Builder, CertificateBuilder};
use x509_cert::certificate::TbsCertificate;
use x509_cert::der::asn1::BitString;
use x509_cert::der::{self, Encode};
use x509_cert::ext::Extension;
use x509_cert::name::Name;
use x509_cert::request::RequestBuilder;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{
    self, AlgorithmIdentifierOwned, DynSignatureAlgorithmIdentifier, SignatureBitStringEncoding,
    SubjectPublicKeyInfoRef,
};

use super::profile::{Content, Request, issue};
use super::{CertificateError, PrivateKey, PublicKey};

struct SignatureBytes(Vec<u8>);

impl SignatureBitStringEncoding for SignatureBytes {
    fn to_bitstring(&self) -> der::Result<BitString> {
        BitString::from_bytes(&self.0)
    }
}

impl Signer<SignatureBytes> for PrivateKey {
    fn try_sign(&self, message: &[u8]) -> Result<SignatureBytes, signature::Error> {
        Ok(SignatureBytes(self.sign(message)))
    }
}

impl Keypair for PrivateKey {
    type VerifyingKey = PublicKey;

    fn verifying_key(&self) -> PublicKey {
        self.public_key()
    }
}

impl DynSignatureAlgorithmIdentifier for PrivateKey {
    fn signature_algorithm_identifier(&self) -> spki::Result<AlgorithmIdentifierOwned> {
        Ok(AlgorithmIdentifierOwned { oid: self.algorithm().oid(), parameters: None })
    }
}

impl BuilderProfile for &Content {
    fn get_issuer(&self, _subject: &Name) -> Name {
        self.issuer.clone()
    }

    fn get_subject(&self) -> Name {
        self.subject.clone()
    }

    fn build_extensions(
        &self,
        _subject_key: SubjectPublicKeyInfoRef<'_>,
        _issuer_key: SubjectPublicKeyInfoRef<'_>,
        _certificate: &TbsCertificate,
    ) -> builder::Result<Vec<Extension>> {
        Ok(self.extensions.clone())
    }
}

/// The certificate, DER, signed with `issuer_key`.
pub(super) fn certificate(content: &Content, issuer_key: &PrivateKey) -> Result<Vec<u8>, CertificateError> {
    let serial = SerialNumber::new(content.serial.as_bytes()).map_err(issue)?;
    let builder = CertificateBuilder::new(content, serial, content.validity, content.public_key.to_spki());
    let signed = builder.and_then(|builder| builder.build::<_, SignatureBytes>(issuer_key)).map_err(issue)?;
    signed.to_der().map_err(issue)
}

/// The certificate request, DER, signed with the subject's own key.
pub(super) fn request(request: &Request, key: &PrivateKey) -> Result<Vec<u8>, CertificateError> {
    let mut builder = RequestBuilder::new(request.subject.clone()).map_err(issue)?;
    for extension in &request.extensions {
        builder.add_extension(extension.clone()).map_err(issue)?;
    }
    builder.build::<_, SignatureBytes>(key).map_err(issue)?.to_der().map_err(issue)
}
