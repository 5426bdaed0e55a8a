//! What the server finds on disk when it starts, and what it leaves there when it ends in good order.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;
use slog::{Logger, warn};
use smp_config::settings::{Settings, Storage, StoreLog as StoreLogSettings};
use smp_protocol::id::{NotifierId, RecipientId};
use smp_protocol::response::EncryptedNotification;
use smp_store::conversion;
use smp_store::error::FileError;
use smp_store::files::Files;
use smp_store::journal::{self, Journal, ReplayRules, Replayed};
use smp_store::message_queue::MessageQueue;
use smp_store::messages_log::{self, RestoreRules, RestoredMessages};
use smp_store::names::{JOURNAL, METRICS};
use smp_store::ntfs_log::{self, RestoredNotifications, StoredNotification};
use smp_store::record::{QueueRecord, ServiceRecord};
use smp_store::restoration::{Restoration, RestoreError};
use smp_store::state_lock::{LockError, StateLock};
use smp_store::stats::StatsSnapshot;
use smp_store::stats_log;
use smp_store::store_log::{Damage, Opened, StoreLog, StoreLogError};
use thiserror::Error;

use crate::activity::{ActiveHashes, Activity};
use crate::directory::Directory;
use crate::metrics::MetricsFile;
use crate::notification::PendingNotification;
use crate::notifications::NotificationArea;
use crate::queue::Queue;
use crate::registry::undelivered;
use crate::services::{AreaKind, Services};
use crate::stats::Stats;
use crate::tree::seconds;

/// Why the state cannot be loaded. No file was changed, except that an interrupted start may have been recovered.
#[derive(Debug, Error)]
pub enum StateError {
    /// Another server uses the directory.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The store log.
    #[error(transparent)]
    StoreLog(#[from] StoreLogError),
    /// Saved messages, notifications or statistics.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// The journal of messages.
    #[error(transparent)]
    Journal(#[from] FileError),
    /// A kind of storage that this program does not have.
    #[error("{0}")]
    Storage(&'static str),
}

/// What was on disk.
pub struct State {
    /// Queues with their messages.
    pub directory: Arc<Directory>,
    /// Services with their queues.
    pub services: Arc<Services>,
    /// Waiting notifications.
    pub notifications: NotificationArea,
    /// The open log.
    pub store_log: Option<StoreLog>,
    /// The open journal, if messages are kept in one.
    pub journal: Option<Journal>,
    /// Active queues.
    pub activity: Activity,
    /// When counting began.
    pub from_time: Arc<Mutex<SystemTime>>,
    /// Counters.
    pub stats: Arc<Stats>,
    /// What is set aside once the server runs.
    pub restoration: Option<Restoration>,
    /// Where the state is saved.
    pub place: Place,
}

/// Where the state is, and which parts of it are kept.
#[derive(Clone)]
pub struct Place {
    files: Arc<dyn Files>,
    path: PathBuf,
    messages: MessagesKept,
    keeps_notifications: bool,
    keeps_stats: bool,
    logger: Logger,
    /// Held as long as the place is in use.
    _lock: Arc<StateLock>,
}

/// How messages outlive the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MessagesKept {
    /// Not at all.
    No,
    /// They are saved in good order.
    Saved,
    /// They are in the journal at any time.
    Journaled,
}

impl MessagesKept {
    fn of(settings: &StoreLogSettings) -> Self {
        match settings.storage {
            Storage::Journal => Self::Journaled,
            _ if settings.restore_messages && settings.enable => Self::Saved,
            _ => Self::No,
        }
    }
}

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
    /// The file system.
    pub files: Arc<dyn Files>,
    /// Seconds since 1970.
    pub now: i64,
    /// Log of the server.
    pub logger: &'a Logger,
}

impl State {
    /// Locks the directory and reads everything.
    pub fn load(loading: &Loading<'_>) -> Result<Self, StateError> {
        let Loading { settings, path, files, logger, .. } = loading;
        refuse_other_storage(settings.store_log.storage)?;
        let lock = Arc::new(StateLock::acquire(path)?);
        let (store_log, queues, services) = loading.queues()?;
        let keeps = settings.store_log.restore_messages;
        let place = Place {
            files: Arc::clone(files),
            path: path.to_path_buf(),
            messages: MessagesKept::of(&settings.store_log),
            keeps_notifications: keeps,
            keeps_stats: settings.store_log.log_stats,
            logger: Logger::clone(logger),
            _lock: lock,
        };
        let stats = Arc::new(Stats::default());
        let mut restoration = Restoration::begin(Arc::clone(files), path)?;
        for recovered in restoration.recovered() {
            warn!(logger, "the previous start was interrupted: took back {}", recovered.display());
        }
        if let Some(stranded) = restoration.stranded_messages()? {
            warn!(
                logger,
                "{} was left by a start that failed; if messages are missing, stop the server and rename it",
                stranded.display()
            );
        }
        let known = Known(&queues);
        let (messages, journal) = match place.messages {
            MessagesKept::No => (HashMap::new(), None),
            MessagesKept::Saved => (loading.messages(&mut restoration, known, &stats)?, None),
            MessagesKept::Journaled => {
                let (messages, journal) = loading.journal(&mut restoration, known, &stats)?;
                (messages, Some(journal))
            }
        };
        let directory = Arc::new(directory(loading.shards, queues, messages, &stats, logger));
        let services = Arc::new(Services::restored(services));
        associate(&directory, &services);
        let notifications = loading.notifications(&place, &mut restoration, &stats, &directory, &services)?;
        let saved = if place.keeps_stats { restoration.statistics()? } else { None };
        let (activity, from_time) = restore_stats(saved, &stats);
        Ok(Self {
            directory,
            services,
            notifications,
            store_log,
            journal,
            activity,
            from_time: Arc::new(Mutex::new(from_time)),
            stats,
            restoration: Some(restoration),
            place,
        })
    }
}

fn refuse_other_storage(storage: Storage) -> Result<(), StateError> {
    match storage {
        Storage::Memory | Storage::Journal => Ok(()),
        Storage::DatabaseJournal | Storage::Database => Err(StateError::Storage(
            "store_queues = database: this server has no database storage; run `smp-server database export` of the \
             program that wrote it, set store_queues and store_messages to memory in smp-server.ini and start again",
        )),
    }
}

type LoadedQueues = (Option<StoreLog>, Vec<QueueRecord>, Vec<ServiceRecord>);

/// The queues of the store log. It sorts them, so that no second map of all is needed.
#[derive(Clone, Copy)]
struct Known<'a>(&'a [QueueRecord]);

impl Known<'_> {
    fn contains(&self, id: &RecipientId) -> bool {
        self.0.binary_search_by_key(id, |queue| queue.recipient_id).is_ok()
    }
}

impl Loading<'_> {
    fn queues(&self) -> Result<LoadedQueues, StateError> {
        if !self.settings.store_log.writes_store_log() {
            return Ok((None, Vec::new(), Vec::new()));
        }
        let begin = Instant::now();
        note!(self.logger, "restoring queues from file {}", self.path.join("smp-server-store.log").display());
        let opened = StoreLog::open(Arc::clone(&self.files), self.path, SystemTime::now(), Damage::SetAside)?;
        self.report(&opened, begin);
        let Opened { log, replayed, .. } = opened;
        Ok((Some(log), replayed.queues, replayed.services))
    }

    fn report(&self, opened: &Opened, begin: Instant) {
        let (report, logger) = (&opened.report, self.logger);
        if report.recovered {
            warn!(logger, "the previous start was interrupted while compacting: recovered the store log");
        }
        if let Some(rejected) = &report.rejected {
            warn!(logger, "damaged lines of the store log were added to {}", rejected.display());
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

    fn oldest(&self) -> Option<i64> {
        self.settings.message_ttl().map(|ttl| self.now.saturating_sub(seconds(ttl)))
    }

    fn messages(
        &self,
        restoration: &mut Restoration,
        known: Known<'_>,
        stats: &Stats,
    ) -> Result<HashMap<RecipientId, MessageQueue>, StateError> {
        let RestoredMessages { queues, stored, expired, .. } = self.saved_messages(restoration, known)?;
        self.note_messages(stats, stored, expired, known);
        Ok(queues)
    }

    fn saved_messages(&self, restoration: &mut Restoration, known: Known<'_>) -> Result<RestoredMessages, StateError> {
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

    /// Messages of the journal, and with them those that were saved when there was none. These are set aside like everything
    /// that was restored; a start that ends before finds them in the journal already, and adds only what is missing.
    fn journal(
        &self,
        restoration: &mut Restoration,
        known: Known<'_>,
        stats: &Stats,
    ) -> Result<(HashMap<RecipientId, MessageQueue>, Journal), StateError> {
        let (begin, path) = (Instant::now(), self.path.join(JOURNAL));
        note!(self.logger, "reading messages from {}", path.display());
        let oldest = if self.settings.store_log.expire_messages_on_start { self.oldest() } else { None };
        let rules = ReplayRules { oldest, ..ReplayRules::default() };
        let mut replayed = journal::replay(&self.files, &path, rules, |id| known.contains(id))?;
        for (segment, bytes) in &replayed.damaged {
            warn!(self.logger, "{} has {bytes} damaged bytes; messages in them are lost", segment.display());
        }
        if replayed.torn > 0 {
            warn!(self.logger, "the journal ended with {} bytes of a message that was not accepted yet", replayed.torn);
        }
        let saved = self.saved_messages(restoration, known)?;
        replayed.expired += saved.expired;
        let mut imported = 0;
        for (queue, messages) in saved.queues {
            imported += replayed.import(queue, messages)?;
        }
        if let Some(tree) = restoration.reference_journal()? {
            let adopted = conversion::adopt(&mut replayed, &tree, oldest, |id| known.contains(id))?;
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
        note!(self.logger, "the journal was read in {} ms", begin.elapsed().as_millis());
        Ok((queues, journal))
    }

    fn notifications(
        &self,
        place: &Place,
        restoration: &mut Restoration,
        stats: &Arc<Stats>,
        directory: &Directory,
        services: &Arc<Services>,
    ) -> Result<NotificationArea, StateError> {
        let limit = self.settings.limits.session_queue_size;
        let mut area = NotificationArea::new(Arc::clone(stats), Arc::clone(services), limit);
        if !place.keeps_notifications {
            return Ok(area);
        }
        let oldest = self.now.saturating_sub(seconds(self.settings.ntf_ttl()));
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

fn directory(
    shards: usize,
    queues: Vec<QueueRecord>,
    mut messages: HashMap<RecipientId, MessageQueue>,
    stats: &Stats,
    logger: &Logger,
) -> Directory {
    let directory = Directory::new(shards);
    for record in queues {
        let messages = messages.remove(&record.recipient_id);
        let queue = Arc::new(Queue::restored(record, messages));
        if directory.insert(&queue).is_err() {
            warn!(logger, "a queue of the store log has an ID of another one and is left out");
        }
    }
    stats.queues.now.set(i64::try_from(directory.len()).unwrap_or(i64::MAX));
    directory
}

/// Counts the queues of each service.
fn associate(directory: &Directory, services: &Services) {
    let queues = (0..Directory::PORTIONS).flat_map(|portion| directory.portion(portion));
    for queue in queues {
        let record = queue.record();
        let receiving = record.service.as_deref().map(|service| (service, record.recipient_id.as_ref()));
        let notified =
            record.notifier.as_ref().and_then(|n| n.service.as_ref().map(|service| (service, n.id.as_ref())));
        for (kind, association) in [(AreaKind::Messages, receiving), (AreaKind::Notifications, notified)] {
            if let Some((service, id)) = association
                && let Some(service) = services.find(service)
            {
                service.area(kind).associate(id);
            }
        }
    }
}

fn restore_stats(saved: Option<StatsSnapshot>, stats: &Stats) -> (Activity, SystemTime) {
    let Some(saved) = saved else { return (Activity::default(), SystemTime::now()) };
    let (expired, ntfs_expired) = (stats.messages.expired.get(), stats.notifications.expired.get());
    stats.restore_snapshot(&saved);
    stats.messages.expired.add(usize::try_from(expired).unwrap_or_default());
    stats.notifications.expired.add(usize::try_from(ntfs_expired).unwrap_or_default());
    let activity = Activity {
        all: ActiveHashes::from(&saved.active_queues),
        with_notification: ActiveHashes::from(&saved.active_queues_ntf),
    };
    (activity, saved.from_time)
}

/// Metadata of another length were written by no server; no client could read them.
fn from_stored(stored: &StoredNotification) -> Option<PendingNotification> {
    let meta = stored.metadata[..].try_into().ok()?;
    let encrypted = EncryptedNotification { nonce: stored.nonce, meta };
    Some(PendingNotification { message_id: stored.message_id, timestamp: stored.timestamp, encrypted })
}

fn to_stored(pending: &PendingNotification) -> StoredNotification {
    StoredNotification {
        message_id: pending.message_id,
        timestamp: pending.timestamp,
        nonce: pending.encrypted.nonce,
        metadata: pending.encrypted.meta.into(),
    }
}

impl Place {
    /// Saves the undelivered messages of all queues.
    pub fn save_messages(&self, directory: &Directory) -> Result<(), FileError> {
        match self.messages {
            MessagesKept::Saved => {}
            MessagesKept::Journaled => return Ok(()),
            MessagesKept::No => {
                note!(self.logger, "undelivered messages are not saved");
                return Ok(());
            }
        }
        let begin = Instant::now();
        let saved = messages_log::save(Arc::clone(&self.files), &self.path, undelivered(directory))?;
        note!(self.logger, "messages saved: {saved} ({} ms)", begin.elapsed().as_millis());
        Ok(())
    }

    /// Saves the waiting notifications.
    pub fn save_notifications(&self, waiting: &[(NotifierId, PendingNotification)]) -> Result<(), FileError> {
        if !self.keeps_notifications {
            return Ok(());
        }
        let stored: Vec<_> = waiting.iter().map(|(id, pending)| (*id, to_stored(pending))).collect();
        let lines = stored.iter().map(|(id, notification)| (*id, notification));
        let saved = ntfs_log::save(Arc::clone(&self.files), &self.path, lines)?;
        note!(self.logger, "notifications saved: {saved}");
        Ok(())
    }

    /// Saves the statistics.
    pub fn save_stats(&self, stats: &StatsSnapshot) -> Result<(), FileError> {
        if !self.keeps_stats {
            return Ok(());
        }
        stats_log::save(Arc::clone(&self.files), &self.path, stats)?;
        note!(self.logger, "server stats saved");
        Ok(())
    }

    /// Where the metrics go, if they are written in some interval.
    pub fn metrics(&self, interval: Option<Duration>) -> Option<MetricsFile> {
        let interval = interval?;
        Some(MetricsFile {
            files: Arc::clone(&self.files),
            path: self.path.join(METRICS),
            interval,
            turn: Arc::default(),
        })
    }

    /// Where the daily statistics go, if they are kept.
    pub fn daily_stats(&self) -> Option<(Arc<dyn Files>, PathBuf)> {
        self.keeps_stats.then(|| (Arc::clone(&self.files), self.path.clone()))
    }
}
