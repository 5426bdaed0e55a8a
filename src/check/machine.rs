//! What the machine gives to the server.

use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::fs::statvfs;
use rustix::process::{Resource, getrlimit};
use smp_config::paths::Directories;

use super::report::Report;

/// What units of the server ask for.
const OPEN_FILES: u64 = 65_535;
/// Below that a busy server runs into its limit within hours.
const FEW_FILES: u64 = 4_096;
const LITTLE_SPACE: u64 = 1 << 30;
const NO_SPACE: u64 = 64 << 20;
/// 2026-11-01: no clock that is right shows an earlier time.
const EARLIEST: Duration = Duration::from_secs(1_793_491_200);

/// Looks at open files, disk and clock.
pub fn check(directories: &Directories, report: &mut Report) {
    check_open_files(report);
    check_space(&directories.state, report);
    if SystemTime::now() < SystemTime::UNIX_EPOCH + EARLIEST {
        report.problem("clock", "the clock of this machine is years behind", "set it, and keep it right with NTP");
    }
}

fn check_open_files(report: &mut Report) {
    const SUBJECT: &str = "open files";
    let Some(limit) = getrlimit(Resource::Nofile).maximum else {
        report.fine(SUBJECT, "no limit");
        return;
    };
    let remedy = format!(
        "set LimitNOFILE={OPEN_FILES} in the unit of the server, or nofile in /etc/security/limits.conf; every connection \
         needs one"
    );
    if limit < FEW_FILES {
        report.problem(SUBJECT, format_args!("the limit of this shell is {limit}"), remedy);
    } else if limit < OPEN_FILES {
        report.warning(SUBJECT, format_args!("the limit of this shell is {limit}"), remedy);
    } else {
        report.fine(SUBJECT, format_args!("the limit of this shell is {limit}"));
    }
}

fn check_space(state: &Path, report: &mut Report) {
    const SUBJECT: &str = "disk";
    // A missing directory has been reported.
    let Ok(disk) = statvfs(state) else { return };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let megabytes = free >> 20;
    let what = format!("{megabytes} MiB are free for {}", state.display());
    if free < NO_SPACE {
        report.problem(SUBJECT, what, "free some space: the server cannot store new queues and messages");
    } else if free < LITTLE_SPACE {
        report.warning(SUBJECT, what, "free some space before it is full");
    } else {
        report.fine(SUBJECT, what);
    }
}
