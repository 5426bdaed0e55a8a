//! Notices actors that hang: each is asked from time to time, through its mailbox, and systemd is told that the server is alive only
//! while all of them answer.
//!
//! It has a thread of its own, so that nothing that hangs takes it along.

use std::time::{Duration, Instant};

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, Recipient, WrapFuture};
use slog::{Logger, error, warn};

use crate::metrics::{Pulse, Vitals};
use crate::systemd;

/// Between two questions where systemd does not say how often it wants to hear of the server.
const INTERVAL: Duration = Duration::from_secs(10);

/// Asks all actors, and tells systemd.
pub struct Watchdog {
    watched: Vec<Watched>,
    interval: Duration,
    /// Whether systemd waits for the server to be alive.
    tells_systemd: bool,
    logger: Logger,
}

struct Watched {
    name: String,
    actor: Recipient<Pulse>,
    /// When it was asked what it has not answered yet.
    asked: Option<Instant>,
    /// The operator knows.
    is_told: bool,
}

impl Watchdog {
    /// `limit`: systemd restarts the server if it hears nothing for so long.
    pub fn new(actors: Vitals, limit: Option<Duration>, logger: Logger) -> Self {
        let watch = |(name, actor)| Watched { name, actor, asked: None, is_told: false };
        Self {
            watched: actors.into_actors().map(watch).collect(),
            interval: limit.map_or(INTERVAL, |limit| limit / 4),
            tells_systemd: limit.is_some(),
            logger,
        }
    }

    /// An actor that was silent for so long hangs. A slow disk may take its time: until systemd acts, twice as much passes again.
    fn patience(&self) -> Duration {
        self.interval * 2
    }

    fn look(&mut self, context: &mut Context<Self>) {
        let now = Instant::now();
        for number in 0..self.watched.len() {
            match self.watched[number].asked {
                None => self.ask(number, now, context),
                Some(asked) => self.notice(number, now.duration_since(asked)),
            }
        }
        let patience = self.patience();
        let hangs = |watched: &Watched| watched.asked.is_some_and(|asked| now.duration_since(asked) >= patience);
        if self.tells_systemd && !self.watched.iter().any(hangs) {
            systemd::alive(&self.logger);
        }
    }

    fn ask(&mut self, number: usize, now: Instant, context: &mut Context<Self>) {
        let watched = &mut self.watched[number];
        watched.asked = Some(now);
        let answer = watched.actor.send(Pulse).into_actor(self);
        context.spawn(answer.map(move |answered, this, _| {
            // An actor that is gone for good never answers.
            if answered.is_ok() {
                this.answered(number);
            }
        }));
    }

    fn answered(&mut self, number: usize) {
        // It may have been sent to rest meanwhile.
        let Some(watched) = self.watched.get_mut(number) else { return };
        watched.asked = None;
        if std::mem::take(&mut watched.is_told) {
            warn!(self.logger, "{} answers again", watched.name);
        }
    }

    fn notice(&mut self, number: usize, silent: Duration) {
        let patience = self.patience();
        let watched = &mut self.watched[number];
        if silent < patience || std::mem::replace(&mut watched.is_told, true) {
            return;
        }
        let consequence =
            if self.tells_systemd { "systemd will restart the server" } else { "the server has to be restarted" };
        let (name, seconds) = (&watched.name, silent.as_secs());
        error!(self.logger, "{name} hangs: no answer for {seconds} seconds; if it stays so, {consequence}");
    }
}

impl Actor for Watchdog {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.run_interval(self.interval, Self::look);
    }
}

/// The server ends, and its actors with it: from now on it is alive whoever answers.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Rest;

impl Handler<Rest> for Watchdog {
    type Result = ();

    fn handle(&mut self, _: Rest, _: &mut Self::Context) {
        self.watched.clear();
    }
}
