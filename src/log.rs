//! The log on standard error, `[LEVEL 2026-11-23 12:34:56 +0000] text`, and plain lines among it on standard output
//! (operations.md §5).

use std::fmt::{self, Write as _};
use std::io::{self, Write};
use std::str::FromStr;

use jiff::ZonedDateTime;
use slog::{Drain, Logger, OwnedKVList, Record, o};
use slog_async::AsyncGuard;
use slog_term::{FullFormat, RecordDecorator, TermDecorator, ThreadSafeTimestampFn};
use thiserror::Error;

/// Severity of a message. `NOTE` is what an operator wants to know of a normal start and stop: it is logged as
/// information with the tag [`NOTE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Everything.
    Trace,
    /// For developers.
    Debug,
    /// What goes on.
    Info,
    /// What matters in a normal run.
    Note,
    /// What should not be.
    Warn,
    /// What does not work.
    Error,
}

/// Not one of the six words.
#[derive(Debug, Error)]
#[error("one of trace, debug, info, note, warn, error is expected")]
pub struct UnknownLevel;

impl FromStr for Level {
    type Err = UnknownLevel;

    fn from_str(word: &str) -> Result<Self, UnknownLevel> {
        match word {
            "trace" => Ok(Self::Trace),
            "debug" => Ok(Self::Debug),
            "info" => Ok(Self::Info),
            "note" => Ok(Self::Note),
            "warn" => Ok(Self::Warn),
            "error" => Ok(Self::Error),
            _ => Err(UnknownLevel),
        }
    }
}

impl Level {
    fn of(record: &Record<'_>) -> Self {
        match record.level() {
            slog::Level::Critical | slog::Level::Error => Self::Error,
            slog::Level::Warning => Self::Warn,
            slog::Level::Info if record.tag() == NOTE => Self::Note,
            slog::Level::Info => Self::Info,
            slog::Level::Debug => Self::Debug,
            slog::Level::Trace => Self::Trace,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Trace => "TRACE",
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Note => "NOTE",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
        }
    }
}

/// Messages that wait while standard error does not take them; further ones are counted and dropped, so that a stalled
/// terminal never stalls the server.
const WAITING: usize = 4096;

/// Tag of messages that are not log but plain lines on standard output. They take the same way, so that all lines come
/// in the order in which they were said.
pub const PLAIN: &str = "plain";

/// Tag of information that an operator wants of a normal start and stop.
pub const NOTE: &str = "note";

/// A logger that shows messages from `least` on. What waits is written when the guard is dropped.
pub fn to_terminal(least: Level) -> (Logger, AsyncGuard) {
    let lines = FullFormat::new(TermDecorator::new().stderr().build())
        .use_custom_timestamp(timestamp)
        .use_custom_header_print(header)
        .build();
    let wanted = slog::Filter(lines.fuse(), move |record: &Record<'_>| Level::of(record) >= least);
    let (drain, guard) = slog_async::Async::new(PlainLines(wanted.fuse()).fuse()).chan_size(WAITING).build_with_guard();
    (Logger::root(drain.fuse(), o!()), guard)
}

/// Writes plain lines, and passes the others on.
struct PlainLines<D>(D);

impl<D: Drain> Drain for PlainLines<D> {
    type Ok = Option<D::Ok>;
    type Err = D::Err;

    fn log(&self, record: &Record<'_>, values: &OwnedKVList) -> Result<Self::Ok, Self::Err> {
        if record.tag() != PLAIN {
            return self.0.log(record, values).map(Some);
        }
        say!("{}", record.msg());
        Ok(None)
    }
}

fn timestamp(out: &mut dyn Write) -> io::Result<()> {
    write!(out, "{}", ZonedDateTime::now().strftime("%Y-%m-%d %H:%M:%S %z"))
}

fn header(
    timestamp: &dyn ThreadSafeTimestampFn<Output = io::Result<()>>,
    line: &mut dyn RecordDecorator,
    record: &Record<'_>,
    _file_location: bool,
) -> io::Result<bool> {
    line.start_level()?;
    write!(line, "[{} ", Level::of(record).word())?;
    timestamp(line)?;
    write!(line, "]")?;
    line.start_whitespace()?;
    write!(line, " ")?;
    line.start_msg()?;
    write!(line, "{}", Visible(record.msg()))?;
    Ok(true)
}

/// A message in which nothing can command the terminal or pass for another line of the log, whoever chose the words.
struct Visible<'a>(&'a fmt::Arguments<'a>);

impl fmt::Display for Visible<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}", self.0)
    }
}

struct Escaping<'a, 'f>(&'a mut fmt::Formatter<'f>);

impl fmt::Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for part in text.split_inclusive(is_invisible) {
            let visible = part.trim_end_matches(is_invisible);
            self.0.write_str(visible)?;
            write!(self.0, "{}", part[visible.len()..].escape_default())?;
        }
        Ok(())
    }
}

/// Control characters, and those that change the direction of the text.
fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_ordered_by_severity() {
        let levels: Vec<Level> =
            ["trace", "debug", "info", "note", "warn", "error"].iter().map(|word| word.parse().unwrap()).collect();
        assert!(levels.is_sorted());
        assert!("INFO".parse::<Level>().is_err());
    }

    #[test]
    fn messages_cannot_command_a_terminal() {
        let visible = |text: &str| Visible(&format_args!("{text}")).to_string();
        assert_eq!(visible("příliš žluťoučký kůň 🐎"), "příliš žluťoučký kůň 🐎");
        assert_eq!(visible("a\x1b[2J\nb\u{9b}c\u{202e}\0"), "a\\u{1b}[2J\\nb\\u{9b}c\\u{202e}\\u{0}");
    }
}
