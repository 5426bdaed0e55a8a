//! Batches of commands and their answers.

use std::sync::Arc;

use smp_protocol::error::ErrorType;
use smp_protocol::response::Response;
use smp_protocol::version::Version;
use tokio::sync::oneshot;

use crate::session_handle::{Delivery, SessionHandle};
use crate::verify::{ServiceIdentity, Verified};

/// The commands of one block that are for one shard, in their order.
pub struct Batch {
    /// Who asks.
    pub session: Arc<SessionHandle>,
    /// Version of the connection, or of the forwarded command.
    pub version: Version,
    /// The service that asks, on a service connection.
    pub service: Option<Arc<ServiceIdentity>>,
    /// Each with its position in the block.
    pub commands: Vec<(usize, Verified)>,
    /// Gets the answers when all commands are done.
    pub reply: oneshot::Sender<BatchReply>,
}

/// One answer per command, with its position in the block.
pub type BatchReply = Vec<(usize, Executed)>;

/// Result of a command.
#[derive(Debug)]
pub struct Executed {
    /// Goes back under the correlation ID of the command.
    pub answer: Answer,
    /// The message that `SUB` found, to be pushed after the answers of the block.
    pub owed: Option<Delivery>,
}

/// What is answered.
#[derive(Debug)]
pub enum Answer {
    /// Ready to be encoded.
    Response(Response),
    /// A message that `GET` or `ACK` found.
    Message(Delivery),
}

impl Executed {
    /// `OK`
    pub const OK: Self = Self { answer: Answer::Response(Response::Ok), owed: None };

    /// An answer that is ready.
    pub fn response(response: Response) -> Self {
        Self { answer: Answer::Response(response), owed: None }
    }
}

impl From<ErrorType> for Executed {
    fn from(error: ErrorType) -> Self {
        Self::response(Response::Error(error))
    }
}

/// Where the result of a command goes: a batch in work and the position of the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot {
    pub batch: usize,
    pub position: usize,
}

/// Who asked for a command.
#[derive(Clone)]
pub(super) struct Requester {
    pub session: Arc<SessionHandle>,
    pub version: Version,
    pub service: Option<Arc<ServiceIdentity>>,
}

/// A batch in work.
pub(super) struct OpenBatch {
    reply: oneshot::Sender<BatchReply>,
    done: BatchReply,
    total: usize,
}

impl OpenBatch {
    pub fn new(reply: oneshot::Sender<BatchReply>, total: usize) -> Self {
        Self { reply, done: Vec::with_capacity(total), total }
    }

    /// Whether every command has its answer.
    pub fn finish(&mut self, position: usize, executed: Executed) -> bool {
        self.done.push((position, executed));
        self.done.len() == self.total
    }

    /// Sends the answers. A session that is gone does not wait for them.
    pub fn reply(self) {
        let _ = self.reply.send(self.done);
    }
}
