//! What waits to be written to a client.
//!
//! Its size is bounded by the client's own doing: answers, because the reader goes no further while too many of them wait, or
//! while they hold too much; messages and events, because each subscription has at most one on the way, which belongs to the
//! store; notifications, because they are kept back while too much waits.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use smp_config::settings::ANSWERS_HELD;
use smp_protocol::error::ErrorType;
use smp_protocol::id::{CorrId, EntityId};
use smp_protocol::response::Response;
use tokio::sync::Notify;

use super::held::held_by;
use crate::registry::Answer;
use crate::session_handle::{Delivery, SessionHandle};

/// A transmission on its way to the client.
#[derive(Debug)]
pub(super) struct Outgoing {
    /// Echoed in answers, empty in events.
    pub corr_id: CorrId,
    /// What it is about.
    pub entity: EntityId,
    /// What it says.
    pub content: Answer,
    /// Whether it answers a command.
    is_answer: bool,
    /// Bytes that it holds, if it is an answer.
    held: usize,
}

impl Outgoing {
    /// An answer to a command.
    pub fn answer(corr_id: CorrId, entity: EntityId, content: Answer) -> Self {
        let held = size_of::<Self>() + held_by(&content);
        Self { corr_id, entity, content, is_answer: true, held }
    }

    /// An event of an entity.
    pub fn event(entity: EntityId, response: Response) -> Self {
        Self { corr_id: CorrId::EMPTY, entity, content: Answer::Response(response), is_answer: false, held: 0 }
    }

    /// Whether it answers a command, which must not go without an answer.
    pub fn is_answer(&self) -> bool {
        self.is_answer
    }

    /// The refusal in place of an answer; what nobody asked for has none.
    pub fn into_failure(self) -> Option<Self> {
        let failure = Answer::Response(Response::Error(ErrorType::Internal));
        self.is_answer.then(|| Self::answer(self.corr_id, self.entity, failure))
    }

    /// A pushed message.
    pub fn message(delivery: Delivery) -> Self {
        let entity = delivery.recipient_id.into();
        Self { corr_id: CorrId::EMPTY, entity, content: Answer::Message(delivery), is_answer: false, held: 0 }
    }
}

/// Shared by the parts of one session, all on one thread.
pub(super) struct Outbox {
    handle: Arc<SessionHandle>,
    state: RefCell<State>,
    filled: Notify,
    drained: Notify,
    limit: usize,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Outgoing>,
    answers: usize,
    /// Bytes held by answers, and by commands whose answers are to come from elsewhere.
    held: usize,
    closed: bool,
}

impl Outbox {
    /// Holds back the reader while `limit` answers wait.
    pub fn new(handle: Arc<SessionHandle>, limit: usize) -> Self {
        Self { handle, state: RefCell::default(), filled: Notify::new(), drained: Notify::new(), limit }
    }

    /// Adds transmissions in their order.
    pub fn push(&self, outgoing: impl IntoIterator<Item = Outgoing>) {
        let mut state = self.state.borrow_mut();
        for item in outgoing {
            state.count(&item);
            state.queue.push_back(item);
        }
        self.filled(&state);
    }

    /// Counts answers that are about to be added by [`Self::push_counted`].
    pub fn count(&self, answers: &[Outgoing]) {
        let mut state = self.state.borrow_mut();
        for item in answers {
            state.count(item);
        }
    }

    /// [`Self::push`] for answers that were counted before.
    pub fn push_counted(&self, answers: Vec<Outgoing>) {
        let mut state = self.state.borrow_mut();
        state.queue.extend(answers);
        self.filled(&state);
    }

    fn filled(&self, state: &State) {
        self.handle.waiting.store(state.queue.len(), Ordering::Relaxed);
        self.filled.notify_one();
    }

    /// Nothing will be added any more; the writer ends when it has written everything.
    pub fn close(&self) {
        self.state.borrow_mut().closed = true;
        self.filled.notify_one();
        self.drained.notify_one();
    }

    /// Takes the next transmission, if there is one.
    pub fn pop(&self) -> Option<Outgoing> {
        let mut state = self.state.borrow_mut();
        let item = state.queue.pop_front()?;
        state.answers -= usize::from(item.is_answer);
        state.held -= item.held;
        if state.queue.is_empty() {
            // An idle session keeps no buffers.
            state.queue = VecDeque::new();
        }
        self.handle.waiting.store(state.queue.len(), Ordering::Relaxed);
        self.drained.notify_one();
        Some(item)
    }

    /// Puts back what did not fit a block.
    pub fn put_back(&self, item: Outgoing) {
        let mut state = self.state.borrow_mut();
        state.count(&item);
        state.queue.push_front(item);
    }

    /// Waits until there is something to write; false when there never will be.
    pub async fn wait_filled(&self) -> bool {
        loop {
            {
                let state = self.state.borrow();
                if !state.queue.is_empty() {
                    return true;
                }
                if state.closed {
                    return false;
                }
            }
            self.filled.notified().await;
        }
    }

    /// Waits until few enough answers wait, and hold little enough, that the next commands may be executed.
    pub async fn wait_for_room(&self) {
        while {
            let state = self.state.borrow();
            (state.answers >= self.limit || state.held >= ANSWERS_HELD) && !state.closed
        } {
            self.drained.notified().await;
        }
    }

    /// Waits for room, and counts what is held until an answer comes from elsewhere.
    pub async fn hold(self: &Rc<Self>, bytes: usize) -> Held {
        self.wait_for_room().await;
        self.state.borrow_mut().held += bytes;
        Held { outbox: Rc::clone(self), bytes }
    }
}

impl State {
    fn count(&mut self, item: &Outgoing) {
        self.answers += usize::from(item.is_answer);
        self.held += item.held;
    }
}

/// Bytes that are counted until this is dropped.
pub(super) struct Held {
    outbox: Rc<Outbox>,
    bytes: usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.outbox.state.borrow_mut().held -= self.bytes;
        self.outbox.drained.notify_one();
    }
}
