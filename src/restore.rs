//! `smp-server restore`: a server from an archive that `smp-server backup` made.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;

use flate2::read::GzDecoder;
use smp_config::paths::Directories;
use structopt::StructOpt;
use tar::{Archive, Entry, EntryType};

use crate::backup::{CONFIG, STATE};
use crate::progress::Progress;
use crate::terminal::fail;

/// Argument of `restore`.
#[derive(Debug, StructOpt)]
pub struct RestoreArguments {
    /// Archive made by `smp-server backup`
    #[structopt(value_name = "FILE", parse(from_os_str))]
    file: PathBuf,
}

/// Puts everything into the two directories, which must be empty.
pub fn run(directories: &Directories, arguments: &RestoreArguments) -> ExitCode {
    let path = &arguments.file;
    for directory in [&directories.config, &directories.state] {
        match is_empty(directory) {
            Ok(true) => {}
            Ok(false) => {
                return fail(format_args!(
                    "{} is not empty: a server is restored into empty directories only; remove the old one with \
                     `smp-server delete`, or move the directory away",
                    directory.display()
                ));
            }
            Err(error) => return fail(format_args!("cannot use {}: {error}", directory.display())),
        }
    }
    let archive = match File::open(path) {
        Ok(archive) => archive,
        Err(error) => return fail(format_args!("cannot read {}: {error}", path.display())),
    };
    match extract(archive, directories) {
        Ok(files) => {
            say!("Restored {files} files to {} and {}", directories.config.display(), directories.state.display());
            say!("Run `smp-server check`, then `smp-server start`.");
            ExitCode::SUCCESS
        }
        Err(error) => {
            for directory in [&directories.config, &directories.state] {
                clear(directory);
            }
            fail(format_args!("cannot restore {}: {error}; nothing was restored", path.display()))
        }
    }
}

fn is_empty(directory: &Path) -> io::Result<bool> {
    match fs::read_dir(directory) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

/// They were empty before.
fn clear(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        let _ = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
    }
}

fn extract(archive: File, directories: &Directories) -> io::Result<usize> {
    let progress = Progress::new("restoring", archive.metadata()?.len());
    let mut archive = Archive::new(GzDecoder::new(BufReader::new(progress.reading(archive))));
    let mut files = 0;
    for directory in [&directories.config, &directories.state] {
        fs::create_dir_all(directory)?;
    }
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = destination(&entry.path()?, directories)?;
        match entry.header().entry_type() {
            EntryType::Directory => make_directory(&path, &entry, directories)?,
            EntryType::Regular => {
                write(&path, &mut entry, directories)?;
                files += 1;
            }
            other => return Err(invalid(format!("it has a member of the kind {other:?}"))),
        }
    }
    // The checksum of the compression comes after the last member.
    io::copy(&mut archive.into_inner(), &mut io::sink())?;
    if !directories.ini().exists() {
        return Err(invalid("there is no server in it".to_owned()));
    }
    for directory in [&directories.config, &directories.state] {
        File::open(directory)?.sync_all()?;
    }
    progress.finish();
    Ok(files)
}

fn invalid(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Whatever an archive says, nothing is written elsewhere.
fn destination(name: &Path, directories: &Directories) -> io::Result<PathBuf> {
    let mut components = name.components();
    let root = match components.next() {
        Some(Component::Normal(name)) if name == CONFIG => &directories.config,
        Some(Component::Normal(name)) if name == STATE => &directories.state,
        _ => return Err(invalid(format!("{} is not part of a server", name.display()))),
    };
    let rest = components.as_path();
    if rest.components().all(|component| matches!(component, Component::Normal(_))) {
        Ok(if rest.as_os_str().is_empty() { root.clone() } else { root.join(rest) })
    } else {
        Err(invalid(format!("{} leads out of the server", name.display())))
    }
}

fn make_directory(path: &Path, entry: &Entry<'_, impl Read>, directories: &Directories) -> io::Result<()> {
    // The two directories themselves may be prepared by whoever installed the server.
    if [&directories.config, &directories.state].contains(&&path.to_owned()) {
        return Ok(());
    }
    fs::create_dir_all(path)?;
    fs::set_permissions(path, Permissions::from_mode(entry.header().mode()? & 0o777))?;
    give_to_owner(path, directories)
}

fn write(path: &Path, entry: &mut Entry<'_, impl Read>, directories: &Directories) -> io::Result<()> {
    let mode = entry.header().mode()? & 0o777;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let written = io::copy(entry, &mut file)?;
    if written != entry.size() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    file.set_permissions(Permissions::from_mode(mode))?;
    file.sync_all()?;
    give_to_owner(path, directories)
}

/// Files belong to whoever owns the directories: the user of the server, also if root restores it.
fn give_to_owner(path: &Path, directories: &Directories) -> io::Result<()> {
    let owner =
        fs::metadata(if path.starts_with(&directories.state) { &directories.state } else { &directories.config })?;
    let metadata = fs::metadata(path)?;
    if (metadata.uid(), metadata.gid()) == (owner.uid(), owner.gid()) {
        return Ok(());
    }
    match chown(path, Some(owner.uid()), Some(owner.gid())) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        result => result,
    }
}
