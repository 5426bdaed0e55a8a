//! Every command in the guides is run, one box after the other, on a machine of their own. Programs that change the machine
//! itself or ask the network are replaced (see `host.rs`); the server, its files, its service and its commands are real.

use std::fs;
use std::path::Path;

use crate::host::Host;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn document(name: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join("docs").join(name)).unwrap()
}

/// The boxes that are marked as commands.
fn boxes(text: &str) -> Vec<String> {
    let mut boxes = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line == "```sh" {
            boxes.push(lines.by_ref().take_while(|line| *line != "```").collect::<Vec<_>>().join("\n"));
        }
    }
    boxes
}

/// Runs all boxes of a document; what each wrote.
fn follow(host: &Host, name: &str) -> Vec<String> {
    let outputs = boxes(&document(name)).into_iter().map(|commands| {
        let ended = host.sh(&format!("set -e\n{commands}"));
        assert_eq!(ended.code, Some(0), "{name}:\n{commands}\n{}{}", ended.stdout, ended.stderr);
        ended.stdout
    });
    outputs.collect()
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    lines
}

fn find<'a>(outputs: &'a [String], words: &str) -> &'a str {
    outputs
        .iter()
        .find(|output| output.contains(words))
        .unwrap_or_else(|| panic!("{words:?} is nowhere in {outputs:#?}"))
}

#[test]
fn the_hosting_guide() {
    let host = Host::new();
    let outputs = follow(&host, "hosting.md");
    assert!(find(&outputs, "Start the server with:").contains("systemctl"));
    assert!(find(&outputs, "active (running)").contains("Server started"));
    find(&outputs, "0 problems, ");
    find(&outputs, "this server answers");
    assert!(find(&outputs, "█").starts_with("smp://"), "the address and its QR code");
    assert!(find(&outputs, "Changed ").contains("Server address: smp://"));
    find(&outputs, "keep it where nobody else can read it");
    let journal = host.read("/var/log/smp-server.log");
    for line in [
        "loaded the web certificate",
        "reloaded certificate and password",
        "reading messages from ",
        "abcdefghijklmnopqrstuvwx.onion",
        "Server stopped",
    ] {
        assert!(journal.contains(line), "{line}: {journal}");
    }
    assert!(!host.path("/etc/opt/simplex/ca.crt").exists(), "the last box removes the server");
}

/// The same commands, explained in another language.
#[test]
fn the_czech_guide_has_the_commands_of_the_english_one() {
    assert_eq!(boxes(&document("cs/hosting.md")), boxes(&document("hosting.md")));
}

#[test]
fn moving_from_the_reference_and_back() {
    let host = Host::new();
    host.with_reference_server();
    let store_log = host.read("/var/opt/simplex/smp-server-store.log");
    let messages = host.read("/var/opt/simplex/smp-server-messages.log");
    let outputs = follow(&host, "migrate.md");
    let found = find(&outputs, "ok       state: ");
    let queues = store_log.lines().filter(|line| line.starts_with("CREATE ")).count();
    let kept = messages.lines().filter(|line| !line.contains(" quota")).count();
    let counts = format!(" queues and {kept} messages can be loaded");
    assert!(queues > 0 && found.contains(&counts), "{found}");
    find(&outputs, "'maintenance' mode");
    find(&outputs, "active (running)");
    // The dry run touched a copy only, and what was kept is what the reference left.
    let kept = host.read("/var/opt/simplex.reference/smp-server-messages.log");
    assert!(kept == messages, "the copy is another");
    // What is there on the way back is what came.
    host.sh("sudo systemctl stop smp-server").succeeded();
    let back = host.read("/var/opt/simplex/smp-server-messages.log");
    assert!(sorted(&back) == sorted(&messages), "messages are lost, or there are others");
}

#[test]
fn the_security_guide() {
    let host = Host::new();
    host.sh(
        "sudo deploy/install && sudo -u smp smp-server init --yes --fqdn localhost && sudo systemctl start smp-server",
    )
    .succeeded();
    let outputs = follow(&host, "security.md");
    find(&outputs, "0 problems, ");
    assert!(host.read("/etc/opt/simplex/smp-server.ini").contains("\nmax_connections = 20000\n"));
    host.sh("sudo systemctl stop smp-server").succeeded();
}
