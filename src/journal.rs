//! `smp-server journal` (operations.md §1.7).

use std::process::ExitCode;

use smp_config::paths::Directories;
use smp_config::settings::{Settings, SettingsError};
use structopt::StructOpt;

use crate::command_line::{HELP, OPTIONS};
use crate::not_initialized;
use crate::terminal::fail;

/// What to do with the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, StructOpt)]
pub enum JournalCommand {
    /// Move messages from the messages log to a new journal
    #[structopt(template = OPTIONS, help_message = HELP, usage = "smp-server journal import")]
    Import,
    /// Copy messages from the journal to a new messages log
    #[structopt(template = OPTIONS, help_message = HELP, usage = "smp-server journal export")]
    Export,
    /// Delete the journal
    #[structopt(template = OPTIONS, help_message = HELP, usage = "smp-server journal delete")]
    Delete,
}

/// Checks what all three need; this program has no journal to work on.
pub fn run(directories: &Directories, command: JournalCommand) -> ExitCode {
    let settings = match Settings::load(directories) {
        Ok((settings, _)) => settings,
        Err(SettingsError::NotInitialized(ini)) => return not_initialized::refuse(&ini),
        Err(error) => return fail(error),
    };
    let store_log = directories.store_log();
    if !settings.store_log.writes_store_log() {
        say!("Store log disabled, see `[STORE_LOG] enable`");
        return ExitCode::FAILURE;
    }
    if !store_log.exists() {
        say!("Store log file {} not found", store_log.display());
        return ExitCode::FAILURE;
    }
    let nothing = match command {
        JournalCommand::Import => "no messages were imported",
        JournalCommand::Export => "no messages were exported",
        JournalCommand::Delete => "nothing was deleted",
    };
    fail(format_args!("this program has no journal storage: {nothing}"))
}
