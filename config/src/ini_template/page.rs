//! Writing an INI file line by line.

use std::fmt::{Display, Write};

use zeroize::Zeroizing;

/// The text so far; wiped when dropped, as passwords are written into it.
pub(super) struct Page(Zeroizing<String>);

impl Page {
    pub(super) fn new() -> Self {
        // Large enough never to grow: growing would leave copies of passwords behind.
        Self(Zeroizing::new(String::with_capacity(32 * 1024)))
    }

    pub(super) fn into_text(self) -> Zeroizing<String> {
        self.0
    }

    pub(super) fn line(&mut self, text: &str) {
        self.0.push_str(text);
        self.0.push('\n');
    }

    /// `[name]`, after an empty line unless it is the first.
    pub(super) fn section(&mut self, name: &str) {
        let before = if self.0.is_empty() { "" } else { "\n" };
        let _ = writeln!(self.0, "{before}[{name}]");
    }

    /// A comment of one or more lines, after an empty line unless it opens a section.
    pub(super) fn comment(&mut self, text: &str) {
        if !self.0.ends_with("]\n") {
            self.0.push('\n');
        }
        for line in text.lines() {
            let _ = writeln!(self.0, "# {line}");
        }
    }

    /// `key = value`
    pub(super) fn setting<T: Display + ?Sized>(&mut self, key: &str, value: &T) {
        let _ = writeln!(self.0, "{key} = {value}");
    }

    /// `# key = value`
    pub(super) fn example(&mut self, key: &str, value: &str) {
        let _ = writeln!(self.0, "# {key} = {value}");
    }

    /// The setting if there is a value, else an example of one.
    pub(super) fn choice<T: Display>(&mut self, key: &str, value: Option<T>, example: &str) {
        match value {
            Some(value) => self.setting(key, &value),
            None => self.example(key, example),
        }
    }

    /// The setting if it differs from the default, else the default as an example.
    pub(super) fn changed<T: Display, D: Display>(&mut self, key: &str, value: &T, default: D) {
        let (value, default) = (value.to_string(), default.to_string());
        if value == default { self.example(key, &default) } else { self.setting(key, &value) }
    }
}
