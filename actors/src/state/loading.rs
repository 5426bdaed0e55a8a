//! Reading each part of the state.

use std::path::Path;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use slog::{Logger, warn};
use smp_config::settings::Settings;
use smp_protocol::id::RecipientId;
use smp_protocol::response::EncryptedNotification;
use smp_store::atomic_file::remove_leftovers_in;
use smp_store::conversion;
use smp_store::journal::{self, Journal, JournalFound, ReplayRules, Replayed, RestoredQueues};
use smp_store::messages_log::{RestoreRules, RestoredMessages};
use smp_store::names::JOURNAL;
use smp_store::ntfs_log::{RestoredNotifications, StoredNotification};
use smp_store::record::{QueueRecord, ServiceRecord};
use smp_store::replay::Severity;
use smp_store::restoration::Restoration;
use smp_store::store_log::{Damage, Opened, StoreLog};

use super::{Place, StateError};
use crate::directory::Directory;
use crate::machine::Machine;
use crate::notification::PendingNotification;
use crate::notifications::NotificationArea;
use crate::services::Services;
use crate::stats::Stats;
use crate::tree::seconds;

/// What loading depends on.
pub struct Loading<'a> {
    /// Settings of the operator.
    pub settings: &'a Settings,
    /// The state directory.
    pub path: &'a Path,
    /// Restore what can be restored.
    pub skip_warnings: bool,
    /// Registry shards.
    pub shards: usize,
    /// Files, clock and sizes of the journal.
    pub machine: &'a Machine,
    /// Log of the server.
    pub logger: &'a Logger,
}

pub(super) type LoadedQueues = (Option<StoreLog>, Vec<QueueRecord>, Vec<ServiceRecord>);

/// The queues of the store log. It sorts them, so that no second map of all is needed.
#[derive(Clone, Copy)]
pub(super) struct Known<'a>(pub &'a [QueueRecord]);

impl<'a> Known<'a> {
    fn contains(self, id: &RecipientId) -> bool {
        self.0.binary_search_by_key(id, |queue| queue.recipient_id).is_ok()
    }

    /// The same for IDs that are asked for in their order, which is faster for many.
    fn in_order(self) -> impl FnMut(&RecipientId) -> bool + use<'a> {
        let mut rest = None;
        move |id| {
            let is_before = |queue: &QueueRecord| queue.recipient_id < *id;
            let from_first = || self.0[self.0.partition_point(is_before)..].iter().peekable();
            let rest = rest.get_or_insert_with(from_first);
            while rest.next_if(|queue| is_before(queue)).is_some() {}
            rest.peek().is_some_and(|queue| queue.recipient_id == *id)
        }
    }
}

impl Loading<'_> {
    pub(super) fn queues(&self) -> Result<LoadedQueues, StateError> {
        if !self.settings.store_log.writes_store_log() {
            return Ok((None, Vec::new(), Vec::new()));
        }
        let begin = Instant::now();
        note!(self.logger, "restoring queues from file {}", self.path.join("smp-server-store.log").display());
        let opened = StoreLog::open(Arc::clone(&self.machine.files), self.path, SystemTime::now(), Damage::SetAside)?;
        self.report(&opened, begin);
        let Opened { log, replayed, .. } = opened;
        Ok((Some(log), replayed.queues, replayed.services))
    }

    fn report(&self, opened: &Opened, begin: Instant) {
        let (report, logger) = (&opened.report, self.logger);
        let (summary, log) = (&opened.replayed.summary, &opened.log);
        if report.recovered {
            warn!(logger, "the previous start was interrupted while compacting: recovered the store log");
        }
        if let Some(rejected) = &report.rejected {
            let first = summary.first_rejected.first();
            let first = first.map_or_else(String::new, |(line, error)| format!(" (first: line {line}, {error})"));
            warn!(
                logger,
                "{}: {} lines cannot be read{first} and are kept in {}, all others count; if queues are missing, stop the server, \
                 correct these lines, append them to the store log, and remove that file",
                log.path().display(),
                summary.rejected,
                rejected.display()
            );
        }
        if let Some((line, problem)) =
            summary.first_problems.iter().find(|(_, problem)| problem.severity() == Severity::Error)
        {
            warn!(
                logger,
                "{}: {} lines contradict others and have no effect (first: line {line}, {problem}); restore the file from a \
                 backup if queues are missing",
                log.path().display(),
                summary.errors
            );
        }
        if let Some(backup) = report.backup.as_ref().filter(|_| summary.torn) {
            warn!(
                logger,
                "{}: the last line, {}, is incomplete and left out; nothing has to be done after a crash, else look into {}, \
                 which has it",
                log.path().display(),
                summary.lines,
                backup.display()
            );
        }
        if let Some(backup) = &report.backup {
            note!(logger, "compacted store log, original state preserved as {}", backup.display());
        }
        if !report.removed.is_empty() {
            note!(logger, "Removed {} backups", report.removed.len());
        }
        if let Some(error) = &report.rotation_error {
            warn!(logger, "{error}; old backups stay");
        }
        note!(logger, "store log: {} ({} ms)", opened.replayed.summary, begin.elapsed().as_millis());
    }

    /// What is older is not taken over to the journal.
    fn oldest_at_start(&self) -> Option<i64> {
        self.oldest().filter(|_| self.settings.store_log.expire_messages_on_start)
    }

    fn oldest(&self) -> Option<i64> {
        self.settings.message_ttl().map(|ttl| self.machine.clock.now().saturating_sub(seconds(ttl)))
    }

    /// Messages that were saved in good order.
    pub(super) fn saved_messages(
        &self,
        restoration: &mut Restoration,
        known: Known<'_>,
        stats: &Stats,
    ) -> Result<RestoredQueues, StateError> {
        let RestoredMessages { queues, stored, expired, .. } = self.messages_log(restoration, known)?;
        self.note_messages(stats, stored, expired, known);
        Ok(queues.into_iter().collect())
    }

    fn messages_log(&self, restoration: &mut Restoration, known: Known<'_>) -> Result<RestoredMessages, StateError> {
        let rules = RestoreRules {
            oldest: self.oldest(),
            quota: self.settings.limits.message_queue_quota,
            skip_warnings: self.skip_warnings,
        };
        let restored = restoration.messages(&rules, |id| known.contains(id))?;
        if restored.over_quota + restored.unknown > 0 || restored.torn {
            warn!(
                self.logger,
                "not restored: {} messages of full queues, {} of unknown queues{}",
                restored.over_quota,
                restored.unknown,
                if restored.torn { ", an incomplete last line" } else { "" }
            );
        }
        Ok(restored)
    }

    fn note_messages(&self, stats: &Stats, stored: u64, expired: u64, known: Known<'_>) {
        stats.messages.now.set(i64::try_from(stored).unwrap_or(i64::MAX));
        stats.messages.expired.add(usize::try_from(expired).unwrap_or(usize::MAX));
        note!(self.logger, "messages stored: {stored}, expired: {expired}, queues: {}", known.0.len());
    }

    /// Reads the journal. It is not known yet which queues there are.
    pub(super) fn journal(&self) -> Result<JournalFound, StateError> {
        let (begin, path) = (Instant::now(), self.path.join(JOURNAL));
        note!(self.logger, "reading messages from {}", path.display());
        let encrypt = self.settings.store_log.encrypt;
        remove_leftovers_in(self.machine.files.as_ref(), &path)?;
        let rules = ReplayRules { oldest: self.oldest_at_start(), encrypt, sizes: self.machine.journal };
        let found = journal::read(&self.machine.files, &path, rules)?;
        note!(self.logger, "the journal was read in {} ms", begin.elapsed().as_millis());
        Ok(found)
    }

    /// Messages of the journal, and with them those that were saved when there was none. These are set aside like everything
    /// that was restored; a start that ends before finds them in the journal already, and adds only what is missing.
    pub(super) fn journal_messages(
        &self,
        found: JournalFound,
        restoration: &mut Restoration,
        known: Known<'_>,
        stats: &Stats,
    ) -> Result<(RestoredQueues, Journal), StateError> {
        let mut replayed = found.restore(|| known.in_order());
        for (segment, bytes) in &replayed.damaged {
            warn!(self.logger, "{} has {bytes} damaged bytes; messages in them are lost", segment.display());
        }
        if replayed.torn > 0 {
            warn!(self.logger, "the journal ended with {} bytes of a message that was not accepted yet", replayed.torn);
        }
        if replayed.keyless > 0 {
            warn!(self.logger, "{} sealed messages are left out, because their keys were destroyed", replayed.keyless);
        }
        let saved = self.messages_log(restoration, known)?;
        replayed.expired += saved.expired;
        let mut imported = 0;
        for (queue, messages) in saved.queues {
            imported += replayed.import(queue, messages)?;
        }
        if let Some(tree) = restoration.reference_journal()? {
            let adopted = conversion::adopt(&mut replayed, &tree, self.oldest_at_start(), |id| known.contains(id))?;
            imported += adopted.messages;
            replayed.expired += adopted.expired;
            if adopted.incomplete + adopted.unknown > 0 {
                let (incomplete, unknown) = (adopted.incomplete, adopted.unknown);
                warn!(self.logger, "not moved: some messages of {incomplete} queues, all of {unknown} unknown queues");
            }
        }
        replayed.journal.sync()?;
        if imported > 0 {
            note!(self.logger, "moved to the journal: {imported} messages");
        }
        let Replayed { journal, queues, stored, expired, .. } = replayed;
        self.note_messages(stats, stored, expired, known);
        Ok((queues, journal))
    }

    pub(super) fn notifications(
        &self,
        place: &Place,
        restoration: &mut Restoration,
        stats: &Arc<Stats>,
        directory: &Directory,
        services: &Arc<Services>,
    ) -> Result<NotificationArea, StateError> {
        let limit = self.settings.limits.session_queue_size;
        let mut area = NotificationArea::new(
            Arc::clone(stats),
            Arc::clone(services),
            limit,
            self.settings.limits.message_queue_quota,
        );
        if !place.keeps_notifications {
            return Ok(area);
        }
        let oldest = self.machine.clock.now().saturating_sub(seconds(self.settings.ntf_ttl()));
        let RestoredNotifications { notifiers, stored, expired, torn } =
            restoration.notifications(Some(oldest), self.skip_warnings)?;
        stats.notifications.expired.add(usize::try_from(expired).unwrap_or(usize::MAX));
        for (notifier, waiting) in notifiers {
            let Some(queue) = directory.notifier(&notifier) else { continue };
            let service = queue.record().notifier.as_ref().and_then(|notifier| notifier.service);
            for notification in waiting.iter().filter_map(from_stored) {
                area.notify(notifier, service, notification);
            }
        }
        note!(self.logger, "notifications stored: {stored}, expired: {expired}");
        if torn {
            warn!(self.logger, "not restored: an incomplete last line of the notifications");
        }
        Ok(area)
    }
}

/// Metadata of another length were written by no server; no client could read them.
fn from_stored(stored: &StoredNotification) -> Option<PendingNotification> {
    let meta = stored.metadata[..].try_into().ok()?;
    let encrypted = EncryptedNotification { nonce: stored.nonce, meta };
    Some(PendingNotification { message_id: stored.message_id, timestamp: stored.timestamp, encrypted })
}
