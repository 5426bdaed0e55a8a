//! A running program. It is killed when it is dropped, so that no failed test leaves one behind.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// When a test gives up on something that never comes. No test depends on it being met.
const GIVE_UP: Duration = Duration::from_secs(60);

#[derive(Clone, Copy)]
enum Stream {
    Output,
    Errors,
}

/// A program started by a test.
pub struct Program {
    child: Child,
    lines: Receiver<(Stream, String)>,
    so_far: Ended,
}

/// What a program left behind.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Exit code; `None` if a signal killed it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Program {
    /// Starts a program with this text on its standard input.
    pub fn start(command: &mut Command, input: &str) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program can be started");
        let mut stdin = child.stdin.take().expect("standard input is piped");
        // A program that does not read it all may have ended.
        let _ = stdin.write_all(input.as_bytes());
        let (sender, lines) = channel();
        collect(Stream::Output, child.stdout.take().expect("standard output is piped"), sender.clone());
        collect(Stream::Errors, child.stderr.take().expect("standard error is piped"), sender);
        Self { child, lines, so_far: Ended::default() }
    }

    /// Waits for a line with this text on either stream, and returns it.
    pub fn until(&mut self, text: &str) -> String {
        while let Some(line) = self.next_line() {
            if line.contains(text) {
                return line;
            }
        }
        panic!("the program ended without {text:?}: {:#?}", self.so_far);
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the program has not been waited for");
    }

    /// Waits until it ends.
    pub fn end(mut self) -> Ended {
        while self.next_line().is_some() {}
        self.so_far.code = self.child.wait().expect("the program can be waited for").code();
        self.so_far.clone()
    }

    /// The next line; `None` at the end of both streams.
    fn next_line(&mut self) -> Option<String> {
        let (stream, line) = match self.lines.recv_timeout(GIVE_UP) {
            Ok(line) => line,
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return None,
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => panic!("nothing comes any more: {:#?}", self.so_far),
        };
        let text = match stream {
            Stream::Output => &mut self.so_far.stdout,
            Stream::Errors => &mut self.so_far.stderr,
        };
        text.push_str(&line);
        Some(line)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends each line of a stream, with its end, until the stream ends.
fn collect(stream: Stream, from: impl Read + Send + 'static, to: Sender<(Stream, String)>) {
    thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while matches!(from.read_until(b'\n', &mut line), Ok(1..)) {
            let text = String::from_utf8_lossy(&line).into_owned();
            if to.send((stream, text)).is_err() {
                return;
            }
            line.clear();
        }
    });
}

impl Ended {
    /// Success, with nothing on standard error.
    pub fn succeeded(&self) -> &Self {
        assert!(self.code == Some(0) && self.stderr.is_empty(), "{self:#?}");
        self
    }

    /// The log on standard error: level and text of each line. Every line must have the shape
    /// `[LEVEL 2026-11-23 12:34:56 +0000] text`.
    pub fn log(&self) -> Vec<(&str, &str)> {
        self.stderr.lines().map(log_line).collect()
    }

    /// Texts of the log of this level.
    pub fn logged(&self, level: &str) -> Vec<&str> {
        self.log().into_iter().filter(|(of, _)| *of == level).map(|(_, text)| text).collect()
    }
}

fn log_line(line: &str) -> (&str, &str) {
    let shape = "[LEVEL 2026-11-23 12:34:56 +0000] text";
    let (head, text) = line.strip_prefix('[').and_then(|line| line.split_once("] ")).unwrap_or_else(|| {
        panic!("{line:?} is not of the form {shape:?}");
    });
    let (level, time) = head.split_once(' ').unwrap_or((head, ""));
    assert!(["TRACE", "DEBUG", "INFO", "NOTE", "WARN", "ERROR"].contains(&level), "{line}");
    let digits = |character: char| if character.is_ascii_digit() { '0' } else { character };
    let time: String = time.chars().map(digits).collect();
    assert!(["0000-00-00 00:00:00 +0000", "0000-00-00 00:00:00 -0000"].contains(&time.as_str()), "{line}");
    (level, text)
}
