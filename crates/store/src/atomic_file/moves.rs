//! Putting one file in the place of another, also where that cannot be done by a rename.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{AtomicFile, CHUNK, sync_parent, with_suffix, write_all};
use crate::error::FileError;
use crate::files::{Destination, Files};

/// Ending of the new content of a file while that is rewritten in its place. Where it exists it counts, and not the file.
const COMPLETE: &str = ".complete";

/// The new content of a file that may not be rewritten completely.
pub(crate) fn complete_path(path: &Path) -> PathBuf {
    with_suffix(path, COMPLETE)
}

/// The file is mounted by itself: no other can get its name, and it can get no other.
pub(crate) fn is_held(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ResourceBusy | io::ErrorKind::CrossesDevices)
}

/// Puts `aside`, which is beside it, in the place of `path`. One that is not alike could not be given the owner and group of the
/// file, which keeps them if it can be rewritten.
pub(crate) fn replace(
    files: &dyn Files,
    aside: &Path,
    path: &Path,
    is_alike: bool,
    synced: bool,
) -> Result<(), FileError> {
    if is_alike || files.open_append(path).is_err() {
        match files.rename(aside, path) {
            Err(error) if is_held(&error) => {}
            renamed => {
                renamed.map_err(FileError::on("replace", path))?;
                return if synced { sync_parent(files, path) } else { Ok(()) };
            }
        }
    }
    if !synced {
        overwrite_with(files, path, aside, false)?;
        return files.remove(aside).map_err(FileError::on("remove", aside));
    }
    let complete = complete_path(path);
    files.rename(aside, &complete).map_err(FileError::on("rename", aside))?;
    sync_parent(files, path)?;
    overwrite_with(files, path, &complete, true)?;
    files.remove(&complete).map_err(FileError::on("remove", &complete))?;
    sync_parent(files, path)
}

/// Gives an existing file the content of another one.
pub(crate) fn overwrite_with(files: &dyn Files, path: &Path, from: &Path, synced: bool) -> Result<(), FileError> {
    let content = files.open(from).map_err(FileError::on("read", from))?;
    overwrite(files, path, content, synced)
}

/// Gives an existing file another content.
pub(super) fn overwrite(files: &dyn Files, path: &Path, mut content: impl Read, synced: bool) -> Result<(), FileError> {
    let failed = || FileError::on("rewrite", path);
    let mut file = files.rewrite(path).map_err(failed())?;
    let mut buffer = zeroize::Zeroizing::new(vec![0; CHUNK]);
    loop {
        match content.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => write_all(file.as_mut(), &buffer[..n]).map_err(failed())?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed()(error)),
        }
    }
    if synced { file.sync().map_err(failed()) } else { Ok(()) }
}

/// Copies a file over another one, or to a new name.
pub(crate) fn copy(files: &Arc<dyn Files>, from: &Path, to: &Path) -> Result<(), FileError> {
    let content = files.open(from).map_err(FileError::on("read", from))?;
    let mut copy = AtomicFile::create(Arc::clone(files), to)?;
    copy.write_from(content, from)?;
    copy.commit()
}

/// Takes everything out of a file that cannot be removed.
pub(crate) fn empty(files: &dyn Files, path: &Path) -> Result<(), FileError> {
    overwrite(files, path, io::empty(), true)
}

/// Finishes the rewriting of a file that was interrupted; whether there was something to finish.
pub fn recover(files: &dyn Files, path: &Path) -> Result<bool, FileError> {
    // Whoever reads it says what is wrong with it.
    let Ok(Destination { path, .. }) = files.destination(path) else { return Ok(false) };
    let complete = complete_path(&path);
    let is_there = files.exists(&complete).unwrap_or(false);
    if is_there {
        replace(files, &complete, &path, true, true)?;
    }
    Ok(is_there)
}
