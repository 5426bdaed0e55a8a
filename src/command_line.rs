//! What the command line may say (operations.md §1).

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::process::ExitCode;

use structopt::StructOpt;
use structopt::clap::{AppSettings, ErrorKind};

use crate::address::AddressArguments;
use crate::backup::BackupArguments;
use crate::cert::CertArguments;
use crate::check::CheckArguments;
use crate::completions::CompletionsArguments;
use crate::database::DatabaseArguments;
use crate::init::InitArguments;
use crate::journal::JournalCommand;
use crate::password::PasswordArguments;
use crate::restore::RestoreArguments;
use crate::start::StartArguments;

/// Shape of the help of a command; `$more` follows its options.
macro_rules! help_template {
    ($more:literal) => {
        concat!(version_line!(), "\n{about}\n\nUsage: {usage}\n\nOptions:\n{unified}", $more)
    };
}

/// Help of a command with options only.
pub const OPTIONS: &str = help_template!("");
/// Help of a command with commands of its own.
pub const COMMANDS: &str = help_template!("\n\nCommands:\n{subcommands}");
/// Help of the program.
const PROGRAM: &str = help_template!(
    "\n\nCommands:\n{subcommands}\n
Help on a command: smp-server COMMAND -h

Environment:
    SMP_SERVER_CFG_PATH    Configuration directory instead of /etc/opt/simplex
    SMP_SERVER_LOG_PATH    State directory instead of /var/opt/simplex"
);
/// What `-h` does.
pub const HELP: &str = "Show this help";

/// Relay server for SimpleX messaging: keeps messages until their recipients fetch them
#[derive(Debug, StructOpt)]
#[structopt(
    name = "SMP server",
    bin_name = "smp-server",
    version = version!(),
    version_short = "v",
    version_message = "Show version",
    help_message = HELP,
    template = PROGRAM,
    usage = "smp-server [-v|--version] COMMAND [OPTIONS]",
    set_term_width = 100,
    global_settings(&[
        AppSettings::VersionlessSubcommands,
        AppSettings::DisableHelpSubcommand,
        AppSettings::DeriveDisplayOrder,
        AppSettings::UnifiedHelpMessage,
        AppSettings::StrictUtf8,
    ])
)]
pub enum Command {
    /// Make a new server: its identity, certificates and configuration
    #[structopt(template = OPTIONS, help_message = HELP, usage = "smp-server init [OPTIONS]")]
    Init(Box<InitArguments>),
    /// Run the server
    #[structopt(template = OPTIONS, help_message = HELP, usage = "smp-server start [OPTIONS]")]
    Start(StartArguments),
    /// Remove the server: its configuration and state with everything in them
    #[structopt(template = OPTIONS, help_message = HELP, usage = "smp-server delete")]
    Delete,
    /// Replace TLS certificate and key of the server; its address stays the same
    #[structopt(template = OPTIONS, help_message = HELP, usage = "smp-server cert [OPTIONS]")]
    Cert(CertArguments),
    /// Look for what is wrong with settings, files, certificates and ports, and say what to do about it
    #[structopt(template = OPTIONS, help_message = HELP, usage = "smp-server check [OPTIONS]")]
    Check(CheckArguments),
    /// Show the address of the server, which clients need to use it
    #[structopt(template = OPTIONS, help_message = HELP, usage = "smp-server address [OPTIONS]")]
    Address(AddressArguments),
    /// Change the password for creating queues
    #[structopt(template = OPTIONS, help_message = HELP, usage = "smp-server password [OPTIONS]")]
    Password(PasswordArguments),
    /// Copy a stopped server, with its identity, queues and messages, into one file
    #[structopt(template = OPTIONS, help_message = HELP, usage = "smp-server backup FILE")]
    Backup(BackupArguments),
    /// Make a server from such a file, on this or another machine
    #[structopt(template = OPTIONS, help_message = HELP, usage = "smp-server restore FILE")]
    Restore(RestoreArguments),
    /// Print the manual page
    #[structopt(template = OPTIONS, help_message = HELP, usage = "smp-server man")]
    Man,
    /// Print a script that completes commands and options in bash, zsh, fish, elvish or powershell
    #[structopt(template = OPTIONS, help_message = HELP, usage = "smp-server completions SHELL")]
    Completions(CompletionsArguments),
    /// Tell the server that its clock is right although it has jumped, so that messages expire again
    #[structopt(template = OPTIONS, help_message = HELP, usage = "smp-server confirm-clock")]
    ConfirmClock,
    /// Move messages between the messages log and journal files
    #[structopt(template = COMMANDS, help_message = HELP, usage = "smp-server journal COMMAND")]
    Journal(JournalCommand),
    /// Move queues and messages between files and PostgreSQL
    #[structopt(template = COMMANDS, help_message = HELP, usage = "smp-server database COMMAND [OPTIONS]")]
    Database(DatabaseArguments),
}

/// Parses the command line, whose first word is the program. Otherwise everything is said: help and version on standard
/// output with exit code 0, errors, and the help if there is no command, on standard error with exit code 1.
pub fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Command, ExitCode> {
    let arguments: Vec<_> = without_runtime_options(arguments).collect();
    match Command::clap().get_matches_from_safe(&arguments) {
        Ok(matches) => Ok(Command::from_clap(&matches)),
        Err(error) if error.use_stderr() => {
            let usage = if error.kind == ErrorKind::ValueValidation { usage(&arguments) } else { String::new() };
            let _ = writeln!(std::io::stderr(), "{}{usage}", error.message);
            Err(ExitCode::FAILURE)
        }
        Err(shown) => {
            say!("{}", shown.message);
            Err(ExitCode::SUCCESS)
        }
    }
}

/// What clap adds to every error but those about values.
fn usage(arguments: &[OsString]) -> String {
    let is_command = |word: &&OsString| !word.as_encoded_bytes().starts_with(b"-");
    let commands = arguments.iter().enumerate().take_while(|(index, word)| *index == 0 || is_command(word));
    let commands: Vec<_> = commands.skip(1).map(|(_, word)| word.as_os_str()).collect();
    let help = help(&commands);
    let usage = help.lines().find_map(|line| line.strip_prefix("Usage: ")).unwrap_or_default();
    format!("\n\nUSAGE:\n    {usage}\n\nFor more information try --help")
}

/// The help of a command, or with no words of the program.
pub fn help(command: &[&OsStr]) -> String {
    let program = OsStr::new("smp-server");
    let command = command.iter().copied();
    let question = [program].into_iter().chain(command).chain([OsStr::new("--help")]);
    Command::clap().get_matches_from_safe(question).map_or_else(|help| help.message, |_| String::new())
}

/// Drops `+RTS … -RTS`, which unit files of the reference pass to its language runtime.
fn without_runtime_options(arguments: impl Iterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    let mut inside = false;
    arguments.filter(move |word| {
        let marker = word == "+RTS" || word == "-RTS";
        if marker {
            inside = word == "+RTS";
        }
        !(inside || marker)
    })
}
