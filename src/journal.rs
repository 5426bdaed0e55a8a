//! `smp-server journal` (operations.md §1.7).

use std::fs;
use std::process::ExitCode;
use std::sync::Arc;

use smp_actors::Clock;
use smp_config::paths::Directories;
use smp_config::settings::{Settings, SettingsError};
use smp_store::conversion::{self, ConversionError, Moved};
use smp_store::files::Files;
use smp_store::journal::UnclaimedCount;
use smp_store::state_lock::StateLock;
use smp_store::time_record::TimeRecord;
use structopt::StructOpt;

use crate::command_line::{HELP, OPTIONS};
use crate::not_initialized;
use crate::progress::WatchedFiles;
use crate::terminal::{confirmed, fail};

/// What to do with the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, StructOpt)]
pub enum JournalCommand {
    /// Move messages from the messages log, or the journal files of another server, to the journal
    #[structopt(template = OPTIONS, help_message = HELP, usage = "smp-server journal import")]
    Import,
    /// Copy messages from the journal to a new messages log
    #[structopt(template = OPTIONS, help_message = HELP, usage = "smp-server journal export")]
    Export,
    /// Delete the journal
    #[structopt(template = OPTIONS, help_message = HELP, usage = "smp-server journal delete")]
    Delete,
}

/// Checks what all three need, and does one of them.
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
    match command {
        JournalCommand::Import => import(directories, settings.store_log.encrypt),
        JournalCommand::Export => export(directories, &settings),
        JournalCommand::Delete => delete(directories),
    }
}

fn import(directories: &Directories, encrypt: bool) -> ExitCode {
    let (messages_log, reference) = (directories.messages_log(), directories.reference_journal());
    let sources: Vec<_> = [messages_log, reference].into_iter().filter(|source| source.exists()).collect();
    if sources.is_empty() {
        say!("{} file does not exist: there is nothing to import", directories.messages_log().display());
        return ExitCode::FAILURE;
    }
    for source in &sources {
        say!("Messages of {} will be moved to {}.", source.display(), directories.journal().display());
    }
    if !is_confirmed("Messages not imported") {
        return ExitCode::FAILURE;
    }
    match conversion::import(&files(), &directories.state, encrypt) {
        Ok(Moved { messages, queues, incomplete, unclaimed, damage }) => {
            say!("Import completed: {messages} messages, {queues} queues");
            if incomplete > 0 {
                say!("Some messages of {incomplete} queues were missing");
            }
            for line in damage {
                say!("{line}");
            }
            say_unclaimed(unclaimed, directories);
            say!("Set store_messages to `journal` in smp-server.ini");
            ExitCode::SUCCESS
        }
        Err(error) => fail(error),
    }
}

fn export(directories: &Directories, settings: &Settings) -> ExitCode {
    let (messages_log, journal) = (directories.messages_log(), directories.journal());
    if messages_log.exists() {
        say!("{} file already exists: import or remove it first", messages_log.display());
        return ExitCode::FAILURE;
    }
    if !journal.exists() {
        say!("{} directory does not exist: there is nothing to export", journal.display());
        return ExitCode::FAILURE;
    }
    say!("Messages of {} will be copied to {}.", journal.display(), messages_log.display());
    if !is_confirmed("Journal not exported") {
        return ExitCode::FAILURE;
    }
    // Who has waited for longer than messages live gets none; if it is the clock that has jumped, all.
    let now = Clock::system().now();
    let oldest = TimeRecord::new(files(), &directories.state).oldest(now, settings.message_ttl());
    match oldest
        .map_err(ConversionError::from)
        .and_then(|oldest| conversion::export(&files(), &directories.state, oldest))
    {
        Ok(Moved { messages, queues, unclaimed, .. }) => {
            say!("Export completed: {messages} messages, {queues} queues");
            if unclaimed.messages > 0 {
                say_unclaimed(unclaimed, directories);
                return ExitCode::SUCCESS;
            }
            say!("Run `smp-server journal delete` and set store_messages to `memory` in smp-server.ini");
            ExitCode::SUCCESS
        }
        Err(error) => fail(error),
    }
}

fn delete(directories: &Directories) -> ExitCode {
    let journal = directories.journal();
    if !journal.exists() {
        say!("{} directory does not exist", journal.display());
        return ExitCode::FAILURE;
    }
    say!("WARNING: {} will be deleted with all messages in it.", journal.display());
    if !is_confirmed("Messages NOT deleted") {
        return ExitCode::FAILURE;
    }
    let _lock = match StateLock::acquire(&directories.state) {
        Ok(lock) => lock,
        Err(error) => return fail(error),
    };
    match fs::remove_dir_all(&journal) {
        Ok(()) => {
            say!("Deleted all messages in {}", journal.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            fail(format_args!("cannot remove {}: {error}; run this as the user who owns it", journal.display()))
        }
    }
}

/// They are not lost, as long as the journal is there.
fn say_unclaimed(unclaimed: UnclaimedCount, directories: &Directories) {
    let UnclaimedCount { messages, queues } = unclaimed;
    if messages > 0 {
        say!(
            "{messages} messages of {queues} queues that are not in {} stay in {}: keep it, and put a store log with these queues back",
            directories.store_log().display(),
            directories.journal().display()
        );
    }
}

fn files() -> Arc<dyn Files> {
    Arc::new(WatchedFiles::default())
}

fn is_confirmed(refusal: &str) -> bool {
    match confirmed() {
        Ok(true) => return true,
        Ok(false) => say!("{refusal}"),
        Err(error) => drop(fail(format_args!("{refusal}: {error}"))),
    }
    false
}
