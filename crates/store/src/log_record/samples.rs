//! Records for tests.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use smp_protocol::command::{LinkData, QueueMode};
use smp_protocol::error::{BlockingInfo, BlockingReason, Notice};
use smp_protocol::handshake::ServiceRole;
use smp_protocol::id::{LinkId, RecipientId, SenderId};
use smp_protocol::key::{AuthKey, DhPublicKey, DhSecret};

use super::{LogRecord, ServiceParty};
use crate::date::Date;
use crate::record::{CertificateChain, Link, Notifier, QueueRecord, QueueStatus, RecipientKeys, ServiceRecord};

/// A queue with nothing optional; its IDs are made of `n`.
pub(crate) fn plain_queue(n: u8) -> QueueRecord {
    QueueRecord {
        recipient_id: RecipientId::from([n; 24]),
        recipient_keys: AuthKey::Ed25519([n; 32]).into(),
        dh_secret: DhSecret::from([n; 32]),
        sender_id: SenderId::from([n ^ 0x80; 24]),
        sender_key: None,
        mode: None,
        link: None,
        notifier: None,
        status: QueueStatus::Active,
        updated_at: None,
        service: None,
    }
}

pub(crate) fn link(n: u8, user: &[u8]) -> Link {
    let data = LinkData { fixed: b"fixed"[..].into(), user: user.into() };
    Link::new(LinkId::try_from(&[n; 24][..]).unwrap(), data).unwrap()
}

pub(crate) fn notifier(n: u8) -> Notifier {
    Notifier { id: [n; 24].into(), key: AuthKey::Ed25519([n; 32]), secret: DhSecret::from([n; 32]), service: None }
}

pub(crate) fn service(n: u8) -> ServiceRecord {
    ServiceRecord {
        id: [n; 24].into(),
        role: ServiceRole::Messaging,
        chain: CertificateChain::new([vec![n], vec![n, n]]).unwrap(),
        fingerprint: [n; 32],
        created_at: Date::from_unix_seconds(0),
    }
}

fn id<T: From<[u8; 24]> + std::fmt::Debug>() -> impl Strategy<Value = T> {
    any::<[u8; 24]>().prop_map(T::from)
}

fn key() -> impl Strategy<Value = AuthKey> {
    prop_oneof![
        any::<[u8; 32]>().prop_map(AuthKey::Ed25519),
        any::<[u8; 32]>().prop_map(|raw| AuthKey::X25519(DhPublicKey::from(raw))),
        vec(any::<u8>(), 57).prop_map(|raw| AuthKey::Ed448(Box::new(raw.try_into().unwrap()))),
    ]
}

fn keys() -> impl Strategy<Value = RecipientKeys> {
    vec(key(), 1..4).prop_map(|keys| keys.try_into().unwrap())
}

fn secret() -> impl Strategy<Value = DhSecret> {
    any::<[u8; 32]>().prop_map(DhSecret::from)
}

fn date() -> impl Strategy<Value = Date> {
    any::<i64>().prop_map(Date::from_unix_seconds)
}

fn any_link() -> impl Strategy<Value = Link> {
    let part = || vec(any::<u8>(), 1..100);
    (vec(any::<u8>(), 1..=255), part(), part()).prop_map(|(id, fixed, user)| {
        let data = LinkData { fixed: fixed.into(), user: user.into() };
        Link::new(LinkId::try_from(&id[..]).unwrap(), data).unwrap()
    })
}

fn any_notifier() -> impl Strategy<Value = Notifier> {
    (id(), key(), secret(), option::of(id())).prop_map(|(id, key, secret, service)| Notifier {
        id,
        key,
        secret,
        service,
    })
}

fn blocking_info() -> impl Strategy<Value = BlockingInfo> {
    let reason = prop_oneof![Just(BlockingReason::Spam), Just(BlockingReason::Content)];
    let notice = option::of(option::of(any::<i64>()).prop_map(|ttl_seconds| Notice { ttl_seconds }));
    (reason, notice).prop_map(|(reason, notice)| BlockingInfo { reason, notice })
}

fn status() -> impl Strategy<Value = QueueStatus> {
    prop_oneof![
        Just(QueueStatus::Active),
        Just(QueueStatus::Off),
        blocking_info().prop_map(|info| QueueStatus::Blocked(Box::new(info))),
    ]
}

/// Any queue.
pub(crate) fn queue() -> impl Strategy<Value = QueueRecord> {
    let mode = option::of(prop_oneof![Just(QueueMode::Messaging), Just(QueueMode::Contact)]);
    let ids = (id(), keys(), secret(), id(), option::of(key()));
    let rare = (option::of(any_link()), option::of(any_notifier()), status(), option::of(date()), option::of(id()));
    (ids, mode, rare).prop_map(|(ids, mode, (link, notifier, status, updated_at, service))| QueueRecord {
        recipient_id: ids.0,
        recipient_keys: ids.1,
        dh_secret: ids.2,
        sender_id: ids.3,
        sender_key: ids.4,
        mode,
        link: link.map(Box::new),
        notifier: notifier.map(Box::new),
        status,
        updated_at,
        service: service.map(Box::new),
    })
}

fn any_service() -> impl Strategy<Value = ServiceRecord> {
    let role = prop_oneof![Just(ServiceRole::Messaging), Just(ServiceRole::Notifier), Just(ServiceRole::Proxy)];
    let chain = vec(vec(any::<u8>(), 1..300), 1..4).prop_map(|chain| CertificateChain::new(chain).unwrap());
    (id(), role, chain, any::<[u8; 32]>(), date()).prop_map(|(id, role, chain, fingerprint, created_at)| {
        ServiceRecord { id, role, chain, fingerprint, created_at }
    })
}

/// Any record.
pub(crate) fn record() -> impl Strategy<Value = LogRecord> {
    let party = prop_oneof![Just(ServiceParty::Recipient), Just(ServiceParty::Notifier)];
    prop_oneof![
        4 => queue().prop_map(LogRecord::Create),
        1 => (id(), any_link()).prop_map(|(id, link)| LogRecord::Link(id, link)),
        1 => id().prop_map(LogRecord::DeleteLink),
        1 => (id(), key()).prop_map(|(id, key)| LogRecord::Secure(id, key)),
        1 => (id(), keys()).prop_map(|(id, keys)| LogRecord::Keys(id, keys)),
        1 => (id(), any_notifier()).prop_map(|(id, notifier)| LogRecord::Notifier(id, notifier)),
        1 => id().prop_map(LogRecord::DeleteNotifier),
        1 => id().prop_map(LogRecord::Suspend),
        1 => (id(), blocking_info()).prop_map(|(id, info)| LogRecord::Block(id, info)),
        1 => id().prop_map(LogRecord::Unblock),
        1 => id().prop_map(LogRecord::Delete),
        1 => (id(), date()).prop_map(|(id, date)| LogRecord::Time(id, date)),
        1 => any_service().prop_map(LogRecord::NewService),
        1 => (id(), party, option::of(id())).prop_map(|(id, party, service)| LogRecord::QueueService(id, party, service)),
    ]
}

/// Any record, with so few different IDs that records meet.
pub(crate) fn few_queues() -> impl Strategy<Value = LogRecord> {
    (record(), 0..6_u8, 0..4_u8).prop_map(|(record, n, m)| {
        let id = RecipientId::from([n; 24]);
        let link = || link(m, b"user");
        match record {
            LogRecord::Create(queue) => LogRecord::Create(QueueRecord {
                recipient_id: id,
                sender_id: SenderId::from([n ^ 0x80; 24]),
                link: queue.link.map(|_| Box::new(link())),
                notifier: queue.notifier.map(|old| Box::new(Notifier { id: [m; 24].into(), ..*old })),
                ..queue
            }),
            LogRecord::Link(..) => LogRecord::Link(id, link()),
            LogRecord::DeleteLink(_) => LogRecord::DeleteLink(id),
            LogRecord::Secure(_, key) => LogRecord::Secure(id, key),
            LogRecord::Keys(_, keys) => LogRecord::Keys(id, keys),
            LogRecord::Notifier(_, old) => LogRecord::Notifier(id, Notifier { id: [m; 24].into(), ..old }),
            LogRecord::DeleteNotifier(_) => LogRecord::DeleteNotifier(id),
            LogRecord::Suspend(_) => LogRecord::Suspend(id),
            LogRecord::Block(_, info) => LogRecord::Block(id, info),
            LogRecord::Unblock(_) => LogRecord::Unblock(id),
            LogRecord::Delete(_) => LogRecord::Delete(id),
            LogRecord::Time(_, date) => LogRecord::Time(id, date),
            LogRecord::NewService(_) => LogRecord::NewService(service(m)),
            LogRecord::QueueService(_, party, service) => LogRecord::QueueService(id, party, service),
        }
    })
}
