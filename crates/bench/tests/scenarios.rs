//! The program against a server of this workspace, on loopback.

#[allow(dead_code, reason = "shared with other test programs, each of which needs its part")]
#[path = "../../../tests/harness/in_process.rs"]
mod in_process;

use std::fs;
use std::process::{Command, Output};
use std::thread;

use in_process::{InProcess, silent};
use smp_actors::Machine;
use smp_config::certificates::{NewChain, SignAlgorithm};

const SETTINGS: &str = "\
[STORE_LOG]
enable = on

[TRANSPORT]
port = 0
websockets = off
";

/// A server with a state of its own, which ends with the process.
struct Installed {
    chain: NewChain,
    state: tempfile::TempDir,
    server: InProcess,
}

impl Installed {
    fn start() -> Self {
        Self::start_with(SETTINGS)
    }

    fn start_with(settings: &str) -> Self {
        let chain = NewChain::generate(SignAlgorithm::Ed25519, "localhost").unwrap();
        let state = tempfile::tempdir().unwrap();
        let server = InProcess::start(settings, state.path(), &chain, Machine::default(), silent());
        Self { chain, state, server }
    }

    fn address(&self) -> String {
        self.server.address.to_string()
    }

    /// Ends it in good order and starts another one on the same state and port.
    fn restart(self) -> Self {
        let Self { chain, state, server } = self;
        let port = server.address.port.unwrap();
        server.stop();
        let settings = SETTINGS.replace("port = 0", &format!("port = {port}"));
        let server = InProcess::start(&settings, state.path(), &chain, Machine::default(), silent());
        Self { chain, state, server }
    }
}

fn bench(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_smp-bench")).args(arguments).output().unwrap()
}

/// Runs the program; its figures by name.
fn figures(arguments: &[&str]) -> impl Fn(&str) -> f64 + use<> {
    let output = bench(&[&["--json"], arguments].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    move |name| {
        let figures = report["figures"].as_array().unwrap();
        let figure = figures.iter().find(|figure| figure["name"] == name);
        figure.unwrap_or_else(|| panic!("{name} is missing: {report}"))["value"].as_f64().unwrap()
    }
}

#[test]
fn every_scenario() {
    let server = Installed::start();
    let address = server.address();
    let pid = std::process::id().to_string();
    let pid = ["--pid", &pid];

    let figure = figures(&[&["deliver", &address, "--pairs", "2", "--seconds", "1"][..], &pid].concat());
    assert!(figure("messages") > 0.0 && figure("delivered") > 0.0);
    assert!(figure("SEND to MSG, p50") <= figure("SEND to MSG, p99"));
    assert!(figure("SEND to OK, p50") <= figure("SEND to OK, p99"));
    assert!(figure("ratio to the floor per delivered message") > 0.0);
    let figure = figures(&["deliver", &address, "--pairs", "2", "--seconds", "1", "--rate", "10"]);
    // Every pair one message at the begin, and then five a second.
    assert!((2.0..=12.0).contains(&figure("messages")), "{}", figure("messages"));
    let figure = figures(&["deliver", &address, "--pairs", "3", "--messages", "7"]);
    assert!(figure("messages") > 20.0 && figure("messages") < 22.0);

    let figure = figures(&[&["handshake", &address, "--connections", "5"][..], &pid].concat());
    assert!((figure("connections"), figure("handshake, max") > 0.0) == (5.0, true));
    let figure = figures(&[&["create", &address, "--queues", "150"][..], &pid].concat());
    assert!(figure("queues") > 149.0 && figure("NEW") > 0.0 && figure("SKEY") > 0.0 && figure("DEL") > 0.0);
    let figure = figures(&[&["idle", &address, "--connections", "5"][..], &pid].concat());
    assert!(figure("connections") > 4.0);
    let figure = figures(&[&["backlog", &address, "--queues", "3", "--messages", "20"][..], &pid].concat());
    assert!(figure("messages") > 59.0 && figure("sent") > 0.0);
    let figure = figures(&["drain", &address, "--queues", "5", "--messages", "20", "--clients", "2"]);
    assert!(figure("messages") > 99.0 && figure("fetched") > 0.0);
    let figure = figures(&["crowd", &address, "--clients", "6", "--queues", "4", "--rate", "20", "--seconds", "1"]);
    assert!(figure("subscriptions") > 23.0 && figure("messages") > 0.0);
    let figure = figures(&["storm", &address, "--clients", "6", "--queues", "4"]);
    assert!(figure("subscriptions") > 23.0 && figure("until all are subscribed") > 0.0);
    let figure = figures(&[&["silent", &address, "--connections", "50", "--handshakes", "5"][..], &pid].concat());
    assert!(figure("connections that say nothing") > 49.0 && figure("ratio at p99") > 0.0);
    let figure = figures(&[&["unread", &address, "--clients", "3", "--seconds", "1"][..], &pid].concat());
    assert!(figure("clients") > 2.0 && figure("server's memory with them") > 0.0);
    for flood in ["send", "subscribe", "new"] {
        let figure = figures(&["fairness", &address, "--flood", flood, "--seconds", "1", "--rate", "20"]);
        assert!(figure("ratio at p99") > 0.0);
    }
}

/// Two servers take turns, and the disk of one of them.
#[test]
fn durability() {
    let memory = Installed::start();
    let journal = Installed::start_with(&SETTINGS.replace("enable = on", "enable = on\nstore_messages = journal"));
    let (memory, disk) = (memory.address(), tempfile::tempdir().unwrap());
    let against = ["--against", &memory, "--disk", disk.path().to_str().unwrap()];
    let figure = figures(&[&["durable", &journal.address(), "--senders", "2", "--rounds", "1"], &against[..]].concat());
    assert!(figure("journal, sent") > 0.0 && figure("memory, sent") > 0.0 && figure("journal, sent, of memory") > 0.0);
    assert!(figure("disk, append and sync, p50") <= figure("disk, append and sync, p99"));
    assert!(figure("journal, SEND to OK of a single sender, p99") > 0.0);

    let output = bench(&["durable", &memory, "--against", &memory, "--disk", "/nowhere", "--senders", "1"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.starts_with("smp-bench: --disk /nowhere: "), "{error}");
}

/// Messages that wait in memory survive a restart in good order.
#[test]
fn a_restart() {
    let server = Installed::start();
    let place = tempfile::tempdir().unwrap();
    let (pid, ask, done) = (place.path().join("pid"), place.path().join("ask"), place.path().join("done"));
    fs::write(&pid, format!("{}\n", std::process::id())).unwrap();
    let command = format!("echo restart > {} && cat {}", ask.display(), done.display());
    for pipe in [&ask, &done] {
        assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
    }
    let address = server.address();
    let arguments = ["restart", &address, "--clients", "3", "--queues", "2", "--command", &command, "--stored", "6"];
    let pid = ["--pid", pid.to_str().unwrap()];
    let server = thread::scope(|scope| {
        let bench = scope.spawn(|| figures(&[&arguments[..], &pid].concat()));
        // Both block until the other side has opened the pipe.
        assert_eq!(fs::read_to_string(&ask).unwrap(), "restart\n");
        let server = server.restart();
        fs::write(&done, "").unwrap();
        let figure = bench.join().unwrap();
        assert!(figure("messages waiting before") > 2.0 && figure("messages waiting after") > 2.0);
        assert!(figure("server's memory after the start per queue") > 0.0);
        server
    });

    let output = bench(&["restart", &server.address(), "--clients", "1", "--queues", "1", "--command", "exit 3"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.starts_with("smp-bench: --command: ") && error.ends_with("3\n"), "{error}");
}

#[test]
fn pictures() {
    let server = Installed::start();
    let (address, place, pid) = (server.address(), tempfile::tempdir().unwrap(), std::process::id().to_string());
    let draw = |name: &str, arguments: &[&str]| {
        let file = place.path().join(name);
        let output = bench(&[arguments, &["--plot", file.to_str().unwrap()]].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        fs::read_to_string(file).unwrap()
    };
    let picture = draw("curve.svg", &["curve", &address, "--pairs", "1,3", "--seconds", "1"]);
    assert!(picture.starts_with("<svg") && picture.contains("delivered messages per second"), "{picture}");
    let picture = draw("create.svg", &["create", &address, "--queues", "100", "--window", "10", "--pid", &pid]);
    assert!(["NEW", "SKEY", "DEL"].iter().all(|command| picture.contains(command)), "{picture}");

    let output = bench(&["floor", "--plot", "nothing.svg"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.starts_with("smp-bench: this scenario has nothing to draw"), "{error}");
    assert!(
        String::from_utf8(output.stdout).unwrap().contains("verify Ed25519"),
        "what was measured is shown all the same"
    );
}

#[test]
fn the_floor_is_above_nothing() {
    let figure = figures(&["floor"]);
    for name in ["verify Ed25519, 16 KB", "verify Ed25519, 60 B", "seal a block", "open a block", "encrypt a message"] {
        assert!(figure(name) > 0.0 && figure(name) < figure("delivered message"), "{name}");
    }
}

#[test]
fn failures_are_one_line() {
    let output = bench(&["handshake", "smp://AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=@127.0.0.1:1"]);
    assert!(!output.status.success());
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.starts_with("smp-bench: ") && error.lines().count() == 1, "{error}");
    // More than the quota of 128 messages: the server refuses, and so the scenario fails.
    let server = Installed::start();
    let output = bench(&["backlog", &server.address(), "--queues", "1", "--messages", "130"]);
    assert!(String::from_utf8(output.stderr).unwrap().contains("QUOTA"));
}
