//! Files that are symbolic links into a volume, or are mounted one by one: commands and the server write what is in the volume.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Ended, MESSAGES, Place, Program, STORE_LOG};

/// A server whose INI and state have been moved to a volume.
struct Volume {
    place: Place,
    /// Where each file belongs, and where it is.
    moved: Vec<(PathBuf, PathBuf)>,
}

impl Volume {
    fn new() -> Self {
        let place = Place::with_server();
        place.set("log_stats", "on");
        place.with_messages(3, 30);
        place.run(["start", "-m"]).succeeded_with_log();
        place.with_messages(3, 30);
        let directories = &place.directories;
        let volume = directories.config.with_file_name("volume");
        fs::create_dir(&volume).unwrap();
        let names = [
            directories.ini(),
            directories.server_key(),
            directories.server_certificate(),
            directories.fingerprint(),
            directories.store_log(),
            directories.messages_log(),
            directories.stats_log(),
        ];
        let moved = names.map(|name| {
            let target = volume.join(name.file_name().unwrap());
            fs::rename(&name, &target).unwrap();
            (name, target)
        });
        Self { place, moved: moved.into() }
    }

    fn target(&self, name: &Path) -> &Path {
        &self.moved.iter().find(|(moved, _)| moved == name).unwrap().1
    }

    /// Runs the commands that write, each twice, and looks at what is in the volume.
    fn is_written_by(&self, run: impl Fn(&[&str]) -> Ended) {
        let directories = &self.place.directories;
        for password in ["first", "second"] {
            let ended = run(&["password", "--password", password]);
            assert_eq!(ended.code, Some(0), "{ended:#?}");
            let ini = fs::read_to_string(self.target(&directories.ini())).unwrap();
            assert!(ini.contains(&format!("\ncreate_password = {password}\n")), "{ini}");
        }
        let key = fs::read(self.target(&directories.server_key())).unwrap();
        assert_eq!(run(&["cert"]).code, Some(0));
        assert_ne!(fs::read(self.target(&directories.server_key())).unwrap(), key);
        for lines in [3, 3] {
            let ended = run(&["start", "-m"]);
            assert_eq!(ended.code, Some(0), "{ended:#?}");
            assert!(ended.stderr.contains("messages stored: 3, "), "{ended:#?}");
            let count = |name: PathBuf| fs::read_to_string(self.target(&name)).unwrap().lines().count();
            assert_eq!((count(directories.store_log()), count(directories.messages_log())), (lines, lines));
            assert!(count(directories.stats_log()) > 90);
        }
    }
}

trait SucceededWithLog {
    fn succeeded_with_log(&self);
}

impl SucceededWithLog for Ended {
    fn succeeded_with_log(&self) {
        assert_eq!(self.code, Some(0), "{self:#?}");
    }
}

#[test]
fn links_are_followed() {
    let volume = Volume::new();
    for (name, target) in &volume.moved {
        symlink(target, name).unwrap();
    }
    volume.is_written_by(|arguments| volume.place.run(arguments.iter().copied()));
    for (name, _) in &volume.moved {
        assert!(name.is_symlink(), "{} is a link no more", name.display());
    }
}

#[test]
fn files_that_are_mounted_one_by_one_are_rewritten() {
    if !Command::new("unshare").args(["-rm", "true"]).status().is_ok_and(|status| status.success()) {
        println!("skipped: this machine does not allow mount namespaces (unshare -rm)");
        return;
    }
    let volume = Volume::new();
    let mount = |(name, target): &(PathBuf, PathBuf)| {
        fs::write(name, "").unwrap();
        format!("mount --bind '{}' '{}' && ", target.display(), name.display())
    };
    let mounts: String = volume.moved.iter().map(mount).collect();
    let directories = &volume.place.directories;
    volume.is_written_by(|arguments| {
        let server = volume.place.command(arguments.iter().copied());
        let mut command = Command::new("unshare");
        command.args(["-rm", "sh", "-c", &format!("{mounts} exec \"$0\" \"$@\"")]);
        command.arg(server.get_program()).args(server.get_args());
        command.envs(server.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Program::start(&mut command, "").end()
    });
    for (name, _) in &volume.moved {
        assert_eq!(fs::read(name).unwrap(), b"", "what is below the mount of {} is not touched", name.display());
    }
    let backup = fs::read_to_string(directories.state.join(format!("{MESSAGES}.bak"))).unwrap();
    assert_eq!(backup.lines().count(), 3);
    let state = crate::support::names(&directories.state);
    assert!(state.iter().any(|name| name.starts_with(&format!("{STORE_LOG}.2"))), "{state:?}");
    let is_leftover = |name: &&String| [".new", ".complete"].iter().any(|ending| name.ends_with(ending));
    assert_eq!(state.iter().find(is_leftover), None);
}

/// No event tells that a file was replaced.
fn wait_for_content(path: &Path) {
    let give_up = Instant::now() + Duration::from_secs(60);
    while fs::read(path).unwrap().is_empty() {
        assert!(Instant::now() < give_up, "{} stays empty", path.display());
        thread::sleep(Duration::from_millis(20));
    }
}

/// The file of the metrics is for a program of another user.
#[test]
fn metrics_keep_mode_owner_and_group() {
    let place = Place::with_server();
    place.set("prometheus_interval", "1");
    let path = place.directories.metrics();
    fs::write(&path, "").unwrap();
    if rustix::process::geteuid().is_root() {
        chown(&path, Some(12345), Some(54321)).unwrap();
    }
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    let facts = || fs::metadata(&path).map(|found| (found.mode() & 0o7777, found.uid(), found.gid())).unwrap();
    let before = facts();
    let server = place.start([]);
    wait_for_content(&path);
    assert_eq!(facts(), before);
    drop(server);
}

/// A server may not give its files to a group that it is not in: it rewrites the file that has that group.
#[test]
fn metrics_keep_a_group_that_the_server_is_not_in() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root can give a file to a group");
        return;
    }
    let place = Place::with_server();
    place.set("prometheus_interval", "1");
    let path = place.directories.metrics();
    fs::write(&path, "").unwrap();
    chown(&path, None, Some(54321)).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    let mut server = Program::start(&mut place.command_without_privileges(["start"]), "");
    server.until("Server started");
    wait_for_content(&path);
    let found = fs::metadata(&path).unwrap();
    assert_eq!((found.mode() & 0o7777, found.gid()), (0o640, 54321));
}
