//! The disk alone, without a server.

use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;

use tokio::time::Interval;

use crate::report::Latencies;
use crate::scenario::Failure;

/// Times so many appends of `length` bytes to a new file in a directory, each with `fdatasync`, one at each tick: a disk that is
/// never idle answers sooner. The file has no name, and is gone afterwards.
pub async fn time_appends(
    directory: &Path,
    length: usize,
    appends: u32,
    mut ticks: Interval,
    latencies: &mut Latencies,
) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::Command(format!("--disk {}: {error}", directory.display()));
    let mut file = tempfile::tempfile_in(directory).map_err(failed)?;
    let content = vec![7; length];
    for _ in 0..appends {
        ticks.tick().await;
        let begin = Instant::now();
        file.write_all(&content).and_then(|()| file.sync_data()).map_err(failed)?;
        latencies.record(begin.elapsed());
    }
    Ok(())
}
