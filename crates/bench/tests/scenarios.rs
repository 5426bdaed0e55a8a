//! The program against a server of this workspace, on loopback.

use std::path::Path;
use std::process::Command;
use std::sync::mpsc;

use slog::{Discard, Logger, o};
use smp_actors::clock::Clock;
use smp_actors::{Server, ServerParts, Sockets};
use smp_config::certificates::{NewChain, SignAlgorithm};
use smp_config::paths::Directories;
use smp_config::settings::Settings;

const SETTINGS: &str = "\
[STORE_LOG]
enable = on

[TRANSPORT]
port = 0
websockets = off
";

/// A server in this process; it ends with it. Its address.
fn server(directory: &Path) -> String {
    let chain = NewChain::generate(SignAlgorithm::Ed25519, "localhost").unwrap();
    let identity = chain.identity();
    let (settings, _) = Settings::parse(Path::new("smp-server.ini"), SETTINGS).unwrap();
    let parts = ServerParts {
        settings,
        directories: Directories { config: directory.to_owned(), state: directory.to_owned() },
        credentials: chain.credentials(),
        skip_warnings: false,
        handle_signals: false,
        version: "",
        logger: Logger::root(Discard, o!()),
    };
    let (ready, port) = mpsc::channel();
    std::thread::spawn(move || {
        let sockets = Sockets::bind(&parts.settings).unwrap();
        let server =
            Server::load_with(parts, std::sync::Arc::new(smp_store::files::RealFiles), Clock::system()).unwrap();
        server.run(sockets, |server| ready.send(server.listening[0].port()).unwrap()).unwrap();
    });
    format!("smp://{identity}@127.0.0.1:{}", port.recv().unwrap())
}

/// Runs the program; its figures by name.
fn figures(arguments: &[&str]) -> impl Fn(&str) -> f64 + use<> {
    let output = Command::new(env!("CARGO_BIN_EXE_smp-bench")).arg("--json").args(arguments).output().unwrap();
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
    let directory = tempfile::tempdir().unwrap();
    let address = server(directory.path());
    let pid = std::process::id().to_string();
    let pid = ["--pid", &pid];

    let figure = figures(&[&["deliver", &address, "--pairs", "2", "--seconds", "1"][..], &pid].concat());
    assert!(figure("messages") > 0.0 && figure("delivered") > 0.0);
    assert!(figure("SEND to MSG, p50") <= figure("SEND to MSG, p99"));
    assert!(figure("ratio to the floor per delivered message") > 0.0);
    let figure = figures(&["deliver", &address, "--pairs", "2", "--seconds", "1", "--rate", "10"]);
    // Every pair one message at the begin, and then five a second.
    assert!((2.0..=12.0).contains(&figure("messages")), "{}", figure("messages"));

    let figure = figures(&[&["handshake", &address, "--connections", "5"][..], &pid].concat());
    assert!((figure("connections"), figure("handshake, max") > 0.0) == (5.0, true));
    let figure = figures(&[&["create", &address, "--queues", "150"][..], &pid].concat());
    assert!(figure("queues") > 149.0 && figure("NEW") > 0.0 && figure("SKEY") > 0.0);
    let figure = figures(&[&["idle", &address, "--connections", "5"][..], &pid].concat());
    assert!(figure("connections") > 4.0);
    let figure = figures(&[&["backlog", &address, "--queues", "3", "--messages", "20"][..], &pid].concat());
    assert!(figure("messages") > 59.0 && figure("fetched") > 0.0);
}

#[test]
fn the_floor_is_above_nothing() {
    let figure = figures(&["floor"]);
    for name in ["verify Ed25519, 16 KB", "verify Ed25519, 60 B", "seal a block", "open a block", "encrypt a message"] {
        assert!(figure(name) > 0.0 && figure(name) < figure("delivered message, without TLS"), "{name}");
    }
}

#[test]
fn failures_are_one_line() {
    let output = Command::new(env!("CARGO_BIN_EXE_smp-bench"))
        .args(["handshake", "smp://AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=@127.0.0.1:1"])
        .output()
        .unwrap();
    assert!(!output.status.success());
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.starts_with("smp-bench: ") && error.lines().count() == 1, "{error}");
    // More than the quota of 128 messages: the server refuses, and so the scenario fails.
    let directory = tempfile::tempdir().unwrap();
    let address = server(directory.path());
    let output = Command::new(env!("CARGO_BIN_EXE_smp-bench"))
        .args(["backlog", &address, "--queues", "1", "--messages", "130"])
        .output()
        .unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().contains("QUOTA"));
}
