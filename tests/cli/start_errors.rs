//! `start` that fails: one clear message, exit code 1, and no file in the state directory touched.

use std::fs::{self, Permissions};
use std::net::{Ipv6Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::{Ended, MESSAGES, Place, Program, free_port};

/// Does something to a good server that has queues and messages.
type Damage = fn(&Place);

/// A server with this damage, and `text` with `{identity}`, `{config}` and `{state}` filled in.
fn damaged(damage: Damage, text: &str) -> (Place, String) {
    let place = Place::with_server();
    place.with_messages(3, 300);
    let identity = fs::read_to_string(place.directories.fingerprint()).unwrap();
    damage(&place);
    let text = text.replace("{identity}", identity.trim());
    let text = text.replace("{config}", place.directories.config.to_str().unwrap());
    let text = text.replace("{state}", place.directories.state.to_str().unwrap());
    (place, text)
}

/// Starts the server as an ordinary user does; it must fail and touch nothing.
fn fails(place: &Place) -> Ended {
    let before = place.snapshot();
    let ended = Program::start(&mut place.command_without_privileges(["start"]), "").end();
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    assert!(place.snapshot() == before, "nothing is touched: {ended:#?}");
    ended
}

/// The failure is one line of the log and all that is said.
fn fails_with(place: &Place, text: &str) {
    let ended = fails(place);
    assert_eq!(ended.log(), [("ERROR", text)]);
    assert_eq!(ended.stdout, "");
}

/// The failure is found out after the first lines of the start.
fn fails_later_with(place: &Place, text: &str) {
    let ended = fails(place);
    assert_eq!(ended.logged("ERROR"), [text]);
}

fn forbid(path: impl AsRef<Path>, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// The reference says these in fixed words on standard output.
const SAID: [(Damage, &str); 8] = [
    (
        |place| fs::remove_file(place.directories.ini()).unwrap(),
        "Error: server is not initialized ({config}/smp-server.ini does not exist).\nRun `smp-server init`.\n",
    ),
    (
        |place| fs::write(place.directories.fingerprint(), "d5fcsc7hhtPpexYUbI2XPxDbyU2d3WsVmROimcL90ss=\n").unwrap(),
        "Stored fingerprint is invalid.\n\
         {config}/fingerprint is not that of {config}/ca.crt: restore the one of them that was changed.\n",
    ),
    (
        |place| fs::remove_file(place.directories.server_certificate()).unwrap(),
        "----------\nError: no SMP credentials: {config}/server.crt\n\
         Restore them from a backup, or put ca.key beside ca.crt and run `smp-server cert`.\n",
    ),
    (
        |place| fs::remove_file(place.directories.server_key()).unwrap(),
        "----------\nError: no SMP credentials: {config}/server.key\n\
         Restore them from a backup, or put ca.key beside ca.crt and run `smp-server cert`.\n",
    ),
    (
        |place| {
            fs::remove_file(place.directories.server_certificate()).unwrap();
            fs::remove_file(place.directories.server_key()).unwrap();
        },
        "----------\nError: no SMP credentials: {config}/server.crt, {config}/server.key\n\
         Restore them from a backup, or put ca.key beside ca.crt and run `smp-server cert`.\n",
    ),
    (
        |place| fs::create_dir(place.directories.journal()).unwrap(),
        "Error: both {state}/smp-server-messages.log file and {state}/smp-server-journal directory are present.\n\
         Set store_messages to `journal` in smp-server.ini: the server then has all these messages.\n",
    ),
    (
        |place| {
            fs::remove_file(place.directories.messages_log()).unwrap();
            fs::create_dir(place.directories.journal()).unwrap();
        },
        "Error: store_messages is `memory` with {state}/smp-server-journal directory present.\n\
         Move its messages with `smp-server journal export`, then remove it with `smp-server journal delete`.\n",
    ),
    (
        |place| {
            fs::remove_file(place.directories.messages_log()).unwrap();
            fs::create_dir(place.directories.reference_journal()).unwrap();
        },
        "Error: store_messages is `memory` with {state}/messages directory present.\n\
         Set store_messages to `journal` in smp-server.ini: the next start moves its messages to the journal of this server.\n",
    ),
];

#[test]
fn what_the_reference_says_is_said() {
    for (damage, text) in SAID {
        let (place, text) = damaged(damage, text);
        assert_eq!(fails(&place), Ended { code: Some(1), stdout: text, stderr: String::new() });
    }
}

/// What `expire_messages_days` may be.
const DAYS: &str = "a whole number of days from 1 to 10000000, or off: messages never expire";

/// A setting that cannot be used, the problem, and what is allowed.
const SETTINGS: [(&str, &str, &str, &str); 13] = [
    ("enable", "yes", "STORE_LOG", "on, off"),
    ("log_stats", "on # yes", "STORE_LOG", "on, off"),
    ("expire_messages_days", "many", "STORE_LOG", DAYS),
    ("expire_messages_days", "0", "STORE_LOG", DAYS),
    ("expire_ntfs_hours", "0", "STORE_LOG", "a whole number from 1 to 10000000"),
    ("new_queues", "ON", "AUTH", "on, off"),
    (
        "port",
        "5223;443",
        "TRANSPORT",
        "ports from 1 to 65535 separated by commas, for example 5223,443; it cannot be off",
    ),
    ("port", "", "TRANSPORT", "ports from 1 to 65535 separated by commas, for example 5223,443; it cannot be off"),
    ("port", "65536", "TRANSPORT", "ports from 1 to 65535 separated by commas, for example 5223,443; it cannot be off"),
    ("websockets", "maybe", "TRANSPORT", "on, off, or ports from 1 to 65535 separated by commas"),
    ("host_mode", "tor", "PROXY", "public, onion"),
    ("socks_mode", "never", "PROXY", "onion, always"),
    ("disconnect", "true", "INACTIVE_CLIENTS", "on, off"),
];

#[test]
fn a_setting_that_cannot_be_used_is_named_with_its_line() {
    for (key, value, section, allowed) in SETTINGS {
        let (place, _) = damaged(|_| (), "");
        place.set(key, value);
        let (file, line) = (place.directories.ini(), place.line_of(&format!("{key} = ")));
        fails_with(
            &place,
            &format!(
                "invalid INI setting {key}: {value} ({}:{line}, section [{section}], key {key}; allowed: {allowed})",
                file.display()
            ),
        );
    }
}

#[test]
fn a_missing_setting_is_named() {
    for (key, section, allowed) in [
        ("port", "TRANSPORT", "ports from 1 to 65535 separated by commas, for example 5223,443; it cannot be off"),
        ("websockets", "TRANSPORT", "on, off, or ports from 1 to 65535 separated by commas"),
        ("ttl", "INACTIVE_CLIENTS", "a number of seconds"),
    ] {
        let (place, _) = damaged(|_| (), "");
        place.write_ini(place.ini().replace(&format!("\n{key} = "), &format!("\n# {key} = ")));
        let file = place.directories.ini();
        let text = format!(
            "no key {key} in section {section} ({}, section [{section}], key {key}; allowed: {allowed})",
            file.display()
        );
        fails_with(&place, &text);
    }
}

#[test]
fn a_password_that_cannot_be_used_is_not_shown() {
    let (place, _) = damaged(|_| (), "");
    place.set("create_password", "my secret");
    let (file, line) = (place.directories.ini(), place.line_of("create_password"));
    let text = format!(
        "invalid INI setting create_password: a password cannot contain ' ': use printable characters except white space, \
         '@', ':' and '/' ({}:{line}, section [AUTH], key create_password)",
        file.display()
    );
    fails_with(&place, &text);
}

/// What is wrong with the files of the configuration directory.
const FILES: [(Damage, &str); 9] = [
    (
        |place| place.write_ini(b"[AUTH]\nnew_queues = on\n# caf\xe9\n"),
        "{config}/smp-server.ini:3: not UTF-8 text; save the file in UTF-8",
    ),
    (
        |place| forbid(place.directories.ini(), 0),
        "cannot read {config}/smp-server.ini: Permission denied (os error 13); \
         make the user of the server its owner (chown), or run this as that user",
    ),
    (
        |place| fs::remove_file(place.directories.ca_certificate()).unwrap(),
        "cannot read {config}/ca.crt: No such file or directory (os error 2); restore it from a backup",
    ),
    (
        |place| fs::remove_file(place.directories.fingerprint()).unwrap(),
        "{config}/fingerprint holds no fingerprint; if clients know this server as {identity}, \
         run `echo '{identity}' > {config}/fingerprint`",
    ),
    (
        |place| forbid(place.directories.server_key(), 0),
        "cannot read {config}/server.key: Permission denied (os error 13); \
         make the user of the server its owner (chown), or run this as that user",
    ),
    (
        |place| forbid(place.directories.server_certificate(), 0),
        "cannot read {config}/server.crt: Permission denied (os error 13); \
         make the user of the server its owner (chown), or run this as that user",
    ),
    (
        |place| fs::write(place.directories.server_certificate(), "").unwrap(),
        "No certificate found at {config}/server.crt; restore the pair or run `smp-server cert`",
    ),
    (
        |place| {
            fs::copy(Place::with_server().directories.server_key(), place.directories.server_key()).unwrap();
        },
        "invalid credential: the key in {config}/server.key does not belong to the certificate in {config}/server.crt; \
         restore the pair or run `smp-server cert`",
    ),
    (
        |place| {
            let other = Place::with_server();
            fs::copy(other.directories.server_key(), place.directories.server_key()).unwrap();
            fs::copy(other.directories.server_certificate(), place.directories.server_certificate()).unwrap();
        },
        "invalid credential: the certificate in {config}/server.crt was not issued by the one in {config}/ca.crt; \
         restore the pair or run `smp-server cert`",
    ),
];

#[test]
fn a_file_that_cannot_be_used_is_named_with_a_remedy() {
    for (damage, text) in FILES {
        let (place, text) = damaged(damage, text);
        fails_with(&place, &text);
    }
}

#[test]
fn kinds_of_storage_that_do_not_fit_are_refused() {
    for (messages, problem, allowed) in [
        (
            "database",
            "Database and memory storage are not compatible.",
            "store_queues memory with store_messages memory or journal, store_queues database with journal or database",
        ),
        (
            "tape",
            "Invalid storage settings: store_queues: memory, store_messages: tape",
            "store_queues memory or database, store_messages memory, journal or database",
        ),
    ] {
        let (place, _) = damaged(|_| (), "");
        place.set("store_messages", messages);
        let (file, line) = (place.directories.ini(), place.line_of("store_messages"));
        fails_with(
            &place,
            &format!(
                "{problem} ({}:{line}, section [STORE_LOG], key store_messages; allowed: {allowed})",
                file.display()
            ),
        );
    }
}

#[test]
fn kinds_of_storage_that_are_missing_are_refused() {
    for (queues, messages, text) in [
        (
            "database",
            "database",
            "store_queues = database: this server has no database storage; run `smp-server database export` of the program that \
             wrote it, set store_queues and store_messages to memory in smp-server.ini and start again",
        ),
        (
            "database",
            "journal",
            "store_queues = database: this server has no database storage; run `smp-server database export` of the program that \
             wrote it, set store_queues and store_messages to memory in smp-server.ini and start again",
        ),
    ] {
        let (place, _) = damaged(|_| (), "");
        place.set("store_queues", queues);
        place.set("store_messages", messages);
        fails_later_with(&place, text);
    }
}

#[test]
fn a_port_in_use_is_named() {
    let (place, _) = damaged(|_| (), "");
    let taken = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let text = format!(
        "cannot listen on port {port}: Address already in use (os error 98); \
         stop the program that uses port {port}, or configure another port"
    );
    for ports in [format!("{port}"), format!("{},{port}", free_port())] {
        place.set("port", &ports);
        fails_with(&place, &text);
    }
}

#[test]
fn a_port_that_needs_privileges_is_named() {
    let first_free_for_all = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap();
    if first_free_for_all.trim() == "0" {
        println!("on this machine everybody may use every port");
        return;
    }
    let (place, _) = damaged(|_| (), "");
    place.set("port", "1");
    let text = "cannot listen on port 1: Permission denied (os error 13); \
                port 1 needs the capability CAP_NET_BIND_SERVICE, or configure a port above 1023";
    fails_with(&place, text);
}

/// What is wrong with the state directory.
const STATE: [(Damage, &str); 4] = [
    (
        |place| fs::rename(&place.directories.state, place.directories.config.join("elsewhere")).unwrap(),
        "cannot open {state}/smp-server.lock: No such file or directory (os error 2); check that the state directory exists",
    ),
    (
        |place| forbid(&place.directories.state, 0),
        "cannot open {state}/smp-server.lock: Permission denied (os error 13); make the user of the server its owner (chown)",
    ),
    (
        |place| forbid(&place.directories.state, 0o500),
        "cannot open {state}/smp-server.lock: Permission denied (os error 13); make the user of the server its owner (chown)",
    ),
    (
        |place| forbid(place.directories.store_log(), 0),
        "cannot read {state}/smp-server-store.log: Permission denied (os error 13); \
         make the user of the server its owner (chown)",
    ),
];

#[test]
fn a_state_directory_that_cannot_be_used_is_named_with_a_remedy() {
    for (damage, text) in STATE {
        let (place, text) = damaged(damage, text);
        fails_later_with(&place, &text);
    }
}

#[test]
fn a_store_log_that_cannot_be_written_is_named_with_a_remedy() {
    let (place, text) = damaged(
        |place| {
            fs::write(place.directories.state.join("smp-server.lock"), "").unwrap();
            forbid(&place.directories.state, 0o500);
        },
        "{state}/smp-server-store.log",
    );
    let ended = fails(&place);
    let [error] = ended.logged("ERROR")[..] else { panic!("{ended:#?}") };
    assert!(error.contains(&text) && error.contains("Permission denied") && error.contains("chown"), "{error}");
}

#[test]
fn one_state_directory_has_one_server() {
    let (place, text) =
        damaged(|_| (), "another server runs in {state}; stop it first, or use another state directory");
    let _first = place.start([]);
    place.set("port", &free_port().to_string());
    fails_later_with(&place, &text);
}

#[test]
fn messages_of_unknown_queues_are_set_aside_and_come_back() {
    let (place, _) = damaged(|_| (), "");
    let (store_log, saved) = (place.directories.store_log(), place.sorted_lines(MESSAGES));
    let whole = fs::read_to_string(&store_log).unwrap();
    fs::write(&store_log, whole.rsplit_once("CREATE ").unwrap().0).unwrap();
    for _ in 0..2 {
        let checked = place.run(["check"]);
        assert!(checked.stdout.contains("set aside: 1 messages of 1 queues"), "{checked:#?}");
        let ended = place.run(["start", "-m"]);
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        assert!(
            ended.logged("WARN").iter().any(|text| text.starts_with("set aside: 1 messages of 1 queues")),
            "{ended:#?}"
        );
        assert_eq!(place.sorted_lines(MESSAGES), saved[..2]);
        assert_eq!(place.sorted_lines("smp-server-messages.unclaimed.log"), saved[2..]);
    }
    fs::write(&store_log, whole).unwrap();
    let ended = place.run(["start", "-m"]);
    assert_eq!((ended.code, ended.logged("WARN")), (Some(0), Vec::new()));
    assert_eq!(place.sorted_lines(MESSAGES), saved);
    assert!(!place.directories.state.join("smp-server-messages.unclaimed.log").exists());
}
