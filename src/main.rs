//! `smp-server`: the command line. One file per command.

mod arguments;
mod banner;
mod confirm;
mod delete;
mod init;
mod log;
mod start;
mod version;

use std::process::ExitCode;

use arguments::{Arguments, Command};
use smp_config::paths::Directories;

fn main() -> ExitCode {
    let Arguments { version, command } = Arguments::from_command_line();
    let directories = Directories::from_env();
    match command {
        _ if version => {
            println!("{}", version::version_line());
            ExitCode::SUCCESS
        }
        Some(Command::Init(options)) => init::run(&directories, options),
        Some(Command::Start(options)) => start::run(directories, &options),
        Some(Command::Delete) => delete::run(&directories),
        None => Arguments::help_to_stderr(),
    }
}
