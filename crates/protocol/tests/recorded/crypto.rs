//! `crypto.json`: each layer alone.

mod authorization;
mod forwarding;
mod symmetric;

use serde::Deserialize;

use crate::vectors::load;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Crypto {
    pad: Vec<symmetric::Pad>,
    x25519: symmetric::X25519,
    hsalsa20: symmetric::HSalsa20,
    #[serde(rename = "box")]
    boxes: Vec<symmetric::SealedBox>,
    cb_encrypt: Vec<symmetric::CbEncrypt>,
    message: symmetric::Message,
    quota_marker: symmetric::Marker,
    notification: symmetric::Notification,
    hkdf_sha512: Vec<symmetric::Hkdf>,
    block_chain: symmetric::Chain,
    authorization: Vec<authorization::Authorizing>,
    service_authorization: authorization::ServiceAuthorizing,
    signed_key: Vec<authorization::SignedKey>,
    ids_hash: Vec<authorization::IdsHash>,
    sender_id: Vec<authorization::ChosenSenderId>,
    proxy: forwarding::Forwarded,
    certificates: authorization::Certificates,
}

fn vectors() -> Crypto {
    load("crypto.json")
}
