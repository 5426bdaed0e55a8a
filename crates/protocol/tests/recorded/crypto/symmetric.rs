//! Padding, boxes, key agreement and what is made of them.

use crypto_secretbox::XSalsa20Poly1305;
use crypto_secretbox::aead::{AeadInPlace, KeyInit};
use serde::Deserialize;
use smp_protocol::block;
use smp_protocol::crypto::hkdf::hkdf_sha512;
use smp_protocol::crypto::secret_box;
use smp_protocol::id::MessageId;
use smp_protocol::message::{self, Content, Plain};

use super::vectors;
use crate::chains::{ChainKeys, RecordedChains, SealedBlock};
use crate::vectors::{Hex, Key, Long};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pad {
    message: Hex,
    size: usize,
    padded: Hex,
}

#[test]
fn padding() {
    for Pad { message, size, padded } in vectors().pad {
        assert_eq!(&padded, &block::pad(&message, size).unwrap()[..]);
        assert_eq!(block::unpad(&padded), Ok(&message[..]));
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct X25519 {
    a: Key,
    b: Key,
    secret: Hex,
}

#[test]
fn key_agreement() {
    let X25519 { a, b, secret } = vectors().x25519;
    let (a, b) = (a.dh(), b.dh());
    assert_eq!(&secret, &a.agree(&b.public()).as_bytes()[..]);
    assert_eq!(&secret, &b.agree(&a.public()).as_bytes()[..]);
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HSalsa20 {
    key: Hex,
    input: Hex,
    output: Hex,
}

/// The box with `key` is the plain secretbox with `output`.
#[test]
fn box_derives_its_key() {
    let HSalsa20 { key, input, output } = vectors().hsalsa20;
    assert_eq!(input, [0; 16][..]);
    let mut text = b"text".to_vec();
    let secretbox = XSalsa20Poly1305::new(&output.array::<32>().into());
    let tag = secretbox.encrypt_in_place_detached(&[7; 24].into(), b"", &mut text).unwrap();
    assert_eq!(secret_box::seal(&key.secret(), &[7; 24], b"text"), [&tag[..], &text].concat());
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SealedBox {
    secret: Hex,
    nonce: Hex,
    message: Hex,
    boxed: Hex,
}

#[test]
fn boxes() {
    for SealedBox { secret, nonce, message, boxed } in vectors().boxes {
        let (secret, nonce) = (secret.secret(), nonce.array());
        assert_eq!(&boxed, &secret_box::seal(&secret, &nonce, &message)[..]);
        assert_eq!(secret_box::open(&secret, &nonce, &boxed).as_deref(), Ok(&message[..]));
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CbEncrypt {
    secret: Hex,
    nonce: Hex,
    message: Hex,
    padded_size: usize,
    encrypted: Hex,
}

#[test]
fn padded_boxes() {
    for CbEncrypt { secret, nonce, message, padded_size, encrypted } in vectors().cb_encrypt {
        let (secret, nonce) = (secret.secret(), nonce.array());
        let padded = block::pad(&message, padded_size).unwrap();
        assert_eq!(&encrypted, &secret_box::seal(&secret, &nonce, &padded)[..]);
        assert_eq!(block::unpad(&secret_box::open(&secret, &nonce, &encrypted).unwrap()), Ok(&message[..]));
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Message {
    secret: Hex,
    msg_id: Hex,
    timestamp: i64,
    notify: bool,
    body: Hex,
    plain: Hex,
    encrypted: Long,
}

#[test]
fn message_body() {
    let Message { secret, msg_id, timestamp, notify, body, plain, encrypted } = vectors().message;
    let (secret, id) = (secret.secret(), MessageId::from(msg_id.array()));
    let mut sealed = Vec::new();
    message::seal_message(&secret, &id, Plain::Message { timestamp, notify, body: &body }, &mut sealed);
    encrypted.check(&sealed);
    let content = Content::Message { timestamp, notify, body: body.to_vec() };
    assert_eq!(message::open_message(&secret, &id, &encrypted.bytes().unwrap()), Ok(content));
    let padded = secret_box::open(&secret, id.as_bytes(), &sealed).unwrap();
    assert_eq!(block::unpad(&padded), Ok(&plain[..]));
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Marker {
    secret: Hex,
    msg_id: Hex,
    timestamp: i64,
    plain: Hex,
    encrypted: Long,
}

#[test]
fn quota_marker() {
    let Marker { secret, msg_id, timestamp, plain, encrypted } = vectors().quota_marker;
    let (secret, id) = (secret.secret(), MessageId::from(msg_id.array()));
    let mut sealed = Vec::new();
    message::seal_message(&secret, &id, Plain::QuotaExceeded { timestamp }, &mut sealed);
    encrypted.check(&sealed);
    let content = Content::QuotaExceeded { timestamp };
    assert_eq!(message::open_message(&secret, &id, &encrypted.bytes().unwrap()), Ok(content));
    let padded = secret_box::open(&secret, id.as_bytes(), &sealed).unwrap();
    assert_eq!(block::unpad(&padded), Ok(&plain[..]));
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Notification {
    secret: Hex,
    nonce: Hex,
    msg_id: Hex,
    timestamp: i64,
    meta: Hex,
    encrypted: Hex,
}

#[test]
fn notification() {
    let Notification { secret, nonce, msg_id, timestamp, meta, encrypted } = vectors().notification;
    let (secret, nonce, id) = (secret.secret(), nonce.array(), MessageId::from(msg_id.array()));
    assert_eq!(&encrypted, &message::seal_notification(&secret, &nonce, &id, timestamp)[..]);
    assert_eq!(message::open_notification(&secret, &nonce, &encrypted), Ok((id, timestamp)));
    assert_eq!(block::unpad(&secret_box::open(&secret, &nonce, &encrypted).unwrap()), Ok(&meta[..]));
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hkdf {
    salt: Hex,
    ikm: Hex,
    info: Hex,
    length: usize,
    output: Hex,
}

#[test]
fn key_derivation() {
    for Hkdf { salt, ikm, info, length, output } in vectors().hkdf_sha512 {
        let mut okm = vec![0; length];
        hkdf_sha512(&salt, &ikm, &info, &mut okm);
        assert_eq!(output, okm[..]);
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Chain {
    secret: Hex,
    session_id: Hex,
    s2c: Hex,
    c2s: Hex,
    blocks: Vec<SealedBlock>,
}

#[test]
fn block_chain() {
    let Chain { secret, session_id, s2c, c2s, blocks } = vectors().block_chain;
    let mut chains = RecordedChains::new(&secret.secret(), &session_id, &ChainKeys { s2c, c2s });
    for block in &blocks {
        chains.check(block);
    }
}
