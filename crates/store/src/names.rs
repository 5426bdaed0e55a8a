//! Names of the files in the state directory (operations.md §2.2).

/// The queue log.
pub const STORE_LOG: &str = "smp-server-store.log";
/// Undelivered messages, written on an orderly stop.
pub const MESSAGES_LOG: &str = "smp-server-messages.log";
/// Messages of queues that the store log does not know, in the form of the messages log; ours only.
pub const MESSAGES_UNCLAIMED: &str = "smp-server-messages.unclaimed.log";
/// Undelivered notifications, written on an orderly stop.
pub const NTFS_LOG: &str = "smp-server-ntfs.log";
/// Statistics, written on an orderly stop.
pub const STATS_LOG: &str = "smp-server-stats.log";
/// One CSV line a day.
pub const DAILY_CSV: &str = "smp-server-stats.daily.log";
/// Metrics, written anew in an interval.
pub const METRICS: &str = "smp-server-metrics.txt";
/// When the state was last written by a server whose clock was right; ours only.
pub const TIME: &str = "smp-server-time";
/// Locked while a server runs; ours only, ignored by the reference.
pub const LOCK: &str = "smp-server.lock";
/// Present only while the files of an orderly stop are being set aside; ours only.
pub const SETTING_ASIDE: &str = "smp-server-restored.list";

/// Directory of the journal of messages; ours only.
pub const JOURNAL: &str = "smp-server-journal";

/// Directory of the journal files of the reference.
pub const REFERENCE_JOURNAL: &str = "messages";

/// Ending of a log that has been read at start.
pub(crate) const BACKUP: &str = ".bak";
