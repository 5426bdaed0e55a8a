//! `quota.json`: a queue that is full.

use serde::Deserialize;
use smp_protocol::error::ErrorType;
use smp_protocol::id::MessageId;
use smp_protocol::message::{Content, Plain, open_message, seal_message};
use smp_protocol::response::Response;
use smp_protocol::version::Version;

use crate::vectors::{Hex, Long, load};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Quota {
    accepted: u32,
    error: Hex,
    dh_secret: Hex,
    msg_id: Hex,
    timestamp: i64,
    encrypted: Long,
}

#[test]
fn quota_marker_as_delivered() {
    let Quota { accepted, error, dh_secret, msg_id, timestamp, encrypted } = load("quota.json");
    assert_eq!(accepted, 128);
    assert_eq!(Response::decode(&error, Version::MAX), Ok(Response::Error(ErrorType::Quota)));
    let (secret, id) = (dh_secret.secret(), MessageId::from(msg_id.array()));
    let content = open_message(&secret, &id, &encrypted.bytes().unwrap());
    assert_eq!(content, Ok(Content::QuotaExceeded { timestamp }));
    let mut sealed = Vec::new();
    seal_message(&secret, &id, Plain::QuotaExceeded { timestamp }, &mut sealed);
    encrypted.check(&sealed);
}
