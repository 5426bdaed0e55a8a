//! The running SMP server: a tree of supervised actors.
//!
//! ```text
//! Supervisor ─┬─ Listener (one per port and thread) ── Session (one per client)
//!             ├─ QueueRegistry (one shard per thread)
//!             ├─ StoreLogWriter, on a thread of its own
//!             ├─ JournalWriter, on a thread of its own, if messages are kept in the journal
//!             ├─ Notifications
//!             ├─ StatsCollector
//!             ├─ Endpoint of metrics, if they are told over HTTP
//!             ├─ Relays
//!             ├─ Names, if names are resolved
//!             └─ Expirer
//! ```
//!
//! A command travels from the reader of a [`session`], which verifies it ([`verify`]) with what it finds in the
//! [`directory`], to the [`registry`] shard that owns the queue, and its answer back to the writer of the session. Actors know
//! each other's addresses and nothing else; what must survive the restart of an actor lives outside of it.

/// Logs what an operator wants to know of a normal start and stop.
macro_rules! note {
    ($logger:expr, $($message:tt)+) => { slog::info!($logger, # "note", $($message)+) };
}

pub mod activity;
mod admission;
mod block_pool;
mod body_reader;
pub mod clock;
pub mod command_kind;
mod connections;
pub mod control_port;
pub mod create_password;
pub mod directory;
pub mod expirer;
pub mod faults;
mod guard;
pub mod journal_writer;
mod limited_log;
pub mod listener;
mod machine;
pub mod metrics;
pub mod names;
pub mod notification;
pub mod notifications;
pub mod queue;
pub mod registry;
pub mod relays;
mod reload;
mod server;
pub mod services;
pub mod session;
pub mod session_handle;
mod sockets;
mod state;
pub mod stats;
pub mod stats_collector;
pub mod store_log_writer;
pub mod supervisor;
mod systemd;
mod time_keeper;
mod tree;
pub mod verify;
mod watchdog;
mod web;

pub use clock::Clock;
pub use machine::Machine;
pub use server::{RunningServer, Server, ServerParts, StartError};
pub use sockets::Sockets;
pub use supervisor::EndReason;
