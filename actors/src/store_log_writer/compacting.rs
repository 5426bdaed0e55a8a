//! Compacting the store log while the server runs: when most of it is about what is not so any more, and after a failed sync, which
//! leaves doubts about the file.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use actix::{ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, WrapFuture};
use slog::warn;
use smp_config::settings::StoreLogSync;
use smp_store::store_log::{CompactionDraft, StoreLog, StoreLogError};

use super::StoreLogWriter;
use crate::faults::{self, FaultPoint};
use crate::journal_writer::{JournalWriter, SyncJournal};
use crate::registry::ShardPeers;

/// Between two attempts on a log that cannot be synced.
const PAUSE: Duration = Duration::from_secs(1);

/// The removals of messages of deleted queues. Once the record of a deletion is gone from the log, they are what tells the queue from
/// an unknown one.
#[derive(Clone)]
pub struct Removals {
    /// Who gives them to the journal.
    pub shards: Arc<ShardPeers>,
    /// Who writes them.
    pub journal: Addr<JournalWriter>,
}

impl Removals {
    /// Whether those of all queues whose deletion was in the log before are on disk.
    async fn are_recorded(self) -> bool {
        self.shards.settle().await && self.journal.send(SyncJournal).await == Ok(true)
    }
}

/// When the log is to be compacted.
pub(super) struct Compaction {
    /// Length after the last one.
    length: u64,
    /// Bytes that are tolerated beyond that.
    growth: u64,
    /// One is under way.
    is_running: bool,
    removals: Option<Removals>,
    /// When one was begun because of a failed sync.
    last_rescue: Option<Instant>,
    /// The log from before the last one. Only one of them is kept for each run: a busy server must not fill its disk with them.
    backup: Option<PathBuf>,
}

impl Compaction {
    pub(super) fn new(length: u64, growth: u64, removals: Option<Removals>) -> Self {
        Self { length, growth, is_running: false, removals, last_rescue: None, backup: None }
    }

    /// What waited for the journal went with the context.
    pub(super) fn forget_draft(&mut self) {
        self.is_running = false;
    }

    fn is_due(&self, length: u64) -> bool {
        !self.is_running && length > self.length.saturating_mul(2) && length > self.length.saturating_add(self.growth)
    }
}

impl StoreLogWriter {
    /// After lines were appended.
    pub(super) fn compact_if_grown(&mut self, context: &mut Context<Self>) {
        let length = self.log.lock().as_ref().map_or(0, StoreLog::length);
        if self.compaction.is_due(length) {
            self.begin_compaction(context);
        }
    }

    /// After lines could not be appended: if an earlier sync failed, the log is written anew.
    pub(super) fn compact_if_lost(&mut self, context: &mut Context<Self>, failure: Option<&StoreLogError>) {
        if matches!(failure, Some(StoreLogError::SyncLost { .. })) && self.sync != StoreLogSync::Off {
            self.rescue(context);
        }
    }

    /// Writes the log anew after a failed sync. What was synced before is on the disk; what was answered without a sync can still be
    /// read, as long as the machine runs, or else the log is damaged, is not replaced, and the operator has to look.
    pub(super) fn rescue(&mut self, context: &mut Context<Self>) {
        let is_soon = self.compaction.last_rescue.is_some_and(|at| at.elapsed() < PAUSE);
        if !is_soon && !self.compaction.is_running {
            self.compaction.last_rescue = Some(Instant::now());
            self.begin_compaction(context);
        }
    }

    fn begin_compaction(&mut self, context: &mut Context<Self>) {
        let plan = match self.log.lock().as_ref().map(StoreLog::plan_compaction) {
            Some(Ok(plan)) => plan,
            Some(Err(failure)) => return warn!(self.logger, "the store log is not compacted: {failure}"),
            None => return,
        };
        let (writer, guard) = (context.address(), self.guard.clone());
        let work = move || {
            let draft = guard.run(|| {
                faults::pass(FaultPoint::Compaction, None);
                plan.write()
            });
            writer.do_send(Drafted(draft));
        };
        match thread::Builder::new().name("store log compaction".to_owned()).spawn(work) {
            Ok(_) => self.compaction.is_running = true,
            Err(failure) => warn!(self.logger, "the store log is not compacted: {failure}"),
        }
    }
}

/// The compacted log lies beside the log; `None`: writing it panicked.
#[derive(Message)]
#[rtype(result = "()")]
struct Drafted(Option<Result<CompactionDraft, StoreLogError>>);

impl Handler<Drafted> for StoreLogWriter {
    type Result = ();

    fn handle(&mut self, Drafted(draft): Drafted, context: &mut Self::Context) {
        let Some(removals) = self.compaction.removals.clone() else { return self.finish_compaction(draft, context) };
        let recorded = removals.are_recorded().into_actor(self);
        context.spawn(recorded.map(move |are_recorded, this, context| {
            if are_recorded {
                return this.finish_compaction(draft, context);
            }
            this.compaction.is_running = false;
            this.compaction.length = this.log.lock().as_ref().map_or(0, StoreLog::length);
            warn!(this.logger, "the store log is not compacted: the journal cannot be written");
        }));
    }
}

impl StoreLogWriter {
    fn finish_compaction(
        &mut self,
        draft: Option<Result<CompactionDraft, StoreLogError>>,
        context: &mut Context<Self>,
    ) {
        if !self.pending.is_empty() {
            // No other compaction begins meanwhile: this one is not over yet.
            let _ = self.commit(context);
        }
        self.compaction.is_running = false;
        let Some(draft) = draft else {
            // Tried again when it has grown as much once more.
            self.compaction.length = self.log.lock().as_ref().map_or(0, StoreLog::length);
            return warn!(self.logger, "the store log is not compacted");
        };
        let (log, last_backup) = (Arc::clone(&self.log), self.compaction.backup.clone());
        let finished = self.guard.run(|| {
            let mut log = log.lock();
            // It is closed when the server ends: the next start compacts it.
            let log = log.as_mut()?;
            let before = log.length();
            let report = draft.and_then(|draft| log.finish_compaction(draft, SystemTime::now()));
            let removed = match (&report, &last_backup) {
                (Ok(_), Some(backup)) => log.remove_backup(backup).err(),
                _ => None,
            };
            Some((before, log.length(), report, removed))
        });
        match finished {
            Some(Some((before, length, Ok(report), not_removed))) => {
                self.compaction.length = length;
                let backup = report.backup.display();
                note!(
                    self.logger,
                    "compacted store log from {before} to {length} bytes, original state preserved as {backup}"
                );
                // All of it was written and synced.
                self.note_recovery();
                for failure in report.rotation_error.iter().chain(&not_removed) {
                    warn!(self.logger, "{failure}; old backups stay");
                }
                self.compaction.backup = Some(report.backup);
            }
            Some(Some((before, _, Err(failure), _))) => {
                // Tried again when it has grown as much once more.
                self.compaction.length = before;
                warn!(self.logger, "the store log is not compacted: {failure}");
            }
            Some(None) => {}
            None => actix::ActorContext::stop(context),
        }
    }
}
