//! `smp-server cert`: a new certificate under the same identity (operations.md §1.6).

use std::process::ExitCode;

use smp_config::certificates::{Rotation, SignAlgorithm, rotate};
use smp_config::paths::Directories;
use structopt::StructOpt;

use crate::terminal::fail;
use crate::{ca_key_warning, not_initialized};

/// Options of `cert`.
#[derive(Debug, StructOpt)]
pub struct CertArguments {
    /// Algorithm of the new key: ED25519 or ED448; that of the present certificate if not given
    #[structopt(short = "a", long, value_name = "ALG")]
    sign_algorithm: Option<SignAlgorithm>,
    /// Name in the new certificate; that of the present certificate if not given
    #[structopt(long, value_name = "FQDN")]
    cn: Option<String>,
}

/// Replaces key and certificate.
pub fn run(directories: &Directories, arguments: CertArguments) -> ExitCode {
    if let Some(ini) = not_initialized::missing_ini(directories) {
        return not_initialized::refuse(&ini);
    }
    let CertArguments { sign_algorithm: algorithm, cn: common_name } = arguments;
    match rotate(directories, &Rotation { algorithm, common_name }) {
        Ok(_) => {
            say!("Generated new server credentials");
            ca_key_warning::print(directories);
            ExitCode::SUCCESS
        }
        Err(error) => fail(error),
    }
}
