//! The one table of everything in section `[LIMITS]`: what is allowed, what applies without it, what it means.
//!
//! Values are checked against it, and `docs/limits.md` is its rendering.

use std::fmt::{self, Write};
use std::ops::RangeInclusive;

/// One key of `[LIMITS]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// Key.
    pub name: &'static str,
    /// What numbers count; empty for words.
    pub unit: &'static str,
    /// What applies if the key is missing; for keys beginning with `[`, that setting.
    pub default: &'static str,
    /// What can be set.
    pub allowed: Allowed,
    /// What it limits.
    pub meaning: &'static str,
}

impl Limit {
    /// The default, unless it is another setting.
    pub fn default_value(&self) -> Option<&'static str> {
        Some(self.default).filter(|default| !default.starts_with('['))
    }
}

/// The values a key can have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allowed {
    /// A whole number.
    Number(RangeInclusive<u32>),
    /// A whole number, or `off`.
    NumberOrOff(RangeInclusive<u32>),
    /// `on` or `off`.
    OnOff,
    /// Names separated by commas, in order of preference.
    Names,
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(range) => write!(f, "{} to {}", range.start(), range.end()),
            Self::NumberOrOff(range) => write!(f, "{} to {}, or off", range.start(), range.end()),
            Self::OnOff => f.write_str("on, off"),
            Self::Names => f.write_str("1 to 16 names separated by commas"),
        }
    }
}

const YEAR: u32 = 366 * 86_400;

const fn number(
    name: &'static str,
    unit: &'static str,
    default: &'static str,
    range: RangeInclusive<u32>,
    meaning: &'static str,
) -> Limit {
    Limit { name, unit, default, allowed: Allowed::Number(range), meaning }
}

/// Every key of `[LIMITS]`. Defaults are the reference's constants, where it has one.
#[rustfmt::skip]
pub const LIMITS: [Limit; 29] = [
    number("message_queue_quota", "messages", "128", 1..=100_000,
        "Messages a queue holds; one more is replaced by a quota marker, and its sender waits"),
    Limit { name: "message_ttl", unit: "s", default: "[STORE_LOG] expire_messages_days",
        allowed: Allowed::NumberOrOff(1..=u32::MAX),
        meaning: "How long undelivered messages are kept; off: for ever" },
    Limit { name: "message_expire_interval", unit: "s", default: "7200",
        allowed: Allowed::NumberOrOff(1..=YEAR),
        meaning: "How often all queues are searched for expired messages; off: never" },
    number("store_log_growth", "bytes", "67108864", 1_000..=u32::MAX,
        "The store log is compacted while the server runs when it has doubled and grown by this much"),
    number("queue_idle_interval", "s", "14400", 1..=YEAR,
        "Accepted for the reference, which closes its journal files of a queue then; the journal of this server has none"),
    number("ntf_ttl", "s", "[STORE_LOG] expire_ntfs_hours", 1..=u32::MAX,
        "How long undelivered notifications are kept"),
    number("ntf_expire_interval", "s", "3600", 1..=YEAR,
        "How often expired notifications are removed"),
    number("ntf_delivery_interval_ms", "ms", "1500", 1..=3_600_000,
        "How often collected notifications are sent to notification servers"),
    number("pending_end_interval_ms", "ms", "15000", 1..=3_600_000,
        "How often clients are told of subscriptions that moved to another connection"),
    number("first_byte_timeout", "s", "5", 1..=3_600,
        "A connection on which nothing comes is closed after this time"),
    number("tls_handshake_timeout", "s", "60", 1..=3_600,
        "A connection without a finished TLS handshake is closed after this time"),
    number("smp_handshake_timeout", "s", "120", 1..=3_600,
        "A connection without a finished SMP handshake is closed after this time"),
    number("block_timeout", "s", "60", 1..=3_600,
        "A connection that has begun a block and not finished it is closed after this time"),
    number("write_timeout", "s", "120", 1..=3_600,
        "A connection that takes nothing of what waits for it is closed after this time"),
    number("concurrent_handshakes", "connections", "1024", 1..=1_000_000,
        "Unfinished handshakes per listener, half of them of one address, and ten times as many connections on which nothing \
         has come yet; with more, the one that has been waiting for its client longest is closed"),
    number("max_connections", "connections", "0", 0..=u32::MAX,
        "Connections in all; 0: as many as the operating system allows"),
    number("session_queue_size", "blocks", "128", 1..=65_536,
        "Responses waiting for one connection before the server stops reading from it"),
    number("registry_mailbox_size", "batches", "1024", 1..=1_000_000,
        "Batches of commands waiting for one shard of the queue registry before readers wait"),
    number("min_version", "", "6", 6..=20,
        "Lowest SMP version offered to clients"),
    number("max_version", "", "20", 6..=20,
        "Highest SMP version offered to clients"),
    Limit { name: "alpn", unit: "", default: "smp/1,h2,http/1.1", allowed: Allowed::Names,
        meaning: "Protocols accepted in the TLS handshake (ALPN); clients that ask for none get SMP version 6" },
    number("threads", "threads", "0", 0..=1_024,
        "Threads that serve connections; 0: one per processor core"),
    Limit { name: "proxy", unit: "", default: "on", allowed: Allowed::OnOff,
        meaning: "Whether clients may send messages to other relays through this one" },
    number("proxy_relays", "relays", "10000", 1..=10_000_000,
        "Relays that are connected, being connected or remembered as failed; for another one, the one that nobody has used for \
         longest is given up"),
    number("proxy_new_relays", "relays", "100", 1..=1_000_000,
        "New connections to relays that one client may have made in a minute; for more it must wait"),
    number("proxy_error_interval", "s", "30", 0..=86_400,
        "How long a failure to connect to a relay is remembered before the next try"),
    number("proxy_connect_timeout", "s", "45", 1..=3_600,
        "Time to connect to a relay, including both handshakes"),
    number("proxy_response_timeout", "s", "30", 1..=3_600,
        "Time a relay has to answer a forwarded command"),
    number("names_requests", "requests", "1000", 1..=1_000_000,
        "Names that are looked up for all clients at a time; further ones wait, within `resolver_timeout_ms`"),
];

/// Bytes that answers for one client, and what is forwarded or looked up for it, may hold together; then nothing more is executed for
/// it until some of them are written.
pub const ANSWERS_HELD: usize = 224 * 1024;

/// The table as a Markdown document.
pub fn limits_document() -> String {
    let mut text = String::from(
        "# Limits\n\
         \n\
         Section `[LIMITS]` of `smp-server.ini`. Every key is optional. The defaults are those of the reference server,\n\
         which has them as constants, if at all. A value that is not allowed stops the server at start with a message\n\
         that names file and line.\n\
         \n\
         This file is generated from the table in `config/src/settings/limits_table.rs`, against which the values are\n\
         checked: change the table, then run\n\
         `UPDATE_DOCUMENTS=1 cargo test -p smp-config --test documents`.\n\
         \n\
         | Key | Unit | Default | Allowed | Meaning |\n\
         |---|---|---|---|---|\n",
    );
    for Limit { name, unit, default, allowed, meaning } in &LIMITS {
        let unit = if unit.is_empty() { "–" } else { unit };
        let _ = writeln!(text, "| `{name}` | {unit} | `{default}` | {allowed} | {meaning} |");
    }
    let _ = write!(
        text,
        "\n\
         ## Memory of one client\n\
         \n\
         A client costs the server less than **600 KB**, whatever it asks for and whether it reads what is answered, plus about half a\n\
         kilobyte for each queue that it is subscribed to:\n\
         \n\
         | What | At most |\n\
         |---|---|\n\
         | the connection: TLS, keys, tasks | 20 KB |\n\
         | a block that is read, and its commands | 120 KB |\n\
         | answers that wait until they are written, and what is forwarded or looked up for the client: {} KiB, and then four more answers | {} KB |\n\
         | a block that is written, and the same as TLS sends it | 66 KB |\n\
         \n\
         What an answer holds is counted until it is written, whatever its kind; while it is too much, no further command of the client is\n\
         executed. Messages that are pushed to a subscribed client stay in the store, at most one for each queue.\n",
        ANSWERS_HELD / 1024,
        (ANSWERS_HELD + 4 * 16_384) / 1000,
    );
    text
}
