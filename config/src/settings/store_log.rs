//! `[STORE_LOG]`: what is stored, where, for how long.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::ConnectionString;
use crate::ini::{Section, SettingError, Warning};

const DAY: u64 = 86_400;
const HOUR: u64 = 3_600;
/// Far beyond any use, and far from overflow when counted in seconds.
const LONGEST_DAYS: i64 = 10_000_000;

/// Where queue records and messages are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// Queues in memory and the store log, messages in memory.
    Memory,
    /// Queues in memory and the store log (whatever `enable` says), messages in journal files.
    Journal,
    /// Queues in PostgreSQL, messages in journal files.
    DatabaseJournal,
    /// Queues and messages in PostgreSQL.
    Database,
}

impl Storage {
    /// Whether queue records are in PostgreSQL.
    pub fn queues_in_database(self) -> bool {
        matches!(self, Self::DatabaseJournal | Self::Database)
    }

    /// Whether messages are in journal files.
    pub fn messages_in_journal(self) -> bool {
        matches!(self, Self::Journal | Self::DatabaseJournal)
    }
}

/// PostgreSQL settings; they mean something only with a database [`Storage`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database {
    /// `db_connection`: libpq connection string.
    pub connection: ConnectionString,
    /// `db_schema`
    pub schema: String,
    /// `db_pool_size`: connections per pool.
    pub pool_size: u32,
    /// `db_store_log`: write the store log as well.
    pub store_log: bool,
    /// `db_deleted_ttl`: how long deleted records are kept. Values below 10000 are taken as days, others as seconds.
    pub deleted_ttl: Duration,
}

/// When lines of the store log are on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreLogSync {
    /// `commit`: before the changes are answered; many share one sync.
    Commit,
    /// `interval`: within a second.
    Interval,
    /// `off`: when the system likes.
    Off,
}

/// Settings of section `[STORE_LOG]`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the INI file")]
pub struct StoreLog {
    /// `enable`: keep the store log (queues in memory only).
    pub enable: bool,
    /// `sync`: when changes of queues are safe from a loss of power.
    pub sync: StoreLogSync,
    /// `encrypt`, ours only: messages in the journal are sealed with keys that are destroyed with them.
    pub encrypt: bool,
    /// `store_queues`, `store_messages`
    pub storage: Storage,
    /// `db_…`
    pub database: Database,
    /// `restore_messages`: save and restore undelivered messages and notifications; as `enable` unless set.
    pub restore_messages: bool,
    /// `expire_messages_days`; `None`: for ever.
    pub message_ttl: Option<Duration>,
    /// `expire_messages_on_start` (journal and database only)
    pub expire_messages_on_start: bool,
    /// `expire_messages_on_send`: expire a queue before each message sent to it.
    pub expire_messages_on_send: bool,
    /// `expire_ntfs_hours`
    pub ntf_ttl: Duration,
    /// `log_stats`: daily CSV and the statistics backup.
    pub log_stats: bool,
    /// `prometheus_interval`: how often the metrics file is written.
    pub prometheus_interval: Option<Duration>,
    /// `prometheus_listen`, ours only: where metrics are told over HTTP.
    pub prometheus_listen: Option<SocketAddr>,
}

impl StoreLog {
    pub(super) fn read(section: &Section<'_>, warnings: &mut Vec<Warning>) -> Result<Self, SettingError> {
        let enable = section.on_off("enable")?;
        let storage = storage(section)?;
        if enable.is_none() && storage == Storage::Memory {
            warnings
                .push(section.warning("enable", "is not set: queues will not survive a restart; set it to on or off"));
        }
        let enable = enable.unwrap_or(false);
        Ok(Self {
            enable,
            sync: sync(section)?,
            encrypt: section.on_off("encrypt")?.unwrap_or(false),
            storage,
            database: database(section)?,
            restore_messages: section.on_off("restore_messages")?.unwrap_or(enable),
            message_ttl: message_ttl(section)?,
            expire_messages_on_start: section.on_off("expire_messages_on_start")?.unwrap_or(true),
            expire_messages_on_send: section.on_off("expire_messages_on_send")?.unwrap_or(true),
            ntf_ttl: period(section, "expire_ntfs_hours", HOUR)?.unwrap_or(Duration::from_secs(24 * HOUR)),
            log_stats: section.on_off("log_stats")?.unwrap_or(false),
            prometheus_interval: prometheus_interval(section, warnings),
            prometheus_listen: prometheus_listen(section, warnings)?,
        })
    }

    /// Whether queue records are written to the store log.
    pub fn writes_store_log(&self) -> bool {
        match self.storage {
            Storage::Memory => self.enable,
            Storage::Journal => true,
            Storage::DatabaseJournal | Storage::Database => self.database.store_log,
        }
    }
}

fn sync(section: &Section<'_>) -> Result<StoreLogSync, SettingError> {
    match section.text("sync") {
        None | Some("commit") => Ok(StoreLogSync::Commit),
        Some("interval") => Ok(StoreLogSync::Interval),
        Some("off") => Ok(StoreLogSync::Off),
        Some(_) => Err(section.invalid("sync", "commit, interval or off")),
    }
}

fn storage(section: &Section<'_>) -> Result<Storage, SettingError> {
    let queues = section.text("store_queues").unwrap_or("memory");
    let messages = section.text("store_messages").unwrap_or("memory");
    match (queues, messages) {
        ("memory", "memory") => Ok(Storage::Memory),
        ("memory", "journal") => Ok(Storage::Journal),
        ("database", "journal") => Ok(Storage::DatabaseJournal),
        ("database", "database") => Ok(Storage::Database),
        ("memory", "database") | ("database", "memory") => Err(section.error(
            "store_messages",
            "Database and memory storage are not compatible.".to_owned(),
            "store_queues memory with store_messages memory or journal, store_queues database with journal or database",
        )),
        _ => Err(section.error(
            if matches!(queues, "memory" | "database") { "store_messages" } else { "store_queues" },
            format!("Invalid storage settings: store_queues: {queues}, store_messages: {messages}"),
            "store_queues memory or database, store_messages memory, journal or database",
        )),
    }
}

fn database(section: &Section<'_>) -> Result<Database, SettingError> {
    let deleted_ttl = section.integer("db_deleted_ttl", 0..=LONGEST_DAYS * 86_400)?.map(i64::unsigned_abs);
    Ok(Database {
        connection: ConnectionString::new(
            section.text("db_connection").unwrap_or("postgresql://smp@/smp_server_store"),
        ),
        schema: section.text("db_schema").unwrap_or("smp_server").to_owned(),
        pool_size: section.count("db_pool_size", 1..=10_000)?.unwrap_or(10),
        store_log: section.on_off("db_store_log")?.unwrap_or(false),
        deleted_ttl: Duration::from_secs(match deleted_ttl {
            None => 21 * DAY,
            Some(days @ 0..10_000) => days * DAY,
            Some(seconds) => seconds,
        }),
    })
}

/// Zero is no lifetime: the next start would remove everything.
fn message_ttl(section: &Section<'_>) -> Result<Option<Duration>, SettingError> {
    const KEY: &str = "expire_messages_days";
    match section.text(KEY) {
        Some("off") => Ok(None),
        None => Ok(Some(Duration::from_secs(21 * DAY))),
        Some(_) => period(section, KEY, DAY).map_err(|_| {
            section.invalid(
                KEY,
                &format!("a whole number of days from 1 to {LONGEST_DAYS}, or off: messages never expire"),
            )
        }),
    }
}

fn period(section: &Section<'_>, key: &'static str, unit: u64) -> Result<Option<Duration>, SettingError> {
    let count = section.integer(key, 1..=LONGEST_DAYS)?;
    Ok(count.map(|count| Duration::from_secs(count.unsigned_abs() * unit)))
}

/// The reference takes anything but a number as "not set".
fn prometheus_interval(section: &Section<'_>, warnings: &mut Vec<Warning>) -> Option<Duration> {
    const KEY: &str = "prometheus_interval";
    section.text(KEY)?;
    let seconds = section.count(KEY, 1..=u32::MAX).ok().flatten();
    if seconds.is_none() {
        warnings.push(section.warning(KEY, "is not a number of seconds: no metrics file is written"));
    }
    seconds.map(|seconds| Duration::from_secs(seconds.into()))
}

/// A port alone is one of 127.0.0.1; 0 would be any free one, which nobody could find.
fn prometheus_listen(section: &Section<'_>, warnings: &mut Vec<Warning>) -> Result<Option<SocketAddr>, SettingError> {
    const KEY: &str = "prometheus_listen";
    let Some(text) = section.text(KEY).filter(|text| *text != "off") else { return Ok(None) };
    let port = text.parse().map(|port: u16| (Ipv4Addr::LOCALHOST, port).into());
    let address = port.or_else(|_| text.parse::<SocketAddr>()).ok().filter(|address| address.port() > 0);
    let Some(address) = address else {
        return Err(section.invalid(KEY, "a port from 1 to 65535, or address:port, for example 127.0.0.1:9464, or off"));
    };
    if !address.ip().is_loopback() {
        warnings.push(section.warning(KEY, "is no address of this machine alone: metrics can be read from others"));
    }
    Ok(Some(address))
}
