//! Puts the answers to the commands of one block back into their order.

use smp_protocol::error::ErrorType;
use smp_protocol::id::{CorrId, EntityId};
use tokio::sync::oneshot;

use super::outbox::Outgoing;
use crate::registry::{BatchReply, Executed};

/// Answers to one block, in the order of its commands, and messages that follow them.
#[derive(Debug, actix::Message)]
#[rtype(result = "()")]
pub(super) struct Answers {
    /// One per command.
    pub answers: Vec<Outgoing>,
    /// What subscriptions found.
    pub owed: Vec<Outgoing>,
}

/// The commands of one block, of which some are still in work.
#[derive(Default)]
pub(super) struct AnswersInWork {
    commands: Vec<(CorrId, EntityId, Option<Executed>)>,
    replies: Vec<oneshot::Receiver<BatchReply>>,
}

impl AnswersInWork {
    /// Enters a command and returns its position.
    pub fn enter(&mut self, corr_id: CorrId, entity: EntityId) -> usize {
        self.commands.push((corr_id, entity, None));
        self.commands.len() - 1
    }

    /// The answer of a command is known.
    pub fn set(&mut self, position: usize, executed: Executed) {
        if let Some((_, _, answer)) = self.commands.get_mut(position) {
            *answer = Some(executed);
        }
    }

    /// Answers of several commands will come from here.
    pub fn expect(&mut self, reply: oneshot::Receiver<BatchReply>) {
        self.replies.push(reply);
    }

    /// Waits for all answers. What a shard never answered, because it failed, is answered with `ERR INTERNAL`.
    pub async fn complete(mut self) -> Answers {
        for reply in std::mem::take(&mut self.replies) {
            for (position, executed) in reply.await.unwrap_or_default() {
                self.set(position, executed);
            }
        }
        let (mut answers, mut owed) = (Vec::with_capacity(self.commands.len()), Vec::new());
        for (corr_id, entity, executed) in self.commands {
            let executed = executed.unwrap_or_else(|| ErrorType::Internal.into());
            answers.push(Outgoing::answer(corr_id, entity, executed.answer));
            owed.extend(executed.owed.map(Outgoing::message));
        }
        Answers { answers, owed }
    }
}
