//! `handshake.json`: the messages of the handshake.

use serde::Deserialize;
use smp_protocol::encoding::TooLong;
use smp_protocol::error::{HandshakeError, TransportError};
use smp_protocol::handshake::{CertChainPubKey, ClientHello, ServerHello, ServiceResponse, ServiceRole};
use smp_protocol::id::{ServiceId, SessionId};
use smp_protocol::key::{DhPublicKey, VerifyingKey};
use smp_protocol::signed_key;
use smp_protocol::version::{Version, VersionRange};

use crate::vectors::{Hex, Key, certificate_key, fingerprint, load};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Handshake {
    server_hello: Vec<RecordedServerHello>,
    client_hello: Vec<RecordedClientHello>,
    service_response: Vec<RecordedServiceResponse>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordedServerHello {
    name: String,
    content: Hex,
    session_id: Hex,
    min_version: u16,
    max_version: u16,
    key_hash: Hex,
    chain: Option<Vec<Hex>>,
    signed_key: Option<Hex>,
    session_public: Option<Hex>,
}

/// The content that `encode` appends to nothing.
fn encoded(encode: impl FnOnce(&mut Vec<u8>) -> Result<(), TooLong>) -> Vec<u8> {
    let mut out = Vec::new();
    encode(&mut out).unwrap();
    out
}

/// A server hello that is written as it was read.
pub(crate) fn server_hello(content: &[u8]) -> ServerHello {
    let hello = ServerHello::decode(content).unwrap();
    assert_eq!(encoded(|out| hello.encode(out)), content);
    hello
}

/// A client hello that is written as it was read.
pub(crate) fn client_hello(content: &[u8]) -> ClientHello {
    let hello = ClientHello::decode(content).unwrap();
    assert_eq!(encoded(|out| hello.encode(out)), content);
    hello
}

/// A service response that is written as it was read.
fn service_response(content: &[u8]) -> ServiceResponse {
    let response = ServiceResponse::decode(content).unwrap();
    let mut out = Vec::new();
    response.encode(&mut out);
    assert_eq!(out, content);
    response
}

/// The server's session key, after the checks of a client that expects the server `key_hash`.
pub(crate) fn session_public(key: &CertChainPubKey, key_hash: &[u8]) -> DhPublicKey {
    let [leaf, identity] = &key.chain[..] else { panic!("two certificates") };
    assert_eq!(&fingerprint(identity)[..], key_hash);
    signed_key::verify_dh_key(&key.signed_key, &certificate_key(leaf)).unwrap()
}

#[test]
fn server_hellos() {
    let lengths: Vec<Option<usize>> =
        load::<Handshake>("handshake.json").server_hello.iter().map(check_server_hello).collect();
    assert_eq!(lengths, [Some(122), Some(173), None]);
}

/// Returns the length of the signed key.
fn check_server_hello(recorded: &RecordedServerHello) -> Option<usize> {
    let hello = server_hello(&recorded.content);
    let versions = VersionRange::new(Version(recorded.min_version), Version(recorded.max_version));
    assert_eq!((Some(hello.versions), hello.session_id), (versions, recorded.session_id.id::<SessionId>()));
    assert_eq!(hello.key.is_none(), recorded.name == "no ALPN");
    let Some(key) = hello.key else {
        assert!(recorded.chain.is_none() && recorded.signed_key.is_none() && recorded.session_public.is_none());
        return None;
    };
    let chain: Vec<Vec<u8>> = recorded.chain.iter().flatten().map(|certificate| certificate.to_vec()).collect();
    assert_eq!(key.chain, chain);
    assert_eq!(recorded.signed_key.as_deref(), Some(&key.signed_key[..]));
    let public = session_public(&key, &recorded.key_hash);
    assert_eq!(recorded.session_public.as_ref().map(Hex::dh_public), Some(public));
    Some(key.signed_key.len())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordedClientHello {
    name: String,
    version: u16,
    content: Hex,
    key_hash: Hex,
    client_session_key: Option<Key>,
    proxy: bool,
    encrypted_afterwards: bool,
    service: Option<RecordedService>,
}

/// Whether the blocks after this hello are encrypted (wire.md §3.6).
pub(crate) fn is_encrypted(hello: &ClientHello) -> bool {
    hello.version >= Version::BLOCK_ENCRYPTION && hello.key.is_some() && !hello.proxy
}

#[test]
fn client_hellos() {
    for recorded in load::<Handshake>("handshake.json").client_hello {
        let hello = client_hello(&recorded.content);
        assert_eq!((hello.version, &hello.key_hash[..]), (Version(recorded.version), &recorded.key_hash[..]));
        assert_eq!(hello.key, recorded.client_session_key.map(|key| key.dh().public()));
        assert_eq!((hello.proxy, hello.proxy), (recorded.proxy, recorded.name == "proxy"));
        assert_eq!(is_encrypted(&hello), recorded.encrypted_afterwards);
        assert_eq!(hello.service.is_some(), recorded.name == "service");
        if let Some(service) = recorded.service {
            service.check(&hello);
        }
    }
}

/// A client that is a service.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecordedService {
    response: Hex,
    service_id: Hex,
    chain: Vec<Hex>,
    leaf_key: Key,
    session_key: Key,
    fingerprint: Hex,
    role: char,
}

impl RecordedService {
    /// Checks the hello of the service and the server's answer.
    pub(crate) fn check(&self, hello: &ClientHello) {
        let in_hello = hello.service.as_ref().expect("the hello of a service");
        let role = ServiceRole::from_letter(in_hello.role.letter()).unwrap();
        assert_eq!((role, char::from(role.letter())), (in_hello.role, self.role));
        let chain: Vec<Vec<u8>> = self.chain.iter().map(|certificate| certificate.to_vec()).collect();
        assert_eq!(in_hello.key.chain, chain);
        let [leaf, identity] = &chain[..] else { panic!("two certificates") };
        assert_eq!(self.fingerprint, fingerprint(identity)[..]);
        let leaf_key = self.leaf_key.signing();
        assert_eq!(certificate_key(leaf), leaf_key.verifying_key());
        let VerifyingKey::Ed25519(raw) = self.session_key.signing().verifying_key() else { panic!("Ed25519") };
        let public = ed25519_dalek::VerifyingKey::from_bytes(&raw).unwrap();
        assert_eq!(in_hello.key.signed_key, signed_key::sign_service_key(&public, &leaf_key));
        assert_eq!(signed_key::verify_service_key(&in_hello.key.signed_key, &certificate_key(leaf)), Ok(raw));
        assert_eq!(service_response(&self.response), ServiceResponse::Accepted(self.id()));
    }

    pub(crate) fn id(&self) -> ServiceId {
        self.service_id.id()
    }

    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint.array()
    }

    pub(crate) fn session_key(&self) -> &Key {
        &self.session_key
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordedServiceResponse {
    name: String,
    content: Hex,
    service_id: Option<Hex>,
}

#[test]
fn service_responses() {
    for recorded in load::<Handshake>("handshake.json").service_response {
        let refused = |error| ServiceResponse::Refused(TransportError::Handshake(error));
        let expected = match (&recorded.name[..], recorded.service_id) {
            ("success", Some(id)) => ServiceResponse::Accepted(id.id()),
            ("known certificate with another role", None) => refused(HandshakeError::BadService),
            ("chain differs from TLS" | "key signed by another key", None) => refused(HandshakeError::BadAuth),
            (name, _) => panic!("{name}"),
        };
        assert_eq!(service_response(&recorded.content), expected);
    }
}
