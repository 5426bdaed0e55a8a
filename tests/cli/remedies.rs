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
        let is_restored =
            ["restore", "put it back", "put the store log back"].iter().any(|way| remedy.starts_with(way));
        assert!(is_restored, "nobody knows what to do about {problem}: {remedy}");
        let copy = match path.strip_prefix(&self.place.directories.state) {
            Ok(name) => self.backup.join("state").join(name),
            Err(_) => self.backup.join(path.file_name().unwrap()),
        };
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

#[test]
fn files_of_the_state() {
    let files = |place: &Place| {
        let directories = &place.directories;
        vec![
            directories.store_log(),
            directories.messages_log(),
            directories.ntfs_log(),
            directories.stats_log(),
            directories.daily_stats(),
            directories.metrics(),
        ]
    };
    // Some are made only by a server that runs.
    let made = move |place: &Place| {
        let files = files(place);
        for path in files.iter().filter(|path| !path.exists()) {
            fs::write(path, "").unwrap();
        }
        files
    };
    every_damage_of(made, "memory");
}

#[test]
fn files_of_the_journal() {
    let files = |place: &Place| {
        let names = crate::support::names(&place.directories.journal());
        names.iter().map(|name| place.directories.journal().join(name)).collect()
    };
    every_damage_of(files, "journal");
}

/// A damaged line: what it does to the server, and how its queue and messages come back.
fn one_line_is_damaged(path: impl Fn(&Place) -> PathBuf, damage: impl Fn(&str) -> String) {
    let patient = Patient::new("memory");
    let path = path(&patient.place);
    let whole = fs::read_to_string(&path).unwrap();
    let line = whole.lines().nth(1).unwrap();
    fs::write(&path, whole.replacen(line, &damage(line), 1)).unwrap();
    let checked = patient.run(&["check"]);
    assert_eq!((checked.code, problems(&checked.stdout).count()), (Some(0), 0), "{checked:#?}");
    let started = patient.run(&["start", "-m"]);
    assert_eq!(started.code, Some(0), "{started:#?}");
    assert!(started.stderr.contains("messages stored: 2, "), "the others are served: {started:#?}");
    for warning in started.logged("WARN") {
        let (what, _) = warning.rsplit_once("; ").unwrap();
        assert!(checked.stdout.contains(what), "{warning} is in {checked:#?}");
    }
    let rejected = path.with_file_name(format!("{}.rejected", path.file_name().unwrap().display()));
    if damage("") != damage(line) {
        assert!(started.stderr.contains("line 2"), "{started:#?}");
        assert_eq!(fs::read_to_string(&rejected).unwrap(), format!("{}\n", damage(line)));
        fs::remove_file(&rejected).unwrap();
    }
    // What a stop has saved, and the corrected line.
    let saved = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{saved}{line}\n")).unwrap();
    let started = patient.run(&["start", "-m"]);
    assert!(started.stderr.contains("messages stored: 3, ") && started.logged("WARN").is_empty(), "{started:#?}");
}

#[test]
fn a_damaged_line_of_the_store_log_concerns_one_queue() {
    one_line_is_damaged(|place| place.directories.store_log(), |line| line.replace("CREATE", "CREXTE"));
}

#[test]
fn a_missing_line_of_the_store_log_concerns_one_queue() {
    let patient = Patient::new("memory");
    let path = patient.place.directories.store_log();
    let whole = fs::read_to_string(&path).unwrap();
    for kept in [whole.rsplit_once("CREATE").unwrap().0, &whole[..whole.len() - 30]] {
        fs::write(&path, kept).unwrap();
        let checked = patient.run(&["check"]);
        assert_eq!(problems(&checked.stdout).count(), 0, "{checked:#?}");
        assert!(checked.stdout.contains("1 messages of 1 queues"), "{checked:#?}");
        let started = patient.run(&["start", "-m"]);
        assert!(started.stderr.contains("messages stored: 2, "), "the others are served: {started:#?}");
        fs::write(&path, &whole).unwrap();
        let started = patient.run(&["start", "-m"]);
        assert!(started.stderr.contains("messages stored: 3, "), "{started:#?}");
    }
}

#[test]
fn a_damaged_line_of_saved_messages_concerns_one_message() {
    one_line_is_damaged(|place| place.directories.messages_log(), |line| line.replace("v3 ", "vX "));
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
