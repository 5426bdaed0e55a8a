//! What the command line may say (operations.md §1).

use std::process::ExitCode;

use smp_config::certificates::SignAlgorithm;
use smp_config::init_options::DEFAULT_IP;
use smp_protocol::password::Password;
use structopt::StructOpt;
use structopt::clap::AppSettings;

use crate::log::Level;
use crate::version::version_line;

/// SMP relay server for SimpleX Chat
#[derive(Debug, StructOpt)]
#[structopt(
    name = "smp-server",
    setting(AppSettings::DisableVersion),
    setting(AppSettings::DisableHelpSubcommand),
    setting(AppSettings::VersionlessSubcommands),
    setting(AppSettings::DeriveDisplayOrder),
    global_setting(AppSettings::UnifiedHelpMessage)
)]
pub struct Arguments {
    /// Show version
    #[structopt(short = "v", long)]
    pub version: bool,
    /// What to do
    #[structopt(subcommand)]
    pub command: Option<Command>,
}

#[derive(Debug, StructOpt)]
pub enum Command {
    /// Initialize server: makes its identity, certificates and configuration
    Init(InitArguments),
    /// Start server
    Start(StartArguments),
    /// Delete configuration and log files
    Delete,
}

/// Options of `init`.
#[derive(Debug, StructOpt)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct InitArguments {
    /// Do not keep queues and messages over restarts
    #[structopt(long)]
    pub disable_store_log: bool,
    /// Keep queues and messages over restarts (this is the default)
    #[structopt(short = "l", long, conflicts_with = "disable-store-log")]
    pub store_log: bool,
    /// Write daily statistics as CSV
    #[structopt(short = "s", long)]
    pub daily_stats: bool,
    /// Algorithm of the certificates: ED25519 or ED448
    #[structopt(short = "a", long, value_name = "ALG", default_value = "ED25519", parse(try_from_str))]
    pub sign_algorithm: SignAlgorithm,
    /// Address of the server, the name in its certificate if there is no FQDN
    #[structopt(long, value_name = "IP", default_value = DEFAULT_IP)]
    pub ip: String,
    /// Domain name of the server
    #[structopt(short = "n", long, value_name = "FQDN")]
    pub fqdn: Option<String>,
    /// Let everybody create queues
    #[structopt(long)]
    pub no_password: bool,
    /// Password for creating queues; a random one if not given
    #[structopt(long, value_name = "PASSWORD", conflicts_with = "no-password", parse(try_from_str))]
    pub password: Option<Password>,
    /// Ask nothing
    #[structopt(short = "y", long)]
    pub yes: bool,
}

/// Options of `start`.
#[derive(Debug, StructOpt)]
pub struct StartArguments {
    /// Load, compact and save everything, then exit without opening ports
    #[structopt(short = "m", long)]
    pub maintenance: bool,
    /// Rewrite the store log (always done)
    #[structopt(long)]
    pub compact_log: bool,
    /// Least severe messages to be logged: trace, debug, info, note, warn, error
    #[structopt(long, value_name = "LEVEL", default_value = "info", parse(try_from_str))]
    pub log_level: Level,
    /// Start although some saved messages cannot be restored
    #[structopt(long)]
    pub skip_warnings: bool,
}

impl Arguments {
    /// Parses the command line. Help goes to standard output with exit code 0, errors to standard error with exit code 1.
    pub fn from_command_line() -> Self {
        let arguments = without_runtime_options(std::env::args_os());
        let mut program = Self::clap();
        let header = version_line();
        program = program.before_help(header.as_str());
        Self::from_clap(&program.get_matches_from(arguments))
    }

    /// The whole help on standard error.
    pub fn help_to_stderr() -> ExitCode {
        let header = version_line();
        let mut help = Vec::new();
        // Writing into memory cannot fail.
        let _ = Self::clap().before_help(header.as_str()).write_long_help(&mut help);
        eprintln!("{}", String::from_utf8_lossy(&help));
        ExitCode::FAILURE
    }
}

/// Drops `+RTS … -RTS`, which unit files of the reference pass to its language runtime.
fn without_runtime_options<T: AsRef<std::ffi::OsStr>>(arguments: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
    let mut inside = false;
    arguments.filter(move |argument| {
        let word = argument.as_ref();
        let marker = word == "+RTS" || word == "-RTS";
        if marker {
            inside = word == "+RTS";
        }
        !(inside || marker)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runtime_options_are_dropped() {
        let kept = |line: &str| {
            let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
            without_runtime_options(words.into_iter()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(kept("smp-server start +RTS -N -RTS"), "smp-server start");
        assert_eq!(kept("smp-server +RTS -N2 -RTS start -m +RTS -s"), "smp-server start -m");
    }
}
