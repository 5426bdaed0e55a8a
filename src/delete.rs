//! `smp-server delete` (operations.md §1.5).

use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use smp_config::paths::Directories;

use crate::terminal::{confirmed, fail};

/// Removes configuration and state after a confirmation.
pub fn run(directories: &Directories) -> ExitCode {
    let (config, state) = (directories.config.display(), directories.state.display());
    say!("WARNING: {config} and {state} will be removed with everything in them. The identity of the server");
    say!("(its certificate fingerprint) is lost with them, and all its queues become inaccessible.");
    say!("THIS CANNOT BE UNDONE!");
    match confirmed() {
        Ok(true) => {}
        Ok(false) => {
            say!("Server NOT deleted");
            return ExitCode::FAILURE;
        }
        Err(error) => return fail(format_args!("server NOT deleted: {error}")),
    }
    for directory in [&directories.config, &directories.state] {
        if let Err(error) = remove(directory) {
            return fail(format_args!(
                "cannot remove {}: {error}; run this as the user who owns it",
                directory.display()
            ));
        }
    }
    say!("Deleted configuration and log files");
    ExitCode::SUCCESS
}

/// Removes a directory with its content. The directory itself may be a mount point or a symbolic link, or stand in a
/// directory of another user: then it stays, empty.
fn remove(directory: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() { fs::remove_dir_all(entry.path())? } else { fs::remove_file(entry.path())? }
    }
    match fs::remove_dir(directory) {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::PermissionDenied | io::ErrorKind::ResourceBusy | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(())
        }
        removed => removed,
    }
}
