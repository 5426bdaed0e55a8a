//! The two encoders against each other, and certificates made by others.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::certificate::Certificate;
use super::profile::{CommonName, Content, Request};
use super::serial::Serial;
use super::*;

fn ca_and_leaf(algorithm: SignAlgorithm) -> (PrivateKey, Content, Content) {
    let key = PrivateKey::generate(algorithm).unwrap();
    let ca = Content::ca(key.public_key(), Serial::random().unwrap(), SystemTime::now()).unwrap();
    let der = with_x509_cert::certificate(&ca, &key).unwrap();
    let issuer = Certificate::from_der(der, Path::new("CA")).unwrap();
    let name = CommonName::new("smp.example.org").unwrap();
    let leaf_key = PrivateKey::generate(algorithm).unwrap().public_key();
    let leaf = Content::leaf(&issuer, &name, leaf_key, Serial::random().unwrap(), SystemTime::now()).unwrap();
    (key, ca, leaf)
}

#[test]
fn both_encoders_make_the_same_ed25519_certificates() {
    let (key, ca, leaf) = ca_and_leaf(SignAlgorithm::Ed25519);
    for content in [ca, leaf] {
        let one = with_rcgen::certificate(&content, &key).unwrap().unwrap();
        let other = with_x509_cert::certificate(&content, &key).unwrap();
        assert_eq!(hex::encode(one), hex::encode(other));
    }
    let request = Request::leaf(&CommonName::new("192.0.2.7").unwrap()).unwrap();
    let one = with_rcgen::request(&request, &key).unwrap().unwrap();
    assert_eq!(hex::encode(one), hex::encode(with_x509_cert::request(&request, &key).unwrap()));
}

#[test]
fn rcgen_leaves_ed448_to_the_other_encoder() {
    let (key, ca, leaf) = ca_and_leaf(SignAlgorithm::Ed448);
    assert!(with_rcgen::certificate(&ca, &key).is_none());
    let ed25519 = PrivateKey::generate(SignAlgorithm::Ed25519).unwrap();
    assert!(with_rcgen::certificate(&leaf, &ed25519).is_none());
}

#[test]
fn certificates_are_valid_from_now_for_999999_days() {
    let (_, ca, leaf) = ca_and_leaf(SignAlgorithm::Ed25519);
    for content in [ca, leaf] {
        let begin = content.validity.not_before.to_unix_duration();
        assert!(SystemTime::now().duration_since(UNIX_EPOCH + begin).is_ok());
        let end = content.validity.not_after.to_unix_duration();
        assert_eq!(end.as_secs() - begin.as_secs(), 999_999 * 86_400);
    }
}

#[test]
fn common_names_are_1_to_64_characters() {
    for name in ["a", "192.0.2.7", &"x".repeat(64), " smp.example.org\n"] {
        assert_eq!(CommonName::new(name).unwrap().as_str(), name.trim());
    }
    for name in ["", "  ", &"x".repeat(65), "a\nb"] {
        assert!(CommonName::new(name).is_err(), "{name:?}");
    }
}

#[test]
fn a_signature_by_another_key_of_the_same_name_does_not_count() {
    let (_, ca, leaf) = ca_and_leaf(SignAlgorithm::Ed25519);
    let stranger = PrivateKey::generate(SignAlgorithm::Ed25519).unwrap();
    let read = |der| Certificate::from_der(der, Path::new("certificate")).unwrap();
    let forged = read(with_x509_cert::certificate(&leaf, &stranger).unwrap());
    let ca = read(with_x509_cert::certificate(&ca, &stranger).unwrap());
    assert!(!forged.issued_by(&ca));
}
