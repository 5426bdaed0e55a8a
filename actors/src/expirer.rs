//! The expirer: removes what is too old, and closes connections that do nothing.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorContext, Addr, AsyncContext, Context, Supervised};
use slog::{Logger, info};
use tokio::sync::Mutex;

use crate::clock::Clock;
use crate::faults::{self, FaultPoint};
use crate::guard::Guard;
use crate::registry::{ExpirePortion, QueueRegistry, Shard};
use crate::session::Sessions;
use crate::stats::Stats;
use crate::time_keeper::{self, TimeKeeper};

/// When to look, and what is too old.
#[derive(Debug, Clone, Copy)]
pub struct ExpiryTimes {
    /// Between two looks for expired messages; `None`: messages do not expire.
    pub message_interval: Option<Duration>,
    /// Idle time, and time between two looks, of connections without subscriptions; `None`: they stay.
    pub inactive: Option<(Duration, Duration)>,
}

/// Looks for what is too old, from time to time.
#[derive(Clone)]
pub struct Expirer {
    /// When.
    pub times: ExpiryTimes,
    /// Whose messages.
    pub shards: Arc<[Addr<QueueRegistry>]>,
    /// Whose connections.
    pub sessions: Arc<Sessions>,
    /// Counters.
    pub stats: Arc<Stats>,
    /// The time.
    pub clock: Clock,
    /// Held by a round over all messages.
    pub round: Arc<Mutex<()>>,
    /// Whether that is believed.
    pub time: TimeKeeper,
    /// Keeps panics inside.
    pub guard: Guard,
    /// Log of the server.
    pub logger: Logger,
}

impl Expirer {
    /// Walks over all queues, a portion at a time, so that no shard is kept from its work for long. One round at a time.
    async fn expire_messages(self) {
        let Ok(_round) = Arc::clone(&self.round).try_lock_owned() else { return };
        faults::pass(FaultPoint::ExpiryRound, None);
        if !self.time.look().await {
            return;
        }
        let (mut expired, mut remaining) = (0, 0);
        for portion in 0..Shard::PORTIONS {
            for shard in self.shards.iter() {
                if let Ok(found) = shard.send(ExpirePortion(portion)).await {
                    expired += found.expired;
                    remaining += found.remaining;
                }
            }
        }
        self.stats.messages.now.set(i64::try_from(remaining).unwrap_or(i64::MAX));
        info!(self.logger, "messages expired: {expired}, stored: {remaining}");
    }

    /// Closes connections that are subscribed to nothing and were silent for too long.
    fn close_inactive(&self, ttl: Duration) {
        let before = self.clock.now().saturating_sub(i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX));
        for session in self.sessions.all() {
            if !session.is_subscribed() && session.active_at() < before {
                session.mailbox().close();
            }
        }
    }
}

impl Actor for Expirer {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.run_interval(time_keeper::INTERVAL, |this, _| {
            let time = this.time.clone();
            this.guard.spawn(async move {
                time.look().await;
            });
        });
        if let Some(interval) = self.times.message_interval {
            context.run_interval(interval, |this, _| {
                this.guard.spawn(this.clone().expire_messages());
            });
        }
        if let Some((ttl, interval)) = self.times.inactive {
            context.run_interval(interval, move |this, context| {
                let round = this.guard.run(|| {
                    faults::pass(FaultPoint::Expirer, None);
                    this.close_inactive(ttl);
                });
                if round.is_none() {
                    context.stop();
                }
            });
        }
    }
}

impl Supervised for Expirer {
    fn restarting(&mut self, _: &mut Self::Context) {
        self.guard.restarted();
    }
}
