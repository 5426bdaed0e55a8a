//! `smp-server password`: another password for new queues.

use std::process::ExitCode;

use smp_config::certificates::Credentials;
use smp_config::change_password::{ChangeError, change_password};
use smp_config::init_options::PasswordChoice;
use smp_config::paths::Directories;
use smp_config::settings::SettingsError;
use smp_protocol::password::Password;
use structopt::StructOpt;

use crate::init::interview;
use crate::not_initialized;
use crate::terminal::fail;

/// Bytes of randomness in a password that is made here, as in those of `init`.
const RANDOM_BYTES: usize = 32;

/// Options of `password`; without any it is asked for.
#[derive(Debug, StructOpt)]
pub struct PasswordArguments {
    /// Make a random one
    #[structopt(long, conflicts_with_all = &["none", "password"])]
    random: bool,
    /// Let everybody create queues
    #[structopt(long, conflicts_with = "password")]
    none: bool,
    /// Use this one; others on this machine may see it in the list of processes
    #[structopt(long, value_name = "PASSWORD")]
    password: Option<Password>,
}

/// Writes it to the INI file and prints the address that has it.
pub fn run(directories: &Directories, arguments: &PasswordArguments) -> ExitCode {
    let ini = directories.ini();
    if !ini.exists() {
        return not_initialized::refuse(&ini);
    }
    let choice = match arguments {
        PasswordArguments { random: true, .. } => PasswordChoice::Random,
        PasswordArguments { none: true, .. } => PasswordChoice::None,
        PasswordArguments { password: Some(password), .. } => PasswordChoice::Given(password.clone()),
        PasswordArguments { .. } => match interview::password() {
            Ok(choice) => choice,
            Err(error) => {
                return fail(format_args!("password NOT changed: {error}; use --random, --none or --password"));
            }
        },
    };
    let password = match choice {
        PasswordChoice::Random => Some(Password::random(RANDOM_BYTES)),
        PasswordChoice::Given(password) => Some(password),
        PasswordChoice::None => None,
    };
    let settings = match change_password(directories, password.as_ref()) {
        Ok(settings) => settings,
        Err(ChangeError::Settings(SettingsError::NotInitialized(ini))) => return not_initialized::refuse(&ini),
        Err(error) => return fail(error),
    };
    say!("Changed {}. A running server takes it over with `systemctl reload smp-server` (SIGHUP).", ini.display());
    say!("Queues that exist are not concerned. Clients need the new address to create others:");
    match Credentials::load(directories) {
        Ok(credentials) => {
            say!("Server address: {}", settings.address(credentials.identity));
            ExitCode::SUCCESS
        }
        Err(error) => fail(error),
    }
}
