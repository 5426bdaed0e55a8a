//! `smp-server-stats.log`: statistics, written on an orderly stop (operations.md §8.2, behaviour.md §9.5).
//!
//! `name=<integer>` lines in a fixed order, groups introduced by a `name:` line; 101 lines.

mod read;

use std::path::Path;
use std::sync::Arc;

pub use read::parse;

use crate::atomic_file::AtomicFile;
use crate::error::FileError;
use crate::files::Files;
use crate::names::STATS_LOG;
use crate::parse::put_integer;
use crate::stats::{ActiveQueues, QueueHashes, StatsSnapshot};
use crate::timestamp;

/// Replaces the file.
pub fn save(files: Arc<dyn Files>, directory: &Path, stats: &StatsSnapshot) -> Result<(), FileError> {
    let mut file = AtomicFile::create(files, &directory.join(STATS_LOG))?;
    file.write(|out| write(stats, out))?;
    file.commit()
}

/// Appends the 101 lines.
pub fn write(stats: &StatsSnapshot, out: &mut Vec<u8>) {
    let from_time = format!("fromTime={}\n", timestamp::format(stats.from_time));
    out.extend_from_slice(from_time.as_bytes());
    put_all(out, stats.counters.named());
    put_active(out, "activeQueues:\n", &stats.active_queues);
    put_active(out, "activeQueuesNtf:\n", &stats.active_queues_ntf);
    put_group(out, "pRelays:\n", stats.relays.named());
    put_group(out, "pRelaysOwn:\n", stats.relays_own.named());
    put_group(out, "pMsgFwds:\n", stats.forwards.named());
    put_group(out, "pMsgFwdsOwn:\n", stats.forwards_own.named());
    put_all(out, [("pMsgFwdsRecv", stats.forwards_received)]);
    put_group(out, "rcvServices:\n", stats.rcv_services.named());
    put_group(out, "ntfServices:\n", stats.ntf_services.named());
    put_group(out, "rslvStats:\n", stats.names.named());
}

fn put_all(out: &mut Vec<u8>, counters: impl IntoIterator<Item = (&'static str, i64)>) {
    for (name, value) in counters {
        out.extend_from_slice(name.as_bytes());
        out.push(b'=');
        put_integer(out, value);
        out.push(b'\n');
    }
}

fn put_group(out: &mut Vec<u8>, header: &str, counters: impl IntoIterator<Item = (&'static str, i64)>) {
    out.extend_from_slice(header.as_bytes());
    put_all(out, counters);
}

fn put_active(out: &mut Vec<u8>, header: &str, active: &ActiveQueues) {
    out.extend_from_slice(header.as_bytes());
    put_hashes(out, "dayHashes=", &active.day);
    put_hashes(out, "weekHashes=", &active.week);
    put_hashes(out, "monthHashes=", &active.month);
}

fn put_hashes(out: &mut Vec<u8>, name: &str, hashes: &QueueHashes) {
    out.extend_from_slice(name.as_bytes());
    for (i, &hash) in hashes.as_slice().iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        put_integer(out, hash);
    }
    out.push(b'\n');
}
