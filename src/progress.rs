//! How far long work has come: a bar on a terminal, a line now and then elsewhere.

mod watched_files;

use std::io::{self, IsTerminal, Read, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

pub use watched_files::WatchedFiles;

/// Between two lines.
const INTERVAL: Duration = Duration::from_secs(10);
/// Work that is done by then is not talked about.
const PATIENCE: Duration = Duration::from_millis(300);
const KNOWN: &str = "{msg} {bar:30} {percent}% of {total_bytes}, {eta} left";
const UNKNOWN: &str = "{msg} {spinner} {bytes}";

/// Some work that is measured in bytes.
pub struct Progress {
    what: String,
    /// `None`: not known before the end.
    total: Option<u64>,
    bar: ProgressBar,
    began: Instant,
    /// When the last line was written, unless there is a bar.
    line: Option<Mutex<Instant>>,
}

impl Progress {
    /// Work on so many bytes.
    pub fn new(what: impl Into<String>, total: u64) -> Self {
        Self::begin(what.into(), Some(total))
    }

    /// Work on nobody knows how many bytes.
    pub fn endless(what: impl Into<String>) -> Self {
        Self::begin(what.into(), None)
    }

    fn begin(what: String, total: Option<u64>) -> Self {
        let is_terminal = io::stderr().is_terminal();
        // Drawn only by `advance`, once it is worth it.
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template(if total.is_some() { KNOWN } else { UNKNOWN }) {
            bar.set_style(style.with_key("eta", |state: &ProgressState, text: &mut dyn std::fmt::Write| {
                let _ = write!(text, "{} s", state.eta().as_secs());
            }));
        }
        bar.set_message(what.clone());
        let now = Instant::now();
        Self { what, total, bar, began: now, line: (!is_terminal).then(|| Mutex::new(now)) }
    }

    /// So many more bytes are done.
    pub fn advance(&self, bytes: u64) {
        if self.bar.is_finished() {
            return;
        }
        self.bar.inc(bytes);
        match &self.line {
            Some(last) => self.line_now_and_then(last),
            None if self.bar.is_hidden() && self.began.elapsed() > PATIENCE => {
                self.bar.set_draw_target(ProgressDrawTarget::stderr());
            }
            None => {}
        }
    }

    fn line_now_and_then(&self, last: &Mutex<Instant>) {
        let Ok(mut last) = last.lock() else { return };
        if last.elapsed() < INTERVAL {
            return;
        }
        *last = Instant::now();
        let done = self.bar.position();
        let _ = match self.total {
            Some(total) => {
                let percent = done.saturating_mul(100) / total.max(1);
                writeln!(io::stderr(), "{}: {percent} %", self.what)
            }
            None => writeln!(io::stderr(), "{}: {} MiB", self.what, done >> 20),
        };
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// Counts what is read.
    pub fn reading<R: Read>(&self, reader: R) -> impl Read {
        Reading { reader, progress: self }
    }
}

struct Reading<'a, R> {
    reader: R,
    progress: &'a Progress,
}

impl<R: Read> Read for Reading<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.progress.advance(count as u64);
        Ok(count)
    }
}
