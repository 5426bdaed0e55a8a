//! Puts the answers to the commands of one block back into their order.

use smp_protocol::error::ErrorType;
use smp_protocol::id::{CorrId, EntityId};
use smp_protocol::response::Response;
use tokio::sync::oneshot;

use super::forwarded::Forwarded;
use super::outbox::Outgoing;
use super::terms::Terms;
use crate::registry::{Answer, BatchReply, Executed};

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
    commands: Vec<Entered>,
    replies: Vec<oneshot::Receiver<BatchReply>>,
}

/// A command.
struct Entered {
    corr_id: CorrId,
    entity: EntityId,
    /// The command inside a forward: its answer is encrypted to who sent it.
    forwarded: Option<Box<Forwarded>>,
    executed: Option<Executed>,
}

impl AnswersInWork {
    /// Enters a command and returns its position.
    pub fn enter(&mut self, corr_id: CorrId, entity: EntityId) -> usize {
        self.commands.push(Entered { corr_id, entity, forwarded: None, executed: None });
        self.commands.len() - 1
    }

    /// Enters a command that came inside of another one.
    pub fn enter_forwarded(&mut self, corr_id: CorrId, entity: EntityId, forwarded: Forwarded) -> usize {
        self.commands.push(Entered { corr_id, entity, forwarded: Some(Box::new(forwarded)), executed: None });
        self.commands.len() - 1
    }

    /// The answer of a command is known.
    pub fn set(&mut self, position: usize, executed: Executed) {
        if let Some(entered) = self.commands.get_mut(position) {
            entered.executed = Some(executed);
        }
    }

    /// Answers of several commands will come from here.
    pub fn expect(&mut self, reply: oneshot::Receiver<BatchReply>) {
        self.replies.push(reply);
    }

    /// Waits for all answers. What a shard never answered, because it failed, is answered with `ERR INTERNAL`.
    pub async fn complete(mut self, terms: &Terms) -> Answers {
        for reply in std::mem::take(&mut self.replies) {
            for (position, executed) in reply.await.unwrap_or_default() {
                self.set(position, executed);
            }
        }
        let (mut answers, mut owed) = (Vec::with_capacity(self.commands.len()), Vec::new());
        for Entered { corr_id, entity, forwarded, executed } in self.commands {
            let Executed { answer, owed: message } = executed.unwrap_or_else(|| ErrorType::Internal.into());
            let answer = match (forwarded, answer) {
                (None, answer) => answer,
                (Some(forwarded), Answer::Response(response)) => Answer::Response(forwarded.seal(&response, terms)),
                // Commands that get messages are not forwarded.
                (Some(_), Answer::Message(_)) => Answer::Response(Response::Error(ErrorType::Internal)),
            };
            answers.push(Outgoing::answer(corr_id, entity, answer));
            owed.extend(message.map(Outgoing::message));
        }
        Answers { answers, owed }
    }
}
