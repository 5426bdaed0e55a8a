//! The refusal of commands that need an initialised server (operations.md §1.2). Scripts of the reference read its two
//! lines on standard output.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use smp_config::paths::Directories;

/// Says that there is no INI file.
pub fn refuse(ini: &Path) -> ExitCode {
    say!("Error: server is not initialized ({} does not exist).\nRun `smp-server init`.", ini.display());
    ExitCode::FAILURE
}

/// The INI file that should be there and is not.
pub fn missing_ini(directories: &Directories) -> Option<PathBuf> {
    Some(directories.ini()).filter(|ini| !ini.exists())
}
