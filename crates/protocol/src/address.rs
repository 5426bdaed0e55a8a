//! The address of a relay, as clients are given it (operations.md §5.2):
//! `smp://<key hash>[:<password>]@<host>[,<host>…][:<port>]`.
//!
//! The hosts are those of `PRXY` too (wire.md §6.6).

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_PAD_INDIFFERENT};
use sha2::{Digest, Sha256};

use crate::password::{Password, PasswordError};

/// Port of a relay whose address names none.
pub const DEFAULT_PORT: u16 = 5223;

/// Identity of a relay: SHA-256 of the complete DER of its CA certificate (wire.md §2.2).
///
/// As text: base64url with padding, 44 characters ending in `=`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyHash(pub [u8; 32]);

impl KeyHash {
    /// The identity that a CA certificate (DER) gives.
    pub fn of_certificate(der: &[u8]) -> Self {
        Self(Sha256::digest(der).into())
    }
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE.encode(self.0))
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyHash({self})")
    }
}

/// Accepts the form with and without padding.
impl FromStr for KeyHash {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = URL_SAFE_PAD_INDIFFERENT.decode(text).map_err(|_| AddressError::KeyHash)?;
        bytes.try_into().map(Self).map_err(|_| AddressError::KeyHash)
    }
}

/// What addresses begin with.
const SCHEME: &str = "smp://";

/// Bytes of the longest host: it travels as a short string.
const MAX_HOST: usize = 255;

/// What the names of onion services end in (RFC 7686).
const ONION: &str = ".onion";

/// One host of an address (wire.md §6.6), at most 255 bytes as text when it was parsed. Names are in lower case: DNS and onion
/// services know no other (RFC 4343), and two spellings of a name are one host.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// IPv4 literal.
    V4(Ipv4Addr),
    /// IPv6 literal; in brackets as text.
    V6(Ipv6Addr),
    /// Onion service: letters and digits, then `.onion`.
    Onion(String),
    /// Any other name.
    Domain(String),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(ip) => ip.fmt(f),
            Self::V6(ip) => write!(f, "[{ip}]"),
            Self::Onion(name) | Self::Domain(name) => f.write_str(name),
        }
    }
}

/// Accepts IPv6 literals with and without brackets, and names in any case.
impl FromStr for Host {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(ip) = text.parse() {
            return Ok(Self::V4(ip));
        }
        let unbracketed = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        if let Ok(ip) = unbracketed.parse() {
            return Ok(Self::V6(ip));
        }
        let invalid = || Err(AddressError::Host(text.to_owned()));
        if text.len() > MAX_HOST {
            return invalid();
        }
        let name = text.to_ascii_lowercase();
        let label = name.bytes().take_while(u8::is_ascii_alphanumeric).count();
        if label > 0 && name[label..] == *ONION {
            return Ok(Self::Onion(name));
        }
        // Whatever looks like an onion service must not get to DNS, with a dot at its end or without.
        let looks_like_onion = name[label..].starts_with(ONION) || name.trim_end_matches('.').ends_with(ONION);
        if name.is_empty() || looks_like_onion || name.chars().any(is_forbidden) {
            return invalid();
        }
        Ok(Self::Domain(name))
    }
}

/// Whether no name has this character. Control characters would be commands to the terminal that shows a log.
fn is_forbidden(character: char) -> bool {
    character.is_control() || character.is_whitespace() || [':', '#', ',', ';', '/', '[', ']', '@'].contains(&character)
}

/// A relay's address. Its text contains the password, so it is not for logs; `Debug` hides it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerAddress {
    /// Identity of the relay.
    pub key_hash: KeyHash,
    /// Password for creating queues, if the relay asks for one.
    pub password: Option<Password>,
    /// Hosts in order of preference; at least one in every address that was parsed.
    pub hosts: Vec<Host>,
    /// Port, if it is not one that clients try by themselves.
    pub port: Option<u16>,
}

/// Why a text is not a relay address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Another scheme, or none.
    #[error("a server address begins with smp://")]
    Scheme,
    /// No `@` between key hash and hosts.
    #[error("a server address has the form smp://fingerprint[:password]@host[,host][:port]")]
    Shape,
    /// Not 32 bytes in base64url.
    #[error("the fingerprint of a server is 32 bytes in base64url (44 characters)")]
    KeyHash,
    /// The password breaks the password rule.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// Not a host name or address.
    #[error("invalid host: {0}")]
    Host(String),
    /// Not a number from 1 to 65535.
    #[error("invalid port: {0}")]
    Port(String),
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.key_hash)?;
        if let Some(password) = &self.password {
            write!(f, ":{}", password.expose())?;
        }
        for (index, host) in self.hosts.iter().enumerate() {
            write!(f, "{}{host}", if index == 0 { '@' } else { ',' })?;
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl FromStr for ServerAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text.split_at_checked(SCHEME.len()).filter(|(scheme, _)| scheme.eq_ignore_ascii_case(SCHEME));
        let (_, rest) = rest.ok_or(AddressError::Scheme)?;
        let (credentials, location) = rest.split_once('@').ok_or(AddressError::Shape)?;
        let (key_hash, password) = match credentials.split_once(':') {
            Some((key_hash, password)) => (key_hash, Some(password.parse()?)),
            None => (credentials, None),
        };
        let (hosts, port) = split_port(location)?;
        Ok(Self {
            key_hash: key_hash.parse()?,
            password,
            hosts: hosts.split(',').map(str::parse).collect::<Result<_, _>>()?,
            port,
        })
    }
}

/// Splits `:port` off the last host. An IPv6 literal without brackets has no port.
fn split_port(location: &str) -> Result<(&str, Option<u16>), AddressError> {
    let last = location.rfind(',').map_or(0, |comma| comma + 1);
    let last_host = &location[last..];
    if last_host.parse::<Ipv6Addr>().is_ok() || last_host.ends_with(']') {
        return Ok((location, None));
    }
    let Some(colon) = last_host.rfind(':') else { return Ok((location, None)) };
    let port = &last_host[colon + 1..];
    match port.parse() {
        Ok(number) if number > 0 => Ok((&location[..last + colon], Some(number))),
        _ => Err(AddressError::Port(port.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HASH: &str = "rDuU7gVvQQulEHkZ4LsiH-nqhnyFvnlL2v4XaOiiG2U=";

    fn parse(text: &str) -> Result<ServerAddress, AddressError> {
        text.replace("HASH", HASH).parse()
    }

    #[test]
    fn reads_every_part() {
        let address = parse("smp://HASH:pass,word?@smp.example.org,abc234.onion,[2001:db8::1]:5224").unwrap();
        assert_eq!(address.key_hash.to_string(), HASH);
        assert_eq!(address.password.unwrap().expose(), "pass,word?");
        assert_eq!(
            address.hosts,
            [
                Host::Domain("smp.example.org".into()),
                Host::Onion("abc234.onion".into()),
                Host::V6("2001:db8::1".parse().unwrap())
            ]
        );
        assert_eq!(address.port, Some(5224));
    }

    #[test]
    fn reads_shorter_forms() {
        assert_eq!(parse("smp://HASH@192.0.2.7").unwrap().hosts, [Host::V4("192.0.2.7".parse().unwrap())]);
        assert_eq!(parse("smp://HASH@a.org").unwrap().port, None);
        assert_eq!(parse("smp://HASH@2001:db8::5223").unwrap().port, None);
        assert_eq!(parse("smp://HASH@[2001:db8::5223]").unwrap().port, None);
        assert_eq!(parse("smp://HASH@<hostnames>").unwrap().hosts, [Host::Domain("<hostnames>".into())]);
        assert_eq!(parse(&format!("smp://{}@a.org", HASH.trim_end_matches('='))), parse("smp://HASH@a.org"));
    }

    #[test]
    fn case_makes_no_difference_to_scheme_and_names() {
        assert_eq!(parse("SMP://HASH@Smp.Example.ORG,ABC234.Onion"), parse("smp://HASH@smp.example.org,abc234.onion"));
        assert_eq!(parse("smp://HASH@ABC234.ONION").unwrap().hosts, [Host::Onion("abc234.onion".into())]);
    }

    #[test]
    fn refuses_everything_else() {
        use AddressError::{Host, Port, Scheme, Shape};
        let long = "a".repeat(MAX_HOST + 1);
        for (text, error) in [
            ("xftp://HASH@a.org", Scheme),
            ("smp://HASH", Shape),
            ("smp://HASH=@a.org", AddressError::KeyHash),
            ("smp://aGk=@a.org", AddressError::KeyHash),
            ("smp://HASH:@a.org", AddressError::Password(PasswordError::Empty)),
            ("smp://HASH:a/b@a.org", AddressError::Password(PasswordError::Forbidden('/'))),
            ("smp://HASH@", Host(String::new())),
            ("smp://HASH@a.org,", Host(String::new())),
            ("smp://HASH@a b", Host("a b".into())),
            ("smp://HASH@x.ABC.ONION", Host("x.ABC.ONION".into())),
            ("smp://HASH@ABC.ONION.", Host("ABC.ONION.".into())),
            ("smp://HASH@a\x1b[31m", Host("a\x1b[31m".into())),
            ("smp://HASH@a\u{9b}31m", Host("a\u{9b}31m".into())),
            ("smp://HASH@a\0b", Host("a\0b".into())),
            ("smp://HASH@abc.onion.org", Host("abc.onion.org".into())),
            ("smp://HASH@x.abc.onion", Host("x.abc.onion".into())),
            ("smp://HASH@[abc]", Host("[abc]".into())),
            (&format!("smp://HASH@{long}"), Host(long.clone())),
            ("smp://HASH@a.org:", Port(String::new())),
            ("smp://HASH@a.org:0", Port("0".into())),
            ("smp://HASH@a.org:5223,443", Host("a.org:5223".into())),
            ("smp://HASH@a.org:65536", Port("65536".into())),
        ] {
            assert_eq!(parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn debug_output_hides_the_password() {
        assert!(!format!("{:?}", parse("smp://HASH:secret@a.org").unwrap()).contains("secret"));
    }

    fn any_host() -> impl Strategy<Value = Host> {
        prop_oneof![
            any::<[u8; 4]>().prop_map(|ip| Host::V4(ip.into())),
            any::<[u8; 16]>().prop_map(|ip| Host::V6(ip.into())),
            "[a-z2-7]{1,56}".prop_map(|label| Host::Onion(label + ".onion")),
            "[a-z][a-z0-9-]{0,9}(\\.[a-z]{2,4}){1,2}".prop_map(Host::Domain),
        ]
    }

    proptest! {
        #[test]
        fn text_form_round_trips(
            key_hash: [u8; 32],
            password in proptest::option::of("[!-.0-9;-?A-~]{1,20}"),
            hosts in proptest::collection::vec(any_host(), 1..4),
            port in proptest::option::of(1u16..),
        ) {
            let password = password.map(|text| text.parse().unwrap());
            let address = ServerAddress { key_hash: KeyHash(key_hash), password, hosts, port };
            prop_assert_eq!(address.to_string().parse(), Ok(address));
        }

        #[test]
        fn arbitrary_text_never_panics(text in "(smp://)?.{0,80}") {
            let _ = text.parse::<ServerAddress>();
        }
    }
}
