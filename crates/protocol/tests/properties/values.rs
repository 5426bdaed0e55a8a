//! Arbitrary parts of messages.

use proptest::collection::vec;
use proptest::prelude::*;
use smp_protocol::command::{BasicAuth, LinkData, QueueIdsHash, QueueMode, QueueSet};
use smp_protocol::handshake::CertChainPubKey;
use smp_protocol::key::{AuthKey, DhPublicKey};
use smp_protocol::version::{Version, VersionRange};

pub(crate) fn bytes(max: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..=max)
}

pub(crate) fn boxed_bytes(max: usize) -> impl Strategy<Value = Box<[u8]>> {
    bytes(max).prop_map(Into::into)
}

/// IDs of 0 to 255 bytes.
pub(crate) fn short_id<T>() -> impl Strategy<Value = T>
where
    T: for<'a> TryFrom<&'a [u8]> + std::fmt::Debug,
{
    bytes(255).prop_map(|bytes| T::try_from(&bytes).ok().expect("at most 255 bytes"))
}

/// IDs of 24 bytes.
pub(crate) fn id<T: From<[u8; 24]> + std::fmt::Debug>() -> impl Strategy<Value = T> {
    any::<[u8; 24]>().prop_map(T::from)
}

pub(crate) fn dh_key() -> impl Strategy<Value = DhPublicKey> {
    any::<[u8; 32]>().prop_map(DhPublicKey::from)
}

pub(crate) fn auth_key() -> impl Strategy<Value = AuthKey> {
    prop_oneof![
        any::<[u8; 32]>().prop_map(AuthKey::Ed25519),
        dh_key().prop_map(AuthKey::X25519),
        vec(any::<u8>(), 57).prop_map(|raw| AuthKey::Ed448(Box::new(raw.try_into().expect("57 bytes")))),
    ]
}

pub(crate) fn password() -> impl Strategy<Value = BasicAuth> {
    vec(prop::sample::select(b"!azAZ09=~\xa1\xff".to_vec()), 0..=255)
        .prop_map(|bytes| BasicAuth::new(&bytes).expect("printable bytes"))
}

pub(crate) fn link_data() -> impl Strategy<Value = LinkData> {
    (boxed_bytes(300), boxed_bytes(3000)).prop_map(|(fixed, user)| LinkData { fixed, user })
}

pub(crate) fn queue_mode() -> impl Strategy<Value = QueueMode> {
    prop_oneof![Just(QueueMode::Messaging), Just(QueueMode::Contact)]
}

pub(crate) fn queue_set() -> impl Strategy<Value = QueueSet> {
    (any::<i64>(), any::<[u8; 16]>()).prop_map(|(count, hash)| QueueSet { count, hash: QueueIdsHash(hash) })
}

pub(crate) fn version() -> impl Strategy<Value = Version> {
    (6..=20u16).prop_map(Version)
}

pub(crate) fn version_range() -> impl Strategy<Value = VersionRange> {
    (any::<u16>(), any::<u16>())
        .prop_map(|(a, b)| VersionRange::new(Version(a.min(b)), Version(a.max(b))).expect("in order"))
}

pub(crate) fn chain() -> impl Strategy<Value = CertChainPubKey> {
    (vec(bytes(300), 1..=4), bytes(200)).prop_map(|(chain, signed_key)| CertChainPubKey { chain, signed_key })
}
