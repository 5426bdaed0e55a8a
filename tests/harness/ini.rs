//! Settings in `smp-server.ini`.

use std::fs;
use std::path::Path;

/// Stands for any free port: no file can have it.
pub const ANY_PORT: &str = "0";

/// Keys whose value is a port.
pub const PORTS: [&str; 6] = ["port", "websockets", "control_port", "http", "https", "prometheus_listen"];

/// Section, key and value.
pub type Setting<'a> = (&'a str, &'a str, &'a str);

/// The configuration that the conformance checklist assumes: behaviour.md §11, column "Test".
pub const TEST_SETTINGS: &[Setting<'static>] = &[
    ("TRANSPORT", "port", ANY_PORT),
    ("LIMITS", "message_queue_quota", "4"),
    ("LIMITS", "pending_end_interval_ms", "500"),
    ("LIMITS", "ntf_delivery_interval_ms", "200"),
    ("LIMITS", "session_queue_size", "4"),
    // All servers are on one machine.
    ("PROXY", "allow_private", "on"),
    // As in production; shards must not be fewer because of the machine that runs the tests.
    ("LIMITS", "threads", "2"),
];

/// For what is told of the messages log; `SMP_TEST_MESSAGES=journal` makes the journal the default.
pub const IN_MEMORY: Setting<'static> = ("STORE_LOG", "store_messages", "memory");

/// Sets a key, in place of its other values.
pub fn set(path: &Path, (section, key, value): Setting<'_>) {
    let text = fs::read_to_string(path).expect("the server was initialized");
    let header = format!("[{section}]");
    let mut current = "";
    let mut lines = Vec::new();
    for line in text.lines() {
        if line.starts_with('[') {
            current = line.trim();
        }
        let is_old_value = current == header && line.split(['=', ':']).next().is_some_and(|word| word.trim() == key);
        if !is_old_value {
            lines.push(line.to_owned());
        }
        if line.trim() == header {
            lines.push(format!("{key} = {value}"));
        }
    }
    assert!(lines.contains(&header), "{header} is a section of the generated file");
    lines.push(String::new());
    fs::write(path, lines.join("\n")).expect("the file can be written");
}
