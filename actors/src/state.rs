//! What the server finds on disk when it starts, and what it leaves there when it ends in good order.

mod known;
mod loading;
mod saving;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use slog::{Logger, warn};
use smp_config::settings::{Storage, StoreLog as StoreLogSettings};
use smp_store::error::FileError;
use smp_store::files::Files;
use smp_store::journal::{Journal, RestoredQueues, UnclaimedCount};
use smp_store::names::{METRICS, STORE_LOG};
use smp_store::record::QueueRecord;
use smp_store::restoration::{Restoration, RestoreError};
use smp_store::state_lock::{LockError, StateLock};
use smp_store::stats::StatsSnapshot;
use smp_store::store_log::{StoreLog, StoreLogError};
use smp_store::time_record::TimeRecord;
use thiserror::Error;

use self::known::Known;
pub use self::loading::Loading;
pub use self::saving::Save;
use self::saving::Saving;
use crate::activity::{ActiveHashes, Activity};
use crate::directory::Directory;
use crate::machine::Machine;
use crate::metrics::MetricsFile;
use crate::notifications::NotificationArea;
use crate::services::{AreaKind, Services};
use crate::stats::Stats;
use crate::time_keeper::TimeKeeper;

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
    /// The store log says of no queue, while messages wait.
    #[error(
        "{} {}, but {} messages of {} queues wait in {}; put the store log back{}, or start once with --skip-warnings to set these \
         messages aside and begin without queues",
        store_log.display(),
        if *is_missing { "does not exist" } else { "names no queue" },
        messages.messages,
        messages.queues,
        place.display(),
        backup.as_ref().map_or_else(String::new, |backup| format!(" (its newest backup is {})", backup.display()))
    )]
    NoQueues {
        /// The store log.
        store_log: PathBuf,
        /// There is no such file.
        is_missing: bool,
        /// How many messages wait.
        messages: UnclaimedCount,
        /// Where.
        place: PathBuf,
        /// The newest backup of the store log.
        backup: Option<PathBuf>,
    },
    /// Sealed messages wait, and there is no key.
    #[error(
        "{} has no key, but {messages} sealed messages wait in the journal; put it back from a backup, or start once with \
         --skip-warnings to leave these messages out",
        keys.display()
    )]
    NoKeys {
        /// The file.
        keys: PathBuf,
        /// How many messages.
        messages: u64,
    },
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
    /// Whether the clock is believed.
    pub time: TimeKeeper,
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
    saving: Arc<Saving>,
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
            Storage::Memory if settings.restore_messages && settings.enable => Self::Saved,
            // There is no database here: a start refuses it.
            Storage::Memory | Storage::DatabaseJournal | Storage::Database => Self::No,
        }
    }
}

impl State {
    /// Locks the directory and reads everything.
    pub fn load(loading: &Loading<'_>) -> Result<Self, StateError> {
        let Loading { settings, path, machine: Machine { files, clock, .. }, logger, .. } = loading;
        refuse_other_storage(settings.store_log.storage)?;
        let lock = if loading.machine.rehearses { StateLock::rehearse(path) } else { StateLock::acquire(path) };
        let lock = Arc::new(lock?);
        let messages = MessagesKept::of(&settings.store_log);
        // Before anything is written.
        let time = TimeKeeper::begin(clock, TimeRecord::new(Arc::clone(files), path), settings, logger)?;
        // It takes longest to be understood: the disk gives it first.
        files.expect(&path.join(STORE_LOG));
        let (journal, store_log) = rayon::join(
            || (messages == MessagesKept::Journaled).then(|| loading.journal()).transpose(),
            || loading.store_log(),
        );
        let store_log = store_log?;
        let keeps = settings.store_log.restore_messages;
        let place = Place {
            files: Arc::clone(files),
            path: path.to_path_buf(),
            messages,
            keeps_notifications: keeps,
            keeps_stats: settings.store_log.log_stats,
            logger: Logger::clone(logger),
            saving: Arc::default(),
            _lock: lock,
        };
        let stats = Arc::new(Stats::default());
        let mut restoration = Restoration::begin(Arc::clone(files), path)?;
        for recovered in restoration.recovered() {
            warn!(logger, "the previous start was interrupted: took back {}", recovered.display());
        }
        // With the journal there is no messages log that could be missing beside its backup.
        if matches!(place.messages, MessagesKept::Saved)
            && let Some(stranded) = restoration.stranded_messages()?
        {
            warn!(
                logger,
                "{} was left by a start that failed; if messages are missing, stop the server and rename it",
                stranded.display()
            );
        }
        let known = Known::of(store_log.as_ref());
        let (messages, journal) = match (place.messages, journal?) {
            (MessagesKept::Journaled, Some(found)) => {
                let (messages, journal) = loading.journal_messages(found, &mut restoration, known, &stats)?;
                (messages, Some(journal))
            }
            (MessagesKept::Saved, _) => (loading.saved_messages(&mut restoration, known, &stats)?, None),
            (MessagesKept::No | MessagesKept::Journaled, _) => (RestoredQueues::default(), None),
        };
        // Only now: it forgets deleted queues, and the journal must have said so before.
        let (store_log, queues, services) = loading.queues(store_log)?;
        let directory = Arc::new(directory(loading.shards, queues, messages, &stats, logger));
        let services = Arc::new(Services::restored(services));
        associate(&directory, &services);
        let notifications = loading.notifications(&place, &mut restoration, &stats, &directory, &services)?;
        let saved = if place.keeps_stats { restoration.statistics()? } else { None };
        for damage in restoration.damage() {
            warn!(logger, "{damage}");
        }
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
            time,
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

fn directory(
    shards: usize,
    queues: Vec<QueueRecord>,
    messages: RestoredQueues,
    stats: &Stats,
    logger: &Logger,
) -> Directory {
    let (directory, left_out) = Directory::build(shards, queues, messages);
    if left_out > 0 {
        warn!(logger, "{left_out} queues of the store log have an ID of another one and are left out");
    }
    stats.queues.now.set(i64::try_from(directory.len()).unwrap_or(i64::MAX));
    directory
}

/// Counts the queues of each service.
fn associate(directory: &Directory, services: &Services) {
    if services.is_empty() {
        return;
    }
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

impl Place {
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
