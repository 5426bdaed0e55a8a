//! What outlives the process of an SMP relay: the queue log, saved messages, notifications and statistics.
//!
//! Everything is synchronous; callers run it on threads of their own. Formats are those of the reference server
//! (operations.md §6 to §8), so that either server can take over the files of the other. Files are replaced
//! atomically (written aside, synced, renamed, directory synced); nothing is ever truncated in place, except to cut a
//! failed append back to the last whole line, and where a file is mounted by itself ([`atomic_file`]).
//!
//! | File in the state directory | Module |
//! |---|---|
//! | `smp-server-store.log` and its backups | [`store_log`], lines in [`log_record`], their effect in [`replay`] |
//! | `smp-server-messages.log`, `smp-server-messages.unclaimed.log` | [`messages_log`] |
//! | `smp-server-ntfs.log` | [`ntfs_log`] |
//! | `smp-server-stats.log` | [`stats_log`] |
//! | `smp-server-stats.daily.log` | [`daily_csv`] |
//! | `smp-server-journal/` | [`journal`] |
//! | `messages/` of the reference | [`reference_journal`], read only |
//! | `smp-server-time` | [`time_record`] |
//! | `smp-server.lock` | [`state_lock`] |
//!
//! At start [`restoration`] reads the three files of an orderly stop and sets them aside only when all were read.

mod append_file;
pub mod atomic_file;
pub mod content_error;
pub mod conversion;
pub mod daily_csv;
pub mod damage;
pub mod date;
pub mod error;
pub mod files;
pub mod journal;
mod lines;
pub mod log_record;
pub mod message_body;
pub mod message_queue;
pub mod messages_log;
pub mod names;
pub mod ntfs_log;
pub mod parse;
pub mod record;
pub mod reference_journal;
pub mod replay;
pub mod restoration;
pub mod state_lock;
pub mod stats;
pub mod stats_log;
pub mod store_log;
pub mod time_record;
mod timestamp;
