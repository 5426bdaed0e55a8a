//! The statistics collector: puts the counters of all actors together, once a day as a line of CSV, in an interval as
//! metrics, at the end to be saved.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use actix::{Actor, ActorContext, Addr, AsyncContext, Context, Handler, Message, ResponseFuture, Supervised};
use parking_lot::Mutex;
use slog::{Logger, error};
use smp_store::daily_csv::{self, DailyLine, StoredCounts};
use smp_store::date::Date;
use smp_store::files::Files;
use smp_store::stats::StatsSnapshot;

use crate::activity::{Activity, PeriodEnds};
use crate::clock::Clock;
use crate::directory::Directory;
use crate::faults::{self, FaultPoint};
use crate::guard::Guard;
use crate::metrics::{self, Census, MetricsFile, Moment, Watched};
use crate::registry::{QueueRegistry, TakeActivity};
use crate::services::{AreaKind, Services};
use crate::stats::Stats;

const DAY: i64 = 86400;

/// All active queues are counted.
const EVERY_PERIOD: PeriodEnds = PeriodEnds { day: true, week: true, month: true };

/// What the collector works with.
#[derive(Clone)]
pub struct CollectorParts {
    /// Counters.
    pub stats: Arc<Stats>,
    /// Shards, which know the active queues.
    pub shards: Arc<[Addr<QueueRegistry>]>,
    /// Queues to be counted.
    pub directory: Arc<Directory>,
    /// Services to be counted.
    pub services: Arc<Services>,
    /// When counting began; survives a restart of the actor.
    pub from_time: Arc<Mutex<SystemTime>>,
    /// Where the daily line goes; `None`: nowhere.
    pub daily: Option<(Arc<dyn Files>, PathBuf)>,
    /// Where the metrics go, if they are written.
    pub metrics: Option<MetricsFile>,
    /// What metrics are made from besides.
    pub watched: Watched,
    /// The time.
    pub clock: Clock,
    /// Keeps panics inside.
    pub guard: Guard,
    /// Log of the server.
    pub logger: Logger,
}

/// Puts statistics together.
pub struct StatsCollector {
    parts: CollectorParts,
}

impl StatsCollector {
    /// A collector.
    pub fn new(parts: CollectorParts) -> Self {
        Self { parts }
    }

    /// The next midnight in UTC ends a day.
    fn wait_for_midnight(&self, context: &mut Context<Self>) {
        if self.parts.daily.is_none() {
            return;
        }
        let left = DAY - self.parts.clock.now().rem_euclid(DAY);
        context.run_later(Duration::from_secs(left.unsigned_abs()), |this, context| {
            this.parts.guard.spawn(this.parts.clone().end_day());
            this.wait_for_midnight(context);
        });
    }

    /// Writes the metrics in their interval.
    fn watch(&self, context: &mut Context<Self>) {
        let Some(file) = &self.parts.metrics else { return };
        context.run_interval(file.interval, |this, context| {
            if this.parts.guard.run(|| faults::pass(FaultPoint::StatsCollector, None)).is_none() {
                context.stop();
                return;
            }
            this.parts.guard.spawn(this.parts.clone().write_metrics());
        });
    }
}

impl CollectorParts {
    async fn end_day(self) {
        faults::pass(FaultPoint::EndOfDay, None);
        let Some((files, directory)) = self.daily.clone() else { return };
        let today = Date::from_unix_seconds(self.clock.now());
        let ends = PeriodEnds { day: true, week: today.is_monday(), month: today.is_first_of_month() };
        let activity = self.activity(ends).await;
        let began = std::mem::replace(&mut *self.from_time.lock(), SystemTime::now());
        let stats = self.stats.take_snapshot(began);
        let (active, active_ntf) = (activity.all.counts(ends), activity.with_notification.counts(ends));
        let stored = self.stored_counts();
        // Writing waits for the disk.
        let written = actix_rt::task::spawn_blocking(move || {
            daily_csv::append(files.as_ref(), &directory, &DailyLine { stats: &stats, active, active_ntf, stored })
        });
        match written.await {
            Ok(Ok(())) => {}
            Ok(Err(failure)) => error!(self.logger, "{failure}; the statistics of the day are lost"),
            Err(_) => self.guard.panicked(),
        }
    }

    /// The active queues of all shards; the shards forget the periods that are over.
    async fn activity(&self, ends: PeriodEnds) -> Activity {
        let mut all: Option<Activity> = None;
        for shard in self.shards.iter() {
            match (shard.send(TakeActivity(ends)).await, &mut all) {
                (Ok(activity), Some(all)) => all.add(&activity),
                (Ok(activity), None) => all = Some(activity),
                (Err(_), _) => {}
            }
        }
        all.unwrap_or_default()
    }

    fn stored_counts(&self) -> StoredCounts {
        let (rcv_services, rcv_service_queues) = self.services.counts(AreaKind::Messages);
        let (ntf_services, ntf_service_queues) = self.services.counts(AreaKind::Notifications);
        StoredCounts {
            messages: self.stats.messages.now.get(),
            notifications: self.stats.notifications.waiting.get(),
            queues: self.directory.len() as u64,
            notifiers: self.directory.notifier_count() as u64,
            rcv_services,
            ntf_services,
            rcv_service_queues,
            ntf_service_queues,
        }
    }

    /// Writes the metrics of this moment.
    async fn write_metrics(self) {
        let Some(file) = self.metrics.clone() else { return };
        let Ok(_turn) = Arc::clone(&file.turn).try_lock_owned() else { return };
        let text = self.at_this_moment(metrics::text).await;
        // Writing waits for the disk.
        match actix_rt::task::spawn_blocking(move || file.write(&text)).await {
            Ok(Ok(())) => {}
            Ok(Err(failure)) => error!(self.logger, "{failure}; the metrics are those of before"),
            Err(_) => self.guard.panicked(),
        }
    }

    async fn at_this_moment(&self, tell: impl FnOnce(&Moment<'_>) -> String) -> String {
        faults::pass(FaultPoint::Metrics, None);
        let activity = self.activity(PeriodEnds::default()).await;
        let (Watched { sessions, notifications, ports }, now) = (&self.watched, self.clock.now());
        let census = Census::take(&self.directory, &self.services, sessions, &notifications.area, now).await;
        tell(&Moment {
            now: SystemTime::now(),
            snapshot: &self.stats.snapshot(*self.from_time.lock()),
            stats: &self.stats,
            active: activity.all.counts(EVERY_PERIOD),
            active_ntf: activity.with_notification.counts(EVERY_PERIOD),
            stored: self.stored_counts(),
            census: &census,
            ports,
            sessions: sessions.len(),
            threads: metrics::threads(),
        })
    }

    async fn snapshot(self) -> StatsSnapshot {
        let activity = self.activity(PeriodEnds::default()).await;
        StatsSnapshot {
            active_queues: activity.all.to_saved(),
            active_queues_ntf: activity.with_notification.to_saved(),
            ..self.stats.snapshot(*self.from_time.lock())
        }
    }
}

impl Actor for StatsCollector {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.wait_for_midnight(context);
        self.watch(context);
    }
}

impl Supervised for StatsCollector {
    fn restarting(&mut self, _: &mut Self::Context) {
        self.parts.guard.restarted();
    }
}

/// Asks for the metrics of the reference as they are told over HTTP; `None`: putting them together panicked.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Option<String>")]
pub struct TellMetrics;

impl Handler<TellMetrics> for StatsCollector {
    type Result = ResponseFuture<Option<String>>;

    fn handle(&mut self, _: TellMetrics, _: &mut Self::Context) -> Self::Result {
        let parts = self.parts.clone();
        Box::pin(async move { parts.guard.watch(parts.at_this_moment(metrics::told)).await })
    }
}

/// Asks for all statistics of this moment, and for what is stored; `None`: that panicked.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Option<(StatsSnapshot, StoredCounts)>")]
pub struct Totals;

impl Handler<Totals> for StatsCollector {
    type Result = ResponseFuture<Option<(StatsSnapshot, StoredCounts)>>;

    fn handle(&mut self, _: Totals, _: &mut Self::Context) -> Self::Result {
        let parts = self.parts.clone();
        Box::pin(async move {
            let guard = parts.guard.clone();
            let totals = async {
                let stored = parts.stored_counts();
                (parts.snapshot().await, stored)
            };
            guard.watch(totals).await
        })
    }
}

/// Asks for all statistics of this moment; `None`: that panicked.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Option<StatsSnapshot>")]
pub struct Snapshot;

impl Handler<Snapshot> for StatsCollector {
    type Result = ResponseFuture<Option<StatsSnapshot>>;

    fn handle(&mut self, _: Snapshot, context: &mut Self::Context) -> Self::Result {
        // The counters live outside the actor: they are told whatever happens to it.
        if self.parts.guard.run(|| faults::pass(FaultPoint::StatsCollector, None)).is_none() {
            context.stop();
        }
        let (guard, snapshot) = (self.parts.guard.clone(), self.parts.clone().snapshot());
        Box::pin(async move { guard.watch(snapshot).await })
    }
}
