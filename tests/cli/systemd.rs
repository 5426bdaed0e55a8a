//! What systemd is told by a server that it started with `Type=notify`.

use std::os::unix::net::UnixDatagram;

use rustix::process::Signal;

use crate::support::{Place, Program};

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
