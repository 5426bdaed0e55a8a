//! Reading each part of the state.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use slog::{Logger, warn};
use smp_config::settings::Settings;
use smp_protocol::id::RecipientId;
use smp_protocol::response::EncryptedNotification;
use smp_store::atomic_file::remove_leftovers_in;
use smp_store::conversion;
use smp_store::error::FileError;
use smp_store::journal::{self, Journal, JournalFound, ReplayRules, Replayed, RestoredQueues, UnclaimedCount};
use smp_store::message_queue::StoredMessage;
use smp_store::messages_log::{RestoreRules, RestoredMessages};
use smp_store::names::{JOURNAL, MESSAGES_LOG, REFERENCE_JOURNAL, STORE_LOG};
use smp_store::ntfs_log::{RestoredNotifications, StoredNotification};
use smp_store::record::{QueueRecord, ServiceRecord};
use smp_store::reference_journal::ReferenceJournal;
use smp_store::replay::{QueueStanding, Severity};
use smp_store::restoration::Restoration;
use smp_store::store_log::{Damage, Loaded, Opened, StoreLog, newest_backup};

use super::known::Known;
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

impl Loading<'_> {
    /// Reads the store log, if there is one.
    pub(super) fn store_log(&self) -> Result<Option<Loaded>, StateError> {
        if !self.settings.store_log.writes_store_log() {
            return Ok(None);
        }
        let begin = Instant::now();
        note!(self.logger, "restoring queues from file {}", self.path.join(STORE_LOG).display());
        let loaded = StoreLog::load(Arc::clone(&self.machine.files), self.path, Damage::SetAside)?;
        note!(self.logger, "store log: {} ({} ms)", loaded.replayed().summary, begin.elapsed().as_millis());
        Ok(Some(loaded))
    }

    /// Opens it to be appended to.
    pub(super) fn queues(&self, loaded: Option<Loaded>) -> Result<LoadedQueues, StateError> {
        let Some(loaded) = loaded else { return Ok((None, Vec::new(), Vec::new())) };
        let opened = loaded.open(SystemTime::now())?;
        self.report(&opened);
        let Opened { log, replayed, .. } = opened;
        Ok((Some(log), replayed.queues, replayed.services))
    }

    fn report(&self, opened: &Opened) {
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
    }

    /// What is older is not taken over to the journal.
    fn oldest_at_start(&self) -> Option<i64> {
        self.oldest().filter(|_| self.settings.store_log.expire_messages_on_start)
    }

    fn oldest(&self) -> Option<i64> {
        let now = self.machine.clock.trusted_now()?;
        self.settings.message_ttl().map(|ttl| now.saturating_sub(seconds(ttl)))
    }

    /// Messages that were saved in good order.
    pub(super) fn saved_messages(
        &self,
        restoration: &mut Restoration,
        known: Known<'_>,
        stats: &Stats,
    ) -> Result<RestoredQueues, StateError> {
        let RestoredMessages { queues, stored, expired, unknown, .. } = self.messages_log(restoration, known)?;
        self.note_messages(stats, stored, expired, known);
        if !unknown.is_empty() {
            let place = restoration.unclaimed_path();
            self.refuse_without_queues(known, count(&unknown), &self.path.join(MESSAGES_LOG))?;
            self.warn_of_unclaimed(count(&unknown), &place);
            restoration.set_aside(unknown);
        }
        Ok(queues.into_iter().collect())
    }

    /// That the store log says of no queue does not mean that all are deleted.
    fn refuse_without_queues(
        &self,
        known: Known<'_>,
        messages: UnclaimedCount,
        place: &Path,
    ) -> Result<(), StateError> {
        if known.names_queues() || messages.messages == 0 || self.skip_warnings {
            return Ok(());
        }
        Err(StateError::NoQueues {
            store_log: self.path.join(STORE_LOG),
            is_missing: known.is_missing,
            messages,
            place: place.to_path_buf(),
            backup: newest_backup(self.machine.files.as_ref(), &self.path.join(STORE_LOG)),
        })
    }

    fn warn_of_unclaimed(&self, UnclaimedCount { messages, queues }: UnclaimedCount, place: &Path) {
        if messages > 0 {
            warn!(
                self.logger,
                "set aside: {messages} messages of {queues} queues that are not in {}; they stay in {} and are delivered when the \
                 server is started with a store log that has these queues",
                self.path.join(STORE_LOG).display(),
                place.display()
            );
        }
    }

    fn messages_log(&self, restoration: &mut Restoration, known: Known<'_>) -> Result<RestoredMessages, StateError> {
        let rules = RestoreRules { oldest: self.oldest(), quota: self.settings.limits.message_queue_quota };
        let mut restored = restoration.messages(&rules, |id| known.is_live(id))?;
        restored.unknown.retain(|(queue, _)| known.standing(queue) == QueueStanding::Unknown);
        if restored.over_quota > 0 {
            warn!(self.logger, "not restored: {} messages of full queues", restored.over_quota);
        }
        Ok(restored)
    }

    fn note_messages(&self, stats: &Stats, stored: u64, expired: u64, known: Known<'_>) {
        stats.messages.now.set(i64::try_from(stored).unwrap_or(i64::MAX));
        stats.messages.expired.add(usize::try_from(expired).unwrap_or(usize::MAX));
        note!(self.logger, "messages stored: {stored}, expired: {expired}, queues: {}", known.queues().len());
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
        let place = self.path.join(JOURNAL);
        self.report_damage(&replayed);
        if replayed.keyless > 0 && !replayed.has_keys && !self.skip_warnings {
            return Err(StateError::NoKeys { keys: place.join("keys"), messages: replayed.keyless });
        }
        let saved = self.messages_log(restoration, known)?;
        let tree = restoration.reference_journal()?;
        self.refuse_without_queues(known, replayed.journal.unclaimed(), &place)?;
        self.refuse_without_queues(known, count(&saved.unknown), &self.path.join(MESSAGES_LOG))?;
        if let Some(tree) = tree.as_ref().filter(|_| !known.names_queues()) {
            self.refuse_without_queues(known, count_tree(tree)?, &self.path.join(REFERENCE_JOURNAL))?;
        }
        replayed.record_gone()?;
        replayed.expired += saved.expired;
        let mut imported = 0;
        for (queue, messages) in saved.queues {
            imported += replayed.import(queue, messages)?;
        }
        for (queue, message) in saved.unknown {
            replayed.import_unclaimed(queue, [message])?;
        }
        if let Some(tree) = tree {
            let adopted = conversion::adopt(&mut replayed, &tree, self.oldest_at_start(), |id| known.standing(id))?;
            imported += adopted.messages;
            replayed.expired += adopted.expired;
            if adopted.incomplete > 0 {
                warn!(self.logger, "not moved: some messages of {} queues", adopted.incomplete);
            }
        }
        replayed.journal.sync()?;
        if imported > 0 {
            note!(self.logger, "moved to the journal: {imported} messages");
        }
        self.warn_of_unclaimed(replayed.journal.unclaimed(), &place);
        let Replayed { journal, queues, stored, expired, .. } = replayed;
        self.note_messages(stats, stored, expired, known);
        Ok((queues, journal))
    }

    fn report_damage(&self, replayed: &Replayed) {
        let logger = self.logger;
        for segment in &replayed.missing {
            warn!(
                logger,
                "{} is missing; put it back from a backup, or the messages in it are lost",
                segment.display()
            );
        }
        for segment in &replayed.emptied {
            warn!(
                logger,
                "{} was cut off or emptied; put it back from a backup, or the messages in it are lost",
                segment.display()
            );
        }
        for (segment, bytes) in &replayed.damaged {
            warn!(logger, "{} has {bytes} damaged bytes; messages in them are lost", segment.display());
        }
        if replayed.torn > 0 {
            warn!(logger, "the journal ended with {} bytes of a message that was not accepted yet", replayed.torn);
        }
        if replayed.keyless > 0 {
            warn!(logger, "{} sealed messages are left out, because their keys were destroyed", replayed.keyless);
        }
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
        let now = self.machine.clock.trusted_now();
        let oldest = now.map(|now| now.saturating_sub(seconds(self.settings.ntf_ttl())));
        let RestoredNotifications { notifiers, stored, expired, .. } = restoration.notifications(oldest)?;
        let mut unknown = 0;
        stats.notifications.expired.add(usize::try_from(expired).unwrap_or(usize::MAX));
        for (notifier, waiting) in notifiers {
            let Some(queue) = directory.notifier(&notifier) else {
                unknown += waiting.len();
                continue;
            };
            let service = queue.record().notifier.as_ref().and_then(|notifier| notifier.service);
            for notification in waiting.iter().filter_map(from_stored) {
                area.notify(notifier, service, notification);
            }
        }
        note!(self.logger, "notifications stored: {stored}, expired: {expired}");
        if unknown > 0 {
            warn!(self.logger, "not restored: {unknown} notifications of queues that are not in the store log");
        }
        Ok(area)
    }
}

fn count(messages: &[(RecipientId, StoredMessage)]) -> UnclaimedCount {
    let queues: HashSet<_> = messages.iter().map(|(queue, _)| queue).collect();
    UnclaimedCount { messages: messages.len() as u64, queues: queues.len() as u64 }
}

/// What the journal files of the reference hold.
fn count_tree(tree: &ReferenceJournal) -> Result<UnclaimedCount, FileError> {
    let mut count = UnclaimedCount::default();
    for queue in tree.queues()? {
        let messages = tree.messages(&queue)?.messages.len();
        count.messages += messages as u64;
        count.queues += u64::from(messages > 0);
    }
    Ok(count)
}

/// Metadata of another length were written by no server; no client could read them.
fn from_stored(stored: &StoredNotification) -> Option<PendingNotification> {
    let meta = stored.metadata[..].try_into().ok()?;
    let encrypted = EncryptedNotification { nonce: stored.nonce, meta };
    Some(PendingNotification { message_id: stored.message_id, timestamp: stored.timestamp, encrypted })
}
