//! `smp-server check`: finds what is wrong, says the remedy, changes nothing.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::process::Command;

use rcgen::{CertificateParams, DnType, Issuer, KeyPair, date_time_ymd};
use rustix::process::Signal;

use crate::support::{Place, Program, free_port};

/// A server on this machine, with nothing wrong.
fn healthy() -> Place {
    let place = Place::with_server();
    place.set("host", "127.0.0.1");
    fs::rename(place.directories.ca_key(), place.directories.config.parent().unwrap().join("ca.key")).unwrap();
    place
}

/// The lines of a finding that has these words: what it is, and the remedy.
fn finding(place: &Place, kind: &str, words: &str) -> (String, String) {
    let before = place.snapshot();
    let ended = place.run(["check"]);
    assert_eq!(place.snapshot(), before, "a check changes nothing");
    assert_eq!(ended.code, Some(i32::from(ended.stdout.contains("problem  "))), "{ended:?}");
    read(&ended.stdout, kind, words)
}

fn read(output: &str, kind: &str, words: &str) -> (String, String) {
    let mut lines = output.lines();
    let what = lines.find(|line| line.starts_with(kind) && line.contains(words));
    let what = what.unwrap_or_else(|| panic!("no {kind} about {words:?} in {output}"));
    (what.to_owned(), lines.next().unwrap_or_default().trim().to_owned())
}

#[test]
fn a_healthy_server_that_runs() {
    let place = healthy();
    let before = place.snapshot();
    let ended = place.run(["check"]);
    assert_eq!((ended.code, place.snapshot()), (Some(0), before));
    assert!(ended.stdout.contains("skipped  address: the server does not run"), "{}", ended.stdout);
    assert!(ended.stdout.contains("\n0 problems, "), "{}", ended.stdout);

    let server = place.start([]);
    let ended = place.run(["check"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
    assert!(ended.stdout.contains(": this server answers\n"), "{}", ended.stdout);
    assert!(ended.stdout.contains("\n0 problems, "), "{}", ended.stdout);
    server.signal(Signal::INT);
    assert_eq!(server.end().code, Some(0));
}

#[test]
fn the_health_check_of_a_container() {
    let place = healthy();
    let silent = place.run(["check", "--local"]);
    assert_eq!(silent.code, Some(1));
    assert!(silent.stdout.contains("problem  address: 127.0.0.1, port "), "{}", silent.stdout);
    let _server = place.start([]);
    let answers = place.run(["check", "--local"]);
    assert_eq!(answers.code, Some(0));
    assert!(answers.stdout.starts_with("ok       address: 127.0.0.1, port "), "{}", answers.stdout);
    assert_eq!(Place::empty().run(["check", "--local"]).code, Some(1));
}

#[test]
fn no_server() {
    let place = Place::empty();
    let ended = place.run(["check"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stdout.contains("server is not initialized"), "{}", ended.stdout);
}

#[test]
fn fault_wrong_owner() {
    let place = healthy();
    let log = place.directories.store_log();
    if rustix::process::geteuid().is_root() {
        fs::write(&log, "").unwrap();
        chown(&log, Some(12345), None).unwrap();
    } else {
        symlink("/etc/passwd", &log).unwrap();
    }
    let (what, remedy) = finding(&place, "problem", "wrong owner");
    assert!(what.contains(log.to_str().unwrap()), "{what}");
    assert!(
        remedy.contains("sudo chown -R ") && remedy.ends_with(place.directories.state.to_str().unwrap()),
        "{remedy}"
    );
}

#[test]
fn fault_directory_of_somebody_else() {
    let place = healthy();
    fs::set_permissions(&place.directories.state, fs::Permissions::from_mode(0o500)).unwrap();
    let ended = Program::start(&mut place.command_without_privileges(["check"]), "").end();
    let (what, remedy) = read(&ended.stdout, "problem", "may not write to");
    assert!(what.contains(place.directories.state.to_str().unwrap()), "{what}");
    assert!(remedy.contains("sudo chown -R smp:smp"), "{remedy}");
}

#[test]
fn fault_secrets_for_everybody() {
    let place = healthy();
    fs::set_permissions(place.directories.server_key(), fs::Permissions::from_mode(0o644)).unwrap();
    let (_, remedy) = finding(&place, "warning", "everybody on this machine may read the secrets");
    assert_eq!(remedy, format!("→ chmod 600 {}", place.directories.server_key().display()));
}

#[test]
fn fault_expired_leaf() {
    let place = Place::with_server();
    let read = |path| fs::read_to_string(path).unwrap();
    let ca_key = KeyPair::from_pem(&read(place.directories.ca_key())).unwrap();
    let ca = Issuer::from_ca_cert_pem(&read(place.directories.ca_certificate()), ca_key).unwrap();
    let mut leaf = CertificateParams::default();
    leaf.distinguished_name.push(DnType::CommonName, "smp.example.org");
    (leaf.not_before, leaf.not_after) = (date_time_ymd(2024, 1, 1), date_time_ymd(2025, 1, 1));
    let key = KeyPair::from_pem(&read(place.directories.server_key())).unwrap();
    fs::write(place.directories.server_certificate(), leaf.signed_by(&key, &ca).unwrap().pem()).unwrap();
    let (what, remedy) = finding(&place, "problem", "expired on 2025-01-01");
    assert!(what.contains("server.crt"), "{what}");
    assert!(remedy.contains("smp-server cert"), "{remedy}");
    // The remedy is one.
    place.run(["cert"]).succeeded();
    assert!(!place.run(["check"]).stdout.contains("expired"));
}

#[test]
fn fault_fingerprint_mismatch() {
    let place = healthy();
    fs::write(place.directories.fingerprint(), "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n").unwrap();
    let (_, remedy) = finding(&place, "problem", "fingerprint mismatch");
    assert!(remedy.contains("restore"), "{remedy}");
}

#[test]
fn fault_key_of_another_certificate() {
    let (place, other) = (healthy(), Place::with_server());
    fs::copy(other.directories.server_key(), place.directories.server_key()).unwrap();
    let (what, remedy) = finding(&place, "problem", "does not belong to the certificate");
    assert!(what.contains("server.key") && remedy == "→ restore the pair or run `smp-server cert`", "{what} {remedy}");
}

#[test]
fn fault_identity_key_on_the_server() {
    let place = Place::with_server();
    let (what, remedy) = finding(&place, "warning", "ca.key");
    assert!(what.contains("pretend to be this server") && remedy.contains("keep a copy elsewhere"), "{what} {remedy}");
}

#[test]
fn fault_web_certificate() {
    let place = healthy();
    place.set("https", "443");
    place.set("cert", "/nowhere/web.crt");
    place.set("key", "/nowhere/web.key");
    let (_, remedy) = finding(&place, "warning", "web certificate: cannot read /nowhere/web.crt");
    assert!(remedy.contains("certbot"), "{remedy}");
}

#[test]
fn fault_port_taken() {
    let place = healthy();
    let taken = TcpListener::bind("[::]:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    place.set("port", &port);
    let (what, remedy) = finding(&place, "problem", "cannot listen on port");
    assert!(what.contains(&port) && remedy.contains(&format!("ss -ltnp 'sport = :{port}'")), "{what} {remedy}");
}

#[test]
fn fault_few_open_files() {
    let place = healthy();
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -n 256; exec \"$0\" check", env!("CARGO_BIN_EXE_smp-server")]);
    shell.envs(place.command([]).get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ended = Program::start(&mut shell, "").end();
    let (_, remedy) = read(&ended.stdout, "problem", "the limit of this shell is 256");
    assert!(remedy.contains("LimitNOFILE=65535"), "{remedy}");
    assert_eq!(ended.code, Some(1));
}

#[test]
fn fault_setting() {
    let place = healthy();
    place.set("log_stats", "maybe");
    let line = place.line_of("log_stats = maybe");
    let (what, remedy) = finding(&place, "problem", "log_stats");
    assert!(
        what.contains(&format!("smp-server.ini:{line}")) && remedy.contains("correct that line"),
        "{what} {remedy}"
    );

    let place = healthy();
    place.write_ini(place.ini().replace("[AUTH]\n", "[AUTH]\nnew_queue = off\n"));
    finding(&place, "problem", "write `new_queues = ");

    let place = healthy();
    place.write_ini(place.ini().replace("[AUTH]\n", "[AUTH]\nqueue_limit = 5\n"));
    finding(&place, "warning", "queue_limit");
}

#[test]
fn fault_store_that_is_not_used() {
    let place = healthy();
    fs::create_dir(place.directories.journal()).unwrap();
    let (_, remedy) = finding(&place, "problem", "store_messages is `memory` with");
    assert!(remedy.contains("smp-server journal export"), "{remedy}");
}

#[test]
fn fault_damaged_store_log() {
    let place = healthy();
    fs::write(place.directories.store_log(), "DELETE AAAA\nnothing that is known\n").unwrap();
    let (what, remedy) = finding(&place, "warning", "2 lines cannot be read (first: line 1, ");
    assert!(
        what.contains("smp-server-store.log") && remedy.contains("append them to the store log"),
        "{what} {remedy}"
    );
}

#[test]
fn fault_name_that_leads_nowhere() {
    let place = healthy();
    place.set("host", "smp.invalid");
    let server = place.start([]);
    let (what, remedy) = finding(&place, "problem", "smp.invalid, port");
    assert!(what.contains("no TCP connection") && remedy.contains("DNS record"), "{what} {remedy}");
    drop(server);
}

#[test]
fn fault_another_server_answers() {
    let (place, other) = (healthy(), healthy());
    let port = free_port().to_string();
    for (place, address) in [(&place, "127.0.0.1"), (&other, "127.0.0.2")] {
        place.set("port", &port);
        place.set("host", "127.0.0.2");
        place.write_ini(place.ini().replace("[TRANSPORT]\n", &format!("[TRANSPORT]\nbind = {address}\n")));
    }
    let (_server, _other) = (place.start([]), other.start([]));
    let (_, remedy) = finding(&place, "problem", "127.0.0.2, port");
    assert!(remedy.contains("another server answers there"), "{remedy}");
}
