//! Lines of saved files that do not say what they should. Each concerns what it is about and nothing else.

use std::fmt;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use crate::append_file::AppendFile;
use crate::atomic_file::{sync_parent, with_suffix};
use crate::error::FileError;
use crate::files::Files;
use crate::lines::Lines;
use crate::parse::ParseError;

/// How many lines of a file cannot be read. Its `Display` says so without any ID.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Damage {
    /// How many.
    pub lines: u64,
    /// The first one: its number, and what is wrong.
    pub first: Option<(u64, ParseError)>,
}

impl Damage {
    pub(crate) fn add(&mut self, line: u64, error: ParseError) {
        self.lines += 1;
        self.first.get_or_insert((line, error));
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.first {
            Some((line, error)) if self.lines == 1 => write!(f, "line {line} cannot be read ({error})"),
            Some((line, error)) => write!(f, "{} lines cannot be read (first: line {line}, {error})", self.lines),
            None => f.write_str("all lines can be read"),
        }
    }
}

/// Where the damaged lines of a file are kept.
pub(crate) fn rejected_path(path: &Path) -> PathBuf {
    with_suffix(path, ".rejected")
}

/// Adds the lines of a file that are not sound to what is kept of it. They are collected in a second pass, so that a damaged file
/// needs no memory for them.
pub(crate) fn keep(files: &dyn Files, path: &Path, is_sound: impl Fn(&[u8]) -> bool) -> Result<(), FileError> {
    let mut kept = AppendFile::open(files, &rejected_path(path))?;
    let file = files.open(path).map_err(FileError::on("read", path))?;
    let mut lines = Lines::new(BufReader::new(file));
    let mut with_end = Vec::new();
    while let Some(line) = lines.next().map_err(FileError::on("read", path))? {
        if is_sound(line.content) {
            continue;
        }
        with_end.clear();
        with_end.extend_from_slice(line.content);
        with_end.push(b'\n');
        kept.append(&with_end)?;
    }
    kept.sync()?;
    sync_parent(files, path)
}
