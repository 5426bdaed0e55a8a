//! What the server sends of its own accord.

use serde::Deserialize;
use smp_protocol::id::{CorrId, MessageId};
use smp_protocol::message::{self, Content, Plain};
use smp_protocol::response::{EncryptedMessage, EncryptedNotification, Response};

use super::Connection;
use crate::vectors::{Bytes, Hex};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventStep {
    name: String,
    event: bool,
    entity: Hex,
    tag: String,
    #[serde(alias = "message_big")]
    message: Bytes,
    dh_secret: Option<Hex>,
    msg_id: Option<Hex>,
    plain: Option<PlainText>,
    meta: Option<Meta>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlainText {
    quota: bool,
    timestamp: i64,
    flags: String,
    body: Hex,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Meta {
    msg_id: Hex,
    timestamp: i64,
}

impl EventStep {
    pub(super) fn check(&self, connection: &mut Connection<'_>) {
        assert!(self.event);
        let response = match &self.tag[..] {
            "MSG" => self.message(connection),
            "NMSG" => self.notification(),
            _ => self.other(connection),
        };
        let mut body = Vec::new();
        response.encode(connection.version, &mut body).unwrap();
        self.message.check(&body);
        assert!(body.starts_with(self.tag.as_bytes()));
        assert_eq!(Response::decode(&body, connection.version), Ok(response));
        let mut transmission = Vec::new();
        connection.wire().write(&CorrId::EMPTY, &self.entity.id(), &mut transmission, |out| out.extend(body));
        connection.transmissions.push(transmission);
    }

    /// The MSG, made from its plaintext and, where it was kept, read.
    fn message(&self, connection: &mut Connection<'_>) -> Response {
        let (Some(secret), Some(id), Some(plain)) = (&self.dh_secret, &self.msg_id, &self.plain) else {
            panic!("keys of a message")
        };
        let (secret, id) = (secret.secret(), MessageId::from(id.array()));
        let PlainText { quota: false, timestamp, flags, body } = plain else { panic!("no marker") };
        let (notify, timestamp) = (flags == "T", *timestamp);
        connection.last_timestamp = timestamp;
        let mut sealed = Vec::new();
        message::seal_message(&secret, &id, Plain::Message { timestamp, notify, body }, &mut sealed);
        let content = Content::Message { timestamp, notify, body: body.to_vec() };
        assert_eq!(message::open_message(&secret, &id, &sealed), Ok(content));
        Response::Message(EncryptedMessage { id, body: sealed.into() })
    }

    /// The NMSG, made from its metadata with the nonce that the server chose.
    fn notification(&self) -> Response {
        let (Some(secret), Some(meta), Some(body)) = (&self.dh_secret, &self.meta, self.message.known()) else {
            panic!("keys of a notification")
        };
        let (secret, id) = (secret.secret(), MessageId::from(meta.msg_id.array()));
        let nonce = body[5..29].try_into().unwrap();
        let meta_sealed = message::seal_notification(&secret, &nonce, &id, meta.timestamp);
        assert_eq!(message::open_notification(&secret, &nonce, &meta_sealed), Ok((id, meta.timestamp)));
        Response::Notification(Box::new(EncryptedNotification { nonce, meta: meta_sealed }))
    }

    fn other(&self, connection: &Connection<'_>) -> Response {
        let response = Response::decode(&self.message.known().unwrap(), connection.version).unwrap();
        if self.name.starts_with("DELD") {
            let mut deleted = Vec::new();
            Response::Deleted.encode(connection.version, &mut deleted).unwrap();
            self.message.check(&deleted);
        }
        match &response {
            Response::ServiceEnd(queues) => {
                assert_eq!(queues.count, 1);
                let service = connection.service.expect("a service");
                assert_eq!(&self.entity, service.id().as_ref());
            }
            response => assert!(matches!(response, Response::End | Response::Deleted)),
        }
        response
    }
}
