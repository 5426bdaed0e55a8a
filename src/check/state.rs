//! What is kept: whether a start can load it.

use std::sync::{Arc, Mutex, PoisonError};

use slog::{Drain, Level, Logger, Never, OwnedKVList, Record, o};
use smp_actors::{Server, ServerParts};
use smp_config::certificates::Credentials;
use smp_config::paths::Directories;
use smp_config::settings::Settings;

use super::report::Report;
use crate::start::{NOT_KEPT, state_files};

const SUBJECT: &str = "state";

/// Does what a start does with the same files, except that nothing is changed.
pub fn check(
    directories: &Directories,
    settings: &Settings,
    credentials: Credentials,
    runs: bool,
    report: &mut Report,
) {
    if let Err(conflict) = state_files::check(settings, directories) {
        let text = conflict.to_string();
        let (what, remedy) = text.split_once('\n').unwrap_or((&text, "see docs/storage.md"));
        report.problem(SUBJECT, what.trim_start_matches("Error: "), remedy);
        return;
    }
    if !settings.store_log.writes_store_log() {
        report.warning_with_remedy(SUBJECT, NOT_KEPT);
    }
    if runs {
        report.skipped(SUBJECT, "the server runs and has loaded it");
        return;
    }
    let warnings = Warnings::default();
    let parts = ServerParts {
        settings: settings.clone(),
        directories: directories.clone(),
        credentials,
        skip_warnings: false,
        handle_signals: false,
        version: version!(),
        logger: Logger::root(warnings.clone().fuse(), o!()),
    };
    let loaded = Server::rehearse(parts);
    for warning in warnings.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        report.warning_with_remedy(SUBJECT, warning);
    }
    match loaded {
        Ok((queues, messages)) => {
            let state = directories.state.display();
            report.fine(SUBJECT, format_args!("{queues} queues and {messages} messages can be loaded from {state}"));
        }
        Err(error) => report.problem_with_remedy(SUBJECT, error),
    }
}

/// What a start would warn of.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

impl Drain for Warnings {
    type Ok = ();
    type Err = Never;

    fn log(&self, record: &Record<'_>, _: &OwnedKVList) -> Result<(), Never> {
        if record.level().is_at_least(Level::Warning) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(record.msg().to_string());
        }
        Ok(())
    }
}
