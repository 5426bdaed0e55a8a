//! Commands and the responses to them.

use serde::Deserialize;
use smp_protocol::authorization::{AuthPrivateKey, Verifier};
use smp_protocol::command::{
    Command, NewNotifier, NewQueue, NotifierCommand, QueueRequest, RecipientCommand, SendMessage, SenderCommand,
};
use smp_protocol::error::{BlockingInfo, BlockingReason, ErrorType, Notice};
use smp_protocol::id::{CorrId, EntityId, MessageId, RecipientId};
use smp_protocol::key::{AuthKey, DhPrivateKey, DhPublicKey, Signature};
use smp_protocol::message::{self, Content, Plain, SEALED_MESSAGE};
use smp_protocol::response::{EncryptedMessage, QueueIds, Response};
use smp_protocol::transmission::{Credentials, Rejected, ServiceCredentials, Transmission};
use smp_protocol::version::Version;

use super::Connection;
use crate::handshake::RecordedService;
use crate::vectors::{Bytes, Hex, Key};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CommandStep {
    name: String,
    corr_id: Hex,
    entity: Hex,
    key: Option<Key>,
    service_signed: bool,
    #[serde(alias = "command_big")]
    command: Bytes,
    #[serde(alias = "authorized_big")]
    authorized: Bytes,
    #[serde(alias = "transmission_big")]
    transmission: Bytes,
    response: Reply,
    queue: Option<Queue>,
    notifier: Option<Notifier>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reply {
    corr_id: Hex,
    entity: Hex,
    tag: String,
    #[serde(alias = "message_big")]
    message: Bytes,
    #[serde(alias = "transmission_big")]
    transmission: Bytes,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Queue {
    recipient_id: Hex,
    sender_id: Hex,
    recipient_key: Key,
    recipient_dh_key: Key,
    server_dh_public: Hex,
    dh_secret: Hex,
    mode: Option<char>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Notifier {
    key: Key,
    dh_key: Key,
    dh_secret: Hex,
}

impl CommandStep {
    /// What the step of this name sends.
    pub(super) fn sends(&self, name: &str) -> Option<SendMessage> {
        match Command::parse(&self.command(), Version::MIN) {
            Ok(Command::Sender(SenderCommand::Send(message))) if self.name == name => Some(message),
            _ => None,
        }
    }

    pub(super) fn check<'a>(&'a self, connection: &mut Connection<'a>) {
        let transmission = self.transmission(connection);
        self.transmission.check(&transmission);
        let read = connection.wire().read(&transmission).unwrap();
        assert_eq!((&read.corr_id, &read.entity), (&self.corr_id.id(), &self.entity.id()));
        self.command.check(read.body);
        self.authorized.check(&read.authorized.copied());
        self.check_authorization(&read, connection);
        match read.command(connection.version) {
            Err(rejected) => self.check_rejected(rejected, connection),
            Ok(command) => self.check_response(&command, connection),
        }
        connection.transmissions.push(transmission);
    }

    /// The command: too large ones are full of zeros.
    fn command(&self) -> Vec<u8> {
        self.command.known().unwrap_or_else(|| {
            let mut send = b"SEND F ".to_vec();
            send.resize(self.command.length(), 0);
            send
        })
    }

    /// The transmission, made from its parts; for commands that do not parse as recorded.
    fn transmission(&self, connection: &Connection<'_>) -> Vec<u8> {
        let body = self.command();
        let Ok(command) = Command::parse(&body, connection.version) else {
            return self.transmission.known().unwrap();
        };
        let mut again = Vec::new();
        command.encode(connection.version, &mut again);
        assert_eq!(again, body, "{}", self.name);

        let key = self.key.as_ref().map(Key::auth);
        let service = connection.service.map(|service| (service.fingerprint(), service.session_key().signing()));
        let service = service.as_ref().filter(|_| self.service_signed);
        let credentials = Credentials {
            key: key.as_ref(),
            session_key: Some(&connection.server_key),
            service: service.map(|(fingerprint, session_key)| ServiceCredentials { fingerprint, session_key }),
        };
        let mut transmission = Vec::new();
        let (corr_id, entity) = (self.corr_id.id(), self.entity.id());
        connection.wire().write_command(&command, &corr_id, &entity, &credentials, &mut transmission);
        transmission
    }

    fn check_authorization(&self, read: &Transmission<'_>, connection: &Connection<'_>) {
        assert_eq!(read.service_signature.is_some(), self.service_signed);
        let Some(key) = &self.key else {
            assert!(read.authorization.is_none());
            return;
        };
        // The server's session key is not recorded. An authenticator is checked with the two keys in each other's place: their
        // secret is the same.
        let (session_key, public) = match key.auth() {
            AuthPrivateKey::Dh(key) => (key, AuthKey::X25519(connection.server_key)),
            AuthPrivateKey::Signing(key) => (DhPrivateKey::generate(), key.verifying_key().into()),
        };
        let verifier = Verifier { session_key: &session_key };
        let fingerprint = connection.service.map(RecordedService::fingerprint);
        let mut authorized = read.authorized.clone();
        if let (Some(signature), Some(service), Some(fingerprint)) =
            (read.service_signature, connection.service, &fingerprint)
        {
            let service_key = service.session_key().signing().verifying_key();
            assert!(service_key.verify(&authorized.copied(), &Signature::Ed25519(signature)));
            authorized = authorized.by_service(fingerprint);
        }
        assert!(verifier.verify(&read.authorization, &public, &authorized, &read.corr_id), "{}", self.name);
    }

    /// An answer that needs no queue.
    fn check_rejected(&self, rejected: Rejected, connection: &mut Connection<'_>) {
        let names = ["unknown command", "bad arguments", "no authorization", "authorization not allowed", "no entity"];
        assert!(names.contains(&&self.name[..]), "{}", self.name);
        let Rejected { corr_id, entity, error } = rejected;
        self.response.check(&corr_id, &entity, &Response::Error(error), connection);
    }

    fn check_response<'a>(&'a self, command: &Command, connection: &mut Connection<'a>) {
        if let Command::Recipient(RecipientCommand::Acknowledge(id)) = command
            && let Some(reply) = connection.unread.take()
        {
            reply.check_hashes(MessageId::try_from(id.as_ref()).unwrap(), connection);
        }
        let Some(message) = self.response.message.known() else {
            self.response.check_lengths(connection);
            connection.unread =
                matches!(command, Command::Recipient(RecipientCommand::Acknowledge(_))).then_some(&self.response);
            return;
        };
        let response = Response::decode(&message, connection.version).unwrap();
        self.response.check(&self.corr_id.id(), &self.entity.id(), &response, connection);
        match (command, &response) {
            (Command::New(new), Response::Ids(ids)) => self.check_queue(new, ids, connection),
            (Command::Recipient(RecipientCommand::SetNotifier(new)), Response::NotifierId(_, server_key)) => {
                self.notifier.as_ref().unwrap().check(new, server_key);
            }
            (Command::Recipient(RecipientCommand::Subscribe) | Command::Notifier(NotifierCommand::Subscribe), _) => {
                self.check_subscribed(&response, connection);
            }
            (Command::Recipient(RecipientCommand::Acknowledge(_)), Response::Message(message)) => {
                self.check_message(message, connection);
            }
            _ => assert!(self.queue.is_none() && self.notifier.is_none()),
        }
    }

    fn check_queue(&self, new: &NewQueue, ids: &QueueIds, connection: &mut Connection<'_>) {
        let queue = self.queue.as_ref().expect("the queue that was made");
        assert_eq!(&queue.recipient_id, ids.recipient_id.as_ref());
        assert_eq!(&queue.sender_id, ids.sender_id.as_ref());
        assert_eq!(new.recipient_key, queue.recipient_key.auth().public());
        let dh_key = queue.recipient_dh_key.dh();
        assert_eq!(new.recipient_dh_key, dh_key.public());
        assert_eq!(ids.server_dh_key, queue.server_dh_public.dh_public());
        let secret = dh_key.agree(&ids.server_dh_key);
        assert_eq!(&queue.dh_secret, &secret.as_bytes()[..]);
        assert_eq!(ids.mode.map(|mode| char::from(mode.letter())), queue.mode);
        if connection.version.0 >= 9 {
            assert_eq!(new.request.as_ref().map(QueueRequest::mode), ids.mode);
        }
        assert_eq!(ids.service_id, connection.service.map(RecordedService::id));
        assert_eq!(ids.notifier.is_some(), self.notifier.is_some());
        if let (Some(notifier), Some((_, server_key)), Some(new)) = (&self.notifier, &ids.notifier, &new.notifier) {
            notifier.check(new, server_key);
        }
        connection.queues.insert(ids.recipient_id, secret);
    }

    /// SOK, or OK before version 16; or what is left of BLOCKED at this version.
    fn check_subscribed(&self, response: &Response, connection: &Connection<'_>) {
        let blocked = || {
            let notice = Some(Notice { ttl_seconds: Some(3600) });
            Response::Error(ErrorType::Blocked(BlockingInfo { reason: BlockingReason::Spam, notice }))
        };
        let expected = match (&self.name[..], response) {
            ("SUB of a blocked queue", Response::Error(_)) => blocked(),
            ("unknown queue", Response::Error(_)) => Response::Error(ErrorType::Auth),
            _ => Response::Subscribed(connection.service.map(RecordedService::id)),
        };
        let mut body = Vec::new();
        expected.encode(connection.version, &mut body).unwrap();
        self.response.message.check(&body);
    }

    fn check_message(&self, message: &EncryptedMessage, connection: &Connection<'_>) {
        let secret = &connection.queues[&RecipientId::from(self.entity.array())];
        let content = message::open_message(secret, &message.id, &message.body).unwrap();
        let Content::Message { notify, body, .. } = content else { panic!("no marker") };
        assert_eq!((notify, &body[..]), (connection.second.notify, &connection.second.body[..]));
    }
}

impl Notifier {
    fn check(&self, new: &NewNotifier, server_key: &DhPublicKey) {
        let dh_key = self.dh_key.dh();
        assert_eq!((&new.key, &new.dh_key), (&self.key.auth().public(), &dh_key.public()));
        assert_eq!(&self.dh_secret, &dh_key.agree(server_key).as_bytes()[..]);
    }
}

impl Reply {
    /// The response as it was recorded, and written again.
    fn check(&self, corr_id: &CorrId, entity: &EntityId, response: &Response, connection: &mut Connection<'_>) {
        assert_eq!((corr_id, entity), (&self.corr_id.id(), &self.entity.id()));
        let (body, transmission) = self.write(response, connection);
        self.message.check(&body);
        assert!(body.starts_with(self.tag.as_bytes()));
        self.transmission.check(&transmission);
        let read = connection.wire().read(&transmission).unwrap();
        assert_eq!((&read.corr_id, &read.entity, read.body), (corr_id, entity, &body[..]));
        assert!(read.authorization.is_none() && read.service_signature.is_none());
        connection.transmissions.push(transmission);
    }

    /// Of messages in replies often only hashes were kept.
    fn check_lengths(&self, connection: &Connection<'_>) {
        let body = EncryptedMessage { id: MessageId::random(), body: vec![0; SEALED_MESSAGE].into() };
        let (body, transmission) = self.write(&Response::Message(body), connection);
        assert_eq!(self.tag, "MSG");
        assert_eq!(self.message.length(), body.len());
        assert_eq!(self.transmission.length(), transmission.len());
    }

    /// Finds the time of the message, which no other step tells.
    fn check_hashes(&self, id: MessageId, connection: &Connection<'_>) {
        let secret = &connection.queues[&RecipientId::from(self.entity.array())];
        let SendMessage { notify, body } = connection.second;
        let found = (connection.last_timestamp..connection.last_timestamp + 60).any(|timestamp| {
            let mut sealed = Vec::new();
            message::seal_message(secret, &id, Plain::Message { timestamp, notify: *notify, body }, &mut sealed);
            let message = Response::Message(EncryptedMessage { id, body: sealed.into() });
            let (body, transmission) = self.write(&message, connection);
            self.message.is(&body) && self.transmission.is(&transmission)
        });
        assert!(found);
    }

    /// The response, and its transmission.
    fn write(&self, response: &Response, connection: &Connection<'_>) -> (Vec<u8>, Vec<u8>) {
        let (mut body, mut transmission) = (Vec::new(), Vec::new());
        response.encode(connection.version, &mut body).unwrap();
        let (corr_id, entity) = (self.corr_id.id(), self.entity.id());
        connection.wire().write(&corr_id, &entity, &mut transmission, |out| out.extend_from_slice(&body));
        (body, transmission)
    }
}
