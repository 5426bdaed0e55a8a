//! The store log writer: appends the lines of changes, many at a time.
//!
//! It runs on a thread of its own, which its writes may block. What has piled up in its mailbox while one write was under way
//! goes into the next write, so that the cost of a write (and of a sync) is shared by all who wait for it.

mod compacting;

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorContext, Addr, AsyncContext, Context, Handler, Message, MessageResult, Supervised};
use parking_lot::Mutex;
use slog::{Logger, error, info};
use smp_config::settings::StoreLogSync;
use smp_store::store_log::{StoreLog, StoreLogError};

use self::compacting::Compaction;
pub use self::compacting::Removals;
use crate::faults::{self, FaultPoint};
use crate::guard::Guard;
use crate::queue::ChangeToken;
use crate::registry::{AppendResult, Appended, ChangeLog, QueueRegistry};
use crate::stats::MailboxDepth;

/// How long lines may wait for a sync where they are not synced before they are answered.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);
/// Text of `ERR STORE` when a line cannot be written: clients need not know why.
const WRITE_FAILED: &str = "write failed";

/// Appends lines to the store log. The log lives outside the actor, which may be restarted.
pub struct StoreLogWriter {
    log: Arc<Mutex<Option<StoreLog>>>,
    pending: Vec<Append>,
    failing: bool,
    sync: StoreLogSync,
    /// A sync is due in a while.
    sync_due: bool,
    compaction: Compaction,
    depth: Arc<MailboxDepth>,
    guard: Guard,
    logger: Logger,
}

/// What a writer is made from.
pub struct StoreLogParts {
    /// The open log.
    pub log: StoreLog,
    /// When lines are safe from a loss of power.
    pub sync: StoreLogSync,
    /// Bytes by which the log grows before it is compacted.
    pub growth: u64,
    /// What must be in the journal before deleted queues go from the log, if there is one.
    pub removals: Option<Removals>,
    /// Tells how many changes wait.
    pub depth: Arc<MailboxDepth>,
    /// Keeps panics inside.
    pub guard: Guard,
    /// Log of the server.
    pub logger: Logger,
}

impl StoreLogWriter {
    /// A writer of an open log.
    pub fn new(parts: StoreLogParts) -> Self {
        let StoreLogParts { log, sync, growth, removals, depth, guard, logger } = parts;
        let compaction = Compaction::new(log.length(), growth, removals);
        let log = Arc::new(Mutex::new(Some(log)));
        Self { log, pending: Vec::new(), failing: false, sync, sync_due: false, compaction, depth, guard, logger }
    }

    /// Writes what is pending and tells those who wait.
    fn commit(&mut self, context: &mut Context<Self>) -> AppendResult {
        let pending = std::mem::take(&mut self.pending);
        self.depth.leave(pending.len());
        let (log, lines) = (Arc::clone(&self.log), pending.iter().map(|append| &append.lines[..]));
        let lines: Vec<u8> = lines.collect::<Vec<_>>().concat();
        let sync = self.sync;
        let written = self.guard.run(|| {
            faults::pass(FaultPoint::StoreLogWriter, None);
            match (&mut *log.lock(), sync) {
                (Some(log), StoreLogSync::Commit) => log.append_synced(&lines).map_err(Some),
                (Some(log), StoreLogSync::Interval) => log.append_to_be_synced(&lines).map_err(Some),
                (Some(log), StoreLogSync::Off) => log.append(&lines).map_err(Some),
                (None, _) => Err(None),
            }
        });
        match &written {
            Some(Ok(())) => {
                self.note_recovery();
                self.sync_soon(context);
                self.compact_if_grown(context);
            }
            Some(Err(failure)) => {
                self.note_failure(failure.as_ref());
                self.compact_if_lost(context, failure.as_ref());
            }
            None => context.stop(),
        }
        let result = if matches!(written, Some(Ok(()))) { Ok(()) } else { Err(WRITE_FAILED) };
        answer(pending, result);
        result
    }

    /// In an interval, if lines are not synced as they come. Lines that could not be synced were answered: the log is written anew
    /// until that works, and takes no others before.
    fn sync_soon(&mut self, context: &mut Context<Self>) {
        if self.sync != StoreLogSync::Interval || std::mem::replace(&mut self.sync_due, true) {
            return;
        }
        context.run_later(SYNC_INTERVAL, |this, context| {
            this.sync_due = false;
            let log = Arc::clone(&this.log);
            match this.guard.run(|| log.lock().as_mut().map_or(Ok(()), StoreLog::sync)) {
                Some(Ok(())) => {}
                Some(Err(failure)) => {
                    this.note_failure(Some(&failure));
                    this.rescue(context);
                    this.sync_soon(context);
                }
                None => context.stop(),
            }
        });
    }

    /// Logged once per failure, not once per line.
    fn note_failure(&mut self, failure: Option<&StoreLogError>) {
        if let Some(failure) = failure
            && !std::mem::replace(&mut self.failing, true)
        {
            error!(self.logger, "{failure}; changes of queues are refused until it works again");
        }
    }

    fn note_recovery(&mut self) {
        if std::mem::replace(&mut self.failing, false) {
            info!(self.logger, "store log can be written again");
        }
    }
}

/// One message to each shard.
fn answer(pending: Vec<Append>, result: AppendResult) {
    let mut waiting: Vec<(Addr<QueueRegistry>, Vec<ChangeToken>)> = Vec::new();
    for (registry, token) in pending.into_iter().filter_map(|append| append.waiting) {
        match waiting.iter_mut().find(|(known, _)| *known == registry) {
            Some((_, tokens)) => tokens.push(token),
            None => waiting.push((registry, vec![token])),
        }
    }
    for (registry, tokens) in waiting {
        registry.do_send(Appended { tokens, result });
    }
}

impl Actor for StoreLogWriter {
    type Context = Context<Self>;
}

impl Supervised for StoreLogWriter {
    fn restarting(&mut self, context: &mut Self::Context) {
        self.guard.restarted();
        self.compaction.forget_draft();
        if !self.pending.is_empty() {
            context.notify(Commit);
        }
    }
}

/// Lines for the log.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Append {
    /// Whole lines.
    pub lines: Vec<u8>,
    /// Who waits for them, if anybody does.
    pub waiting: Option<(Addr<QueueRegistry>, ChangeToken)>,
}

impl Handler<Append> for StoreLogWriter {
    type Result = ();

    fn handle(&mut self, append: Append, context: &mut Self::Context) {
        if self.pending.is_empty() {
            // Handled when the mailbox is empty: by then everything that waits with this line is pending too.
            context.notify(Commit);
        }
        self.pending.push(append);
    }
}

/// A new service for the log; answered when it is there.
#[derive(Message)]
#[rtype(result = "AppendResult")]
pub struct AppendService(pub Vec<u8>);

impl Handler<AppendService> for StoreLogWriter {
    type Result = MessageResult<AppendService>;

    fn handle(&mut self, AppendService(lines): AppendService, context: &mut Self::Context) -> Self::Result {
        self.depth.enter();
        // Services come once in a lifetime: their line goes with whatever is pending, and nothing waits behind it.
        self.pending.push(Append { lines, waiting: None });
        MessageResult(self.commit(context))
    }
}

/// Writes what is pending.
#[derive(Message)]
#[rtype(result = "()")]
struct Commit;

impl Handler<Commit> for StoreLogWriter {
    type Result = ();

    fn handle(&mut self, _: Commit, context: &mut Self::Context) {
        if !self.pending.is_empty() {
            let _ = self.commit(context);
        }
    }
}

/// Writes what is pending, and closes the log with everything on disk.
#[derive(Message)]
#[rtype(result = "Result<(), StoreLogError>")]
pub struct CloseLog;

impl Handler<CloseLog> for StoreLogWriter {
    type Result = MessageResult<CloseLog>;

    fn handle(&mut self, _: CloseLog, context: &mut Self::Context) -> Self::Result {
        if !self.pending.is_empty() {
            let _ = self.commit(context);
        }
        let log = self.log.lock().take();
        MessageResult(log.map_or(Ok(()), |mut log| log.sync()))
    }
}

/// The writer as one shard sees it.
pub struct ShardLog {
    /// The writer.
    pub writer: Addr<StoreLogWriter>,
    /// The shard that waits.
    pub registry: Addr<QueueRegistry>,
    /// How many changes wait for the writer.
    pub depth: Arc<MailboxDepth>,
}

impl ChangeLog for ShardLog {
    fn append(&self, lines: Vec<u8>, token: Option<ChangeToken>) {
        let waiting = token.map(|token| (self.registry.clone(), token));
        self.depth.enter();
        self.writer.do_send(Append { lines, waiting });
    }
}
