//! What operators watch: all counters and the state of this moment, as Prometheus reads it (behaviour.md §9.7).

mod census;
mod endpoint;
mod operation;
mod page;
mod text;
mod vitals;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use smp_store::atomic_file::AtomicFile;
use smp_store::error::FileError;
use smp_store::files::Files;
use tokio::sync::Mutex;

use crate::notifications::NotificationDesk;
use crate::session::Sessions;
use crate::stats::PortStats;

pub use census::{AreaCensus, Census, PendingAcks};
pub use endpoint::{Endpoint, EndpointParts};
pub use operation::{Depths, Operation};
pub use text::{Moment, text, told};
pub use vitals::{Pulse, Vitals};

/// Where the metrics are written, and how often.
#[derive(Clone)]
pub struct MetricsFile {
    /// The file system.
    pub files: Arc<dyn Files>,
    /// The file.
    pub path: PathBuf,
    /// Between two versions of it.
    pub interval: Duration,
    /// Held by whoever writes it. One that takes longer than an interval is not overtaken: both would write aside under one name.
    pub turn: Arc<Mutex<()>>,
}

impl MetricsFile {
    /// Replaces the file. It is soon written again: the disk has more important things to flush.
    pub fn write(&self, text: &str) -> Result<(), FileError> {
        let mut file = AtomicFile::create(Arc::clone(&self.files), &self.path)?;
        file.write(|out| out.extend_from_slice(text.as_bytes()))?;
        file.commit_unsynced()
    }
}

/// What metrics need besides what all statistics need.
#[derive(Clone)]
pub struct Watched {
    /// Connections.
    pub sessions: Arc<Sessions>,
    /// Subscribed notifiers.
    pub notifications: NotificationDesk,
    /// Ports.
    pub ports: Arc<[Arc<PortStats>]>,
}

/// Threads of this process; none if the system does not tell.
pub fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

/// Milliseconds since 1970.
fn milliseconds(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
