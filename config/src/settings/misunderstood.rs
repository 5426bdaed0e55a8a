//! Keys and sections that are not understood: what could leave the server open is an error, the rest a warning.

use crate::ini::{Ini, LineError, Lost, SettingError, Warning, shown};
use crate::known_keys::{self, AUTH, KnownSection, SECTIONS};
use crate::spelling::{is_misspelt, is_other_case};

/// Names of at least as many letters are recognised with a wrong letter in any section; a shorter one is a word of its own.
const LONG: usize = 8;

/// The first line of the file that was meant to protect the server and does not.
pub(super) fn refuse(ini: &Ini) -> Result<(), LineError> {
    let headers = ini.headers().iter().filter_map(|(line, name)| Some((*line, wrong_header(name)?)));
    let keys = ini.keys().filter_map(|(section, key, line)| Some((line, wrong_key(section, key)?)));
    let lost = ini.lost().iter().filter_map(|lost| Some((lost.line, wrong_place(lost)?)));
    match headers.chain(keys).chain(lost).min_by_key(|(line, _)| *line) {
        None => Ok(()),
        Some((line, Wrong { problem, remedy })) => {
            Err(LineError { file: ini.file().to_owned(), line: Some(line), problem, remedy })
        }
    }
}

struct Wrong {
    problem: String,
    remedy: String,
}

fn wrong_header(name: &str) -> Option<Wrong> {
    (known_keys::section(name).is_none() && is_misspelt(name, AUTH)).then(|| Wrong {
        problem: format!("section [{}] would be ignored, and passwords in it with it", shown(name)),
        remedy: format!("write [{AUTH}]"),
    })
}

fn wrong_key(section: &str, key: &str) -> Option<Wrong> {
    if known_keys::is_known(section, key) {
        return None;
    }
    let own = known_keys::section(section);
    let ignored = || format!("key {} in section [{}] would be ignored", shown(first_word(key)), shown(section));
    if let Some(meant) = own.and_then(|own| protecting(own).find(|known| is_misspelt(first_word(key), known))) {
        return Some(Wrong { problem: ignored(), remedy: format!("write `{meant} = …`") });
    }
    let elsewhere = |(_, known): &(_, &str)| {
        is_other_case(first_word(key), known) || known.len() >= LONG && is_misspelt(first_word(key), known)
    };
    if let Some((of, meant)) = all_protecting().find(elsewhere) {
        return Some(Wrong { problem: ignored(), remedy: format!("write it as `{meant} = …` in section [{of}]") });
    }
    (section == AUTH && key.to_lowercase().contains("pass")).then(|| Wrong {
        problem: ignored(),
        remedy: "the passwords are create_password, control_port_admin_password and control_port_user_password"
            .to_owned(),
    })
}

/// A line without separator may be a comment that lost its sign: only names that are no words of a language count.
fn wrong_place(lost: &Lost) -> Option<Wrong> {
    let word = first_word(&lost.key);
    let is_meant = |(_, known): &(_, &str)| {
        (lost.has_separator || known.contains('_'))
            && (is_other_case(word, known) || known.len() >= LONG && is_misspelt(word, known))
    };
    let (section, meant) = all_protecting().find(is_meant)?;
    Some(Wrong {
        problem: format!("{meant} {}, and would be ignored", lost.reason),
        remedy: format!("write `{meant} = …` on a line of its own in section [{section}]"),
    })
}

/// A key has no spaces: what follows may be a secret.
fn first_word(key: &str) -> &str {
    key.split_whitespace().next().unwrap_or_default()
}

fn protecting(section: &KnownSection) -> impl Iterator<Item = &'static str> + use<> {
    section.protecting.iter().copied()
}

fn all_protecting() -> impl Iterator<Item = (&'static str, &'static str)> {
    SECTIONS.iter().flat_map(|section| protecting(section).map(|key| (section.name, key)))
}

/// Keys that mean nothing where they are, with what was probably meant.
pub(super) fn warnings(ini: &Ini) -> Vec<Warning> {
    let unknown = ini.keys().filter(|(section, key, _)| !known_keys::is_known(section, key));
    unknown
        .map(|(section, key, line)| {
            let (key, hint) = (first_word(key), hint(section, first_word(key)));
            let text = format!("unknown key {} in section [{}] is ignored{hint}", shown(key), shown(section));
            Warning::at(ini.file(), line, text)
        })
        .collect()
}

fn hint(section: &str, key: &str) -> String {
    if let Some(own) = known_keys::section(section) {
        if let Some(meant) = own.keys().find(|known| is_misspelt(key, known)) {
            return format!("; did you mean {meant}?");
        }
    } else if let Some(meant) = SECTIONS.iter().find(|known| is_misspelt(section, known.name)) {
        return format!("; did you mean section [{}]?", meant.name);
    }
    let homes: Vec<_> = sections_with(key).map(|name| format!("[{name}]")).collect();
    if homes.is_empty() { String::new() } else { format!("; it belongs to section {}", homes.join(" or ")) }
}

fn sections_with(key: &str) -> impl Iterator<Item = &'static str> {
    SECTIONS.iter().filter(move |section| section.keys().any(|known| known == key)).map(|section| section.name)
}

/// A missing key may be in another section, along with others of its own.
pub(super) fn explain(ini: &Ini, mut error: SettingError) -> SettingError {
    if error.line.is_none() {
        let strays = ini.keys().filter(|(section, key, _)| {
            !known_keys::is_known(section, key) && known_keys::is_known(error.section, key)
        });
        let mut strays: Vec<_> =
            strays.map(|(section, key, line)| (line, format!("{key} in [{}]", shown(section)))).collect();
        strays.sort();
        if !strays.is_empty() {
            let strays: Vec<_> = strays.into_iter().map(|(line, stray)| format!("{stray}, line {line}")).collect();
            let problem = format!("{}, where these belong: {}", error.problem, strays.join("; "));
            error.problem = problem;
        }
    }
    error
}

#[cfg(test)]
mod tests;
