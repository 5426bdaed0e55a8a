//! `smp-server start` (operations.md §1.4, §5).

use std::process::ExitCode;

use slog::{error, warn};
use smp_actors::{EndReason, Server, ServerParts, Sockets, StartError};
use smp_config::certificates::Credentials;
use smp_config::paths::Directories;
use smp_config::settings::{Settings, SettingsError};

use crate::arguments::StartArguments;
use crate::banner;
use crate::log;

/// Exit code after a failure that a restart may cure: for service supervisors (`EX_SOFTWARE`).
const RESTARTS_EXHAUSTED: u8 = 70;

/// Runs the server until it is told to stop.
pub fn run(directories: Directories, arguments: &StartArguments) -> ExitCode {
    let (logger, _guard) = log::to_stderr(arguments.log_level);
    let settings = match Settings::load(&directories) {
        Ok((settings, warnings)) => {
            for warning in warnings {
                warn!(logger, "{warning}");
            }
            settings
        }
        Err(SettingsError::NotInitialized(path)) => {
            println!("Error: server is not initialized ({} does not exist).", path.display());
            println!("Run `smp-server init`.");
            return ExitCode::FAILURE;
        }
        Err(error) => return fail(&error),
    };
    let credentials = match Credentials::load(&directories) {
        Ok(credentials) => credentials,
        Err(error) => return fail(&error),
    };
    banner::print(&settings, &directories, credentials.identity);
    let parts = ServerParts {
        settings,
        directories,
        credentials,
        skip_warnings: arguments.skip_warnings,
        handle_signals: true,
        logger: logger.clone(),
    };
    match serve(parts, arguments.maintenance) {
        Ok(EndReason::RestartsExhausted) => ExitCode::from(RESTARTS_EXHAUSTED),
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            error!(logger, "{error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(parts: ServerParts, maintenance: bool) -> Result<EndReason, StartError> {
    if maintenance {
        let server = Server::load(parts)?;
        println!("Server started in 'maintenance' mode, exiting");
        server.save()?;
        return Ok(EndReason::Requested);
    }
    // Before the state is touched: a port in use must not cost a compaction.
    let sockets = Sockets::bind(&parts.settings)?;
    Server::load(parts)?.run(sockets, |_| ())
}

fn fail(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("{error}");
    ExitCode::FAILURE
}
