//! Who may read and write the files.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, Mode, access};
use rustix::io::Errno;
use smp_config::paths::Directories;

use super::report::Report;

const SUBJECT: &str = "files";
/// Deeper than anything that the server makes.
const DEPTH: usize = 8;

/// Looks at both directories and everything in them.
pub fn check(directories: &Directories, report: &mut Report) {
    let mut all_fine = true;
    for directory in [&directories.config, &directories.state] {
        all_fine &= check_directory(directory, directories, report);
    }
    for secret in [directories.ca_key(), directories.server_key(), directories.ini()] {
        all_fine &= check_secret(&secret, report);
    }
    if all_fine {
        let (config, state) = (directories.config.display(), directories.state.display());
        report.fine(SUBJECT, format_args!("{config} and {state} belong to one user, who can use them"));
    }
}

fn check_directory(directory: &Path, directories: &Directories, report: &mut Report) -> bool {
    let metadata = match fs::metadata(directory) {
        Ok(metadata) => metadata,
        Err(error) => {
            let remedy = format!("sudo install -d -o smp -g smp -m 750 {}", directory.display());
            report.problem(SUBJECT, format_args!("cannot use {}: {error}", directory.display()), remedy);
            return false;
        }
    };
    let (user, group) = (metadata.uid(), metadata.gid());
    let allowed = access(directory, Access::WRITE_OK | Access::EXEC_OK);
    if allowed == Err(Errno::ROFS) {
        let what = format_args!("the file system of {} is mounted read-only", directory.display());
        let remedy = format!("sudo mount -o remount,rw {}", mount_point(directory).display());
        if directory == directories.state {
            report.problem(SUBJECT, what, remedy);
        } else {
            report.warning(SUBJECT, format_args!("{what}: `cert` and `password` can change nothing"), remedy);
        }
        return false;
    }
    if allowed.is_err() {
        let what = format!(
            "user {} may not write to {}, which belongs to user {user} (mode {:o})",
            rustix::process::geteuid().as_raw(),
            directory.display(),
            metadata.mode() & 0o7777
        );
        let remedy = format!(
            "run this as that user, or give the directory to the user of the server: {}",
            chown(directory, "smp", "smp")
        );
        report.problem(SUBJECT, what, remedy);
        return false;
    }
    let mut strangers = Vec::new();
    if let Err(error) = collect_strangers(directory, user, DEPTH, &mut strangers) {
        report.problem(
            SUBJECT,
            format_args!("cannot read {}: {error}", directory.display()),
            chown(directory, &user.to_string(), &group.to_string()),
        );
        return false;
    }
    let Some((first, owner)) = strangers.first() else { return true };
    let more = if strangers.len() == 1 { String::new() } else { format!(" and {} others", strangers.len() - 1) };
    report.problem(
        SUBJECT,
        format_args!("{}{more}: wrong owner, user {owner}, but the directory belongs to user {user}", first.display()),
        chown(directory, &user.to_string(), &group.to_string()),
    );
    false
}

/// Where the file system of a directory is mounted. What is mounted later hides what was mounted before.
fn mount_point(directory: &Path) -> PathBuf {
    let directory = fs::canonicalize(directory).unwrap_or_else(|_| directory.to_path_buf());
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(4)).map(|point| point.replace("\\040", " "));
    let above = points.map(PathBuf::from).filter(|point| directory.starts_with(point));
    above.max_by_key(|point| point.components().count()).unwrap_or(directory)
}

fn chown(directory: &Path, user: &str, group: &str) -> String {
    format!("sudo chown -R {user}:{group} {}", directory.display())
}

fn collect_strangers(directory: &Path, user: u32, depth: usize, found: &mut Vec<(PathBuf, u32)>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        // What has gone meanwhile is nobody's.
        let Ok(metadata) = fs::metadata(&path) else { continue };
        if metadata.uid() != user {
            found.push((path, metadata.uid()));
        } else if metadata.is_dir() && depth > 0 {
            collect_strangers(&path, user, depth - 1, found)?;
        }
    }
    Ok(())
}

fn check_secret(path: &Path, report: &mut Report) -> bool {
    let Some(mode) = fs::metadata(path).ok().as_ref().map(Metadata::mode) else { return true };
    if !Mode::from_raw_mode(mode).intersects(Mode::RWXO) {
        return true;
    }
    let what =
        format!("everybody on this machine may read the secrets in {} (mode {:o})", path.display(), mode & 0o777);
    report.warning(SUBJECT, what, format_args!("chmod 600 {}", path.display()));
    false
}
