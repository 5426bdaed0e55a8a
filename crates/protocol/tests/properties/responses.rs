//! Responses and events.

use proptest::option;
use proptest::prelude::*;
use smp_protocol::command::{QueueIdsHash, QueueMode, QueueSet};
use smp_protocol::error::ErrorType;
use smp_protocol::response::{
    DeliveryState, EncryptedMessage, EncryptedNotification, MessageInfo, MessageKind, NameRecord, QueueIds, QueueInfo,
    RelaySession, Response, SubscriptionInfo,
};
use smp_protocol::version::Version;

use crate::errors::{blocking_info, error};
use crate::values::{
    boxed_bytes, chain, dh_key, id, link_data, queue_mode, queue_set, short_id, version, version_range,
};

fn queue_ids() -> impl Strategy<Value = QueueIds> {
    let required = (id(), id(), dh_key());
    let optional = (option::of(queue_mode()), option::of(short_id()), option::of(id()), option::of((id(), dh_key())));
    (required, optional).prop_map(
        |((recipient_id, sender_id, server_dh_key), (mode, link_id, service_id, notifier))| QueueIds {
            recipient_id,
            sender_id,
            server_dh_key,
            mode,
            link_id,
            service_id,
            notifier,
        },
    )
}

fn notification() -> impl Strategy<Value = EncryptedNotification> {
    (any::<[u8; 24]>(), prop::collection::vec(any::<u8>(), 144))
        .prop_map(|(nonce, meta)| EncryptedNotification { nonce, meta: meta.try_into().expect("144 bytes") })
}

fn relay_session() -> impl Strategy<Value = RelaySession> {
    (short_id(), version_range(), chain()).prop_map(|(session_id, versions, key)| RelaySession {
        session_id,
        versions,
        key,
    })
}

fn queue_info() -> impl Strategy<Value = QueueInfo> {
    use DeliveryState::{NoSub, ProhibitSub, SubPending, SubThread};
    let states = prop::sample::select(vec![NoSub, SubPending, SubThread, ProhibitSub]);
    let subscription = (states, option::of(any::<String>()))
        .prop_map(|(delivery, delivered)| SubscriptionInfo { delivery, delivered });
    let kinds = prop::sample::select(vec![MessageKind::Message, MessageKind::Quota]);
    let message =
        (any::<String>(), any::<String>(), kinds).prop_map(|(id, timestamp, kind)| MessageInfo { id, timestamp, kind });
    (any::<bool>(), any::<bool>(), option::of(subscription), any::<u64>(), option::of(message)).prop_map(
        |(secured, has_notifier, subscription, size, message)| QueueInfo {
            secured,
            has_notifier,
            subscription,
            size,
            message,
        },
    )
}

fn name_record() -> impl Strategy<Value = NameRecord> {
    let texts = any::<[String; 6]>();
    let lists = any::<(Vec<String>, Vec<String>)>();
    let coins = any::<[Option<String>; 4]>();
    (texts, lists, coins).prop_map(
        |(
            [name, nickname, website, location, owner, resolver],
            (simplex_contact, simplex_channel),
            [eth, btc, xmr, dot],
        )| NameRecord {
            name,
            nickname,
            website,
            location,
            simplex_contact,
            simplex_channel,
            eth,
            btc,
            xmr,
            dot,
            owner,
            resolver,
        },
    )
}

fn with_arguments() -> impl Strategy<Value = Response> {
    prop_oneof![
        queue_ids().prop_map(|ids| Response::Ids(Box::new(ids))),
        (id(), link_data()).prop_map(|(id, data)| Response::Link(id, data)),
        option::of(id()).prop_map(Response::Subscribed),
        queue_set().prop_map(Response::ServiceSubscribed),
        (id(), boxed_bytes(2000)).prop_map(|(id, body)| Response::Message(EncryptedMessage { id, body })),
        (id(), dh_key()).prop_map(|(id, key)| Response::NotifierId(id, key)),
        notification().prop_map(|notification| Response::Notification(Box::new(notification))),
        relay_session().prop_map(|session| Response::RelaySession(std::sync::Arc::new(session))),
        boxed_bytes(2000).prop_map(Response::RelayResponse),
        boxed_bytes(2000).prop_map(Response::ProxiedResponse),
        queue_set().prop_map(Response::ServiceEnd),
        queue_info().prop_map(|info| Response::Info(Box::new(info))),
        error().prop_map(Response::Error),
        blocking_info().prop_map(|info| Response::Error(ErrorType::Blocked(info))),
        name_record().prop_map(|record| Response::Name(Box::new(record))),
    ]
}

pub(crate) fn response() -> impl Strategy<Value = Response> {
    let without = vec![Response::AllMessagesSent, Response::End, Response::Deleted, Response::Ok, Response::Pong];
    prop_oneof![4 => with_arguments(), 1 => prop::sample::select(without)]
}

/// What a version carries of a response.
fn carried(response: Response, version: Version) -> Response {
    let hashed = version >= Version::SERVICE_HASH;
    let counted = |queues: QueueSet| if hashed { queues } else { QueueSet { hash: QueueIdsHash::default(), ..queues } };
    match response {
        Response::Ids(ids) => Response::Ids(Box::new(carried_ids(*ids, version))),
        Response::Subscribed(_) if version < Version::SERVICES => Response::Ok,
        Response::ServiceSubscribed(queues) => Response::ServiceSubscribed(counted(queues)),
        Response::ServiceEnd(queues) => Response::ServiceEnd(counted(queues)),
        Response::Deleted if version < Version::DELETED_EVENT => Response::End,
        Response::Error(ErrorType::Blocked(_)) if version < Version::BLOCKED => Response::Error(ErrorType::Auth),
        Response::Error(ErrorType::Blocked(info)) if version < Version::BLOCKED_NOTICE => {
            Response::Error(ErrorType::Blocked(info.without_notice()))
        }
        response => response,
    }
}

fn carried_ids(mut ids: QueueIds, version: Version) -> QueueIds {
    if version < Version::NEW_NOTIFIER {
        ids.notifier = None;
    }
    if version < Version::SERVICES {
        ids.service_id = None;
    }
    if version < Version::LINKS {
        ids.link_id = None;
        ids.mode = ids.mode.or(Some(QueueMode::Contact));
    }
    if version < Version::SENDER_SECURE {
        ids.mode = None;
    }
    ids
}

pub(crate) fn encoded(response: &Response, version: Version) -> Vec<u8> {
    let mut out = Vec::new();
    response.encode(version, &mut out).unwrap();
    out
}

proptest! {
    #[test]
    fn responses_round_trip(response in response(), version in version()) {
        let body = encoded(&response, version);
        let decoded = Response::decode(&body, version);
        prop_assert_eq!(&decoded, &Ok(carried(response, version)));
        prop_assert_eq!(encoded(&decoded.unwrap(), version), body);
    }
}
