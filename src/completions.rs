//! `smp-server completions`: scripts that complete commands and options in a shell.

use std::io;
use std::process::ExitCode;

use structopt::StructOpt;
use structopt::clap::Shell;

use crate::command_line::Command;

/// Argument of `completions`.
#[derive(Debug, StructOpt)]
pub struct CompletionsArguments {
    #[structopt(value_name = "SHELL", possible_values = &Shell::variants())]
    shell: Shell,
}

/// Prints the script.
pub fn run(arguments: &CompletionsArguments) -> ExitCode {
    Command::clap().gen_completions_to("smp-server", arguments.shell, &mut io::stdout());
    ExitCode::SUCCESS
}
