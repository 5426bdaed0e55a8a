//! Directories of a server of its own.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;
use smp_config::paths::{CONFIG_VARIABLE, Directories, STATE_VARIABLE};
use tempfile::TempDir;

use super::program::{Ended, Program};

const PROGRAM: &str = env!("CARGO_BIN_EXE_smp-server");

/// Directories of a server, and the program that works in them.
pub struct Place {
    /// The directories; they are not made by the test.
    pub directories: Directories,
    parent: TempDir,
}

/// Every file and directory below a place: mode, time of the last change in nanoseconds, content.
pub type Snapshot = BTreeMap<PathBuf, (u32, i128, Vec<u8>)>;

impl Place {
    /// A place with nothing in it.
    pub fn empty() -> Self {
        let parent = tempfile::tempdir().expect("a temporary directory can be made");
        Self { directories: Directories::below(parent.path()), parent }
    }

    /// A place with a new server, on a free port and without HTTPS.
    pub fn with_server() -> Self {
        let place = Self::empty();
        place.run(["init", "-y", "--fqdn", "smp.example.org", "--disable-web"]).succeeded();
        place.set("port", &free_port().to_string());
        place
    }

    /// The program with these arguments.
    pub fn command<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        self.with_environment(Command::new(PROGRAM), arguments)
    }

    /// The program as an ordinary user runs it, even if the test is run by root: permissions of files and ports count.
    pub fn command_without_privileges<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        if !rustix::process::geteuid().is_root() {
            return self.command(arguments);
        }
        let mut command = Command::new("setpriv");
        command.args(["--bounding-set=-all", "--inh-caps=-all", PROGRAM]);
        self.with_environment(command, arguments)
    }

    fn with_environment<'a>(&self, mut command: Command, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        command.args(arguments);
        command.env(CONFIG_VARIABLE, &self.directories.config).env(STATE_VARIABLE, &self.directories.state);
        command.env("LC_ALL", "C").current_dir(self.parent.path());
        command
    }

    /// Runs the program to its end, with nothing on its standard input.
    pub fn run<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Ended {
        self.answer(arguments, "")
    }

    /// Runs the program to its end, with this text on its standard input.
    pub fn answer<'a>(&self, arguments: impl IntoIterator<Item = &'a str>, input: &str) -> Ended {
        Program::start(&mut self.command(arguments), input).end()
    }

    /// Starts the server and waits until it accepts connections.
    pub fn start<'a>(&self, options: impl IntoIterator<Item = &'a str>) -> Program {
        let mut server = Program::start(&mut self.command(["start"].into_iter().chain(options)), "");
        server.until("Server started");
        server
    }

    /// Starts the server and stops it as soon as it accepts connections.
    pub fn start_and_stop<'a>(&self, options: impl IntoIterator<Item = &'a str>) -> Ended {
        let server = self.start(options);
        server.signal(Signal::INT);
        server.end()
    }

    /// The text of the INI file.
    pub fn ini(&self) -> String {
        fs::read_to_string(self.directories.ini()).expect("there is an INI file")
    }

    /// Replaces the INI file.
    pub fn write_ini(&self, text: impl AsRef<[u8]>) {
        fs::write(self.directories.ini(), text).expect("the INI file can be written");
    }

    /// Sets a key that is set or commented out in the INI file.
    pub fn set(&self, key: &str, value: &str) {
        let ini = self.ini();
        let is_key = |line: &&str| line.trim_start_matches("# ").split(" = ").next() == Some(key);
        let line = ini.lines().find(is_key).unwrap_or_else(|| panic!("{key} is in the INI file"));
        self.write_ini(ini.replacen(&format!("\n{line}\n"), &format!("\n{key} = {value}\n"), 1));
    }

    /// The number of the line of the INI file that begins with this text.
    pub fn line_of(&self, start: &str) -> usize {
        let found = self.ini().lines().position(|line| line.starts_with(start));
        found.unwrap_or_else(|| panic!("{start:?} is in the INI file")) + 1
    }

    /// The subject of the leaf certificate, as openssl sees it.
    pub fn certificate_subject(&self) -> String {
        let mut openssl = Command::new("openssl");
        openssl.args(["x509", "-noout", "-subject", "-nameopt", "oneline", "-in"]);
        let output = openssl.arg(self.directories.server_certificate()).output().expect("openssl is installed");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Everything that is there, but the lock file, which every start makes.
    pub fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot::new();
        add(&mut snapshot, self.parent.path());
        snapshot.retain(|path, _| !path.ends_with("smp-server.lock"));
        // Its time changes with the lock file.
        if let Some((_, changed, _)) = snapshot.get_mut(&self.directories.state) {
            *changed = 0;
        }
        snapshot
    }
}

/// Names of the files in a directory, sorted; none if there is no directory.
pub fn names(directory: &Path) -> Vec<String> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Vec::new(),
        entries => entries.expect("the directory can be read"),
    };
    let names = entries.map(|entry| entry.expect("the directory can be read").file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().expect("our names are UTF-8")).collect();
    names.sort();
    names
}

/// Permissions that tests take away would keep the directory from being removed.
impl Drop for Place {
    fn drop(&mut self) {
        for directory in [&self.directories.config, &self.directories.state] {
            let _ = fs::set_permissions(directory, fs::Permissions::from_mode(0o700));
        }
    }
}

/// What must not be read counts as empty.
fn add(snapshot: &mut Snapshot, path: &Path) {
    let metadata = fs::symlink_metadata(path).expect("what is listed is there");
    let changed = i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
    let content = if metadata.is_file() { fs::read(path).unwrap_or_default() } else { Vec::new() };
    snapshot.insert(path.to_owned(), (metadata.mode(), changed, content));
    if metadata.is_dir() {
        for entry in fs::read_dir(path).into_iter().flatten() {
            add(snapshot, &entry.expect("directories can be read").path());
        }
    }
}

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0))
        .or_else(|_| TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)))
        .expect("there is a free port");
    listener.local_addr().expect("it has an address").port()
}
