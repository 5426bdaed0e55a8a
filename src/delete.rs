//! `smp-server delete` (operations.md §1.5).

use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use smp_config::paths::Directories;

use crate::confirm::confirmed;

/// Removes configuration and state after a confirmation.
pub fn run(directories: &Directories) -> ExitCode {
    println!("WARNING: deleting the server makes all its queues inaccessible, because its identity (the server");
    println!("certificate) changes. THIS CANNOT BE UNDONE!");
    match confirmed() {
        Ok(true) => {}
        Ok(false) => {
            println!("Server NOT deleted");
            return ExitCode::FAILURE;
        }
        Err(error) => {
            eprintln!("Error: {error}");
            return ExitCode::FAILURE;
        }
    }
    for directory in [&directories.config, &directories.state] {
        if let Err(error) = remove(directory) {
            eprintln!("Error: cannot remove {}: {error}", directory.display());
            return ExitCode::FAILURE;
        }
    }
    println!("Deleted configuration and log files");
    ExitCode::SUCCESS
}

/// Removes a directory with its content. The directory itself may be a mount point, or stand in a directory of another user:
/// then it stays, empty.
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
        Err(error) if matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ResourceBusy) => Ok(()),
        removed => removed,
    }
}
