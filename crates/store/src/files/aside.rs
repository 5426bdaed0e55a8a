//! Where a file is replaced, and the file beside it that takes its place.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use super::LogFile;

/// Links that are followed before they count as a circle.
const MOST_LINKS: usize = 40;

/// Who may read a file that is made. One that is replaced keeps its mode, owner and group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Mode 0600, whatever the umask. Whatever the replaced file allowed, others may not use it.
    Owner,
    /// Mode 0644 less the umask.
    Everyone,
}

/// Where the content of a file is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The end of the symbolic links, if the name is one; else the name itself.
    pub path: PathBuf,
    /// What stands there.
    pub found: Found,
}

/// What stands where a file is to be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// A file.
    File,
    /// A device such as `/dev/null`: it is written to, never replaced.
    Device,
}

/// A file that was made beside another one, to take its place.
pub struct Aside {
    /// The file.
    pub file: Box<dyn LogFile>,
    /// Its mode, owner and group are those of the file that it replaces.
    pub is_alike: bool,
}

/// Follows symbolic links, the last of which may lead to nothing. Directories, pipes and the like are errors.
pub(super) fn destination(path: &Path) -> io::Result<Destination> {
    let mut path = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        let metadata = match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Destination { path, found: Found::Nothing });
            }
            metadata => metadata?,
        };
        let kind = metadata.file_type();
        if kind.is_symlink() {
            path = directory_of(&path).join(fs::read_link(&path)?);
        } else if kind.is_file() {
            return Ok(Destination { path, found: Found::File });
        } else if kind.is_char_device() {
            return Ok(Destination { path, found: Found::Device });
        } else if kind.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        } else {
            return Err(io::Error::other("it is not a file"));
        }
    }
    Err(io::Error::other("its symbolic links lead in a circle"))
}

/// Makes `aside`, which must not exist, for `replaced`.
pub(super) fn create(aside: &Path, replaced: &Path, access: Access) -> io::Result<Aside> {
    let original = fs::metadata(replaced).ok();
    let mode = if access == Access::Owner || original.is_some() { 0o600 } else { 0o644 };
    let file = OpenOptions::new().append(true).create_new(true).mode(mode).open(aside)?;
    let is_alike = match &original {
        Some(original) => resemble(&file, original, access),
        None => give_to_owner(&file, aside),
    };
    match is_alike {
        Ok(is_alike) => Ok(Aside { file: Box::new(file), is_alike }),
        Err(error) => {
            let _ = fs::remove_file(aside);
            Err(error)
        }
    }
}

/// Whether the file now has the owner, the group and the mode of the original.
fn resemble(file: &File, original: &Metadata, access: Access) -> io::Result<bool> {
    let is_owned = own(file, original.uid(), original.gid())?;
    let mode = original.mode() & 0o7777;
    let mode = if access == Access::Owner && mode & 0o007 != 0 { 0o600 } else { mode };
    // Some file systems have one mode for all files.
    file.set_permissions(Permissions::from_mode(mode)).or_else(unless_forbidden)?;
    Ok(is_owned)
}

/// A new file belongs to whoever owns the directory: a command run as root must not leave files that the server, running as
/// another user, cannot read. Users other than root own what they write.
fn give_to_owner(file: &File, aside: &Path) -> io::Result<bool> {
    let directory = fs::metadata(directory_of(aside))?;
    own(file, directory.uid(), directory.gid())?;
    Ok(true)
}

/// Whether the file belongs to them now. Where the user may not be changed, the group may.
fn own(file: &File, user: u32, group: u32) -> io::Result<bool> {
    let actual = file.metadata()?;
    if (actual.uid(), actual.gid()) == (user, group) {
        return Ok(true);
    }
    match fchown(file, Some(user), Some(group)) {
        Ok(()) => Ok(true),
        Err(error) => {
            unless_forbidden(error)?;
            fchown(file, None, Some(group)).or_else(unless_forbidden)?;
            Ok(false)
        }
    }
}

/// A user that a container does not know is an invalid argument there.
fn unless_forbidden(error: io::Error) -> io::Result<()> {
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput => Ok(()),
        _ => Err(error),
    }
}

/// The directory in which a name stands.
pub(crate) fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
