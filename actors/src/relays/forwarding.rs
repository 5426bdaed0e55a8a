//! What sessions know of forwarding: `PRXY` and `PFWD` (behaviour.md §3.13, §3.14).

use std::sync::Arc;

use actix::Addr;
use smp_protocol::command::{BasicAuth, ForwardedCommand, RelayAddress};
use smp_protocol::error::{ErrorType, ProxyError};
use smp_protocol::id::{CorrId, EntityId};
use smp_protocol::response::Response;
use tokio::time::Instant;

use super::actor::{Connect, Relays};
use super::hosts::is_own;
use super::new_relays::NewRelays;
use super::opening::Opening;
use super::table::{Entry, FailureKind, Outcome, RelayTable};
use crate::create_password::CreatePassword;
use crate::stats::{RelayStats, Stats};

/// An answer that is known at once, or one that comes later.
pub enum Found<F> {
    /// Now.
    Known(Response),
    /// From another server.
    Later(F),
}

/// Takes the requests of sessions, and counts them.
#[derive(Clone)]
pub struct Forwarding {
    /// Whether the operator allows it at all.
    pub allowed: bool,
    /// What clients must know, if anything: the password for new queues.
    pub password: CreatePassword,
    /// Domains of the operator's own relays.
    pub own_domains: Arc<[String]>,
    /// New relays that a session may ask for in a minute.
    pub new_relays: usize,
    /// All relays.
    pub table: Arc<RelayTable>,
    /// Makes connections.
    pub actor: Addr<Relays>,
    /// Counters.
    pub stats: Arc<Stats>,
}

impl Forwarding {
    /// `PRXY`: the session with a relay, which is shared by all clients. `new_relays` are those of this one.
    pub fn connect(
        &self,
        address: &RelayAddress,
        password: Option<&BasicAuth>,
        new_relays: &NewRelays,
    ) -> Found<impl Future<Output = Response> + use<>> {
        if !self.may_forward(password) {
            return Found::Known(Response::Error(ProxyError::BasicAuth.into()));
        }
        let is_own = is_own(&address.hosts, &self.own_domains);
        self.stats.relays.count(is_own, |relays| &relays.requests);
        let now = Instant::now();
        let opening = match self.table.enter(address, now, || new_relays.one_more(now)) {
            Entry::Known(outcome) => return Found::Known(session_of(&outcome, is_own, &self.stats.relays)),
            Entry::Opening(opening) => opening,
            Entry::New(opener, opening) => {
                self.actor.do_send(Connect(opener));
                opening
            }
        };
        let stats = Arc::clone(&self.stats);
        Found::Later(async move { session_when_open(opening, is_own, &stats.relays).await })
    }

    fn may_forward(&self, given: Option<&BasicAuth>) -> bool {
        self.allowed && self.password.allows(given)
    }

    /// `PFWD`: forwards a command to the relay whose session ID is the entity.
    pub fn forward(
        &self,
        session: &EntityId,
        corr_id: CorrId,
        command: ForwardedCommand,
    ) -> Found<impl Future<Output = Response> + use<>> {
        let Some(relay) = self.table.find(session.as_ref()) else {
            let forwards = &self.stats.forwards;
            forwards.count(false, |forwards| &forwards.requests);
            forwards.count(false, |forwards| &forwards.not_connected);
            return Found::Known(Response::Error(ProxyError::NoSession.into()));
        };
        let stats = Arc::clone(&self.stats);
        stats.forwards.count(relay.is_own, |forwards| &forwards.requests);
        Found::Later(async move {
            match relay.forward(&corr_id, command).await {
                Ok(encrypted) => {
                    stats.forwards.count(relay.is_own, |forwards| &forwards.successes);
                    Response::ProxiedResponse(encrypted)
                }
                Err(error) => {
                    let answered = error.answered().is_some();
                    stats.forwards.count(relay.is_own, |f| if answered { &f.successes } else { &f.failed });
                    Response::Error(error.to_forwarding_error())
                }
            }
        })
    }
}

async fn session_when_open(opening: Opening, is_own: bool, stats: &RelayStats) -> Response {
    match opening.outcome().await {
        Some(outcome) => session_of(&outcome, is_own, stats),
        // Whoever made the connection failed; the next request tries again.
        None => {
            stats.count(is_own, |relays| &relays.failed);
            Response::Error(ErrorType::Internal)
        }
    }
}

fn session_of(outcome: &Outcome, is_own: bool, stats: &RelayStats) -> Response {
    match outcome {
        Ok(relay) => {
            stats.count(is_own, |relays| &relays.successes);
            Response::RelaySession(Arc::clone(&relay.session))
        }
        Err(failure) => {
            stats.count(is_own, |relays| match failure.kind {
                FailureKind::Temporary => &relays.not_connected,
                FailureKind::Incompatible => &relays.incompatible,
                FailureKind::NotPublic | FailureKind::Other => &relays.failed,
            });
            Response::Error(failure.error.clone())
        }
    }
}
