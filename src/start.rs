//! `smp-server start` (operations.md §1.4, §5).

mod failure;
mod open_files;
pub mod state_files;

use std::process::ExitCode;
use std::sync::Arc;

use slog::{Logger, info, warn};
use smp_actors::{EndReason, Machine, Server, ServerParts, Sockets, StartError};
use smp_config::certificates::Credentials;
use smp_config::paths::Directories;
use smp_config::settings::Settings;
use structopt::StructOpt;

use crate::banner;
use crate::log::{self, Level};
use crate::progress::WatchedFiles;
use failure::Failure;

/// What an operator should know who switched the store log off. The last clause says what to do about it.
pub const NOT_KEPT: &str =
    "the store log is off: all queues and messages are lost when the server stops; set `enable = on` in [STORE_LOG]";

/// Exit code after a failure that a restart may cure: for service supervisors (`EX_SOFTWARE`).
const RESTARTS_EXHAUSTED: u8 = 70;

/// Options of `start`.
#[derive(Debug, StructOpt)]
pub struct StartArguments {
    /// Load, compact and save everything, then exit without opening ports
    #[structopt(short = "m", long)]
    maintenance: bool,
    /// Rewrite the store log; without a database that is always done
    #[structopt(long)]
    compact_log: bool,
    /// Least severe messages to be logged: trace, debug, info, note, warn or error [default: info]
    #[structopt(long, value_name = "LEVEL")]
    log_level: Option<Level>,
    /// Start although some saved messages cannot be restored
    #[structopt(long)]
    skip_warnings: bool,
    /// Change the schema of the database without asking: up or down
    #[structopt(long, value_name = "HOW", parse(try_from_str = migration))]
    confirm_migrations: Option<String>,
}

fn migration(word: &str) -> Result<String, &'static str> {
    if ["up", "down"].contains(&word) { Ok(word.to_owned()) } else { Err("use up or down") }
}

/// Runs the server until it is told to stop.
pub fn run(directories: Directories, arguments: &StartArguments) -> ExitCode {
    // The log is another thread already.
    let prepared = open_files::prepare();
    let (logger, _guard) = log::to_terminal(arguments.log_level.unwrap_or(Level::Info));
    if let Err(error) = prepared {
        warn!(logger, "cannot raise the limit of open files: {error}");
    }
    match serve(directories, arguments, &logger) {
        Ok(EndReason::RestartsExhausted) => ExitCode::from(RESTARTS_EXHAUSTED),
        Ok(EndReason::Requested | EndReason::Signal(_)) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.report(&logger);
            ExitCode::FAILURE
        }
    }
}

/// Everything that can be wrong without looking at the state is found out before the state is touched: a restart loop
/// must not rewrite it again and again.
fn serve(directories: Directories, arguments: &StartArguments, logger: &Logger) -> Result<EndReason, Failure> {
    smp_config::finish_rewriting(&directories).map_err(StartError::from)?;
    let (settings, warnings) = Settings::load(&directories)?;
    let credentials = Credentials::load(&directories).map_err(|error| Failure::credentials(error, &directories))?;
    state_files::check(&settings, &directories)?;
    let sockets = (!arguments.maintenance).then(|| Sockets::bind(&settings)).transpose().map_err(StartError::from)?;

    banner::print(&settings, &directories, credentials.identity);
    for warning in warnings {
        warn!(logger, "{warning}");
    }
    if !settings.store_log.writes_store_log() {
        warn!(logger, "{NOT_KEPT}");
    }
    say_what_means_nothing(arguments, logger);

    let daily_stats = settings.store_log.log_stats.then(|| directories.daily_stats());
    let metrics = settings.store_log.prometheus_interval.map(|interval| (interval, directories.metrics()));
    let files = WatchedFiles::default();
    let parts = ServerParts {
        settings,
        directories,
        credentials,
        skip_warnings: arguments.skip_warnings,
        handle_signals: true,
        version: version!(),
        logger: logger.clone(),
    };
    let server = Server::load_on(Machine { files: Arc::new(files.clone()), ..Machine::default() }, parts)?;
    files.rest();
    let Some(sockets) = sockets else {
        info!(logger, #log::PLAIN, "Server started in 'maintenance' mode, exiting");
        server.save()?;
        return Ok(EndReason::Requested);
    };
    if let Some(path) = daily_stats {
        info!(logger, #log::PLAIN, "server stats log enabled: {}", path.display());
    }
    if let Some((interval, path)) = metrics {
        let seconds = interval.as_secs();
        info!(logger, #log::PLAIN, "Prometheus metrics saved every {seconds} seconds to {}", path.display());
    }
    Ok(server.run(sockets, |_| info!(logger, #log::NOTE, "Server started"))?)
}

/// Options for a database change nothing without one.
fn say_what_means_nothing(arguments: &StartArguments, logger: &Logger) {
    if arguments.compact_log {
        info!(logger, "--compact-log: the store log is compacted at every start");
    }
    if let Some(how) = &arguments.confirm_migrations {
        info!(logger, "--confirm-migrations {how}: there is no database to migrate");
    }
}
