//! Turns the INI dialect of the reference into the one `serde_ini` reads (operations.md §4.1).
//!
//! The dialect: `=` or `:` separate key and value; no inline comments; keys before the first section mean nothing.
//!
//! Where the reference silently lets one line replace another or stops reading, nothing is lost here: equal sections are
//! one, equal keys are an error, and a line that cannot be read is skipped with a warning.

use std::collections::BTreeMap;
use std::fmt::Write;

use zeroize::Zeroizing;

/// Text for `serde_ini`, and what was noticed.
#[derive(Default)]
pub(super) struct Normalised<'a> {
    /// Lines `[section]` and `key=<line>:<value>`, each section once.
    pub(super) text: Zeroizing<String>,
    /// Every line that opens a section, with its name.
    pub(super) headers: Vec<(usize, &'a str)>,
    pub(super) warnings: Vec<(usize, String)>,
    /// What was skipped, and looks like a key.
    pub(super) lost: Vec<Lost>,
    pub(super) repeated: Option<Repeated<'a>>,
}

/// A key in a place where it means nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lost {
    /// The line, from 1.
    pub(crate) line: usize,
    /// The key, or the whole line if it has no separator.
    pub(crate) key: String,
    /// Why it means nothing.
    pub(crate) reason: &'static str,
    /// Whether the line has the form of a setting.
    pub(crate) has_separator: bool,
}

/// A key that is set a second time.
pub(super) struct Repeated<'a> {
    pub(super) section: &'a str,
    pub(super) key: &'a str,
    pub(super) first: usize,
    pub(super) second: usize,
}

struct Setting<'a> {
    section: &'a str,
    key: &'a str,
    value: &'a str,
    line: usize,
}

/// Where the following keys belong.
#[derive(Clone, Copy)]
enum Place<'a> {
    BeforeSections,
    Section(&'a str),
    /// After a line that was meant to open a section but cannot be read.
    Nowhere,
}

pub(super) fn normalise(text: &str) -> Normalised<'_> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader { output: Normalised::default(), place: Place::BeforeSections, settings: Vec::new() };
    for (index, line) in text.lines().enumerate() {
        let (number, line) = (index + 1, line.trim());
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        match line.strip_prefix('[') {
            Some(rest) => reader.open_section(number, rest),
            None => reader.add_line(number, line),
        }
    }
    reader.finish(text.len())
}

struct Reader<'a> {
    output: Normalised<'a>,
    place: Place<'a>,
    settings: Vec<Setting<'a>>,
}

impl<'a> Reader<'a> {
    fn open_section(&mut self, line: usize, rest: &'a str) {
        match rest.split_once(']') {
            Some((name, after)) if !name.contains('[') && !name.trim().is_empty() => {
                let name = name.trim();
                if !after.is_empty() {
                    self.output.warnings.push((line, format!("text after [{name}] is ignored")));
                    self.lose(line, after.trim(), "stands behind the name of a section");
                }
                self.output.headers.push((line, name));
                self.place = Place::Section(name);
            }
            _ => {
                let warning = "not a section name; all keys up to the next section are ignored";
                self.output.warnings.push((line, warning.to_owned()));
                self.place = Place::Nowhere;
            }
        }
    }

    fn add_line(&mut self, line: usize, text: &'a str) {
        let Some((key, value)) = text.split_once(['=', ':']).map(|(key, value)| (key.trim(), value.trim())) else {
            self.skip(line, text, "ignored: neither `key = value` nor `[section]`", "is not `key = value`");
            return;
        };
        match self.place {
            Place::BeforeSections => {
                let reason = "stands before the first section";
                self.skip(line, text, "ignored: stands before the first section", reason);
            }
            Place::Nowhere => self.lose(line, text, "follows a line that is not the name of a section"),
            Place::Section(_) if key.is_empty() || key.contains(['[', ']']) => {
                self.skip(line, text, "ignored: not a key", "is not `key = value`");
            }
            Place::Section(section) => self.settings.push(Setting { section, key, value, line }),
        }
    }

    fn skip(&mut self, line: usize, text: &str, warning: &str, reason: &'static str) {
        self.output.warnings.push((line, warning.to_owned()));
        self.lose(line, text, reason);
    }

    fn lose(&mut self, line: usize, text: &str, reason: &'static str) {
        let (key, has_separator) = text.split_once(['=', ':']).map_or((text, false), |(key, _)| (key, true));
        self.output.lost.push(Lost { line, key: key.trim().to_owned(), reason, has_separator });
    }

    fn finish(self, length: usize) -> Normalised<'a> {
        let Self { mut output, mut settings, .. } = self;
        let mut lines = BTreeMap::new();
        for Setting { section, key, line, .. } in &settings {
            let (section, key, second) = (*section, *key, *line);
            let first = *lines.entry((section, key)).or_insert(second);
            if first != second && output.repeated.is_none() {
                output.repeated = Some(Repeated { section, key, first, second });
            }
        }
        settings.sort_by_key(|setting| setting.section);
        // Large enough never to grow: growing would leave copies of passwords behind.
        output.text = Zeroizing::new(String::with_capacity(2 * length + 24 * settings.len()));
        let mut current = None;
        for Setting { section, key, value, line } in &settings {
            if current != Some(*section) {
                let _ = writeln!(output.text, "[{section}]");
                current = Some(*section);
            }
            let _ = writeln!(output.text, "{key}={line}:{value}");
        }
        output
    }
}
