//! What writers left beside their files when they were killed.

use std::io;
use std::path::Path;

use crate::error::FileError;
use crate::files::{Destination, Files, directory_of};

/// Ending of a file that is being written and will replace another one. Before it come the process and a number.
pub(super) const ASIDE: &str = ".new";

/// Removes what was left beside a file. Nobody may be writing it.
pub fn remove_leftovers(files: &dyn Files, path: &Path) -> Result<(), FileError> {
    // What is neither a file nor a link to one is never replaced.
    let Ok(Destination { path, .. }) = files.destination(path) else { return Ok(()) };
    let (directory, file) = (directory_of(&path), path.file_name().unwrap_or_default().to_string_lossy());
    remove_all(files, directory, &file)
}

/// Removes what was left in a directory beside any file.
pub fn remove_leftovers_in(files: &dyn Files, directory: &Path) -> Result<(), FileError> {
    remove_all(files, directory, "")
}

fn remove_all(files: &dyn Files, directory: &Path, beginning: &str) -> Result<(), FileError> {
    let names = match files.list(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        names => names.map_err(FileError::on("list", directory))?,
    };
    for name in names {
        if !name.to_str().is_some_and(|name| is_leftover(name, beginning)) {
            continue;
        }
        let path = directory.join(name);
        match files.remove(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(FileError::new("remove", &path, error));
            }
            _ => {}
        }
    }
    Ok(())
}

fn is_leftover(name: &str, beginning: &str) -> bool {
    let rest = name.strip_prefix(beginning).and_then(|name| name.strip_suffix(ASIDE));
    let number = rest.and_then(|rest| rest.rsplit_once('.')).and_then(|(_, writer)| writer.split_once('-'));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    number.is_some_and(|(process, number)| is_number(process) && is_number(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_writer_left_is_removed() {
        assert!(is_leftover("smp-server-stats.log.1-23.new", "smp-server-stats.log"));
        assert!(is_leftover("smp-server-stats.log.1-23.new", ""));
        for name in
            ["smp-server-stats.log", "smp-server-stats.log.new", "smp-server-stats.log.old-1.new", "other.1-23.new"]
        {
            assert!(!is_leftover(name, "smp-server-stats.log"), "{name}");
        }
    }
}
