//! Messages on their way to the journal (`store_messages = journal`).
//!
//! A message is in its queue, and may be pushed, at once; its `SEND` is answered when it is in the journal. So is the `ACK` that took
//! a message out: whatever was answered is still true after a crash. A message that cannot be written is withdrawn and
//! its sender told.

use std::sync::Arc;

use smp_protocol::error::ErrorType;
use smp_protocol::id::{MessageId, RecipientId};
use smp_store::error::FileError;
use smp_store::journal::Filed;
use smp_store::message_body::MessageBody;
use smp_store::message_queue::{StoredContent, StoredMessage};

use super::batch::{Executed, Slot};
use super::shard::{Shard, Step};
use crate::faults::{self, FaultPoint};
use crate::queue::{LiveGuard, Queue};
use crate::session_handle::SessionHandle;

/// Names an entry on its way to the journal.
pub type JournalToken = u64;

/// Where the body of a written message is: `None` for what has none, or need not be written any more. If it cannot be written, the
/// text of the answer.
pub type JournalResult = Result<Option<Filed>, &'static str>;

/// Where messages are kept.
pub trait MessageJournal: Send {
    /// Takes a message or marker. [`Shard::journaled`] is to be called with the token once it is written or cannot be.
    fn put(&self, queue: RecipientId, message: StoredMessage, token: JournalToken);
    /// Takes the removal of a message; the same for its token, if there is one.
    fn remove(&self, queue: RecipientId, message: MessageId, token: Option<JournalToken>);
    /// A message cannot be read: the operator should know.
    fn unreadable(&self, error: &FileError);
}

/// A command that waits for the journal.
pub(super) struct Journaling {
    slot: Slot,
    queue: Arc<Queue>,
    then: Then,
}

enum Then {
    /// The message or marker is stored.
    Stored { id: MessageId, is_marker: bool },
    /// It is taken out; who acknowledged it gets the next one.
    Removed(Arc<SessionHandle>),
}

impl Shard {
    /// Answers `SEND` when its message, or the marker that it has left in a full queue, is in the journal; without one, at once.
    pub(super) fn answer_stored(&mut self, slot: Slot, queue: &Arc<Queue>, message: StoredMessage) -> Step {
        let (id, is_marker) = (message.id, message.is_marker());
        let Some(token) = self.next_journal_token() else { return Step::Done(answer_to_send(is_marker)) };
        let then = Then::Stored { id, is_marker };
        self.journaling.insert(token, Journaling { slot, queue: Arc::clone(queue), then });
        if let Some(journal) = &self.journal {
            journal.put(*queue.recipient_id(), message, token);
        }
        Step::Waiting
    }

    /// The same for the `ACK` that took a message out. Until it is answered nothing is pushed to who acknowledged: answers come before
    /// what follows from them.
    pub(super) fn answer_removed(
        &mut self,
        slot: Slot,
        session: &Arc<SessionHandle>,
        queue: &Arc<Queue>,
        mut live: LiveGuard<'_>,
        message: MessageId,
    ) -> Step {
        if let Some((subscriber, _)) = live.of_session(session) {
            subscriber.acknowledging = true;
        }
        drop(live);
        let Some(token) = self.next_journal_token() else { return ErrorType::Internal.into() };
        let then = Then::Removed(Arc::clone(session));
        self.journaling.insert(token, Journaling { slot, queue: Arc::clone(queue), then });
        if let Some(journal) = &self.journal {
            journal.remove(*queue.recipient_id(), message, Some(token));
        }
        Step::Waiting
    }

    fn next_journal_token(&mut self) -> Option<JournalToken> {
        self.journal.as_ref()?;
        self.next_journal_token += 1;
        Some(self.next_journal_token)
    }

    /// An entry is in the journal, or cannot be written: finishes its command.
    pub fn journaled(&mut self, token: JournalToken, result: JournalResult) {
        let Some(Journaling { slot, queue, then }) = self.journaling.remove(&token) else { return };
        let executed = self.confine(|shard| {
            faults::pass(FaultPoint::RegistryJournaled, None);
            shard.end_journaling(&queue, &then, result)
        });
        if let (Then::Removed(session), None) = (&then, &executed) {
            // The rest of it is lost, but messages must come again.
            self.confine(|_| end_waiting(&queue, session));
        }
        self.finish(slot, executed.unwrap_or_else(|| ErrorType::Internal.into()));
    }

    fn end_journaling(&self, queue: &Queue, then: &Then, result: JournalResult) -> Executed {
        match (then, result) {
            (Then::Stored { id, is_marker }, Ok(place)) => {
                if let Some(place) = place {
                    settle(queue, id, place);
                }
                answer_to_send(*is_marker)
            }
            (Then::Stored { id, .. }, Err(text)) => {
                self.withdraw(queue, id);
                ErrorType::Store(text.to_owned()).into()
            }
            (Then::Removed(session), result) => {
                let next = self.end_acknowledgement(queue, session);
                result.map_or_else(|text| ErrorType::Store(text.to_owned()).into(), |_| next)
            }
        }
    }

    fn end_acknowledgement(&self, queue: &Queue, session: &SessionHandle) -> Executed {
        let Some(mut live) = queue.live_if_any() else { return Executed::OK };
        if let Some((subscriber, _)) = live.of_session(session) {
            subscriber.acknowledging = false;
        }
        self.after_removal(queue, &mut live, session)
    }

    /// A message that nobody was promised leaves its queue. Who got it already may acknowledge it: it is taken for one that was
    /// acknowledged before.
    fn withdraw(&self, queue: &Queue, id: &MessageId) {
        let Some(mut live) = queue.live_if_any() else { return };
        // A marker stays: it tells the recipient what the sender was told already.
        if live.messages.find_mut(id).is_some_and(|message| !message.is_marker()) {
            live.messages.withdraw(id);
            self.stats.messages.now.change(-1);
        }
    }
}

/// Messages may be pushed to this session again.
fn end_waiting(queue: &Queue, session: &SessionHandle) {
    let Some(mut live) = queue.live_if_any() else { return };
    if let Some((subscriber, _)) = live.of_session(session) {
        subscriber.acknowledging = false;
    }
}

fn answer_to_send(is_marker: bool) -> Executed {
    if is_marker { ErrorType::Quota.into() } else { Executed::OK }
}

/// From now on the body is read from the journal.
fn settle(queue: &Queue, id: &MessageId, place: Filed) {
    let Some(mut live) = queue.live_if_any() else { return };
    if let Some(StoredMessage { content: StoredContent::Message { body, .. }, .. }) = live.messages.find_mut(id) {
        *body = MessageBody::Filed(place);
    }
}
