//! `smp-server check`: looks for what keeps the server from starting, or from being reached, and says what to do. Changes nothing.

mod certificates;
mod files;
mod machine;
mod ports;
mod reach;
mod report;
mod state;

use std::process::ExitCode;

use smp_config::certificates::Credentials;
use smp_config::paths::Directories;
use smp_config::settings::{Settings, SettingsError};
use smp_store::state_lock::StateLock;

use structopt::StructOpt;

use crate::not_initialized;
use report::Report;

/// Options of `check`.
#[derive(Debug, StructOpt)]
pub struct CheckArguments {
    /// Only whether the server answers on this machine, for health checks of containers
    #[structopt(long)]
    local: bool,
}

/// Prints everything that is found. Exit code 1 if anything is a problem.
pub fn run(directories: &Directories, arguments: &CheckArguments) -> ExitCode {
    if arguments.local { check_local(directories) } else { check_all(directories) }
}

fn check_local(directories: &Directories) -> ExitCode {
    let mut report = Report::default();
    match (Settings::load(directories), Credentials::load(directories)) {
        (Ok((settings, _)), Ok(credentials)) => reach::check_local(&settings, credentials.identity, &mut report),
        (Err(SettingsError::NotInitialized(ini)), _) => return not_initialized::refuse(&ini),
        (Err(error), _) => report.problem("settings", &error, "run `smp-server check`"),
        (_, Err(error)) => report.problem("certificates", &error, "run `smp-server check`"),
    }
    report.finish()
}

fn check_all(directories: &Directories) -> ExitCode {
    let mut report = Report::default();
    let settings = match Settings::load(directories) {
        Ok((settings, warnings)) => {
            report.fine("settings", format_args!("{} can be used", directories.ini().display()));
            for warning in warnings {
                report.warning(
                    "settings",
                    &warning,
                    "change the setting, or leave it as it is if that is what you want",
                );
            }
            Some(settings)
        }
        Err(SettingsError::NotInitialized(ini)) => return not_initialized::refuse(&ini),
        Err(error) => {
            report.problem("settings", &error, "correct that line; docs/hosting.md shows every section");
            None
        }
    };
    files::check(directories, &mut report);
    certificates::check(directories, settings.as_ref(), &mut report);
    machine::check(directories, &mut report);
    if let Some(settings) = settings {
        // A lock that cannot be looked at belongs to somebody else, of which the files have told.
        let runs = StateLock::is_held(&directories.state).unwrap_or(false);
        ports::check(&settings, runs, &mut report);
        // Without credentials no start gets as far as the state.
        if let Ok(credentials) = Credentials::load(directories) {
            let identity = credentials.identity;
            state::check(directories, &settings, credentials, runs, &mut report);
            reach::check(&settings, identity, runs, &mut report);
        }
    }
    report.finish()
}
