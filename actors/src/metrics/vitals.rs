//! Whether the actors live: each is asked, and how long its answer takes tells how much it has to do.

use std::time::{Duration, Instant};

use actix::{Actor, Addr, Context, Handler, Message, Recipient};
use futures_util::future::join_all;
use tokio::time::timeout;

use crate::control_port::ControlPort;
use crate::expirer::Expirer;
use crate::journal_writer::JournalWriter;
use crate::listener::Listener;
use crate::metrics::Endpoint;
use crate::names::Names;
use crate::notifications::Notifications;
use crate::registry::QueueRegistry;
use crate::relays::Relays;
use crate::stats_collector::StatsCollector;
use crate::store_log_writer::StoreLogWriter;
use crate::supervisor::Supervisor;
use crate::web::Web;

/// An actor that takes longer than this does not answer.
const LIMIT: Duration = Duration::from_secs(3);

/// Asks for nothing but an answer.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Pulse;

macro_rules! have_a_pulse {
    ($($actor:ty),+) => {$(
        impl Handler<Pulse> for $actor {
            type Result = ();

            fn handle(&mut self, _: Pulse, _: &mut Context<Self>) {}
        }
    )+};
}

have_a_pulse!(
    ControlPort,
    Endpoint,
    Expirer,
    JournalWriter,
    Listener,
    Names,
    Notifications,
    QueueRegistry,
    Relays,
    StatsCollector,
    StoreLogWriter,
    Supervisor,
    Web
);

/// The actors that are asked, with their names.
#[derive(Clone, Default)]
pub struct Vitals(Vec<(String, Recipient<Pulse>)>);

impl Vitals {
    /// One more actor.
    pub fn add<A>(&mut self, name: impl Into<String>, actor: &Addr<A>)
    where
        A: Handler<Pulse, Result = ()> + Actor<Context = Context<A>>,
    {
        self.0.push((name.into(), actor.clone().recipient()));
    }

    /// Several actors of a kind.
    pub fn add_all<'a, A>(&mut self, kind: &str, actors: impl IntoIterator<Item = &'a Addr<A>>)
    where
        A: Handler<Pulse, Result = ()> + Actor<Context = Context<A>>,
    {
        for (n, actor) in actors.into_iter().enumerate() {
            self.add(format!("{kind} {n}"), actor);
        }
    }

    /// The actors, to be asked one by one.
    pub fn into_actors(self) -> impl Iterator<Item = (String, Recipient<Pulse>)> {
        self.0.into_iter()
    }

    /// Asks all at once: how long each took to answer, if it did in time.
    pub async fn take(&self) -> Vec<(&str, Option<Duration>)> {
        join_all(self.0.iter().map(async |(name, actor)| {
            let begin = Instant::now();
            let answered = matches!(timeout(LIMIT, actor.send(Pulse)).await, Ok(Ok(())));
            (name.as_str(), answered.then(|| begin.elapsed()))
        }))
        .await
    }
}
