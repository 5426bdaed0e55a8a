//! `smp-server init` (operations.md §1.3).

mod arguments;
pub mod interview;

use std::io;
use std::process::ExitCode;

use smp_config::init::{InitError, NewServer, initialize, refuse_initialized, refuse_leftovers};
use smp_config::init_options::InitOptions;
use smp_config::paths::Directories;

pub use arguments::InitArguments;

use crate::terminal::fail;
use crate::{banner, ca_key_warning};

/// Why there is no new server, for the operator.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Init(#[from] InitError),
    #[error("no server was made: {0}; to be asked nothing use `smp-server init --yes`")]
    Answer(#[from] io::Error),
}

/// Makes a new server.
pub fn run(directories: &Directories, arguments: InitArguments) -> ExitCode {
    match make(directories, arguments) {
        Ok(()) => ExitCode::SUCCESS,
        // Scripts of the reference read these two lines on standard output.
        Err(Failure::Init(initialized @ InitError::AlreadyInitialized(_))) => {
            say!("Error: {initialized}.\nRun `smp-server start`.");
            ExitCode::FAILURE
        }
        Err(failure) => fail(failure),
    }
}

fn make(directories: &Directories, arguments: InitArguments) -> Result<(), Failure> {
    // Before the questions, so that no answer is given for nothing.
    refuse_initialized(directories)?;
    refuse_leftovers(directories)?;
    let interactive = !arguments.yes;
    let mut options = InitOptions::from(arguments);
    options.check().map_err(InitError::from)?;
    if interactive {
        interview::ask_all(directories, &mut options)?;
    }
    let server = initialize(directories, &options)?;
    report(directories, &options, &server);
    Ok(())
}

fn report(directories: &Directories, options: &InitOptions, server: &NewServer) {
    say!("Server initialized, please provide additional server information in {}.", directories.ini().display());
    say!("Run `smp-server start` to start server.");
    ca_key_warning::print(directories);
    banner::print_identity(server.identity, Some(&server.address));
    banner::print_source_code(options.source_code.as_deref());
}
