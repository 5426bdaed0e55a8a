//! Passwords: for creating queues, for the control port (operations.md §5.3).

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::id::fill_random;

/// One or more printable characters without white space, `@`, `:` and `/`. Wiped when dropped, never printed.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

/// Why a text is not a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// It is empty.
    #[error("a password cannot be empty")]
    Empty,
    /// It contains a character that passwords cannot have.
    #[error("a password cannot contain {0:?}: use printable characters except white space, '@', ':' and '/'")]
    Forbidden(char),
}

impl Password {
    /// A password of `bytes` random bytes in padded base64url: 44 characters for 32 bytes, 24 for 18.
    pub fn random(bytes: usize) -> Self {
        let mut random = Zeroizing::new(vec![0; bytes]);
        fill_random(&mut random);
        Self(Zeroizing::new(URL_SAFE.encode(&random)))
    }

    /// Whether `presented` is this password; takes the same time for every wrong password of the same length.
    pub fn matches(&self, presented: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(presented).into()
    }

    /// The password itself, for the one place that must write it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Takes the same time for all passwords of the same length.
impl PartialEq for Password {
    fn eq(&self, other: &Self) -> bool {
        self.matches(other.0.as_bytes())
    }
}

impl Eq for Password {}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(hidden)")
    }
}

impl FromStr for Password {
    type Err = PasswordError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(PasswordError::Empty);
        }
        match text.chars().find(|character| !allowed(*character)) {
            Some(character) => Err(PasswordError::Forbidden(character)),
            None => Ok(Self(Zeroizing::new(text.to_owned()))),
        }
    }
}

/// The reference looks at the UTF-8 bytes, each taken as a Latin-1 character: 0x80–0xa0 and 0xad are not printable.
fn allowed(character: char) -> bool {
    character.encode_utf8(&mut [0; 4]).bytes().all(allowed_byte)
}

/// The rule for the bytes of a password, also of one on the wire.
pub(crate) fn allowed_byte(byte: u8) -> bool {
    matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..) && !b"@:/".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_rule() {
        for text in ["a", "!#$%^&*()_+-=", "p\u{e9}re", "x".repeat(1000).as_str()] {
            assert!(text.parse::<Password>().unwrap().matches(text.as_bytes()));
        }
        assert_eq!("".parse::<Password>(), Err(PasswordError::Empty));
        for character in ['@', ':', '/', ' ', '\t', '\0', '\u{7f}', '\u{a0}', '\u{c1}'] {
            assert_eq!(format!("ab{character}c").parse::<Password>(), Err(PasswordError::Forbidden(character)));
        }
    }

    #[test]
    fn only_the_same_password_matches() {
        let password: Password = "secret".parse().unwrap();
        assert!(password.matches(b"secret"));
        for wrong in ["secre", "secrets", "Secret", ""] {
            assert!(!password.matches(wrong.as_bytes()));
        }
    }

    #[test]
    fn random_passwords_have_the_documented_lengths() {
        for (bytes, characters) in [(32, 44), (18, 24)] {
            let password = Password::random(bytes);
            assert_eq!(password.expose().len(), characters);
            assert_eq!(password.expose().parse(), Ok(password.clone()));
            assert_ne!(password, Password::random(bytes));
        }
        assert!(Password::random(32).expose().ends_with('='));
    }

    #[test]
    fn debug_output_hides_it() {
        assert_eq!(format!("{:?}", "secret".parse::<Password>()), "Ok(Password(hidden))");
    }
}
