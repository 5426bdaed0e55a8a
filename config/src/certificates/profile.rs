//! What the two certificates contain (operations.md §3.2). How they are encoded and signed is in `with_rcgen` and
//! `with_x509_cert`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::der::asn1::{Any, GeneralizedTime, SetOfVec, UtcTime, Utf8StringRef};
use x509_cert::der::oid::db::rfc4519::{COMMON_NAME, ORGANIZATION_NAME};
use x509_cert::der::oid::db::rfc5280::ID_KP_SERVER_AUTH;
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectKeyIdentifier,
};
use x509_cert::ext::{Extension, ToExtension};
use x509_cert::name::{Name, RdnSequence, RelativeDistinguishedName};
use x509_cert::time::{Time, Validity};

use super::certificate::Certificate;
use super::serial::Serial;
use super::{CertificateError, PublicKey};

/// Validity of every certificate: 999999 days, until about the year 4760.
const VALIDITY: Duration = Duration::from_hours(24 * 999_999);

pub(super) const CA_COMMON_NAME: &str = "SMP server CA";
pub(super) const CA_ORGANIZATION: &str = "SimpleX";

/// Name of a leaf: the server's FQDN or IP address as text, 1 to 64 characters (RFC 5280, ub-common-name).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CommonName(String);

impl CommonName {
    pub(super) fn new(text: &str) -> Result<Self, CertificateError> {
        let text = text.trim();
        if (1..=64).contains(&text.chars().count()) && !text.contains(char::is_control) {
            Ok(Self(text.to_owned()))
        } else {
            Err(CertificateError::CommonName(text.to_owned()))
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Everything in a certificate but its signature.
pub(super) struct Content {
    pub(super) serial: Serial,
    pub(super) issuer: Name,
    pub(super) subject: Name,
    pub(super) validity: Validity,
    pub(super) public_key: PublicKey,
    pub(super) extensions: Vec<Extension>,
}

/// What is asked for in a certificate request.
pub(super) struct Request {
    pub(super) subject: Name,
    pub(super) extensions: Vec<Extension>,
}

impl Content {
    /// The self-signed CA certificate.
    pub(super) fn ca(public_key: PublicKey, serial: Serial, now: SystemTime) -> Result<Self, CertificateError> {
        let subject = ca_name();
        let key_id = key_identifier(&public_key)?;
        let extensions = vec![
            extension(false, &key_id)?,
            extension(false, &authority(key_id))?,
            extension(true, &BasicConstraints { ca: true, path_len_constraint: None })?,
        ];
        Ok(Self { serial, issuer: subject.clone(), subject, validity: validity(now)?, public_key, extensions })
    }

    /// A leaf certificate issued by `ca`.
    pub(super) fn leaf(
        ca: &Certificate,
        common_name: &CommonName,
        public_key: PublicKey,
        serial: Serial,
        now: SystemTime,
    ) -> Result<Self, CertificateError> {
        let ca_key_id = match ca.key_identifier() {
            Some(key_id) => key_id,
            None => key_identifier(ca.public_key())?,
        };
        let mut request = Request::leaf(common_name)?;
        request.extensions.push(extension(false, &key_identifier(&public_key)?)?);
        request.extensions.push(extension(false, &authority(ca_key_id))?);
        let Request { subject, extensions } = request;
        Ok(Self { serial, issuer: ca.subject().clone(), subject, validity: validity(now)?, public_key, extensions })
    }
}

impl Request {
    /// The request for a leaf certificate.
    pub(super) fn leaf(common_name: &CommonName) -> Result<Self, CertificateError> {
        let key_usage = KeyUsage(KeyUsages::DigitalSignature | KeyUsages::NonRepudiation | KeyUsages::KeyAgreement);
        let extensions = vec![
            extension(false, &BasicConstraints { ca: false, path_len_constraint: None })?,
            extension(false, &key_usage)?,
            extension(false, &ExtendedKeyUsage(vec![ID_KP_SERVER_AUTH]))?,
        ];
        Ok(Self { subject: name(&[(COMMON_NAME, common_name.as_str())]), extensions })
    }
}

/// Subject of every CA certificate that `init` makes.
pub(super) fn ca_name() -> Name {
    name(&[(COMMON_NAME, CA_COMMON_NAME), (ORGANIZATION_NAME, CA_ORGANIZATION)])
}

/// A name of UTF8String attributes, one in each relative name, in the given order.
fn name(attributes: &[(x509_cert::spki::ObjectIdentifier, &str)]) -> Name {
    const FITS: &str = "names of a few short attributes have a DER form";
    let relative = |&(oid, text): &(_, &str)| {
        let value = Any::from(Utf8StringRef::new(text).expect(FITS));
        let set = SetOfVec::try_from(vec![AttributeTypeAndValue { oid, value }]).expect(FITS);
        RelativeDistinguishedName::from(set)
    };
    let sequence = RdnSequence::from(attributes.iter().map(relative).collect::<Vec<_>>());
    sequence.to_der().and_then(|der| Name::from_der(&der)).expect(FITS)
}

/// SHA-1 of the key bits (RFC 5280 §4.2.1.2, method 1), as OpenSSL's `hash`.
fn key_identifier(key: &PublicKey) -> Result<SubjectKeyIdentifier, CertificateError> {
    use x509_cert::der::referenced::OwnedToRef;
    SubjectKeyIdentifier::try_from(key.to_spki().owned_to_ref()).map_err(issue)
}

fn authority(SubjectKeyIdentifier(key_id): SubjectKeyIdentifier) -> AuthorityKeyIdentifier {
    AuthorityKeyIdentifier { key_identifier: Some(key_id), ..AuthorityKeyIdentifier::default() }
}

fn extension<'a, E>(critical: bool, value: &'a E) -> Result<Extension, CertificateError>
where
    (bool, &'a E): ToExtension<Error = x509_cert::der::Error>,
{
    (critical, value).to_extension(&Name::default(), &[]).map_err(issue)
}

fn validity(now: SystemTime) -> Result<Validity, CertificateError> {
    let now = now
        .duration_since(UNIX_EPOCH)
        .map_err(|_| CertificateError::Issue("the clock of this machine shows a time before 1970".to_owned()))?;
    let now = Duration::from_secs(now.as_secs());
    let not_before = match UtcTime::from_unix_duration(now) {
        Ok(time) => Time::UtcTime(time),
        Err(_) => Time::GeneralTime(GeneralizedTime::from_unix_duration(now).map_err(issue)?),
    };
    let not_after = Time::GeneralTime(GeneralizedTime::from_unix_duration(now + VALIDITY).map_err(issue)?);
    Ok(Validity::new(not_before, not_after))
}

/// The error for anything a certificate library refuses.
pub(super) fn issue<E: std::error::Error>(error: E) -> CertificateError {
    CertificateError::Issue(error.to_string())
}
