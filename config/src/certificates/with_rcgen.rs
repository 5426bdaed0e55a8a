//! Ed25519 certificates, encoded and signed by `rcgen`.

use rcgen::{
    CertificateParams, CustomExtension, DistinguishedName, DnType, Issuer, PKCS_ED25519, PublicKeyData, SerialNumber,
    SignatureAlgorithm, SigningKey, date_time_ymd,
};
use x509_cert::ext::Extension;
use x509_cert::name::Name;

use super::profile::{self, CA_COMMON_NAME, CA_ORGANIZATION, Content, Request, issue};
use super::{CertificateError, PrivateKey, PublicKey};

/// An Ed25519 public key as `rcgen` wants it.
struct Ed25519Public([u8; 32]);

impl PublicKeyData for Ed25519Public {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ED25519
    }
}

/// An Ed25519 key pair as `rcgen` wants it; the seed stays in our type, which wipes it.
struct Ed25519Pair<'a> {
    public: Ed25519Public,
    private: &'a PrivateKey,
}

impl PublicKeyData for Ed25519Pair<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.public.der_bytes()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ED25519
    }
}

impl SigningKey for Ed25519Pair<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(self.private.sign(message))
    }
}

fn ed25519(private: &PrivateKey) -> Option<Ed25519Pair<'_>> {
    match private.public_key() {
        PublicKey::Ed25519(public) => Some(Ed25519Pair { public: Ed25519Public(public), private }),
        PublicKey::Ed448(_) => None,
    }
}

/// The certificate, DER, signed with `issuer_key`; `None` for what `rcgen` cannot do: Ed448 keys, and issuers with
/// another name than `init` gives.
pub(super) fn certificate(content: &Content, issuer_key: &PrivateKey) -> Option<Result<Vec<u8>, CertificateError>> {
    let signer = ed25519(issuer_key)?;
    let PublicKey::Ed25519(subject_key) = content.public_key else { return None };
    if content.issuer != profile::ca_name() {
        return None;
    }
    let mut params = params(&content.subject, &content.extensions)?;
    params.serial_number = Some(SerialNumber::from_slice(content.serial.as_bytes()));
    params.not_before = date_time_ymd(1970, 1, 1) + content.validity.not_before.to_unix_duration();
    params.not_after = date_time_ymd(1970, 1, 1) + content.validity.not_after.to_unix_duration();

    let mut issuer_params = CertificateParams::default();
    issuer_params.distinguished_name = distinguished_name(&content.issuer)?;
    let issuer = Issuer::new(issuer_params, signer);
    let signed = params.signed_by(&Ed25519Public(subject_key), &issuer);
    Some(signed.map(|certificate| certificate.der().to_vec()).map_err(issue))
}

/// The certificate request, DER, signed with the subject's own key; `None` for Ed448 keys.
pub(super) fn request(request: &Request, key: &PrivateKey) -> Option<Result<Vec<u8>, CertificateError>> {
    let signer = ed25519(key)?;
    let params = params(&request.subject, &request.extensions)?;
    Some(params.serialize_request(&signer).map(|signed| signed.der().to_vec()).map_err(issue))
}

fn params(subject: &Name, extensions: &[Extension]) -> Option<CertificateParams> {
    let mut params = CertificateParams::default();
    params.distinguished_name = distinguished_name(subject)?;
    params.custom_extensions = extensions.iter().map(custom_extension).collect();
    Some(params)
}

fn custom_extension(extension: &Extension) -> CustomExtension {
    let oid: Vec<u64> = extension.extn_id.arcs().map(u64::from).collect();
    let mut custom = CustomExtension::from_oid_content(&oid, extension.extn_value.as_bytes().to_vec());
    custom.set_criticality(extension.critical);
    custom
}

/// The two names this crate gives: that of the CA, and a single common name.
fn distinguished_name(name: &Name) -> Option<DistinguishedName> {
    let mut distinguished = DistinguishedName::new();
    if *name == profile::ca_name() {
        distinguished.push(DnType::CommonName, CA_COMMON_NAME);
        distinguished.push(DnType::OrganizationName, CA_ORGANIZATION);
    } else {
        let common_name = name.common_name().ok()??;
        distinguished.push(DnType::CommonName, common_name.value().as_ref());
    }
    Some(distinguished)
}
