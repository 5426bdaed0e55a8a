//! Open files: every connection is one, and every segment of the journal.

use rustix::io::{Result, fcntl_dupfd_cloexec};
use rustix::process::{Resource, getrlimit, setrlimit};

/// For how many open files there is room from the start, in the memory of the system: 8 bytes each.
const ROOM: u64 = 4096;

/// Uses what the administrator allows, instead of the smaller default that is meant for other programs. To be called before there
/// are other threads: when the table of open files grows later, all threads that open one wait for about 10 ms.
pub fn prepare() -> Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    let raised = if limit.current == limit.maximum {
        Ok(())
    } else {
        limit.current = limit.maximum;
        setrlimit(Resource::Nofile, limit)
    };
    let allowed = getrlimit(Resource::Nofile).current.unwrap_or(ROOM);
    let last = i32::try_from(ROOM.min(allowed).saturating_sub(1)).unwrap_or(0);
    // The table has room for the highest number that was ever used. Where that fails it grows later.
    drop(fcntl_dupfd_cloexec(std::io::stderr(), last));
    raised
}
