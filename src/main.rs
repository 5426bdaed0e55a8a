//! `smp-server`: the command line. One file per command.

#[macro_use]
mod terminal;
#[macro_use]
mod version;
mod address;
mod backup;
mod banner;
mod ca_key_warning;
mod cert;
mod check;
mod command_line;
mod completions;
mod confirm_clock;
mod database;
mod database_options;
mod delete;
mod init;
mod journal;
mod log;
mod man;
mod not_initialized;
mod password;
mod progress;
mod restore;
mod start;

use std::process::ExitCode;

use command_line::Command;
use smp_config::paths::Directories;

fn main() -> ExitCode {
    let command = match command_line::parse(std::env::args_os()) {
        Ok(command) => command,
        Err(exit_code) => return exit_code,
    };
    let directories = Directories::from_env();
    match command {
        Command::Init(arguments) => init::run(&directories, *arguments),
        Command::Start(arguments) => start::run(directories, &arguments),
        Command::Delete => delete::run(&directories),
        Command::Cert(arguments) => cert::run(&directories, arguments),
        Command::Password(arguments) => password::run(&directories, &arguments),
        Command::Backup(arguments) => backup::run(&directories, &arguments),
        Command::Restore(arguments) => restore::run(&directories, &arguments),
        Command::Man => man::run(),
        Command::Check(arguments) => check::run(&directories, &arguments),
        Command::Address(arguments) => address::run(&directories, &arguments),
        Command::Completions(arguments) => completions::run(&arguments),
        Command::ConfirmClock => confirm_clock::run(&directories),
        Command::Journal(command) => journal::run(&directories, command),
        Command::Database(arguments) => database::run(&directories, arguments),
    }
}
