//! A machine for the guide: its commands run in a directory that stands for `/`, as the user of the test, who is also `smp`.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use smp_config::paths::{CONFIG_VARIABLE, Directories, STATE_VARIABLE};
use tempfile::TempDir;

/// Programs that administer a machine, for somebody who has none: other users become the one who runs the test.
const PROGRAMS: [(&str, &str); 4] = [
    ("sudo", "exec \"$@\""),
    // su smp -c COMMAND
    ("su", "shift; exec sh \"$@\""),
    ("chown", "exit 0"),
    ("useradd", "exit 0"),
];

pub struct Host {
    root: TempDir,
}

/// What a command left behind.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    pub fn succeeded(&self) -> &Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }
}

impl Host {
    pub fn new() -> Self {
        let this = Self { root: tempfile::tempdir().unwrap() };
        let programs = this.path("/usr/local/bin");
        fs::create_dir_all(&programs).unwrap();
        for (name, script) in PROGRAMS {
            let path = programs.join(name);
            fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_smp-server"), programs.join("smp-server")).unwrap();
        this
    }

    /// Where a path of the machine is.
    pub fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path.trim_start_matches('/'))
    }

    pub fn directories(&self) -> Directories {
        Directories { config: self.path("/etc/opt/simplex"), state: self.path("/var/opt/simplex") }
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub fn write(&self, path: &str, text: &str) {
        fs::write(self.path(path), text).unwrap();
    }

    /// The text of a command with the paths of this machine.
    pub fn adapted(&self, text: &str) -> String {
        let root = self.root.path().display();
        ["/etc/opt", "/var/opt"].iter().fold(text.to_owned(), |text, path| text.replace(path, &format!("{root}{path}")))
    }

    /// A shell that will run this command here.
    pub fn shell(&self, command: &str) -> Command {
        let mut shell = Command::new("sh");
        let programs = self.path("/usr/local/bin");
        let path = std::env::var("PATH").unwrap_or_default();
        shell.args(["-c", &self.adapted(command)]).env("PATH", format!("{}:{path}", programs.display()));
        let Directories { config, state } = self.directories();
        shell.env(CONFIG_VARIABLE, config).env(STATE_VARIABLE, state).current_dir(self.root.path());
        shell
    }

    pub fn sh(&self, command: &str) -> Ended {
        self.answer(command, "")
    }

    pub fn answer(&self, command: &str, input: &str) -> Ended {
        let mut shell = self.shell(command);
        let mut child =
            shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("there is a shell");
        let mut stdin = child.stdin.take().expect("standard input is piped");
        // A program that does not read it all may have ended.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        let output = child.wait_with_output().expect("the shell ends");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it is text");
        Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

}
