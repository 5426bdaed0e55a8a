//! `start` that succeeds.

use std::fs;
use std::net::{Ipv6Addr, TcpListener, TcpStream};

use rustix::process::Signal;

use crate::support::{MESSAGES, Place, Program, STORE_LOG, free_port, lines, names};

/// A setting, and a line that it causes at the start.
const SAID: [(&str, &str, &str); 13] = [
    ("enable", "off", "Store log disabled."),
    ("source_code", "https://example.org/source", "Server source code: https://example.org/source"),
    ("port", "5223", "Serving SMP protocol on port 5223 (TLS)..."),
    ("port", "5223, 443", "Serving SMP protocol on port 443 (TLS)..."),
    ("port", "5224", "Set `port` in smp-server.ini section [TRANSPORT] to `5223,443`"),
    ("expire_messages_days", "1", "expiring messages after 1 days"),
    ("expire_messages_days", "off", "not expiring messages"),
    ("disconnect", "off", "not expiring inactive clients"),
    ("ttl", "60", "expiring clients inactive for 60 seconds every 3600 seconds"),
    ("check_interval", "60", "expiring clients inactive for 21600 seconds every 60 seconds"),
    ("new_queues", "off", "creating new queues NOT allowed"),
    ("create_password", "my-password", "creating new queues requires password"),
    ("log_stats", "off", "creating new queues allowed"),
];

#[test]
fn settings_are_said_at_the_start() {
    for (key, value, line) in SAID {
        let place = Place::empty();
        place.run(["init", "-y", "--no-password", "--fqdn=smp.example.org"]).succeeded();
        place.set(key, value);
        // Opens no ports, so that those of the settings need not be free.
        let ended = place.run(["start", "--maintenance"]);
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        assert!(lines(&ended.stdout).contains(&line), "{key} = {value} says {line:?}: {ended:#?}");
    }
}

#[test]
fn periods_are_said_in_the_largest_even_unit() {
    let place = Place::with_server();
    let ini = place.ini();
    for (ttl, line) in [
        ("172800", "expiring messages after 2 days"),
        ("7200", "expiring messages after 2 hours"),
        ("90", "expiring messages after 90 seconds"),
        ("off", "not expiring messages"),
    ] {
        // The limits are the last section.
        place.write_ini(format!("{ini}\nmessage_ttl = {ttl}\n"));
        let ended = place.run(["start", "-m"]);
        assert!(lines(&ended.stdout).contains(&line), "{ended:#?}");
    }
}

#[test]
fn a_start_says_everything_in_order() {
    let place = Place::empty();
    place.run(["init", "-y", "--fqdn=smp.example.org", "--password=my-password", "-s", "--disable-web"]).succeeded();
    let ended = place.run(["start", "-m"]);
    let fingerprint = fs::read_to_string(place.directories.fingerprint()).unwrap();
    let fingerprint = fingerprint.trim();
    let version = place.run(["-v"]).stdout;
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(
        lines(&ended.stdout),
        [
            version.trim_end_matches('\n'),
            &format!("Fingerprint: {fingerprint}"),
            // No port: clients find the server at 5223 and 443 without.
            &format!("Server address: smp://{fingerprint}:my-password@smp.example.org"),
            "Warning: server source code is not specified.",
            "Add 'source_code' property to [INFORMATION] section of INI file.",
            &format!("Store log: {}", place.directories.store_log().display()),
            "Serving SMP protocol on port 5223 (TLS)...",
            "Serving SMP protocol on port 443 (TLS)...",
            "expiring messages after 21 days",
            "expiring clients inactive for 21600 seconds every 3600 seconds",
            "creating new queues requires password",
            "Server started in 'maintenance' mode, exiting",
        ]
    );
    let restoring = format!("restoring queues from file {}", place.directories.store_log().display());
    assert_eq!(ended.logged("NOTE")[0], restoring);
    assert!(!ended.stderr.contains("my-password"), "passwords are not logged");
}

#[test]
fn maintenance_compacts_and_saves_without_opening_ports() {
    let place = Place::with_server();
    let taken = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).unwrap();
    place.set("port", &taken.local_addr().unwrap().port().to_string());
    let messages = place.with_messages(5, 300);
    let queues = fs::read_to_string(place.directories.store_log()).unwrap();

    let ended = place.run(["start", "-m"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(ended.stdout.lines().last(), Some("Server started in 'maintenance' mode, exiting"));
    assert_eq!(place.sorted_lines(MESSAGES), messages);
    assert_eq!(place.sorted_lines(STORE_LOG).len(), 5);
    let state = names(&place.directories.state);
    let backup = state.iter().find(|name| name.starts_with("smp-server-store.log.2") && name.ends_with('Z'));
    let backup = backup.unwrap_or_else(|| panic!("there is a backup: {state:?}"));
    assert_eq!(fs::read_to_string(place.directories.state.join(backup)).unwrap(), queues);
}

#[test]
fn connections_are_accepted_once_it_says_so() {
    let place = Place::with_server();
    let port = free_port();
    place.set("port", &port.to_string());
    let mut server = Program::start(&mut place.command(["start"]), "");
    assert!(server.until("binding to ").ends_with(&format!(":{port}\n")));
    server.until("Server started");
    TcpStream::connect(("127.0.0.1", port)).expect("over IPv4");
    server.signal(Signal::TERM);
    assert_eq!(server.end().code, Some(0));
}

#[test]
fn options_of_the_reference_are_accepted() {
    let place = Place::with_server();
    for options in [
        &["+RTS", "-N", "-RTS"][..],
        &["--compact-log"],
        &["--confirm-migrations", "up", "--skip-warnings"],
        &["--confirm-migrations=down", "--log-level=note", "+RTS", "-N"],
    ] {
        assert_eq!(place.start_and_stop(options.iter().copied()).code, Some(0), "{options:?}");
    }
    let logged = place.start_and_stop(["--compact-log", "--confirm-migrations", "up"]);
    assert!(logged.stderr.contains("--compact-log: the store log is compacted at every start"), "{logged:#?}");
    assert!(logged.stderr.contains("--confirm-migrations up: there is no database to migrate"), "{logged:#?}");
}

#[test]
fn the_log_has_messages_from_its_level_on() {
    let place = Place::with_server();
    place.write_ini(place.ini() + "\n[OTHER]\nkey = value\n");
    for (level, first, shown) in [
        ("trace", "WARN", &["INFO", "NOTE", "WARN"][..]),
        ("info", "WARN", &["INFO", "NOTE", "WARN"]),
        ("note", "WARN", &["NOTE", "WARN"]),
        ("warn", "WARN", &["WARN"]),
        ("error", "", &[]),
    ] {
        let ended = place.run(["start", "-m", "--compact-log", "--log-level", level]);
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        let mut levels: Vec<_> =
            ended.log().into_iter().map(|(level, _)| level).filter(|level| *level != "DEBUG").collect();
        assert_eq!(levels.first().copied().unwrap_or_default(), first, "{level}");
        levels.sort_unstable();
        levels.dedup();
        assert_eq!(levels, shown, "{level}");
        assert!(ended.stdout.ends_with("Server started in 'maintenance' mode, exiting\n"), "{level}");
    }
}

#[test]
fn the_log_has_local_time() {
    let place = Place::with_server();
    let ended = Program::start(place.command(["start", "-m"]).env("TZ", "EST5"), "").end();
    assert!(ended.stderr.lines().all(|line| line.contains(" -0500] ")), "{ended:#?}");
}

#[test]
fn what_the_server_does_not_understand_is_a_warning() {
    let place = Place::with_server();
    let ini = place.ini() + "\nstray line\n[AUTH\nkey = value\n[OTHER]\ncolour = red\n";
    place.write_ini(ini);
    let ended = place.run(["start", "-m"]);
    let file = place.directories.ini();
    let at = |line: usize, text: &str| format!("{}:{line}: {text}", file.display());
    let line = place.line_of("stray line");
    assert_eq!(
        ended.logged("WARN"),
        [
            &at(line, "ignored: neither `key = value` nor `[section]`"),
            &at(line + 1, "not a section name; all keys up to the next section are ignored"),
            &at(line + 4, "unknown key colour in section [OTHER] is ignored"),
        ]
    );
    assert_eq!(ended.code, Some(0));
}

#[test]
fn missing_web_certificates_do_not_stop_messaging() {
    let place = Place::empty();
    place.run(["init", "-y", "--fqdn=smp.example.org"]).succeeded();
    place.set("port", &free_port().to_string());
    let ended = place.start_and_stop([]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let web_certificate = place.directories.web_certificate();
    assert!(ended.logged("WARN")[0].contains(web_certificate.to_str().unwrap()), "{ended:#?}");
}

#[test]
fn output_that_nobody_reads_is_no_failure() {
    let place = Place::empty();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut init = place.command(["init", "-y"]);
    let status = init.stdout(writer.try_clone().unwrap()).stderr(writer).status().unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(place.directories.ini().exists());
}
