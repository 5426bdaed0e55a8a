//! Signatures, authenticators, signed keys and what is derived from IDs.

use serde::Deserialize;
use sha2::{Digest, Sha512};
use smp_protocol::authorization::{AuthPrivateKey, Authorized, Verifier};
use smp_protocol::command::{Command, QueueIdsHash};
use smp_protocol::encoding::Reader;
use smp_protocol::id::{CorrId, EntityId, SenderId, SessionId};
use smp_protocol::key::{DhPrivateKey, Signature, VerifyingKey};
use smp_protocol::signed_key;
use smp_protocol::transmission::{Credentials, ServiceCredentials, Wire};
use smp_protocol::version::Version;

use super::vectors;
use crate::vectors::{Hex, Key, certificate_key, fingerprint};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Authorizing {
    queue_key: Key,
    session_id: Hex,
    corr_id: Hex,
    entity: Hex,
    command: Hex,
    authorized: Hex,
    auth: Hex,
    server_session_key: Option<Key>,
    nonce: Option<Hex>,
    sha512: Option<Hex>,
}

#[test]
fn authorization_by_every_kind_of_key() {
    for vector in vectors().authorization {
        let (key, session_id, corr_id) = (vector.queue_key.auth(), vector.session_id.id(), vector.corr_id.id());
        let server_key = vector.server_session_key.as_ref().map_or_else(DhPrivateKey::generate, Key::dh);
        let wire = Wire::connection(Version(7), &session_id);
        let mut transmission = Vec::new();
        let credentials =
            Credentials { key: Some(&key), session_key: Some(&server_key.public()), ..Credentials::default() };
        let command = Command::parse(&vector.command, Version(7)).unwrap();
        wire.write_command(&command, &corr_id, &vector.entity.id(), &credentials, &mut transmission);
        let read = wire.read(&transmission).unwrap();
        assert_eq!(&vector.authorized, &read.authorized.copied()[..]);
        assert_eq!(&vector.auth, read.authorization.as_ref());
        let verifier = Verifier { session_key: &server_key };
        assert!(verifier.verify(&read.authorization, &key.public(), &read.authorized, &corr_id));
        if let Some(nonce) = &vector.nonce {
            assert_eq!(nonce, &corr_id.nonce()[..]);
        }
        if let Some(sha512) = &vector.sha512 {
            assert_eq!(sha512, &Sha512::digest(&vector.authorized[..])[..]);
        }
        assert_eq!(vector.nonce.is_some(), matches!(key, AuthPrivateKey::Dh(_)));
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ServiceAuthorizing {
    service_fingerprint: Hex,
    service_session_key: Key,
    queue_key: Key,
    authorized: Hex,
    service_signature: Hex,
    auth: Hex,
}

#[test]
fn authorization_in_a_service_session() {
    let vector = vectors().service_authorization;
    let (session, transmitted) = vector.authorized.split_at(33);
    let session_id: SessionId = session[1..].try_into().unwrap();
    let mut input = Reader::new(transmitted);
    let corr_id: CorrId = input.short().unwrap().try_into().unwrap();
    let entity: EntityId = input.short().unwrap().try_into().unwrap();
    let command = Command::parse(input.rest(), Version(16)).unwrap();
    let (service_key, key) = (vector.service_session_key.signing(), vector.queue_key.auth());
    let service = ServiceCredentials { fingerprint: &vector.service_fingerprint.array(), session_key: &service_key };
    let credentials = Credentials { key: Some(&key), session_key: None, service: Some(service) };
    let mut transmission = Vec::new();
    let wire = Wire::connection(Version(16), &session_id);
    wire.write_command(&command, &corr_id, &entity, &credentials, &mut transmission);

    let read = wire.read(&transmission).unwrap();
    assert_eq!(&vector.authorized, &read.authorized.copied()[..]);
    assert_eq!(&vector.auth, read.authorization.as_ref());
    assert_eq!(Some(vector.service_signature.array()), read.service_signature);
    let signature = Signature::from_bytes(&vector.service_signature).unwrap();
    assert!(service_key.verifying_key().verify(&vector.authorized, &signature));
    let server_key = DhPrivateKey::generate();
    let verifies = |authorized: &Authorized<'_>| {
        Verifier { session_key: &server_key }.verify(&read.authorization, &key.public(), authorized, &corr_id)
    };
    assert!(verifies(&read.authorized.clone().by_service(service.fingerprint)));
    assert!(!verifies(&read.authorized));
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignedKey {
    signer: Key,
    key: Key,
    signed: Hex,
}

#[test]
fn signed_keys() {
    for SignedKey { signer, key, signed } in vectors().signed_key {
        let signer = signer.signing();
        match key.auth() {
            AuthPrivateKey::Dh(key) => {
                assert_eq!(&signed, &signed_key::sign_dh_key(&key.public(), &signer)[..]);
                assert_eq!(signed_key::verify_dh_key(&signed, &signer.verifying_key()), Ok(key.public()));
            }
            AuthPrivateKey::Signing(key) => {
                let VerifyingKey::Ed25519(raw) = key.verifying_key() else { panic!("service keys are Ed25519") };
                let public = ed25519_dalek::VerifyingKey::from_bytes(&raw).unwrap();
                assert_eq!(&signed, &signed_key::sign_service_key(&public, &signer)[..]);
                assert_eq!(signed_key::verify_service_key(&signed, &signer.verifying_key()), Ok(raw));
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Certificates {
    chain: Vec<Hex>,
    identity_fingerprint: Hex,
    leaf_fingerprint: Hex,
}

/// The identity of a chain is the hash of its second certificate.
#[test]
fn certificate_fingerprints() {
    let Certificates { chain, identity_fingerprint, leaf_fingerprint } = vectors().certificates;
    let [leaf, identity] = &chain[..] else { panic!("two certificates") };
    assert_eq!(leaf_fingerprint, fingerprint(leaf)[..]);
    assert_eq!(identity_fingerprint, fingerprint(identity)[..]);
    assert_ne!(certificate_key(leaf), certificate_key(identity));
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IdsHash {
    ids: Vec<Hex>,
    hash: Hex,
}

#[test]
fn hash_of_queue_ids() {
    for IdsHash { ids, hash } in vectors().ids_hash {
        let (mut forwards, mut backwards) = (QueueIdsHash::default(), QueueIdsHash::default());
        for id in &ids {
            forwards.toggle(id);
        }
        for id in ids.iter().rev() {
            backwards.toggle(id);
        }
        assert_eq!(hash, forwards.0[..]);
        assert_eq!(forwards, backwards);
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChosenSenderId {
    corr_id: Hex,
    sender_id: Hex,
}

#[test]
fn sender_ids_of_clients() {
    for ChosenSenderId { corr_id, sender_id } in vectors().sender_id {
        assert_eq!(&sender_id, SenderId::from_corr_id(&corr_id.id()).as_ref());
    }
}
