//! How the server works: what the reference has no metrics for.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use procfs::process::{LimitValue, Process};
use procfs::{ProcResult, WithCurrentSystemInfo};

use super::page::Page;
use super::vitals::Vitals;
use crate::body_reader::BodyReader;
use crate::session::Sessions;
use crate::stats::{MailboxDepth, Stats};
use crate::supervisor::{Falls, Tally};

/// How much waits for actors that may become bottlenecks.
#[derive(Clone)]
pub struct Depths {
    /// Batches of commands, by shard.
    pub batches: Arc<[Arc<MailboxDepth>]>,
    /// Changes for the store log.
    pub changes: Arc<MailboxDepth>,
    /// Messages and removals for the journal.
    pub messages: Arc<MailboxDepth>,
}

impl Depths {
    /// For this many shards.
    pub fn new(shards: usize) -> Self {
        let batches = (0..shards).map(|_| Arc::default()).collect();
        Self { batches, changes: Arc::default(), messages: Arc::default() }
    }
}

/// What is told of the work.
pub struct Operation {
    /// Times of commands.
    pub stats: Arc<Stats>,
    /// The sessions.
    pub sessions: Arc<Sessions>,
    /// Mailboxes.
    pub depths: Depths,
    /// Reads messages from the journal.
    pub body_reader: BodyReader,
    /// Panics and restarts.
    pub tally: Arc<Tally>,
    /// The actors.
    pub vitals: Vitals,
}

impl Operation {
    /// Metrics of this moment.
    pub async fn tell(&self) -> String {
        let mut page = Page::timeless();
        page.section("Commands");
        page.families(&self.stats.latencies.collect());
        self.tell_waiting(&mut page);
        self.tell_actors(&mut page, &self.vitals.take().await);
        page.section("Resources");
        if let Ok(resources) = Resources::read() {
            resources.tell(&mut page);
        }
        page.into_text()
    }

    /// The actors that do not answer.
    pub async fn not_answering(&self) -> Vec<&str> {
        let vitals = self.vitals.take().await;
        vitals.into_iter().filter(|(_, answered)| answered.is_none()).map(|(name, _)| name).collect()
    }

    fn tell_waiting(&self, page: &mut Page) {
        page.section("Waiting");
        let batches = self.depths.batches.iter().enumerate();
        let batches: Vec<_> = batches.map(|(shard, depth)| (shard.to_string(), depth.get())).collect();
        let batches: Vec<_> = batches.iter().map(|(shard, depth)| ([("shard", shard.as_str())], *depth)).collect();
        let samples = batches.iter().map(|(labels, depth)| (&labels[..], *depth));
        page.gauges("smp_server_mailbox_batches", "Batches of commands that wait for a shard", samples);
        let help = "Changes of queues that wait for the store log";
        page.gauge("smp_server_store_log_changes", help, self.depths.changes.get());
        let help = "Messages and removals that wait for the journal";
        page.gauge("smp_server_journal_entries", help, self.depths.messages.get());
        let help = "Messages that wait to be read from the journal";
        page.gauge("smp_server_journal_reads", help, self.body_reader.waiting());
        let help = "Messages of the journal that were dropped because they are damaged";
        page.counter("smp_server_damaged_messages_total", help, self.stats.damaged_messages.get());
        let waiting = self.sessions.all().into_iter().map(|session| session.waiting.load(Ordering::Relaxed));
        let (sum, most) = waiting.fold((0, 0), |(sum, most): (usize, _), waiting| (sum + waiting, waiting.max(most)));
        page.gauge("smp_server_outbox_transmissions", "Transmissions that wait for sockets of clients", sum);
        page.gauge("smp_server_outbox_transmissions_max", "The most of them that wait for one client", most);
    }

    fn tell_actors(&self, page: &mut Page, vitals: &[(&str, Option<Duration>)]) {
        page.section("Actors");
        let kinds = self.tally.all();
        let kinds: Vec<_> = kinds.iter().map(|(kind, falls)| ([("actor", kind.as_str())], falls)).collect();
        let mut of_kinds = |name: &str, help: &str, count: fn(&Falls) -> u64| {
            page.counters(name, help, kinds.iter().map(|(labels, falls)| (&labels[..], count(falls))));
        };
        of_kinds("smp_server_actor_panics_total", "Panics, by kind of actor", |falls| falls.panics);
        of_kinds("smp_server_actor_restarts_total", "Restarts, by kind of actor", |falls| falls.restarts);
        let vitals: Vec<_> = vitals.iter().map(|(name, answered)| ([("actor", *name)], answered)).collect();
        let up = vitals.iter().map(|(labels, answered)| (&labels[..], u64::from(answered.is_some())));
        page.gauges("smp_server_actor_up", "Whether an actor answers", up);
        let answered: Vec<_> =
            vitals.iter().filter_map(|(labels, answered)| Some((&labels[..], (**answered)?))).collect();
        if !answered.is_empty() {
            let samples = answered.iter().map(|(labels, time)| (*labels, time.as_secs_f64()));
            page.gauges("smp_server_actor_answer_seconds", "How long its mailbox takes until it answers", samples);
        }
    }
}

/// What the process uses.
struct Resources {
    cpu_seconds: f64,
    started: f64,
    resident: u64,
    virtual_memory: u64,
    threads: i64,
    open_files: usize,
    max_files: Option<u64>,
}

impl Resources {
    fn read() -> ProcResult<Self> {
        let process = Process::myself()?;
        let status = process.stat()?;
        let ticks = |ticks: u64| Duration::from_secs(ticks).as_secs_f64() / ticks_per_second();
        let max_files = match process.limits()?.max_open_files.soft_limit {
            LimitValue::Value(limit) => Some(limit),
            LimitValue::Unlimited => None,
        };
        Ok(Self {
            cpu_seconds: ticks(status.utime + status.stime),
            started: Duration::from_secs(procfs::boot_time_secs()?).as_secs_f64() + ticks(status.starttime),
            resident: status.rss_bytes().get(),
            virtual_memory: status.vsize,
            threads: status.num_threads,
            open_files: process.fd_count()?,
            max_files,
        })
    }

    /// Under the names that client libraries of Prometheus use.
    fn tell(&self, page: &mut Page) {
        page.counter("process_cpu_seconds_total", "User and system CPU time in seconds", self.cpu_seconds);
        page.gauge("process_start_time_seconds", "When the process began, in seconds since 1970", self.started);
        page.gauge("process_resident_memory_bytes", "Resident memory in bytes", self.resident);
        page.gauge("process_virtual_memory_bytes", "Virtual memory in bytes", self.virtual_memory);
        page.gauge("process_threads", "Threads of the process", self.threads);
        page.gauge("process_open_fds", "Open file descriptors", self.open_files);
        if let Some(most) = self.max_files {
            page.gauge("process_max_fds", "How many file descriptors may be open", most);
        }
    }
}

fn ticks_per_second() -> f64 {
    Duration::from_secs(procfs::ticks_per_second()).as_secs_f64()
}
