//! The program at a terminal: a pseudo-terminal with somebody who types.

use std::fs;
use std::process::Command;

use rexpect::process::WaitStatus;
use rexpect::session::{PtySession, spawn_command};
use smp_config::settings::Settings;

use crate::support::{Ended, Place};

/// Milliseconds after which a test gives up on something that never comes.
const GIVE_UP: u64 = 60_000;

fn at_terminal(command: Command) -> PtySession {
    spawn_command(command, Some(GIVE_UP)).expect("a pseudo-terminal can be opened")
}

fn exit_code(mut terminal: PtySession) -> Option<i32> {
    terminal.exp_eof().expect("the program ends");
    match terminal.process().wait().expect("the program can be waited for") {
        WaitStatus::Exited(_, code) => Some(code),
        _ => None,
    }
}

#[test]
fn a_server_is_made_by_answering() {
    let place = Place::empty();
    let mut terminal = at_terminal(place.command(["init"]));
    for (question, answer) in [
        ("SMP server will be initialized (press Enter)", ""),
        ("(Yn): ", "x"),
        ("Invalid input, please enter 'y' or 'n'", ""),
        ("(yN): ", "y"),
        ("or enter password: ", "typed-password"),
        ("(127.0.0.1): ", "smp.example.org"),
        ("(https://github.com/simplex-chat/simplexmq): ", ""),
    ] {
        terminal.exp_string(question).unwrap_or_else(|error| panic!("{question}: {error}"));
        terminal.send_line(answer).unwrap();
    }
    terminal.exp_string("to show connection links (").unwrap();
    terminal.exp_string("www): ").unwrap();
    terminal.send_line("").unwrap();
    terminal.exp_string(":typed-password@smp.example.org").unwrap();
    assert_eq!(exit_code(terminal), Some(0));
    let (settings, _) = Settings::load(&place.directories).unwrap();
    assert!(settings.store_log.log_stats && settings.auth.create_password.unwrap().matches(b"typed-password"));
}

#[test]
fn end_of_input_at_the_terminal_makes_no_server() {
    let place = Place::empty();
    let mut terminal = at_terminal(place.command(["init"]));
    terminal.exp_string("(press Enter)").unwrap();
    terminal.send_control('d').unwrap();
    terminal.exp_string("Error: no server was made").unwrap();
    assert_eq!(exit_code(terminal), Some(1));
    assert!(!place.directories.config.exists());
}

#[test]
fn a_server_is_deleted_by_a_capital_y() {
    let place = Place::with_server();
    for (answer, says, code) in [("y", "Server NOT deleted", 1), ("Y", "Deleted configuration and log files", 0)] {
        let mut terminal = at_terminal(place.command(["delete"]));
        terminal.exp_string("THIS CANNOT BE UNDONE!").unwrap();
        terminal.exp_string("Continue (Y/n): ").unwrap();
        terminal.send_line(answer).unwrap();
        terminal.exp_string(says).unwrap();
        assert_eq!(exit_code(terminal), Some(code));
        assert_eq!(place.directories.ini().exists(), code == 1);
    }
}

/// Long enough to be shown on any machine.
#[test]
fn long_work_has_a_bar_at_a_terminal_only() {
    let place = Place::with_server();
    let line = format!("DELETE {}\n", "A".repeat(32));
    fs::write(place.directories.store_log(), line.repeat(1_500_000)).unwrap();
    let mut terminal = at_terminal(place.command(["start", "--maintenance"]));
    terminal.exp_string("reading smp-server-store.log").expect("there is a bar");
    terminal.exp_regex(r"\d+% of 57\.\d+ MiB").expect("it says how much there is");
    terminal.exp_string("maintenance").unwrap();
    assert_eq!(exit_code(terminal), Some(0));

    fs::write(place.directories.store_log(), line.repeat(1_500_000)).unwrap();
    let ended = place.run(["start", "--maintenance"]);
    assert!(!ended.stderr.contains("MiB") && !ended.stderr.contains('\r'), "{}", ended.stderr);
}

#[test]
fn the_log_is_coloured_at_a_terminal_only() {
    let place = Place::with_server();
    let mut terminal = at_terminal(place.command(["start"]));
    let before = terminal.exp_string("Server started").expect("the server starts");
    assert!(before.contains("\u{1b}["), "{before}");
    terminal.send_control('c').unwrap();
    terminal.exp_string("Server stopped").expect("Ctrl-C ends it in good order");
    assert_eq!(exit_code(terminal), Some(0));

    let Ended { stdout, stderr, .. } = place.start_and_stop([]);
    assert!(!stdout.contains('\u{1b}') && !stderr.contains('\u{1b}'));
}
