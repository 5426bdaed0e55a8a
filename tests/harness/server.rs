//! A server under test: the real program, with directories of its own and on a free port.

use std::cell::RefCell;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use smp_client::protocol::address::{Host, KeyHash, ServerAddress};
use smp_client::protocol::version::Version;
use smp_client::{Client, Options};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use super::GIVE_UP;
use super::ini::{self, ANY_PORT, PORTS, Setting, TEST_SETTINGS};
use super::process::Process;
use super::reserved_port::ReservedPort;

/// The program under test.
const PROGRAM: &str = env!("CARGO_BIN_EXE_smp-server");

/// A server, running or stopped. Dropping it kills it; if the test has failed, what it wrote is printed.
pub struct Server {
    directory: TempDir,
    key_hash: KeyHash,
    running: Option<(Process, ServerAddress)>,
    /// Its ports, the one of SMP first.
    ports: RefCell<Vec<ReservedPort>>,
    /// What earlier runs wrote.
    past: Vec<String>,
}

impl Server {
    /// A running server with the settings of the checklist.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// A running server with other settings too.
    pub async fn start_with(settings: &[Setting<'_>]) -> Self {
        let mut server = Self::new(&[], settings);
        server.run().await;
        server
    }

    /// A running server with Ed448 certificates.
    pub async fn start_with_ed448() -> Self {
        let mut server = Self::new(&["--sign-algorithm", "ED448"], &[]);
        server.run().await;
        server
    }

    /// An initialized server that does not run.
    pub fn new(init_options: &[&str], settings: &[Setting<'_>]) -> Self {
        let directory = tempfile::tempdir().expect("there is room for temporary files");
        let mut init = program(directory.path());
        init.args(["init", "-y", "--no-password", "--fqdn", "localhost", "--disable-web"]).args(init_options);
        let output = init.output().expect("the program can be started");
        assert!(output.status.success(), "init failed: {}", String::from_utf8_lossy(&output.stderr));
        let fingerprint = std::fs::read_to_string(config(directory.path()).join("fingerprint")).expect("made by init");
        let key_hash = fingerprint.trim().parse().expect("the fingerprint is a key hash");
        let server = Self { directory, key_hash, running: None, ports: RefCell::default(), past: Vec::new() };
        let storage = std::env::var("SMP_TEST_MESSAGES").unwrap_or_else(|_| "memory".to_owned());
        let storage = [("STORE_LOG", "store_messages", &*storage)];
        for setting in TEST_SETTINGS.iter().chain(&storage).chain(settings) {
            server.set(*setting);
        }
        server
    }

    /// Changes a setting for the next run. [`ANY_PORT`] is a free port; that of `https` is shared with SMP.
    pub fn set(&self, (section, key, value): Setting<'_>) {
        let mut value = value.to_owned();
        if value == ANY_PORT && PORTS.contains(&key) {
            let mut ports = self.ports.borrow_mut();
            if key != "https" {
                ports.push(ReservedPort::new());
            }
            let port = if key == "https" { ports.first() } else { ports.last() };
            value = port.expect("the port of SMP is set first").number.to_string();
        }
        ini::set(&config(self.directory.path()).join("smp-server.ini"), (section, key, &value));
    }

    /// Starts it and waits until it listens.
    pub async fn run(&mut self) {
        self.run_with(&[]).await;
    }

    /// [`Self::run`] with options of the command line.
    pub async fn run_with(&mut self, options: &[&str]) {
        let mut command = program(self.directory.path());
        command.arg("start").args(options);
        self.run_command(&mut command).await;
    }

    /// [`Self::run`] with an actor that hangs as soon as it comes to this point.
    pub async fn run_hanging_at(&mut self, point: &str) {
        let mut command = program(self.directory.path());
        command.arg("start").env("SMP_SERVER_HANGS_AT", point);
        self.run_command(&mut command).await;
    }

    async fn run_command(&mut self, command: &mut Command) {
        assert!(self.running.is_none(), "the server runs already");
        let process = Process::start(command);
        let listens = process.output().line(0, |line| line.contains("binding to "));
        let Some(line) = timeout(GIVE_UP, listens).await.expect("the server starts or ends") else {
            self.past.extend(process.output().lines());
            panic!("the server did not start");
        };
        let port = line.rsplit(':').next().and_then(|port| port.parse().ok()).expect("the line ends with the port");
        let hosts = vec![Host::V4(std::net::Ipv4Addr::LOCALHOST)];
        let address = ServerAddress { key_hash: self.key_hash, password: None, hosts, port: Some(port) };
        self.running = Some((process, address));
    }

    /// Runs it when it is expected to refuse; how it ended and what it wrote.
    pub async fn run_to_failure(&mut self) -> (ExitStatus, Vec<String>) {
        let process = Process::start(program(self.directory.path()).arg("start"));
        let output = process.output().clone();
        let status = process.exit().await;
        (status, output.lines())
    }

    /// Starts it and sends it a signal `delay` after its first line, when it is probably not ready yet.
    pub async fn run_interrupted(&mut self, signal: Signal, delay: Duration) {
        let process = Process::start(program(self.directory.path()).arg("start"));
        let output = process.output().clone();
        timeout(GIVE_UP, output.line(0, |_| true)).await.expect("the server writes something");
        sleep(delay).await;
        process.signal(signal);
        let ended = timeout(GIVE_UP, output.ended()).await;
        self.past.extend(output.lines());
        ended.expect("the program ends");
        process.exit().await;
    }

    /// Ends it in good order with SIGINT.
    pub async fn stop(&mut self) {
        self.stop_by(Signal::INT).await;
    }

    /// Ends it in good order with this signal.
    pub async fn stop_by(&mut self, signal: Signal) {
        let status = self.end_by(signal).await;
        assert_eq!(status.code(), Some(0), "an orderly end after {signal:?}");
        assert!(self.past.iter().any(|line| line.ends_with("Server stopped")));
    }

    /// Kills it.
    pub async fn kill(&mut self) {
        self.end_by(Signal::KILL).await;
    }

    /// Sends it a signal and waits until it has ended.
    pub async fn end_by(&mut self, signal: Signal) -> ExitStatus {
        let (process, _) = self.running.take().expect("the server runs");
        let output = process.output().clone();
        process.signal(signal);
        let status = process.exit().await;
        self.past.extend(output.lines());
        status
    }

    /// [`Self::stop`] and [`Self::run`].
    pub async fn restart(&mut self) {
        self.stop().await;
        self.run().await;
    }

    /// The running process.
    pub fn process(&self) -> &Process {
        &self.running.as_ref().expect("the server runs").0
    }

    /// Where it listens, and who it is.
    pub fn address(&self) -> &ServerAddress {
        &self.running.as_ref().expect("the server runs").1
    }

    /// Who it is.
    pub fn identity(&self) -> KeyHash {
        self.key_hash
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.address().port.expect("a running server has a port")
    }

    /// A client of the newest version.
    pub async fn connect(&self) -> Client {
        self.connect_with(&Options::default()).await
    }

    /// A client of exactly this version.
    pub async fn connect_at(&self, version: Version) -> Client {
        self.connect_with(&Options::with_version(version)).await
    }

    /// A client of its own kind.
    pub async fn connect_with(&self, options: &Options) -> Client {
        Client::connect(self.address(), options).await.expect("the server accepts clients")
    }

    /// Runs another command of the program in the directories of this server; it must succeed.
    pub fn execute(&self, arguments: &[&str]) {
        let output = program(self.directory.path()).args(arguments).output().expect("the program can be started");
        assert!(output.status.success(), "{arguments:?} failed: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// The same with a command that asks whether to go on.
    pub fn execute_and_confirm(&self, arguments: &[&str]) {
        let mut command = program(self.directory.path());
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program can be started");
        let mut input = child.stdin.take().expect("standard input is piped");
        input.write_all(b"Y\n").expect("the program reads the answer");
        let output = child.wait_with_output().expect("the program can be waited for");
        assert!(output.status.success(), "{arguments:?} failed: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// A file in the configuration directory.
    pub fn config_file(&self, name: &str) -> PathBuf {
        config(self.directory.path()).join(name)
    }

    /// A file in the state directory.
    pub fn state_file(&self, name: &str) -> PathBuf {
        state(self.directory.path()).join(name)
    }

    /// Waits until a line with this text is written, from line number `first` of this run on.
    pub async fn logs(&self, first: usize, text: &str) -> String {
        let line = self.process().output().line(first, |line| line.contains(text));
        match timeout(GIVE_UP, line).await {
            Ok(Some(line)) => line,
            _ => panic!("the server never wrote {text:?}"),
        }
    }

    /// Everything it has written, in all runs.
    pub fn output(&self) -> Vec<String> {
        let present = self.running.as_ref().map(|(process, _)| process.output().lines());
        self.past.iter().cloned().chain(present.into_iter().flatten()).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let output = self.running.take().map(|(process, _)| {
            let output = process.output().clone();
            drop(process);
            output
        });
        self.past.extend(output.into_iter().flat_map(|output| output.lines()));
        if std::thread::panicking() {
            println!("--- output of the server\n{}\n---", self.past.join("\n"));
        } else {
            let panic = self.past.iter().find(|line| line.contains("panicked at"));
            assert!(panic.is_none(), "the server panicked: {}", self.past.join("\n"));
        }
    }
}

fn config(directory: &Path) -> PathBuf {
    directory.join("config")
}

fn state(directory: &Path) -> PathBuf {
    directory.join("state")
}

fn program(directory: &Path) -> Command {
    let mut command = Command::new(PROGRAM);
    command.env("SMP_SERVER_CFG_PATH", config(directory)).env("SMP_SERVER_LOG_PATH", state(directory));
    command
}
