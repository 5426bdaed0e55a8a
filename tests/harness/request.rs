//! Single commands and their replies, also such as no honest client sends.

use smp_client::protocol::authorization::AuthPrivateKey;
use smp_client::protocol::command::{
    Command, LinkCommand, LinkData, NewNotifier, NewQueue, NotifierCommand, QueueRequest, RecipientCommand,
    SendMessage, SenderCommand, SubscribeMode,
};
use smp_client::protocol::encoding::Encode;
use smp_client::protocol::error::{CommandError, ErrorType};
use smp_client::protocol::id::{CorrId, EntityId, LinkId, random_bytes};
use smp_client::protocol::key::{AuthKey, DhPrivateKey, SigningKey};
use smp_client::protocol::response::Response;
use smp_client::protocol::version::Version;
use smp_client::{Client, Reply, Request};

/// What a command is authorized by.
#[derive(Clone)]
pub enum By<'k> {
    /// Nothing.
    Nobody,
    /// This key.
    Key(&'k AuthPrivateKey),
    /// The length of an Ed25519 signature, but a signature of nothing.
    WrongSignature,
    /// These bytes.
    Bytes(Vec<u8>),
}

/// Sends a command and waits for the reply.
pub async fn ask(client: &Client, entity: impl Into<EntityId>, command: Command, by: By<'_>) -> Reply {
    let key = match by {
        By::Nobody => None,
        By::Key(key) => Some(key),
        By::WrongSignature | By::Bytes(_) => {
            let mut words = Vec::new();
            command.encode(client.version(), &mut words);
            return ask_raw(client, entity, &words, by).await;
        }
    };
    let request = Request::new(entity, command, key);
    client.submit(&request).await.expect("the command can be sent").reply().await.expect("the command is answered")
}

/// Sends these bytes in place of a command and waits for the reply. Keys do not sign here.
pub async fn ask_raw(client: &Client, entity: impl Into<EntityId>, words: &[u8], by: By<'_>) -> Reply {
    let authorization = match by {
        By::Nobody => Vec::new(),
        By::WrongSignature => random_bytes::<64>().to_vec(),
        By::Bytes(bytes) => bytes,
        By::Key(_) => unreachable!("signing is done by the client, for commands"),
    };
    let corr_id = CorrId::random();
    let transmission = transmission(client, &authorization, corr_id.as_ref(), entity.into().as_ref(), words);
    let pending = client.expect(corr_id).expect("the connection is open");
    client.send_raw(vec![transmission]).await.expect("the transmission can be sent");
    pending.reply().await.expect("the transmission is answered")
}

/// A transmission in the layout of the connection's version (wire.md §5.1), without a service signature.
pub fn transmission(client: &Client, authorization: &[u8], corr_id: &[u8], entity: &[u8], words: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    out.put_short(authorization);
    if client.version() >= Version::SERVICES && !authorization.is_empty() {
        out.push(b'0');
    }
    if client.version() < Version::IMPLICIT_SESSION_ID {
        out.put_short(client.session_id().as_ref());
    }
    out.put_short(corr_id);
    out.put_short(entity);
    out.put(words);
    out
}

/// An entity ID of any bytes.
pub fn entity(bytes: &[u8]) -> EntityId {
    bytes.try_into().expect("an ID has at most 255 bytes")
}

/// The reply `response` to a command for `entity`.
pub fn reply(entity: impl Into<EntityId>, response: Response) -> Reply {
    Reply { entity: entity.into(), response }
}

/// `OK`
pub fn ok(entity: impl Into<EntityId>) -> Reply {
    reply(entity, Response::Ok)
}

/// `SOK` of a connection without service, which is `OK` before version 16.
pub fn subscribed(version: Version, entity: impl Into<EntityId>) -> Reply {
    reply(entity, if version < Version::SERVICES { Response::Ok } else { Response::Subscribed(None) })
}

/// `ERR`
pub fn err(entity: impl Into<EntityId>, error: impl Into<ErrorType>) -> Reply {
    reply(entity, Response::Error(error.into()))
}

/// `ERR AUTH`
pub fn auth(entity: impl Into<EntityId>) -> Reply {
    err(entity, ErrorType::Auth)
}

/// `ERR CMD SYNTAX`
pub fn syntax(entity: impl Into<EntityId>) -> Reply {
    err(entity, CommandError::Syntax)
}

/// `ERR CMD UNKNOWN`
pub fn unknown(entity: impl Into<EntityId>) -> Reply {
    err(entity, CommandError::Unknown)
}

/// `ERR CMD NO_AUTH`
pub fn no_auth(entity: impl Into<EntityId>) -> Reply {
    err(entity, CommandError::NoAuth)
}

/// `ERR CMD HAS_AUTH`
pub fn has_auth(entity: impl Into<EntityId>) -> Reply {
    err(entity, CommandError::HasAuth)
}

/// `ERR CMD PROHIBITED`
pub fn prohibited(entity: impl Into<EntityId>) -> Reply {
    err(entity, CommandError::Prohibited)
}

/// A fresh Ed25519 key.
pub fn ed25519() -> AuthPrivateKey {
    AuthPrivateKey::Signing(SigningKey::generate_ed25519())
}

/// A fresh Ed448 key.
pub fn ed448() -> AuthPrivateKey {
    AuthPrivateKey::Signing(SigningKey::generate_ed448())
}

/// A fresh X25519 key.
pub fn x25519() -> AuthPrivateKey {
    AuthPrivateKey::Dh(DhPrivateKey::generate())
}

/// `NEW` of a subscribed messaging queue with this recipient key.
pub fn new(recipient_key: &AuthPrivateKey) -> Command {
    Command::New(Box::new(NewQueue {
        recipient_key: recipient_key.public(),
        recipient_dh_key: DhPrivateKey::generate().public(),
        password: None,
        subscribe: SubscribeMode::Subscribe,
        request: Some(QueueRequest::Messaging(None)),
        notifier: None,
    }))
}

/// `SEND` without a notification.
pub fn send(body: &[u8]) -> Command {
    Command::Sender(SenderCommand::Send(SendMessage { notify: false, body: body.into() }))
}

/// `SEND` with a notification.
pub fn send_and_notify(body: &[u8]) -> Command {
    Command::Sender(SenderCommand::Send(SendMessage { notify: true, body: body.into() }))
}

/// `SKEY`
pub fn skey(key: AuthKey) -> Command {
    Command::Sender(SenderCommand::Secure(key))
}

/// `KEY`
pub fn key(key: AuthKey) -> Command {
    Command::Recipient(RecipientCommand::SecureSender(key))
}

/// `RKEY`
pub fn rkey(keys: Vec<AuthKey>) -> Command {
    Command::Recipient(RecipientCommand::SetRecipientKeys(keys))
}

/// `NKEY` with a fresh DH key.
pub fn nkey(key: AuthKey) -> Command {
    Command::Recipient(RecipientCommand::SetNotifier(NewNotifier { key, dh_key: DhPrivateKey::generate().public() }))
}

/// `ACK`
pub fn ack(id: impl AsRef<[u8]>) -> Command {
    Command::Recipient(RecipientCommand::Acknowledge(entity(id.as_ref())))
}

/// `LSET`
pub fn lset(link_id: &LinkId, data: &LinkData) -> Command {
    Command::Recipient(RecipientCommand::SetLink(link_id.clone(), data.clone()))
}

/// `LKEY`
pub fn lkey(key: AuthKey) -> Command {
    Command::Link(LinkCommand::SecureAndGet(key))
}

pub const SUB: Command = Command::Recipient(RecipientCommand::Subscribe);
pub const GET: Command = Command::Recipient(RecipientCommand::Get);
pub const OFF: Command = Command::Recipient(RecipientCommand::Suspend);
pub const DEL: Command = Command::Recipient(RecipientCommand::Delete);
pub const QUE: Command = Command::Recipient(RecipientCommand::QueueInfo);
pub const LDEL: Command = Command::Recipient(RecipientCommand::DeleteLink);
pub const NDEL: Command = Command::Recipient(RecipientCommand::DeleteNotifier);
pub const NSUB: Command = Command::Notifier(NotifierCommand::Subscribe);
pub const LGET: Command = Command::Link(LinkCommand::Get);
