//! What is kept: whether it fits the settings and can be read.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use smp_config::paths::Directories;
use smp_config::settings::{Settings, Storage};
use smp_store::messages_log;
use smp_store::replay::replay;

use super::report::Report;
use crate::start::state_files;

const SUBJECT: &str = "state";

/// Reads the logs as a start would.
pub fn check(directories: &Directories, settings: &Settings, report: &mut Report) {
    if let Err(conflict) = state_files::check(settings, directories) {
        let text = conflict.to_string();
        let (what, remedy) = text.split_once('\n').unwrap_or((&text, "see docs/storage.md"));
        report.problem(SUBJECT, what.trim_start_matches("Error: "), remedy);
    }
    if matches!(settings.store_log.storage, Storage::DatabaseJournal | Storage::Database) {
        report.problem(
            SUBJECT,
            "store_queues is `database`, and this build has no PostgreSQL",
            "export with the server that wrote the database: `smp-server database export`, then set both stores to `memory`",
        );
    }
    check_store_log(&directories.store_log(), report);
    check_messages_log(&directories.messages_log(), report);
}

/// `None`: there is no such file, which is fine.
fn open(path: &Path, report: &mut Report) -> Option<BufReader<File>> {
    match File::open(path) {
        Ok(file) => Some(BufReader::new(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            let remedy = "make the user of the server its owner (chown)";
            report.problem(SUBJECT, format_args!("cannot read {}: {error}", path.display()), remedy);
            None
        }
    }
}

fn check_store_log(path: &Path, report: &mut Report) {
    let Some(file) = open(path, report) else {
        report.skipped(SUBJECT, format_args!("there is no {} yet", path.display()));
        return;
    };
    match replay(file, |_| {}) {
        Ok(replayed) => {
            let summary = replayed.summary;
            let bad = summary.rejected + summary.errors;
            if bad > 0 {
                let what =
                    format!("{}: {bad} of {} lines are damaged or contradict others", path.display(), summary.lines);
                let remedy = "the next start leaves these lines out and keeps the file as it was beside the new one; \
                              if queues are missing, restore the file from a backup";
                report.warning(SUBJECT, what, remedy);
            }
            report.fine(
                SUBJECT,
                format_args!("{} queues, {} services in {}", summary.queues, summary.services, path.display()),
            );
        }
        Err(error) => {
            report.problem(SUBJECT, format_args!("cannot read {}: {error}", path.display()), "check the disk");
        }
    }
}

fn check_messages_log(path: &Path, report: &mut Report) {
    let Some(file) = open(path, report) else { return };
    let (mut messages, mut bad) = (0_u64, 0_u64);
    for line in file.split(b'\n') {
        let Ok(line) = line else {
            report.problem(SUBJECT, format_args!("cannot read {}", path.display()), "check the disk");
            return;
        };
        match messages_log::parse_line(&line) {
            Ok(_) => messages += 1,
            Err(_) => bad += 1,
        }
    }
    if bad > 0 {
        let what = format!("{}: {bad} lines cannot be read", path.display());
        report.problem(
            SUBJECT,
            what,
            "restore the file from a backup, or start once with `--skip-warnings` to do without them",
        );
    }
    report.fine(SUBJECT, format_args!("{messages} messages in {}", path.display()));
}
