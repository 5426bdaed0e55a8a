//! The two signature algorithms of server certificates.

use std::fmt;
use std::str::FromStr;

use x509_cert::spki::ObjectIdentifier;

/// Algorithm of a key and of the signatures made with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SignAlgorithm {
    /// 32-byte keys, 64-byte signatures; what `init` makes unless told otherwise.
    #[default]
    Ed25519,
    /// 57-byte keys, 114-byte signatures; what servers made before 2024 have.
    Ed448,
}

impl SignAlgorithm {
    /// Object identifier of the keys and of the signatures (RFC 8410 §3).
    pub(super) const fn oid(self) -> ObjectIdentifier {
        match self {
            Self::Ed25519 => ObjectIdentifier::new_unwrap("1.3.101.112"),
            Self::Ed448 => ObjectIdentifier::new_unwrap("1.3.101.113"),
        }
    }

    pub(super) fn from_oid(oid: ObjectIdentifier) -> Option<Self> {
        [Self::Ed25519, Self::Ed448].into_iter().find(|algorithm| algorithm.oid() == oid)
    }
}

/// The words of the command line: `ED25519`, `ED448`.
impl fmt::Display for SignAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ed25519 => "ED25519",
            Self::Ed448 => "ED448",
        })
    }
}

/// A word that is neither `ED25519` nor `ED448`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown signature algorithm, expected ED25519 or ED448")]
pub struct UnknownSignAlgorithm;

/// Accepts exactly the words of [`Display`](fmt::Display).
impl FromStr for SignAlgorithm {
    type Err = UnknownSignAlgorithm;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "ED25519" => Ok(Self::Ed25519),
            "ED448" => Ok(Self::Ed448),
            _ => Err(UnknownSignAlgorithm),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_words_are_algorithms() {
        for algorithm in [SignAlgorithm::Ed25519, SignAlgorithm::Ed448] {
            assert_eq!(algorithm.to_string().parse(), Ok(algorithm));
        }
        for word in ["ed25519", "Ed448", "ED25519 ", ""] {
            assert_eq!(word.parse::<SignAlgorithm>(), Err(UnknownSignAlgorithm));
        }
    }
}
