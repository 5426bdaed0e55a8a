//! Turns the INI dialect of the reference into the one `serde_ini` reads (operations.md §4.1).
//!
//! The dialect: `=` or `:` separate key and value; the first of equal keys in a section wins, the last of equal sections
//! replaces the earlier ones entirely; no inline comments; keys before the first section mean nothing.
//!
//! Where the reference silently stops reading, this reader skips the line and says so.

use std::collections::BTreeSet;
use std::fmt::Write;

use zeroize::Zeroizing;

/// Text for `serde_ini`, and what was skipped on which line.
pub(super) struct Normalised {
    /// Lines `[section]` and `key=<line>:<value>`. Equal sections are left to the reader: a later one replaces the
    /// entry of an earlier one.
    pub(super) text: Zeroizing<String>,
    pub(super) warnings: Vec<(usize, String)>,
}

/// Where the following keys belong.
enum Place {
    BeforeSections,
    /// In a section, in which these keys were seen.
    Section(BTreeSet<String>),
    /// After a line that was meant to open a section but cannot be read.
    Nowhere,
}

pub(super) fn normalise(text: &str) -> Normalised {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut output = Normalised { text: Zeroizing::new(String::with_capacity(text.len() * 2)), warnings: Vec::new() };
    let mut place = Place::BeforeSections;
    for (index, line) in text.lines().enumerate() {
        let (number, line) = (index + 1, line.trim());
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        match line.strip_prefix('[') {
            Some(rest) => place = open_section(&mut output, number, rest),
            None => add_key(&mut output, number, line, &mut place),
        }
    }
    output
}

fn open_section(output: &mut Normalised, number: usize, rest: &str) -> Place {
    match rest.split_once(']') {
        Some((name, after)) if !name.contains('[') && !name.trim().is_empty() => {
            if !after.is_empty() {
                output.warnings.push((number, format!("text after [{}] is ignored", name.trim())));
            }
            let _ = writeln!(output.text, "[{}]", name.trim());
            Place::Section(BTreeSet::new())
        }
        _ => {
            output
                .warnings
                .push((number, "not a section name; all keys up to the next section are ignored".to_owned()));
            Place::Nowhere
        }
    }
}

fn add_key(output: &mut Normalised, number: usize, line: &str, place: &mut Place) {
    let warning = match (line.split_once(['=', ':']), place) {
        (None, _) => "ignored: neither `key = value` nor `[section]`".to_owned(),
        (_, Place::BeforeSections) => "ignored: stands before the first section".to_owned(),
        (_, Place::Nowhere) => return,
        (Some((key, value)), Place::Section(seen)) => {
            let key = key.trim();
            if key.is_empty() || key.contains(['[', ']']) {
                "ignored: not a key".to_owned()
            } else if seen.insert(key.to_owned()) {
                let _ = writeln!(output.text, "{key}={number}:{}", value.trim());
                return;
            } else {
                format!("ignored: {key} was already set in this section")
            }
        }
    };
    output.warnings.push((number, warning));
}
