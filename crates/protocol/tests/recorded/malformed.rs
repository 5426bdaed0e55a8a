//! `malformed.json`: blocks of a version 18 connection whose answers need no queue.

use serde::Deserialize;
use smp_protocol::batch::{self, BatchWriter, Pushed};
use smp_protocol::command::{Command, ProxyCommand};
use smp_protocol::error::{BrokerError, ErrorType, ProxyError, TransportError};
use smp_protocol::id::{CorrId, EntityId, SessionId};
use smp_protocol::response::Response;
use smp_protocol::transmission::{Rejected, Wire};
use smp_protocol::version::Version;

use crate::vectors::{Hex, load};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Malformed {
    name: String,
    content: Hex,
    reply: Hex,
}

const VERSION: Version = Version(18);

#[test]
fn answers_to_malformed_blocks() {
    let vectors: Vec<Malformed> = load("malformed.json");
    assert!(vectors.len() > 50);
    for Malformed { name, content, reply } in vectors {
        assert_eq!(&reply, &answer(&content)[..], "{name}");
    }
}

/// The reply of a server without queues to a client that is no service and sent no session key.
fn answer(content: &[u8]) -> Vec<u8> {
    let session_id = SessionId::EMPTY;
    let wire = Wire::connection(VERSION, &session_id);
    let replies: Vec<Reply> = match batch::split(content) {
        Err(_) => vec![Rejected::block().into()],
        Ok(transmissions) => transmissions.iter().map(|t| reply(&wire, t).unwrap_or_else(Reply::from)).collect(),
    };
    let mut block = BatchWriter::new();
    for Reply { corr_id, entity, response } in replies {
        let encode = |out: &mut Vec<u8>| response.encode(VERSION, out).expect("no certificates");
        assert_eq!(block.push(|out| wire.write(&corr_id, &entity, out, encode)), Pushed::Added);
    }
    block.content().to_vec()
}

struct Reply {
    corr_id: CorrId,
    entity: EntityId,
    response: Response,
}

impl From<Rejected> for Reply {
    fn from(rejected: Rejected) -> Self {
        let Rejected { corr_id, entity, error } = rejected;
        Self { corr_id, entity, response: Response::Error(error) }
    }
}

fn reply(wire: &Wire<'_>, transmission: &[u8]) -> Result<Reply, Rejected> {
    let transmission = wire.read(transmission)?;
    let response = match transmission.command(VERSION)? {
        Command::Ping => Response::Pong,
        Command::Service(_) => Response::Error(ErrorType::Service),
        Command::Proxy(ProxyCommand::Relay(_)) => {
            Response::Error(ProxyError::Broker(BrokerError::Transport(TransportError::NoAuth)).into())
        }
        _ => Response::Error(ErrorType::Auth),
    };
    Ok(Reply { corr_id: transmission.corr_id, entity: transmission.entity, response })
}
