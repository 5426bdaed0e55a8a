//! Commands that are answered by another server, after the rest of their block and each by itself (behaviour.md §1.6).

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use smp_protocol::block::BLOCK_SIZE;
use smp_protocol::error::ErrorType;
use smp_protocol::id::{CorrId, EntityId};
use smp_protocol::response::Response;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::outbox::{Outbox, Outgoing};
use crate::command_kind::CommandKind;
use crate::guard::Guard;
use crate::registry::Answer;
use crate::stats::Stats;

/// A command with its answer to come.
pub(super) struct Errand {
    destination: Destination,
    corr_id: CorrId,
    entity: EntityId,
    kind: CommandKind,
    /// Bytes that are held until it is answered, and by its answer.
    held: usize,
    answer: LocalBoxFuture<'static, Response>,
}

/// Who answers.
#[derive(Debug, Clone, Copy)]
enum Destination {
    Relays,
    Names,
}

impl Errand {
    /// `PRXY` and `PFWD`.
    pub fn of_relays(
        kind: CommandKind,
        corr_id: CorrId,
        entity: EntityId,
        answer: impl Future<Output = Response> + 'static,
    ) -> Self {
        // The session with a relay is shared by all; what is forwarded is a block, and so is its answer.
        let held = if kind == CommandKind::Forward { BLOCK_SIZE } else { 0 };
        Self { destination: Destination::Relays, corr_id, entity, kind, held, answer: answer.boxed_local() }
    }

    /// `RSLV`, also inside `RFWD`.
    pub fn of_names(
        kind: CommandKind,
        corr_id: CorrId,
        entity: EntityId,
        answer: impl Future<Output = Response> + 'static,
    ) -> Self {
        Self { destination: Destination::Names, corr_id, entity, kind, held: BLOCK_SIZE, answer: answer.boxed_local() }
    }
}

/// How many errands a session may have at a time.
#[derive(Debug, Clone, Copy)]
pub struct ErrandLimits {
    /// `PRXY` and `PFWD`.
    pub relays: usize,
    /// `RSLV`
    pub names: usize,
}

/// The errands of a session. Dropping them gives them up.
pub(super) struct Errands {
    running: JoinSet<()>,
    relays: Arc<Semaphore>,
    names: Arc<Semaphore>,
    outbox: Rc<Outbox>,
    stats: Arc<Stats>,
    guard: Guard,
}

impl Errands {
    pub fn new(limits: ErrandLimits, outbox: Rc<Outbox>, stats: Arc<Stats>, guard: Guard) -> Self {
        let places = |limit: usize| Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS)));
        Self {
            running: JoinSet::new(),
            relays: places(limits.relays),
            names: places(limits.names),
            outbox,
            stats,
            guard,
        }
    }

    /// Begins an errand, as soon as there is a place for it. Its block came at `since`.
    pub async fn begin(&mut self, errand: Errand, since: Instant) {
        let Errand { destination, corr_id, entity, kind, held, answer } = errand;
        let places = match destination {
            Destination::Relays => Arc::clone(&self.relays),
            Destination::Names => Arc::clone(&self.names),
        };
        let place = places.acquire_owned().await;
        let held = self.outbox.hold(held).await;
        while self.running.try_join_next().is_some() {}
        let (outbox, stats, guard) = (Rc::clone(&self.outbox), Arc::clone(&self.stats), self.guard.clone());
        self.running.spawn_local(async move {
            let response = guard.watch(answer).await.unwrap_or(Response::Error(ErrorType::Internal));
            outbox.push([Outgoing::answer(corr_id, entity, Answer::Response(response))]);
            stats.latencies.count(kind, since.elapsed());
            drop((place, held));
        });
    }
}
