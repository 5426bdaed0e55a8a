//! Names for `RSLV` (wire.md §6.7).

use crate::encoding::{Decoded, Malformed, Reader};

const MAX_NAME: usize = 253;
const MAX_LABEL: usize = 63;

/// A name of two or more labels in lower case, 3 to 253 bytes: `[a-z0-9]+(-[a-z0-9]+)*` joined by dots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// Checks the grammar and lowers the case.
    pub fn parse(text: &[u8]) -> Decoded<Self> {
        let labels = text.split(|&b| b == b'.');
        if text.len() > MAX_NAME || labels.clone().count() < 2 || !labels.clone().all(is_label) {
            return Err(Malformed);
        }
        String::from_utf8(text.to_ascii_lowercase()).map(Self).map_err(|_| Malformed)
    }

    /// The name ends at the first white space; what follows is ignored.
    pub(super) fn decode_ignoring_rest(input: &mut Reader<'_>) -> Decoded<Self> {
        let text = input.tail();
        let white = |b: &u8| matches!(b, b' ' | b'\t'..=b'\r');
        Self::parse(text.split(white).next().unwrap_or_default())
    }

    /// The name in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_label(label: &[u8]) -> bool {
    label.len() <= MAX_LABEL
        && label.split(|&b| b == b'-').all(|run| !run.is_empty() && run.iter().all(u8::is_ascii_alphanumeric))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b_228_accepted_names() {
        let longest = format!("{}.simplex", "a".repeat(63));
        for (text, name) in [
            ("Alice.SIMPLEX", "alice.simplex"),
            ("bob.testing", "bob.testing"),
            ("a-b.example.com", "a-b.example.com"),
            (&longest, &longest),
        ] {
            assert_eq!(Name::parse(text.as_bytes()).unwrap().as_str(), name);
        }
    }

    #[test]
    fn b_229_refused_names() {
        let label = format!("{}.simplex", "a".repeat(64));
        let long = format!("{}com", "abcdefg.".repeat(32));
        for text in ["privacy", "", ".", "a..b", "a.", "-a.b", "a-.b", "a--b.c", "žluť.simplex", "a_b.c", &label, &long]
        {
            assert_eq!(Name::parse(text.as_bytes()), Err(Malformed), "{text}");
        }
    }

    #[test]
    fn white_space_ends_a_name() {
        for white in [" x", "\tx", "\n", "\x0b", "\x0c", "\r\n"] {
            let text = format!("a.b{white}");
            assert_eq!(Name::decode_ignoring_rest(&mut Reader::new(text.as_bytes())).unwrap().as_str(), "a.b");
        }
    }
}
