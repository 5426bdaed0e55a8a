//! What is told to the operator about an INI file.

use std::fmt;
use std::path::{Path, PathBuf};

/// Something in the file that does not stop the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The file.
    pub file: PathBuf,
    /// Line in the file, from 1; absent if the warning is about the whole file.
    pub line: Option<usize>,
    /// What was noticed.
    pub text: String,
}

impl Warning {
    pub(crate) fn at(file: &Path, line: usize, text: String) -> Self {
        Self { file: file.to_owned(), line: Some(line), text }
    }

    pub(crate) fn general(file: &Path, text: String) -> Self {
        Self { file: file.to_owned(), line: None, text }
    }
}

/// `<file>:<line>: <text>`, one line.
impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", Position(&self.file, self.line), self.text)
    }
}

/// A setting that cannot be used. One line: what is wrong, where it stands, what is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingError {
    /// The file.
    pub file: PathBuf,
    /// Line of the key; absent if the key is missing.
    pub line: Option<usize>,
    /// Section, without brackets.
    pub section: &'static str,
    /// Key.
    pub key: &'static str,
    /// What is wrong, beginning with the words of the reference where it has any.
    pub problem: String,
    /// What could stand there instead; may be empty.
    pub allowed: String,
}

impl std::error::Error for SettingError {}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { section, key, problem, allowed, .. } = self;
        write!(f, "{problem} ({}, section [{section}], key {key}", Position(&self.file, self.line))?;
        if allowed.is_empty() { f.write_str(")") } else { write!(f, "; allowed: {allowed})") }
    }
}

/// A line that must be corrected before anything in the file counts, as it would leave the server open, or nobody knows what
/// it means.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {problem}; {remedy}", Position(file, *line))]
pub struct LineError {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1; absent if the error is about the whole file.
    pub line: Option<usize>,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub remedy: String,
}

struct Position<'a>(&'a Path, Option<usize>);

impl fmt::Display for Position<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(file, line) = self;
        write!(f, "{}", file.display())?;
        line.map_or(Ok(()), |line| write!(f, ":{line}"))
    }
}

/// A value as it may be shown: on one line, without characters that would command a terminal.
pub(crate) fn shown(value: &str) -> String {
    value.chars().map(|character| if character.is_control() { '\u{fffd}' } else { character }).collect()
}
