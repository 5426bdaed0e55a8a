//! The commands of one block, sorted for their execution.

use smp_protocol::id::{CorrId, EntityId};
use smp_protocol::response::Response;
use smp_protocol::version::Version;

use super::answers::AnswersInWork;
use super::errands::Errand;
use super::outbox::Outgoing;
use crate::registry::Executed;
use crate::stats::Answered;
use crate::verify::Verified;

/// What is to be done with a block, or with a part of it.
#[derive(Default)]
pub(super) struct Sorted {
    pub answers: AnswersInWork,
    pub batches: Vec<ShardBatch>,
    pub rejected: Vec<Outgoing>,
    pub errands: Vec<Errand>,
    /// The block is to be wiped when it is done with.
    pub may_hold_password: bool,
    /// How many of them may have large answers.
    pub large: usize,
    /// The kinds of the commands that are answered together.
    pub answered: Answered,
}

/// Commands for one shard.
pub(super) struct ShardBatch {
    pub shard: usize,
    pub origin: Origin,
    /// With their positions among the answers.
    pub commands: Vec<(usize, Verified)>,
}

/// Whose commands they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// Of the client of the session.
    Client,
    /// Of a client that sends them through the client of the session, a proxy, and speaks this version.
    Forwarded(Version),
}

impl Sorted {
    /// A command with its answer.
    pub fn answer(&mut self, corr_id: CorrId, entity: EntityId, response: Response) {
        let position = self.answers.enter(corr_id, entity);
        self.answers.set(position, Executed::response(response));
    }

    /// A command for a shard.
    pub fn add(&mut self, shard: usize, origin: Origin, position: usize, verified: Verified) {
        match self.batches.iter_mut().find(|batch| batch.shard == shard && batch.origin == origin) {
            Some(batch) => batch.commands.push((position, verified)),
            None => self.batches.push(ShardBatch { shard, origin, commands: vec![(position, verified)] }),
        }
    }
}
