//! Reading `smp-server.ini` (operations.md §4.1): text → normalised text → `serde_ini` → sections of keys with lines.

mod edit;
mod error;
mod normalise;
mod section;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::{Deserialize, Deserializer, Error as _};
use zeroize::Zeroizing;

pub use edit::with_key;
pub(crate) use error::shown;
pub use error::{LineError, SettingError, Warning};
pub(crate) use normalise::Lost;
pub use section::Section;

use crate::known_keys;
use normalise::Repeated;

/// A parsed INI file: every section and key, with the line each key stands on.
///
/// It may hold passwords: it is not printable, and values are wiped when it is dropped.
pub struct Ini {
    file: PathBuf,
    sections: BTreeMap<String, BTreeMap<String, Entry>>,
    warnings: Vec<Warning>,
    /// Every line that opens a section, with its name.
    headers: Vec<(usize, String)>,
    lost: Vec<Lost>,
}

/// The value of a key and the line it stands on.
struct Entry {
    line: usize,
    value: Zeroizing<String>,
}

/// The normaliser writes `<line>:<value>` as the value of each key.
impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        let (line, value) = text.split_once(':').ok_or_else(|| D::Error::custom("no line number"))?;
        let line = line.parse().map_err(D::Error::custom)?;
        Ok(Self { line, value: Zeroizing::new(value.to_owned()) })
    }
}

impl Ini {
    /// Parses the text of `file` (named in errors and warnings). What cannot be understood is skipped with a warning; a key
    /// that is set twice is an error, as nobody knows which of its values is meant.
    pub fn parse(file: &Path, text: &str) -> Result<Self, LineError> {
        let normalised = normalise::normalise(text);
        if let Some(Repeated { section, key, first, second }) = normalised.repeated {
            return Err(LineError {
                file: file.to_owned(),
                line: Some(second),
                problem: format!("{} in section [{section}] is set in line {first} already", shown(key)),
                remedy: format!("delete line {first} or line {second}"),
            });
        }
        let warnings = normalised.warnings.into_iter().map(|(line, text)| Warning::at(file, line, text)).collect();
        let sections = serde_ini::from_str(&normalised.text).map_err(|error| LineError {
            file: file.to_owned(),
            line: None,
            problem: format!("the file cannot be read as INI: {error}"),
            remedy: "correct it, or make a new one with `smp-server init` in another directory".to_owned(),
        })?;
        let headers = normalised.headers.into_iter().map(|(line, name)| (line, name.to_owned())).collect();
        Ok(Self { file: file.to_owned(), sections, warnings, headers, lost: normalised.lost })
    }

    /// A section for reading settings from; a missing section reads as an empty one.
    pub fn section(&self, name: &'static str) -> Section<'_> {
        Section::new(self, name)
    }

    /// What was skipped.
    pub fn into_warnings(self) -> Vec<Warning> {
        self.warnings
    }

    /// The file.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// Every line that opens a section, with its name.
    pub(crate) fn headers(&self) -> &[(usize, String)] {
        &self.headers
    }

    /// Section, key and line of everything that is set.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (&str, &str, usize)> {
        self.sections
            .iter()
            .flat_map(|(section, keys)| keys.iter().map(move |(key, entry)| (&**section, &**key, entry.line)))
    }

    /// Keys that were skipped.
    pub(crate) fn lost(&self) -> &[Lost] {
        &self.lost
    }

    fn entry(&self, section: &str, key: &str) -> Option<&Entry> {
        let is_in_table = known_keys::section(section).is_none() || known_keys::is_known(section, key);
        debug_assert!(is_in_table, "{key} of [{section}] is read, but not in the table of known keys");
        self.sections.get(section)?.get(key)
    }
}

impl fmt::Debug for Ini {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ini").field("file", &self.file).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
