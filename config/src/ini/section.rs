//! Typed access to the keys of one section (operations.md §4.2).

use std::ops::RangeInclusive;
use std::str::FromStr;

use super::error::{SettingError, Warning, shown};
use super::{Entry, Ini};
use smp_protocol::password::Password;

/// One section of an INI file.
pub struct Section<'a> {
    ini: &'a Ini,
    name: &'static str,
}

impl<'a> Section<'a> {
    pub(super) fn new(ini: &'a Ini, name: &'static str) -> Self {
        Self { ini, name }
    }

    fn entry(&self, key: &'static str) -> Option<&'a Entry> {
        self.ini.entry(self.name, key)
    }

    /// Any text, as it stands; an empty value is present.
    pub fn text(&self, key: &'static str) -> Option<&'a str> {
        self.entry(key).map(|entry| entry.value.as_str())
    }

    /// Text that must be there; `allowed` is said if it is not.
    pub fn required(&self, key: &'static str, allowed: &str) -> Result<&'a str, SettingError> {
        self.text(key).ok_or_else(|| SettingError {
            file: self.ini.file.clone(),
            line: None,
            section: self.name,
            key,
            problem: format!("no key {key} in section {}", self.name),
            allowed: allowed.to_owned(),
        })
    }

    /// `on` or `off`, nothing else.
    pub fn on_off(&self, key: &'static str) -> Result<Option<bool>, SettingError> {
        self.one_of(key, &[("on", true), ("off", false)])
    }

    /// One of a few words.
    pub fn one_of<T: Copy>(&self, key: &'static str, words: &[(&str, T)]) -> Result<Option<T>, SettingError> {
        let Some(text) = self.text(key) else { return Ok(None) };
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == text) {
            return Ok(Some(*meaning));
        }
        let allowed: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        Err(self.invalid(key, &allowed.join(", ")))
    }

    /// A whole number in `range`.
    pub fn integer(&self, key: &'static str, range: RangeInclusive<i64>) -> Result<Option<i64>, SettingError> {
        let Some(text) = self.text(key) else { return Ok(None) };
        match parse_integer(text).filter(|number| range.contains(number)) {
            Some(number) => Ok(Some(number)),
            None => Err(self.invalid(key, &format!("a whole number from {} to {}", range.start(), range.end()))),
        }
    }

    /// As [`integer`](Self::integer), for counts and sizes.
    pub fn count(&self, key: &'static str, range: RangeInclusive<u32>) -> Result<Option<u32>, SettingError> {
        let range = i64::from(*range.start())..=i64::from(*range.end());
        let number = self.integer(key, range)?;
        Ok(number.and_then(|number| u32::try_from(number).ok()))
    }

    /// A TCP port, or `off`. 0 would be any free port, which nobody could find.
    pub fn port(&self, key: &'static str) -> Result<Option<u16>, SettingError> {
        match self.text(key) {
            None | Some("off") => Ok(None),
            Some(text) => match parse_integer(text).and_then(|number| u16::try_from(number).ok()) {
                None | Some(0) => Err(self.invalid(key, "a port from 1 to 65535, or off")),
                port => Ok(port),
            },
        }
    }

    /// A password (operations.md §5.3). The error names the character in the way, never the password.
    pub fn password(&self, key: &'static str) -> Result<Option<Password>, SettingError> {
        let parsed = self.text(key).map(Password::from_str).transpose();
        parsed.map_err(|error| self.secret_invalid(key, &error.to_string()))
    }

    /// The error for a value that cannot be used, with the value.
    pub fn invalid(&self, key: &'static str, allowed: &str) -> SettingError {
        let value = shown(self.text(key).unwrap_or_default());
        self.error(key, format!("invalid INI setting {key}: {value}"), allowed)
    }

    /// The error for a secret value that cannot be used, without the value.
    pub fn secret_invalid(&self, key: &'static str, reason: &str) -> SettingError {
        self.error(key, format!("invalid INI setting {key}: {reason}"), "")
    }

    /// An error at a key, in any words.
    pub fn error(&self, key: &'static str, problem: String, allowed: &str) -> SettingError {
        SettingError {
            file: self.ini.file.clone(),
            line: self.entry(key).map(|entry| entry.line),
            section: self.name,
            key,
            problem,
            allowed: allowed.to_owned(),
        }
    }

    /// A warning at a key.
    pub fn warning(&self, key: &'static str, text: &str) -> Warning {
        let line = self.entry(key).map(|entry| entry.line);
        Warning { file: self.ini.file.clone(), line, text: format!("{key} in section [{}] {text}", self.name) }
    }
}

/// What the reference reads as a whole number: decimal, `0x`, `0o`, `0b`, a minus sign, parentheses.
fn parse_integer(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Some(inner) = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        return parse_integer(inner);
    }
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest.trim_start()),
        None => (false, text),
    };
    let (radix, digits) = match digits.get(..2).map(str::to_ascii_lowercase).as_deref() {
        Some("0x") => (16, &digits[2..]),
        Some("0o") => (8, &digits[2..]),
        Some("0b") => (2, &digits[2..]),
        _ => (10, digits),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let number = i64::from_str_radix(digits, radix).ok()?;
    Some(if negative { -number } else { number })
}

#[cfg(test)]
mod tests {
    use super::parse_integer;

    #[test]
    fn whole_numbers_have_the_forms_of_the_reference() {
        for (text, number) in
            [("21", 21), ("-1", -1), ("(5)", 5), ("((-5))", -5), ("0x10", 16), ("0o17", 15), ("0b11", 3), ("007", 7)]
        {
            assert_eq!(parse_integer(text), Some(number), "{text}");
        }
        for text in ["", "-", "1.5", "1e3", "ten", "+1", "--1", "0x-1", "1 2", "(1", "0x", "99999999999999999999"] {
            assert_eq!(parse_integer(text), None, "{text}");
        }
    }
}
