//! Protocol versions and what each of them changes on the wire (wire.md §0.2).

use std::fmt;

use crate::encoding::{Decoded, Encode, Malformed, Reader};

/// An SMP protocol version.
///
/// Versions gate *encodings* only: a server executes every command it can parse, whatever the version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u16);

impl Version {
    /// Oldest version in use; the session ID is sent inside every transmission.
    pub const MIN: Self = Self(6);
    /// Newest version this crate knows.
    pub const MAX: Self = Self(20);
    /// Session ID no longer sent but still authorized; keys in the handshake.
    pub const IMPLICIT_SESSION_ID: Self = Self(7);
    /// Proxy commands.
    pub const PROXY: Self = Self(8);
    /// Queue mode as a Bool in NEW and IDS.
    pub const SENDER_SECURE: Self = Self(9);
    /// `DELD` instead of `END`.
    pub const DELETED_EVENT: Self = Self(10);
    /// Block encryption.
    pub const BLOCK_ENCRYPTION: Self = Self(11);
    /// `ERR BLOCKED`.
    pub const BLOCKED: Self = Self(12);
    /// `proxyServer` flag in the client hello.
    pub const PROXY_FLAG: Self = Self(14);
    /// Queue links.
    pub const LINKS: Self = Self(15);
    /// Service certificates and the service signature slot.
    pub const SERVICES: Self = Self(16);
    /// Notification credentials in NEW and IDS.
    pub const NEW_NOTIFIER: Self = Self(17);
    /// Notice inside `BLOCKED`.
    pub const BLOCKED_NOTICE: Self = Self(18);
    /// Count and hash in SUBS, NSUBS, SOKS and ENDS.
    pub const SERVICE_HASH: Self = Self(19);

    /// Largest body of a SEND in bytes (wire.md §6.5).
    pub fn max_body(self) -> usize {
        match self.0 {
            ..=7 => 16088,
            8..=10 => 16064,
            11.. => 16048,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An inclusive range of versions, never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionRange {
    min: Version,
    max: Version,
}

impl VersionRange {
    /// All versions this crate knows.
    pub const ALL: Self = Self { min: Version::MIN, max: Version::MAX };

    /// `None` if `min` is above `max`.
    pub fn new(min: Version, max: Version) -> Option<Self> {
        (min <= max).then_some(Self { min, max })
    }

    /// Just one version.
    pub fn single(version: Version) -> Self {
        Self { min: version, max: version }
    }

    /// Lowest version of the range.
    pub fn min(self) -> Version {
        self.min
    }

    /// Highest version of the range.
    pub fn max(self) -> Version {
        self.max
    }

    /// Whether `version` lies in the range.
    pub fn contains(self, version: Version) -> bool {
        self.min <= version && version <= self.max
    }

    /// The versions in both ranges, if there are any.
    pub fn intersection(self, other: Self) -> Option<Self> {
        Self::new(self.min.max(other.min), self.max.min(other.max))
    }

    /// Appends `u16 min ‖ u16 max`, 4 bytes.
    pub fn encode(self, out: &mut Vec<u8>) {
        out.put_u16(self.min.0);
        out.put_u16(self.max.0);
    }

    /// Reads `u16 min ‖ u16 max`; a range with min above max is malformed.
    pub fn decode(input: &mut Reader<'_>) -> Decoded<Self> {
        let (min, max) = (input.u16()?, input.u16()?);
        Self::new(Version(min), Version(max)).ok_or(Malformed)
    }
}

impl fmt::Display for VersionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.min, self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intersection_of_disjoint_ranges_is_none() {
        let old = VersionRange::new(Version(1), Version(5)).unwrap();
        assert_eq!(VersionRange::ALL.intersection(old), None);
        assert_eq!(VersionRange::new(Version(7), Version(6)), None);
    }

    #[test]
    fn reversed_range_is_malformed() {
        assert_eq!(VersionRange::decode(&mut Reader::new(&[0, 20, 0, 6])), Err(Malformed));
        let mut out = Vec::new();
        VersionRange::ALL.encode(&mut out);
        assert_eq!(out, [0, 6, 0, 20]);
    }
}
