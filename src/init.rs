//! `smp-server init` (operations.md §1.3).

mod interview;

use std::process::ExitCode;

use smp_config::init::{InitError, initialize, refuse_initialized};
use smp_config::init_options::{InitOptions, PasswordChoice};
use smp_config::paths::Directories;

use crate::arguments::InitArguments;

/// Makes a new server.
pub fn run(directories: &Directories, arguments: InitArguments) -> ExitCode {
    match make(directories, arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("Error: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Why there is no new server, for the operator.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Init(#[from] InitError),
    #[error("cannot read the answer: {0}")]
    Terminal(#[from] std::io::Error),
}

fn make(directories: &Directories, arguments: InitArguments) -> Result<(), Failure> {
    if let Err(initialized) = refuse_initialized(directories) {
        // Scripts of the reference read these two lines on standard output.
        println!("Error: {initialized}.\nRun `smp-server start`.");
        std::process::exit(1);
    }
    let interactive = !arguments.yes;
    let mut options = options(arguments);
    if interactive {
        interview::ask_all(directories, &mut options)?;
    }
    let server = initialize(directories, &options)?;
    println!("Server initialized, please provide additional server information in {}.", directories.ini().display());
    println!("Run `smp-server start` to start server.");
    warn_about_ca_key(directories);
    println!("{}", crate::version::version_line());
    println!("Fingerprint: {}", server.identity);
    println!("Server address: {}", server.address);
    crate::banner::print_source_code(options.source_code.as_deref());
    Ok(())
}

/// What the flags say.
fn options(arguments: InitArguments) -> InitOptions {
    let password = match arguments.password {
        Some(password) => PasswordChoice::Given(password),
        None if arguments.no_password => PasswordChoice::None,
        None => PasswordChoice::Random,
    };
    InitOptions {
        store_log: !arguments.disable_store_log,
        daily_stats: arguments.daily_stats,
        sign_algorithm: arguments.sign_algorithm,
        ip: arguments.ip,
        fqdn: arguments.fqdn,
        password,
        ..InitOptions::default()
    }
}

fn warn_about_ca_key(directories: &Directories) {
    println!("----------");
    println!("Keep the private key of the CA in a safe place and delete it from the server. Whoever has it can make");
    println!(
        "certificates for this server; with it you can replace a lost or stolen certificate and keep the address."
    );
    println!("CA private key location:");
    println!("{}", directories.ca_key().display());
    println!("----------");
}
