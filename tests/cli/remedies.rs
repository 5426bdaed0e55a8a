//! Whatever is wrong with a file, `check` says what `start` says, and what it tells to do is done here until the server starts.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Ended, Place, Program};

/// What is wrong with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Damage {
    Missing,
    Empty,
    Torn,
    Garbage,
    Unreadable,
    Directory,
    WrongOwner,
}

use Damage::{Directory, Empty, Garbage, Missing, Torn, Unreadable, WrongOwner};

const ALL: [Damage; 7] = [Missing, Empty, Torn, Garbage, Unreadable, Directory, WrongOwner];

/// More than any chain of remedies needs.
const MOST_REMEDIES: usize = 4;

impl Damage {
    fn is_done_to(self, path: &Path) {
        match self {
            Missing => fs::remove_file(path).unwrap(),
            Empty => fs::write(path, "").unwrap(),
            Torn => {
                let content = fs::read(path).unwrap();
                fs::write(path, &content[..content.len() - content.len().min(30)]).unwrap();
            }
            Garbage => fs::write(path, "garbage\nand more of it\n").unwrap(),
            Unreadable => fs::set_permissions(path, Permissions::from_mode(0o000)).unwrap(),
            Directory => {
                fs::remove_file(path).unwrap();
                fs::create_dir(path).unwrap();
            }
            WrongOwner => {
                chown(path, Some(12345), Some(12345)).unwrap();
                fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
            }
        }
    }
}

/// A server with queues, messages and everything else, and a copy of it.
struct Patient {
    place: Place,
    backup: PathBuf,
}

impl Patient {
    fn new(storage: &str) -> Self {
        let place = Place::with_server();
        for (key, value) in [("host", "127.0.0.1"), ("log_stats", "on"), ("store_messages", storage)] {
            place.set(key, value);
        }
        place.with_messages(3, 30);
        assert_eq!(place.run(["start", "-m"]).code, Some(0));
        let backup = place.directories.config.with_file_name("backup");
        let copied = Command::new("cp").arg("-a").arg(&place.directories.config).arg(&backup).status().unwrap();
        assert!(copied.success());
        let copied = Command::new("cp").arg("-a").arg(&place.directories.state).arg(backup.join("state")).status();
        assert!(copied.unwrap().success());
        Self { place, backup }
    }

    /// As the user of the server, who is not root.
    fn run(&self, arguments: &[&str]) -> Ended {
        Program::start(&mut self.place.command_without_privileges(arguments.iter().copied()), "").end()
    }

    /// Follows the remedies of `check` until it has no problem; then the server starts.
    fn is_cured(&self, path: &Path, damage: Damage) {
        for _ in 0..MOST_REMEDIES {
            let before = self.place.snapshot();
            let checked = self.run(&["check"]);
            assert_eq!(self.place.snapshot(), before, "a check changes nothing");
            let problems: Vec<_> = problems(&checked.stdout).collect();
            if problems.is_empty() {
                let started = self.run(&["start", "-m"]);
                assert_eq!(started.code, Some(0), "{damage:?} {}: {checked:#?} {started:#?}", path.display());
                return;
            }
            for (problem, remedy) in problems {
                self.follow(path, &problem, &remedy);
            }
        }
        panic!("{damage:?} {} is not cured: {:#?}", path.display(), self.run(&["check"]));
    }

    /// Does what the operator is told.
    fn follow(&self, path: &Path, problem: &str, remedy: &str) {
        if let Some((_, command)) = remedy.split_once("run `")
            && let Some((command, _)) = command.split_once('`')
        {
            let command = command.replace("smp-server", env!("CARGO_BIN_EXE_smp-server"));
            return self.shell(&command);
        }
        if remedy.starts_with("sudo ") {
            return self.shell(&remedy.replace("sudo ", ""));
        }
        if remedy.contains("(chown)") {
            return self.shell(&format!("chown root:root {0} && chmod 600 {0}", path.display()));
        }
        if remedy.starts_with("remove this directory") || remedy.starts_with("remove that directory") {
            return fs::remove_dir(path).unwrap();
        }
        assert!(remedy.starts_with("restore"), "nobody knows what to do about {problem}: {remedy}");
        let directory = if path.starts_with(&self.place.directories.state) { "state" } else { "" };
        let copy = self.backup.join(directory).join(path.file_name().unwrap());
        self.shell(&format!("cp -a {} {}", copy.display(), path.display()));
    }

    fn shell(&self, command: &str) {
        let mut shell = Command::new("sh");
        shell.args(["-c", command]);
        shell.envs(self.place.command([]).get_envs().filter_map(|(name, value)| Some((name, value?))));
        let ended = Program::start(&mut shell, "").end();
        assert_eq!(ended.code, Some(0), "{command}: {ended:#?}");
    }
}

/// What each problem is, and its remedy.
fn problems(checked: &str) -> impl Iterator<Item = (String, String)> {
    let mut lines = checked.lines();
    std::iter::from_fn(move || {
        let problem = lines.find(|line| line.starts_with("problem  "))?;
        let remedy = lines.next().unwrap_or_default().trim().trim_start_matches("→ ");
        Some((problem.to_owned(), remedy.to_owned()))
    })
}

fn every_damage_of(files: impl Fn(&Place) -> Vec<PathBuf>, storage: &str) {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root can give files to somebody else");
        return;
    }
    let count = files(&Patient::new(storage).place).len();
    for file in 0..count {
        for damage in ALL {
            let patient = Patient::new(storage);
            let path = files(&patient.place).swap_remove(file);
            damage.is_done_to(&path);
            patient.is_cured(&path, damage);
        }
    }
}

#[test]
fn files_of_the_settings() {
    let files = |place: &Place| {
        let directories = &place.directories;
        vec![
            directories.ca_certificate(),
            directories.ca_key(),
            directories.fingerprint(),
            directories.server_certificate(),
            directories.server_key(),
        ]
    };
    every_damage_of(files, "memory");
}

/// Both are what renewing a web certificate may overwrite.
#[test]
fn web_certificates_in_place_of_those_of_the_server() {
    for overwritten in [&["server.crt"][..], &["server.key"], &["server.crt", "server.key"]] {
        let patient = Patient::new("memory");
        let config = &patient.place.directories.config;
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=web.example.org", "-days", "3"])
            .args(["-keyout", "web.key", "-out", "web.crt"])
            .current_dir(&patient.backup)
            .output();
        assert!(made.unwrap().status.success());
        for name in overwritten {
            fs::copy(patient.backup.join(name.replace("server", "web")), config.join(name)).unwrap();
        }
        patient.is_cured(&config.join("server.crt"), Garbage);
        assert_eq!(
            patient.place.certificate_subject(),
            if overwritten == ["server.key"] { "subject=CN = smp.example.org" } else { "subject=CN = 127.0.0.1" }
        );
    }
}

#[test]
fn a_read_only_file_system_is_named() {
    if !Command::new("unshare").args(["-rm", "true"]).status().is_ok_and(|status| status.success()) {
        println!("skipped: this machine does not allow mount namespaces (unshare -rm)");
        return;
    }
    let patient = Patient::new("memory");
    let directories = &patient.place.directories;
    for (directory, kind) in [(&directories.state, "problem"), (&directories.config, "warning")] {
        let path = directory.display();
        let server = env!("CARGO_BIN_EXE_smp-server");
        let command = format!(
            "mount --bind {path} {path} && mount -o remount,ro,bind {path} && {server} check; \
             {server} start -m; mount -o remount,rw,bind {path} && {server} start -m"
        );
        let mut unshare = Command::new("unshare");
        unshare.args(["-rm", "sh", "-c", &command]);
        unshare.envs(patient.place.command([]).get_envs().filter_map(|(name, value)| Some((name, value?))));
        let ended = Program::start(&mut unshare, "").end();
        let line = format!("{kind}  files: the file system of {path} is mounted read-only");
        assert!(ended.stdout.contains(&line), "{ended:#?}");
        assert!(ended.stdout.contains(&format!("→ sudo mount -o remount,rw {path}\n")), "{ended:#?}");
        let starts = ended.stdout.matches("Server started in 'maintenance' mode").count();
        assert_eq!((ended.code, starts), (Some(0), if kind == "problem" { 1 } else { 2 }), "{ended:#?}");
    }
}

#[test]
fn without_a_store_log_nothing_is_kept() {
    let place = Place::with_server();
    place.set("enable", "off");
    let text = "the store log is off: all queues and messages are lost when the server stops";
    let checked = place.run(["check"]);
    assert!(
        checked.stdout.contains(&format!("warning  state: {text}\n         → set `enable = on` in [STORE_LOG]")),
        "{checked:#?}"
    );
    let started = place.run(["start", "-m"]);
    assert!(started.logged("WARN").iter().any(|line| line.starts_with(text)), "{started:#?}");
    place.set("enable", "on");
    assert!(!place.run(["check"]).stdout.contains(text));
}
