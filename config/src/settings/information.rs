//! `[INFORMATION]`: what the operator tells the public (operations.md §4.5).

use std::fmt;
use std::str::FromStr;

use super::simplex_link::is_contact_link;
use crate::ini::{Section, SettingError};

/// Country by its ISO 3166 code: two upper-case ASCII letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CountryCode([u8; 2]);

/// A text that is not a country code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Use ISO3166 2-letter code")]
pub struct InvalidCountry;

/// Accepts lower-case letters too.
impl FromStr for CountryCode {
    type Err = InvalidCountry;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.as_bytes() {
            [one, two] if one.is_ascii_alphabetic() && two.is_ascii_alphabetic() => {
                Ok(Self([one.to_ascii_uppercase(), two.to_ascii_uppercase()]))
            }
            _ => Err(InvalidCountry),
        }
    }
}

impl fmt::Display for CountryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", char::from(self.0[0]), char::from(self.0[1]))
    }
}

/// Terms of use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conditions {
    /// `usage_conditions`
    pub conditions: String,
    /// `condition_amendments`
    pub amendments: Option<String>,
}

/// An organisation or person, and where they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entity {
    /// Name.
    pub name: String,
    /// Country.
    pub country: Option<CountryCode>,
}

/// A PGP key for writing to somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PgpKey {
    /// Where the key is.
    pub uri: String,
    /// Its fingerprint.
    pub fingerprint: String,
}

/// Ways to reach somebody: at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// SimpleX contact link.
    pub simplex: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// PGP key.
    pub pgp: Option<PgpKey>,
}

/// Kind of machine the server runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostingType {
    /// `virtual`
    Virtual,
    /// `dedicated`
    Dedicated,
    /// `colocation`
    Colocation,
    /// `owned`
    Owned,
}

impl HostingType {
    /// Every kind with its word.
    pub const WORDS: [(&'static str, Self); 4] = [
        ("virtual", Self::Virtual),
        ("dedicated", Self::Dedicated),
        ("colocation", Self::Colocation),
        ("owned", Self::Owned),
    ];
}

impl fmt::Display for HostingType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Virtual => "virtual",
            Self::Dedicated => "dedicated",
            Self::Colocation => "colocation",
            Self::Owned => "owned",
        })
    }
}

/// Settings of section `[INFORMATION]` with `source_code` set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Information {
    /// `source_code`
    pub source_code: String,
    /// `usage_conditions`, `condition_amendments`
    pub conditions: Option<Conditions>,
    /// `server_country`
    pub server_country: Option<CountryCode>,
    /// `operator`, `operator_country`
    pub operator: Option<Entity>,
    /// `website`
    pub website: Option<String>,
    /// `admin_…`
    pub admin: Option<Contact>,
    /// `complaints_…`
    pub complaints: Option<Contact>,
    /// `hosting`, `hosting_country`
    pub hosting: Option<Entity>,
    /// `hosting_type`
    pub hosting_type: Option<HostingType>,
}

const ADMIN: [&str; 4] = ["admin_simplex", "admin_email", "admin_pgp", "admin_pgp_fingerprint"];
const COMPLAINTS: [&str; 4] =
    ["complaints_simplex", "complaints_email", "complaints_pgp", "complaints_pgp_fingerprint"];
impl Information {
    /// `None` without `source_code`; the other keys are not looked at then.
    pub(super) fn read(section: &Section<'_>) -> Result<Option<Self>, SettingError> {
        let text = |key| section.text(key).map(str::to_owned);
        let Some(source_code) = text("source_code") else { return Ok(None) };
        Ok(Some(Self {
            source_code,
            conditions: text("usage_conditions")
                .map(|conditions| Conditions { conditions, amendments: text("condition_amendments") }),
            server_country: country(section, "server_country")?,
            operator: entity(section, "operator", "operator_country")?,
            website: text("website"),
            admin: contact(section, ADMIN)?,
            complaints: contact(section, COMPLAINTS)?,
            hosting: entity(section, "hosting", "hosting_country")?,
            hosting_type: section.one_of("hosting_type", &HostingType::WORDS)?,
        }))
    }
}

fn country(section: &Section<'_>, key: &'static str) -> Result<Option<CountryCode>, SettingError> {
    let parsed = section.text(key).map(str::parse).transpose();
    parsed.map_err(|error: InvalidCountry| section.invalid(key, &format!("{error} for {key}")))
}

fn entity(section: &Section<'_>, name: &'static str, of: &'static str) -> Result<Option<Entity>, SettingError> {
    match section.text(name) {
        Some(name) => Ok(Some(Entity { name: name.to_owned(), country: country(section, of)? })),
        None => Ok(None),
    }
}

fn contact(section: &Section<'_>, keys: [&'static str; 4]) -> Result<Option<Contact>, SettingError> {
    let [simplex, email, uri, fingerprint] = keys.map(|key| section.text(key).map(str::to_owned));
    if simplex.as_ref().is_some_and(|link| !is_contact_link(link)) {
        return Err(section.invalid(keys[0], "a SimpleX contact link"));
    }
    let pgp = uri.zip(fingerprint).map(|(uri, fingerprint)| PgpKey { uri, fingerprint });
    let exists = simplex.is_some() || email.is_some() || pgp.is_some();
    Ok(exists.then_some(Contact { simplex, email, pgp }))
}
