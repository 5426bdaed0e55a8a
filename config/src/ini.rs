//! Reading `smp-server.ini` (operations.md §4.1): text → normalised text → `serde_ini` → sections of keys with lines.

mod edit;
mod error;
mod normalise;
mod section;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::{Deserialize, Deserializer, Error as _};
use zeroize::Zeroizing;

pub use edit::with_key;
pub use error::{SettingError, Warning};
pub use section::Section;

/// A parsed INI file: every section and key, with the line each key stands on.
///
/// It may hold passwords: it is not printable, and values are wiped when it is dropped.
pub struct Ini {
    file: PathBuf,
    sections: BTreeMap<String, BTreeMap<String, Entry>>,
    warnings: Vec<Warning>,
    /// Keys that some setting was read from; the others are unknown.
    asked: RefCell<BTreeSet<(String, String)>>,
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
    /// Parses the text of `file` (named in errors and warnings). Nothing in the text is an error at this point: what
    /// cannot be understood is skipped with a warning.
    pub fn parse(file: &Path, text: &str) -> Self {
        let normalised = normalise::normalise(text);
        let mut warnings: Vec<Warning> =
            normalised.warnings.into_iter().map(|(line, text)| Warning::at(file, line, text)).collect();
        let sections = serde_ini::from_str(&normalised.text).unwrap_or_else(|error| {
            warnings.push(Warning::general(file, format!("the file cannot be read as INI: {error}")));
            BTreeMap::new()
        });
        Self { file: file.to_owned(), sections, warnings, asked: RefCell::default() }
    }

    /// A section for reading settings from; a missing section reads as an empty one.
    pub fn section(&self, name: &'static str) -> Section<'_> {
        Section::new(self, name)
    }

    /// Everything noticed so far: skipped lines, then keys and sections that no setting was read from.
    pub fn into_warnings(self) -> Vec<Warning> {
        let Self { file, sections, mut warnings, asked } = self;
        let asked = asked.into_inner();
        for (section, keys) in sections {
            for (key, entry) in keys {
                if !asked.contains(&(section.clone(), key.clone())) {
                    let text = format!("unknown key {key} in section [{section}] is ignored");
                    warnings.push(Warning::at(&file, entry.line, text));
                }
            }
        }
        warnings
    }

    fn entry(&self, section: &str, key: &str) -> Option<&Entry> {
        self.asked.borrow_mut().insert((section.to_owned(), key.to_owned()));
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
