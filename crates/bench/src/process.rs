//! What a process on this machine costs.

use std::time::{Duration, Instant};

use procfs::process::Process;

/// Processor time and memory of a process, at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// In user space and in the kernel.
    pub processor: Duration,
    /// Resident bytes.
    pub resident: u64,
    at: Instant,
}

/// The difference between two moments.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// Processor time spent.
    pub processor: Duration,
    /// Time that passed.
    pub elapsed: Duration,
    /// Resident bytes more than before; less if negative.
    pub resident: i64,
}

impl Usage {
    /// Of a process; `None` if it is gone or not to be looked at.
    pub fn of(pid: i32) -> Option<Self> {
        let stat = Process::new(pid).and_then(|process| process.stat()).ok()?;
        let ticks = stat.utime + stat.stime;
        let seconds =
            f64::from(u32::try_from(ticks).ok()?) / f64::from(u32::try_from(procfs::ticks_per_second()).ok()?);
        let resident = stat.rss * procfs::page_size();
        Some(Self { processor: Duration::from_secs_f64(seconds), resident, at: Instant::now() })
    }

    /// Of this process.
    pub fn own() -> Option<Self> {
        Self::of(i32::try_from(std::process::id()).ok()?)
    }

    /// What it cost since then.
    pub fn since(&self, before: &Self) -> Cost {
        Cost {
            processor: self.processor.saturating_sub(before.processor),
            elapsed: self.at.duration_since(before.at),
            resident: i64::try_from(self.resident).unwrap_or(i64::MAX) - i64::try_from(before.resident).unwrap_or(0),
        }
    }
}
