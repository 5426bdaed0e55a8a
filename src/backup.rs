//! `smp-server backup`: everything a server is, in one file (a compressed tar archive).

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use flate2::Compression;
use flate2::write::GzEncoder;
use smp_config::paths::Directories;
use smp_store::names::LOCK;
use smp_store::state_lock::StateLock;
use structopt::StructOpt;
use tar::{Builder, Header};

use crate::not_initialized;
use crate::progress::Progress;
use crate::terminal::fail;

/// Where the configuration directory is in the archive.
pub const CONFIG: &str = "config";
/// Where the state directory is in the archive.
pub const STATE: &str = "state";
/// Symbolic links may lead in circles.
const DEPTH: usize = 16;

/// Argument of `backup`.
#[derive(Debug, StructOpt)]
pub struct BackupArguments {
    /// Archive to be made; it must not exist
    #[structopt(value_name = "FILE", parse(from_os_str))]
    file: PathBuf,
}

/// A file or directory, and what it is called in the archive.
struct Member {
    path: PathBuf,
    name: PathBuf,
    metadata: Metadata,
}

/// Makes the archive. The server must not run: it would change what is copied.
pub fn run(directories: &Directories, arguments: &BackupArguments) -> ExitCode {
    if !directories.ini().exists() {
        return not_initialized::refuse(&directories.ini());
    }
    let _lock = match StateLock::acquire(&directories.state) {
        Ok(lock) => lock,
        Err(error) => return fail(error),
    };
    let path = &arguments.file;
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let result = file.and_then(|file| archive(directories, file));
    match result {
        Ok((files, bytes)) => {
            say!("{}: {files} files, {bytes} bytes before compression", path.display());
            say!("Whoever has this file can be this server: keep it where nobody else can read it.");
            say!(
                "Do not start this server again once another one runs from the backup: both would change the same queues."
            );
            ExitCode::SUCCESS
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fail(format_args!("{} exists already; choose another file", path.display()))
        }
        Err(error) => {
            // Half an archive is none.
            let _ = fs::remove_file(path);
            fail(format_args!("cannot make {}: {error}; nothing was changed", path.display()))
        }
    }
}

fn archive(directories: &Directories, file: File) -> io::Result<(usize, u64)> {
    let mut members = Vec::new();
    for (directory, name) in [(&directories.config, CONFIG), (&directories.state, STATE)] {
        collect(directory, Path::new(name), DEPTH, &mut members)?;
    }
    let files = members.iter().filter(|member| member.metadata.is_file());
    let (count, bytes) = files.fold((0, 0), |(count, bytes), member| (count + 1, bytes + member.metadata.len()));
    let progress = Progress::new("copying", bytes);
    let mut tar = Builder::new(GzEncoder::new(BufWriter::new(file), Compression::fast()));
    for member in members {
        append(&mut tar, &member, &progress).map_err(|error| named(&member.path, &error))?;
    }
    let file = tar.into_inner()?.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    progress.finish();
    Ok((count, bytes))
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// All files, also those that symbolic links lead to: a link means nothing on another machine.
fn collect(directory: &Path, name: &Path, depth: usize, members: &mut Vec<Member>) -> io::Result<()> {
    let metadata = fs::metadata(directory).map_err(|error| named(directory, &error))?;
    members.push(Member { path: directory.into(), name: name.into(), metadata });
    for entry in fs::read_dir(directory).map_err(|error| named(directory, &error))? {
        let path = entry?.path();
        let Some(file_name) = path.file_name().filter(|name| *name != LOCK) else { continue };
        let name = name.join(file_name);
        // A link that leads nowhere is not copied, and neither are sockets and the like.
        let Ok(metadata) = fs::metadata(&path) else { continue };
        if metadata.is_dir() && depth > 0 {
            collect(&path, &name, depth - 1, members)?;
        } else if metadata.is_file() {
            members.push(Member { path, name, metadata });
        }
    }
    Ok(())
}

fn append(tar: &mut Builder<impl Write>, member: &Member, progress: &Progress) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_metadata(&member.metadata);
    if member.metadata.is_dir() {
        return tar.append_data(&mut header, &member.name, io::empty());
    }
    let file = progress.reading(File::open(&member.path)?).take(member.metadata.len());
    tar.append_data(&mut header, &member.name, file)
}
