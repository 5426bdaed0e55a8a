//! The actor that makes connections to relays and watches over them.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorContext, Addr, AsyncContext, Context, Handler, Message, Supervised};
use slog::{Level, Logger, info, warn};
use tokio::time::Instant;

use super::addresses::Unreachable;
use super::connector::RelayConnector;
use super::table::{ConnectFailure, FailureKind, Opener, Relay, RelayTable};
use crate::faults::{self, FaultPoint};
use crate::guard::Guard;
use crate::limited_log::LimitedLog;

/// When a relay that does not answer is given up.
#[derive(Debug, Clone, Copy)]
pub struct RelayTimes {
    /// Between two looks.
    pub check_interval: Duration,
    /// Requests in a row that were not answered.
    pub timeouts: u32,
    /// Time without a single block from it.
    pub silence: Duration,
}

impl RelayTimes {
    /// As the reference has it: 3 requests and 15 minutes, looked at every 10 minutes (behaviour.md §3.16).
    pub const DEFAULT: Self =
        Self { check_interval: Duration::from_mins(10), timeouts: 3, silence: Duration::from_mins(15) };
}

/// Connects to relays. The connections live outside the actor, which may be restarted.
pub struct Relays {
    table: Arc<RelayTable>,
    connector: Arc<RelayConnector>,
    times: RelayTimes,
    guard: Guard,
    log: Arc<RelayLog>,
}

/// What is told of relays. Clients cause as much of it as they like.
struct RelayLog {
    logger: Logger,
    connections: Arc<LimitedLog>,
    failures: Arc<LimitedLog>,
}

impl RelayLog {
    fn new(logger: Logger) -> Arc<Self> {
        let connections = LimitedLog::new(&logger, Level::Info, "connections to relays made or ended");
        let failures = LimitedLog::new(&logger, Level::Warning, "connections to relays failed");
        Arc::new(Self { logger, connections, failures })
    }

    fn connected(&self, host: &str) {
        if self.connections.allows_line() {
            info!(self.logger, "connected to relay {host}");
        }
    }

    fn disconnected(&self, host: &str) {
        if self.connections.allows_line() {
            info!(self.logger, "disconnected from relay {host}");
        }
    }

    fn failed(&self, host: &str, failure: &ConnectFailure) {
        if !self.failures.allows_line() {
            return;
        }
        match failure.kind {
            FailureKind::NotPublic => warn!(self.logger, "Error connecting: {host} {}", Unreachable::NotPublic),
            FailureKind::Temporary | FailureKind::Incompatible | FailureKind::Other => {
                warn!(self.logger, "Error connecting: {host} {}", words(&failure.error));
            }
        }
    }
}

impl Relays {
    /// An actor for a table.
    pub fn new(
        table: Arc<RelayTable>,
        connector: Arc<RelayConnector>,
        times: RelayTimes,
        guard: Guard,
        logger: Logger,
    ) -> Self {
        Self { table, connector, times, guard, log: RelayLog::new(logger) }
    }

    fn look_after(&self) {
        self.table.forget_expired(Instant::now());
        for relay in self.table.connected() {
            if relay.is_silent(self.times.timeouts, self.times.silence) {
                self.guard.spawn(async move { relay.close().await });
            }
        }
    }
}

impl Actor for Relays {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.run_interval(self.times.check_interval, |this, context| {
            if this.guard.clone().run(|| this.look_after()).is_none() {
                context.stop();
            }
        });
    }
}

impl Supervised for Relays {
    fn restarting(&mut self, _: &mut Self::Context) {
        self.guard.restarted();
    }
}

/// A connection is to be made.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct Connect(pub Opener);

impl Handler<Connect> for Relays {
    type Result = ();

    #[expect(clippy::disallowed_methods, reason = "it is watched, and the actor is told")]
    fn handle(&mut self, Connect(opener): Connect, context: &mut Self::Context) {
        let life =
            Life { table: Arc::clone(&self.table), connector: Arc::clone(&self.connector), log: Arc::clone(&self.log) };
        let actor: Addr<Self> = context.address();
        let guard = self.guard.clone();
        actix_rt::spawn(async move {
            // What the panic drops tells those who wait, and leaves nothing behind in the table.
            if guard.watch(life.begin(opener)).await.is_none() {
                actor.do_send(ConnectionPanicked);
            }
        });
    }
}

/// A connection panicked.
#[derive(Message)]
#[rtype(result = "()")]
struct ConnectionPanicked;

impl Handler<ConnectionPanicked> for Relays {
    type Result = ();

    fn handle(&mut self, _: ConnectionPanicked, context: &mut Self::Context) {
        context.stop();
    }
}

/// The life of one connection.
struct Life {
    table: Arc<RelayTable>,
    connector: Arc<RelayConnector>,
    log: Arc<RelayLog>,
}

impl Life {
    async fn begin(self, mut opener: Opener) {
        faults::pass(FaultPoint::Relays, None);
        let address = opener.address().clone();
        let host = address.hosts.first().map(|host| host.to_string().escape_debug().to_string()).unwrap_or_default();
        let outcome = tokio::select! {
            outcome = self.connector.connect(&address) => outcome,
            // Nobody is left to be told how it ends, and who comes later has a new attempt.
            () = opener.is_abandoned() => return,
        };
        match outcome {
            Ok(relay) => {
                let relay: Arc<Relay> = Arc::new(relay);
                self.log.connected(&host);
                opener.finish(Ok(Arc::clone(&relay)));
                relay.ended().await;
                self.table.remove(&address, &relay);
                self.log.disconnected(&host);
            }
            Err(failure) => {
                self.log.failed(&host, &failure);
                opener.finish(Err(failure));
            }
        }
    }
}

/// An error in the words of the protocol. Texts in it may be the relay's choice.
fn words(error: &smp_protocol::error::ErrorType) -> String {
    let mut text = Vec::new();
    error.encode(&mut text);
    text.escape_ascii().to_string()
}
