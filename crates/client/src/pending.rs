//! Requests in flight: who waits for which correlation ID.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use smp_protocol::id::{CorrId, EntityId};
use smp_protocol::response::{MalformedResponse, Response};
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, timeout_at};

use crate::{ClientError, Disconnection};

/// Hands answers to those who wait for them. An entry lives as long as its [`PendingResponse`].
pub(crate) struct Pending {
    waiting: Mutex<Waiting>,
    ended: watch::Sender<Option<Disconnection>>,
}

struct Waiting {
    waiters: HashMap<CorrId, Waiter>,
    next_number: u64,
    last_received: Instant,
}

struct Waiter {
    /// Tells apart requests that had the same correlation ID one after the other.
    number: u64,
    answer: oneshot::Sender<Answer>,
}

struct Answer {
    entity: EntityId,
    response: Result<Response, MalformedResponse>,
}

impl Pending {
    pub(crate) fn new() -> Self {
        let waiting = Waiting { waiters: HashMap::new(), next_number: 0, last_received: Instant::now() };
        Self { waiting: Mutex::new(waiting), ended: watch::Sender::new(None) }
    }

    /// Waits for an answer with this correlation ID from now on.
    pub(crate) fn expect(
        self: &Arc<Self>,
        corr_id: CorrId,
        entity: Option<EntityId>,
        deadline: Instant,
    ) -> Result<PendingResponse, ClientError> {
        let mut waiting = self.waiting.lock();
        if let Some(disconnection) = self.disconnection() {
            return Err(disconnection.into());
        }
        if corr_id.is_empty() || waiting.waiters.contains_key(&corr_id) {
            return Err(ClientError::CorrelationId);
        }
        let (sender, answer) = oneshot::channel();
        let number = waiting.next_number;
        waiting.next_number += 1;
        waiting.waiters.insert(corr_id.clone(), Waiter { number, answer: sender });
        Ok(PendingResponse { corr_id, number, entity, deadline, answer, pending: Arc::clone(self) })
    }

    /// Hands over an answer. Nobody waits for those that come too late.
    pub(crate) fn resolve(&self, corr_id: &CorrId, entity: EntityId, response: Result<Response, MalformedResponse>) {
        let waiter = self.waiting.lock().waiters.remove(corr_id);
        if let Some(waiter) = waiter {
            let _ = waiter.answer.send(Answer { entity, response });
        }
    }

    fn forget(&self, corr_id: &CorrId, number: u64) {
        let mut waiting = self.waiting.lock();
        if waiting.waiters.get(corr_id).is_some_and(|waiter| waiter.number == number) {
            waiting.waiters.remove(corr_id);
        }
    }

    /// Notes that a block has arrived.
    pub(crate) fn block_received(&self) {
        self.waiting.lock().last_received = Instant::now();
    }

    pub(crate) fn last_received(&self) -> Instant {
        self.waiting.lock().last_received
    }

    /// The connection has ended: all who wait are told, and nobody can wait any more. Only the first reason counts.
    pub(crate) fn end(&self, disconnection: Disconnection) {
        let mut waiting = self.waiting.lock();
        self.ended.send_if_modified(|ended| {
            let first = ended.is_none();
            ended.get_or_insert(disconnection);
            first
        });
        waiting.waiters.clear();
    }

    pub(crate) fn disconnection(&self) -> Option<Disconnection> {
        self.ended.borrow().clone()
    }

    pub(crate) async fn ended(&self) -> Disconnection {
        let mut ended = self.ended.subscribe();
        let ended = ended.wait_for(Option::is_some).await;
        ended.ok().and_then(|ended| ended.clone()).unwrap_or(Disconnection::Local)
    }
}

/// An answer as it came, `ERR` included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// That of the command, or empty (wire.md §5.3).
    pub entity: EntityId,
    /// What the server says.
    pub response: Response,
}

impl Reply {
    /// The response, if it is not `ERR`.
    pub fn into_response(self) -> Result<Response, ClientError> {
        match self.response {
            Response::Error(error) => Err(ClientError::Server(error)),
            response => Ok(response),
        }
    }
}

/// The answer to a request that was submitted. Dropping it gives the request up: the answer will be thrown away.
pub struct PendingResponse {
    corr_id: CorrId,
    number: u64,
    /// `None`: any.
    entity: Option<EntityId>,
    deadline: Instant,
    answer: oneshot::Receiver<Answer>,
    pending: Arc<Pending>,
}

impl PendingResponse {
    /// The correlation ID of the request.
    pub fn corr_id(&self) -> &CorrId {
        &self.corr_id
    }

    /// Waits for the response, at most until the request times out. `ERR` is an error.
    pub async fn response(self) -> Result<Response, ClientError> {
        self.reply().await?.into_response()
    }

    /// Waits for the answer as it is, at most until the request times out.
    pub async fn reply(self) -> Result<Reply, ClientError> {
        let deadline = self.deadline;
        self.reply_before(deadline).await
    }

    pub(crate) async fn reply_before(mut self, deadline: Instant) -> Result<Reply, ClientError> {
        let answer = timeout_at(deadline, &mut self.answer).await.map_err(|_| ClientError::Timeout)?;
        let Ok(Answer { entity, response }) = answer else {
            return Err(self.pending.disconnection().unwrap_or(Disconnection::Local).into());
        };
        let response = response?;
        if self.entity.as_ref().is_some_and(|expected| !entity.is_empty() && entity != *expected) {
            return Err(ClientError::unexpected(&response));
        }
        Ok(Reply { entity, response })
    }
}

impl Drop for PendingResponse {
    fn drop(&mut self) {
        self.pending.forget(&self.corr_id, self.number);
    }
}

impl fmt::Debug for PendingResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PendingResponse")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn far() -> Instant {
        Instant::now() + std::time::Duration::from_hours(1)
    }

    fn waiting(pending: &Pending) -> usize {
        pending.waiting.lock().waiters.len()
    }

    #[tokio::test]
    async fn requests_that_were_given_up_leave_nothing_behind() {
        let pending = Arc::new(Pending::new());
        let id = CorrId::random();
        drop(pending.expect(id.clone(), None, far()).unwrap());
        assert_eq!(waiting(&pending), 0);
        pending.resolve(&id, EntityId::EMPTY, Ok(Response::Ok));
        assert_eq!(waiting(&pending), 0);
    }

    #[tokio::test]
    async fn an_answered_request_does_not_take_the_place_of_its_successor() {
        let pending = Arc::new(Pending::new());
        let id = CorrId::random();
        let first = pending.expect(id.clone(), None, far()).unwrap();
        assert!(matches!(pending.expect(id.clone(), None, far()), Err(ClientError::CorrelationId)));
        pending.resolve(&id, EntityId::EMPTY, Ok(Response::Ok));
        let second = pending.expect(id.clone(), None, far()).unwrap();
        drop(first);
        pending.resolve(&id, EntityId::EMPTY, Ok(Response::Pong));
        assert_eq!(second.response().await.unwrap(), Response::Pong);
    }

    #[tokio::test]
    async fn the_first_end_counts() {
        let pending = Arc::new(Pending::new());
        let request = pending.expect(CorrId::random(), None, far()).unwrap();
        pending.end(Disconnection::Server);
        pending.end(Disconnection::Local);
        assert!(matches!(request.reply().await, Err(ClientError::Disconnected(Disconnection::Server))));
        assert!(matches!(pending.ended().await, Disconnection::Server));
        let late = pending.expect(CorrId::random(), None, far());
        assert!(matches!(late, Err(ClientError::Disconnected(Disconnection::Server))));
    }
}
