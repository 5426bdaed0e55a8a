//! What systemd is told by a server that it started with `Type=notify`.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use rustix::process::Signal;
use smp_client::protocol::address::{Host, ServerAddress};
use smp_client::{Client, NewQueueOptions, Options};

use crate::support::{Place, Program, free_port};

/// How long systemd waits in vain.
const LIMIT: Duration = Duration::from_secs(2);

/// The next message.
fn told(socket: &UnixDatagram) -> String {
    let mut bytes = [0; 1000];
    let length = socket.recv(&mut bytes).unwrap();
    String::from_utf8(bytes[..length].to_vec()).unwrap().trim_end().to_owned()
}

#[test]
fn ready_alive_and_stopping() {
    let place = Place::with_server();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let mut command = place.command(["start"]);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "100000");
    let server = Program::start(&mut command, "");
    let mut messages = vec![told(&socket)];
    while messages.iter().filter(|message| *message == "WATCHDOG=1").count() < 3 {
        messages.push(told(&socket));
    }
    assert!(messages.contains(&"READY=1".to_owned()), "{messages:?}");
    server.signal(Signal::INT);
    while messages.last().unwrap() != "STOPPING=1" {
        messages.push(told(&socket));
    }
    assert_eq!(server.end().code, Some(0));
    assert_eq!(messages.iter().filter(|message| *message == "READY=1").count(), 1);
}

/// A server that hangs there, as soon as a client is served, and its next words to systemd.
fn hanging_at(point: &str) -> (Program, UnixDatagram, Place, tempfile::TempDir) {
    let place = Place::empty();
    place.run(["init", "-y", "--no-password", "--fqdn", "smp.example.org", "--disable-web"]).succeeded();
    let port = free_port();
    place.set("port", &port.to_string());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let mut command = place.command(["start"]);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", LIMIT.as_micros().to_string());
    let mut server = Program::start(command.env("SMP_SERVER_HANGS_AT", point), "");
    server.until("Server started");
    while told(&socket) != "WATCHDOG=1" {}
    let fingerprint = std::fs::read_to_string(place.directories.config.join("fingerprint")).unwrap();
    let hosts = vec![Host::V4([127, 0, 0, 1].into())];
    let address =
        ServerAddress { key_hash: fingerprint.trim().parse().unwrap(), password: None, hosts, port: Some(port) };
    // It is answered only if something else hangs.
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let client = Client::connect(&address, &Options::default()).await;
            drop(client.unwrap().create_queue(NewQueueOptions::default()).await);
        });
    });
    (server, socket, place, directory)
}

/// Systemd hears nothing for as long as it was told to wait, and kills the server.
#[test]
fn an_actor_that_hangs() {
    for (point, actor) in
        [("StoreLogWriter", "StoreLogWriter"), ("RegistryCommand", "QueueRegistry"), ("Notifications", "Notifications")]
    {
        let (mut server, socket, _place, _directory) = hanging_at(point);
        let line = server.until(" hangs: no answer for ");
        assert!(line.contains(actor), "{point}: {line}");
        if point == "Notifications" {
            // Those that share its thread do not answer either.
            server.until("Supervisor hangs");
        }
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        let mut bytes = [0; 100];
        let mut heard = 0;
        while socket.recv(&mut bytes).is_ok() {
            heard += 1;
            assert!(heard < 40, "{point}: systemd is told that it is alive");
        }
        server.signal(Signal::ABORT);
        assert_eq!(server.end().code, None);
    }
}

/// Nobody listens there: the server runs all the same.
#[test]
fn a_socket_that_is_gone() {
    let place = Place::with_server();
    let mut command = place.command(["start"]);
    command.env("NOTIFY_SOCKET", place.directories.state.join("nothing"));
    let mut server = Program::start(&mut command, "");
    server.until("Server started");
    server.until("cannot tell systemd");
    server.signal(Signal::INT);
    assert_eq!(server.end().code, Some(0));
}

/// Messages expire by the clock. Whoever sets it pulls in the target, which a service that only waits for it must not do.
#[test]
fn the_unit_waits_until_the_clock_is_right() {
    let unit = include_str!("../../deploy/smp-server.service");
    let lists = |key| unit.lines().filter_map(move |line| line.strip_prefix(key)).flat_map(str::split_whitespace);
    assert!(lists("After=").any(|unit| unit == "time-sync.target"), "{unit}");
    assert!(!lists("Wants=").chain(lists("Requires=")).any(|unit| unit == "time-sync.target"), "{unit}");
}
