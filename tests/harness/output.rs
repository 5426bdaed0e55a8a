//! What a program writes on standard output and standard error, line by line, as it comes.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use tokio::sync::watch;

/// The lines so far, from both streams in the order in which they came.
pub struct Output {
    lines: Mutex<Vec<String>>,
    /// How many streams are still open.
    open: watch::Sender<usize>,
}

impl Output {
    /// Collects the lines of these streams on threads of their own, which end with the streams.
    pub fn collect(streams: Vec<Box<dyn Read + Send>>) -> (Arc<Self>, Vec<JoinHandle<()>>) {
        let this = Arc::new(Self { lines: Mutex::default(), open: watch::Sender::new(streams.len()) });
        let readers = streams.into_iter().map(|stream| {
            let this = Arc::clone(&this);
            thread::spawn(move || this.read(stream))
        });
        let readers = readers.collect();
        (this, readers)
    }

    fn read(&self, stream: Box<dyn Read + Send>) {
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        while matches!(stream.read_until(b'\n', &mut line), Ok(1..)) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(text);
            self.open.send_modify(|_| ());
            line.clear();
        }
        self.open.send_modify(|open| *open -= 1);
    }

    /// Everything so far.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many lines there are.
    pub fn len(&self) -> usize {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The first line from number `first` on for which `wanted` holds; waits for it. `None` if the program ended without it.
    pub async fn line(&self, first: usize, wanted: impl Fn(&str) -> bool) -> Option<String> {
        let mut changes = self.open.subscribe();
        loop {
            let ended = *changes.borrow_and_update() == 0;
            if let Some(line) = self.lines().into_iter().skip(first).find(|line| wanted(line)) {
                return Some(line);
            }
            if ended || changes.changed().await.is_err() {
                return None;
            }
        }
    }

    /// Waits until the program has closed its streams, which it does when it ends.
    pub async fn ended(&self) {
        // The sender lives as long as `self`.
        let _ = self.open.subscribe().wait_for(|open| *open == 0).await;
    }
}
