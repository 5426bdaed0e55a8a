//! How the server stops.

use rustix::process::Signal;

use crate::support::{MESSAGES, Place};

#[test]
fn both_signals_save_everything_and_exit_with_0() {
    for (signal, name) in [(Signal::INT, "SIGINT"), (Signal::TERM, "SIGTERM")] {
        let place = Place::with_server();
        let messages = place.with_messages(10, 300);
        let server = place.start([]);
        assert!(!place.directories.messages_log().exists(), "restored messages are set aside");
        server.signal(signal);
        let ended = server.end();
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        let notes = ended.logged("NOTE");
        let received = notes.iter().position(|note| *note == format!("Received {name}, stopping server...")).unwrap();
        assert_eq!(notes[received + 1], "Saving server state...");
        assert!(notes[received + 2].starts_with("messages saved: 10"), "{notes:#?}");
        assert_eq!(notes.last(), Some(&"Server stopped"));
        assert_eq!(place.sorted_lines(MESSAGES), messages);
    }
}

#[test]
fn further_signals_do_not_cut_the_save_short() {
    let place = Place::with_server();
    // So much that the save takes longer than the signals.
    let messages = place.with_messages(1000, 15_000);
    let mut server = place.start([]);
    server.signal(Signal::INT);
    server.until("Received SIGINT, stopping server...");
    for signal in [Signal::INT, Signal::TERM, Signal::INT] {
        server.signal(signal);
    }
    server.until("Saving server state...");
    server.signal(Signal::TERM);
    server.signal(Signal::INT);
    let ended = server.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(ended.logged("NOTE").last(), Some(&"Server stopped"));
    assert!(place.sorted_lines(MESSAGES) == messages, "every message is saved");
}

#[test]
fn a_stopped_server_starts_again() {
    let place = Place::with_server();
    let messages = place.with_messages(10, 300);
    for _ in 0..3 {
        assert_eq!(place.start_and_stop([]).code, Some(0));
        assert_eq!(place.sorted_lines(MESSAGES), messages);
    }
}
