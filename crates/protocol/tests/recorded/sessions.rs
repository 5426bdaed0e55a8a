//! `session-vNN.json`: one connection per role and version, from the hello to the last event.

mod commands;
mod events;

use std::collections::HashMap;

use serde::Deserialize;
use smp_protocol::batch::{self, BatchWriter, Pushed};
use smp_protocol::block::{self, BLOCK_SIZE};
use smp_protocol::command::SendMessage;
use smp_protocol::id::{RecipientId, SessionId};
use smp_protocol::key::{DhPublicKey, DhSecret};
use smp_protocol::transmission::Wire;
use smp_protocol::version::Version;

use self::commands::{CommandStep, Reply};
use self::events::EventStep;
use crate::chains::{ChainKeys, Direction, RecordedChains, Step as ChainStep};
use crate::handshake::{RecordedService, client_hello, is_encrypted, server_hello, session_public};
use crate::vectors::{Bytes, Hex, Key, Long, load};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Roles {
    recipient: RecordedSession,
    sender: RecordedSession,
    service: Option<RecordedSession>,
    notifier_service: Option<RecordedSession>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordedSession {
    version: u16,
    encrypted: bool,
    session_id: Hex,
    server_hello: Hex,
    client_hello: Hex,
    client_session_key: Key,
    server_session_public: Hex,
    session_secret: Hex,
    chain_keys: Option<ChainKeys>,
    service: Option<RecordedService>,
    blocks: Vec<RecordedBlock>,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordedBlock {
    direction: Direction,
    index: usize,
    #[serde(alias = "content_big")]
    content: Bytes,
    block: Long,
    key: Option<Hex>,
    nonce: Option<Hex>,
    chain_key_after: Option<Hex>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Step {
    Event(Box<EventStep>),
    Command(Box<CommandStep>),
}

/// What the connection of a session knows.
struct Connection<'a> {
    version: Version,
    session_id: SessionId,
    server_key: DhPublicKey,
    service: Option<&'a RecordedService>,
    /// Secrets of the queues made here.
    queues: HashMap<RecipientId, DhSecret>,
    /// What the sender sent while a message was delivered: the reply to ACK.
    second: &'a SendMessage,
    /// When the server stored the last message that it delivered, in seconds since 1970.
    last_timestamp: i64,
    /// A reply to ACK of which only hashes were kept: the next ACK has the ID of its message.
    unread: Option<&'a Reply>,
    /// Every transmission of the session that is known in full.
    transmissions: Vec<Vec<u8>>,
}

impl Connection<'_> {
    fn wire(&self) -> Wire<'_> {
        Wire::connection(self.version, &self.session_id)
    }
}

#[test]
fn version_6() {
    check("session-v06.json", 6);
}

#[test]
fn version_7() {
    check("session-v07.json", 7);
}

#[test]
fn version_9() {
    check("session-v09.json", 9);
}

#[test]
fn version_11() {
    check("session-v11.json", 11);
}

#[test]
fn version_15() {
    check("session-v15.json", 15);
}

#[test]
fn version_16() {
    check("session-v16.json", 16);
}

#[test]
fn version_17() {
    check("session-v17.json", 17);
}

#[test]
fn version_18() {
    check("session-v18.json", 18);
}

fn check(file: &str, version: u16) {
    let roles: Roles = load(file);
    assert_eq!(roles.service.is_some() && roles.notifier_service.is_some(), version >= 16);
    let sessions = [Some(roles.recipient), Some(roles.sender), roles.service, roles.notifier_service];
    let second = sessions.iter().flatten().flat_map(|session| &session.steps).find_map(Step::second_message).unwrap();
    for session in sessions.iter().flatten() {
        assert_eq!(session.version, version);
        session.check(&second);
    }
}

impl Step {
    fn second_message(&self) -> Option<SendMessage> {
        match self {
            Self::Command(command) => command.sends("SEND second"),
            Self::Event(_) => None,
        }
    }
}

impl RecordedSession {
    fn check(&self, second: &SendMessage) {
        let mut connection = self.handshake(second);
        for step in &self.steps {
            match step {
                Step::Event(event) => event.check(&mut connection),
                Step::Command(command) => command.check(&mut connection),
            }
        }
        assert!(connection.unread.is_none());
        self.check_blocks(&connection);
    }

    fn handshake<'a>(&'a self, second: &'a SendMessage) -> Connection<'a> {
        let (server, client) = (server_hello(&self.server_hello), client_hello(&self.client_hello));
        assert_eq!(server.session_id, self.session_id.id());
        let server_key = session_public(server.key.as_ref().unwrap(), &client.key_hash);
        assert_eq!(server_key, self.server_session_public.dh_public());
        let client_key = self.client_session_key.dh();
        assert_eq!(client.version, Version(self.version));
        assert_eq!(client.key, (self.version >= 7).then(|| client_key.public()));
        assert_eq!(&self.session_secret, &client_key.agree(&server_key).as_bytes()[..]);
        assert_eq!(is_encrypted(&client), self.encrypted);
        assert_eq!((client.proxy, client.service.is_some()), (false, self.service.is_some()));
        if let Some(service) = &self.service {
            service.check(&client);
        }
        Connection {
            version: client.version,
            session_id: server.session_id,
            server_key,
            service: self.service.as_ref(),
            queues: HashMap::new(),
            second,
            last_timestamp: 0,
            unread: None,
            transmissions: Vec::new(),
        }
    }

    /// Each block is one of the transmissions, alone in a batch.
    fn check_blocks(&self, connection: &Connection<'_>) {
        let contents: Vec<Vec<u8>> = connection.transmissions.iter().map(|transmission| single(transmission)).collect();
        let mut chains = self
            .chain_keys
            .as_ref()
            .map(|keys| RecordedChains::new(&self.session_secret.secret(), &self.session_id, keys));
        assert_eq!(chains.is_some(), self.encrypted);
        for block in &self.blocks {
            let content =
                contents.iter().find(|content| block.content.is(content)).expect("content is one of the steps");
            match &mut chains {
                None => block.check_plain(content),
                Some(chains) => block.check_sealed(content, chains),
            }
        }
    }
}

/// The content of a block with one transmission.
fn single(transmission: &[u8]) -> Vec<u8> {
    let mut batch = BatchWriter::new();
    assert_eq!(batch.push(|out| out.extend_from_slice(transmission)), Pushed::Added);
    assert_eq!(batch::single(batch.content()), Ok(transmission));
    batch.content().to_vec()
}

impl RecordedBlock {
    fn check_plain(&self, content: &[u8]) {
        assert!(self.index < 3 && self.key.is_none() && self.nonce.is_none() && self.chain_key_after.is_none());
        let padded = block::pad(content, BLOCK_SIZE).unwrap();
        self.block.check(&padded);
        assert_eq!(block::unpad(&self.block.bytes().unwrap_or(padded)), Ok(content));
    }

    fn check_sealed(&self, content: &[u8], chains: &mut RecordedChains) {
        let (Some(key), Some(nonce), Some(chain_key_after)) = (&self.key, &self.nonce, &self.chain_key_after) else {
            panic!("keys of an encrypted block");
        };
        let step = ChainStep { index: self.index, key, nonce, chain_key_after };
        chains.step(self.direction, &step, content, &self.block);
    }
}
