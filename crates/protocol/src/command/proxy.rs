//! Forwarding commands (wire.md §6.6, §9).

use std::fmt;
use std::net::Ipv4Addr;

use super::Arguments;
use super::creator::{BasicAuth, decode_basic_auth};
use crate::address::{DEFAULT_PORT, Host};
use crate::encoding::{Decoded, Encode, Malformed, Reader};
use crate::key::DhPublicKey;
use crate::version::Version;

/// What clients ask of a proxy, and a proxy of a relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProxyCommand {
    /// `PRXY`: open or share a connection to a relay.
    Connect(Box<(RelayAddress, Option<BasicAuth>)>),
    /// `PFWD`: forward to the relay of the session in the entity ID.
    Forward(ForwardedCommand),
    /// `RFWD`: a proxy forwards to us; encrypted, not padded.
    Relay(Box<[u8]>),
}

/// A command encrypted by a client to a relay.
#[derive(Clone, PartialEq, Eq)]
pub struct ForwardedCommand {
    /// Version that the client speaks with the relay.
    pub version: Version,
    /// The client's key for this command.
    pub key: DhPublicKey,
    /// Box over the padded batch of one transmission.
    pub encrypted: Box<[u8]>,
}

impl fmt::Debug for ForwardedCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ForwardedCommand(version {}, {} bytes)", self.version, self.encrypted.len())
    }
}

impl ForwardedCommand {
    /// Reads `u16 ‖ s(key) ‖ tail`.
    pub fn decode(input: &mut Reader<'_>) -> Decoded<Self> {
        Ok(Self { version: Version(input.u16()?), key: DhPublicKey::decode(input)?, encrypted: input.tail().into() })
    }

    /// Appends what [`Self::decode`] reads.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.put_u16(self.version.0);
        self.key.encode(out);
        out.put(&self.encrypted);
    }
}

/// Where a relay is and who it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RelayAddress {
    /// 1 to 255 hosts, alternatives of each other.
    pub hosts: Vec<Host>,
    /// TCP port.
    pub port: u16,
    /// SHA-256 of the identity certificate; other lengths parse and match no relay.
    pub key_hash: Vec<u8>,
}

impl RelayAddress {
    fn decode(input: &mut Reader<'_>) -> Decoded<Self> {
        let hosts = input.list(|i| parse_host(i.short()?))?;
        let port = match input.short()? {
            b"" => DEFAULT_PORT,
            digits if digits.iter().all(u8::is_ascii_digit) => {
                str::from_utf8(digits).ok().and_then(|d| d.parse().ok()).ok_or(Malformed)?
            }
            _ => return Err(Malformed),
        };
        Ok(Self { hosts, port, key_hash: input.short()?.to_vec() })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        let count = u8::try_from(self.hosts.len()).unwrap_or(u8::MAX);
        out.push(count);
        for host in self.hosts.iter().take(count.into()) {
            out.put_short(host.to_string().as_bytes());
        }
        out.put_short(self.port.to_string().as_bytes());
        out.put_short(&self.key_hash);
    }
}

/// Parses a host as the command has it: once the text starts like an address literal it must be one, and the names of onion
/// services are in lower case.
fn parse_host(text: &[u8]) -> Decoded<Host> {
    let text = str::from_utf8(text).map_err(|_| Malformed)?;
    if let Some(address) = parse_ipv4(text) {
        return address.map(Host::V4);
    }
    match text.parse().map_err(|_| Malformed)? {
        Host::Onion(name) if name != text => Err(Malformed),
        host => Ok(host),
    }
}

/// `None` if the text does not start with four numbers of which the first three are octets: then it is another form.
fn parse_ipv4(text: &str) -> Option<Decoded<Ipv4Addr>> {
    let mut parts = text.splitn(4, '.');
    let mut octets = [0; 4];
    for octet in &mut octets[..3] {
        *octet = decimal(parts.next()?)?.try_into().ok()?;
    }
    let last = parts.next()?;
    let digits = last.bytes().take_while(u8::is_ascii_digit).count();
    let number = decimal(&last[..digits])?;
    if digits < last.len() {
        return Some(Err(Malformed));
    }
    octets[3] = match number.try_into() {
        Ok(octet) => octet,
        Err(_) => return Some(Err(Malformed)),
    };
    Some(Ok(octets.into()))
}

fn decimal(text: &str) -> Option<u64> {
    if text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

impl ProxyCommand {
    pub(super) fn parse(tag: &[u8], arguments: Arguments<'_>) -> Decoded<Self> {
        match tag {
            b"PRXY" => arguments.parse(|i| {
                let address = RelayAddress::decode(i)?;
                let password = i.optional(decode_basic_auth)?;
                Ok(Self::Connect(Box::new((address, password))))
            }),
            b"PFWD" => arguments.parse(ForwardedCommand::decode).map(Self::Forward),
            b"RFWD" => arguments.parse(|i| Ok(Self::Relay(i.tail().into()))),
            _ => Err(Malformed),
        }
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Connect(relay) => {
                let (address, password) = &**relay;
                out.put(b"PRXY ");
                address.encode(out);
                out.put_optional(password.as_ref(), |out, password| out.put_short(password.as_bytes()));
            }
            Self::Forward(forwarded) => {
                out.put(b"PFWD ");
                forwarded.encode(out);
            }
            Self::Relay(encrypted) => {
                out.put(b"RFWD ");
                out.put(encrypted);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for text in
            ["192.168.0.1", "[2001:db8::1]", "abc234.onion", "smp.example.org", "192.256.0.1", "192.168.1", "localhost"]
        {
            let host = parse_host(text.as_bytes()).unwrap();
            assert_eq!(host.to_string(), text);
            let is_name = matches!(host, Host::Domain(_));
            assert_eq!(is_name, !text.contains(':') && !text.ends_with("onion") && text != "192.168.0.1", "{text}");
        }
        assert_eq!(parse_host(b"::1"), parse_host(b"[::1]"));
        assert_eq!(parse_host(b"SMP.Example.org"), parse_host(b"smp.example.org"));
        for text in
            ["192.168.0.0.1", "192.168.0.1x", "", "a b", "a:b", "[::1", "[x]", "ABC.onion", ".onion", "a/b", "a,b"]
        {
            assert_eq!(parse_host(text.as_bytes()), Err(Malformed), "{text}");
        }
    }

    #[test]
    fn nothing_that_looks_like_an_onion_service_is_a_domain() {
        for text in ["ABC234.ONION", "abc234.Onion", "x.abc234.ONION", "abc234.onion.", "ABC234.ONION."] {
            assert_eq!(parse_host(text.as_bytes()), Err(Malformed), "{text}");
        }
    }

    #[test]
    fn hosts_have_no_control_characters() {
        for text in ["a\x1b[2Jb.org", "a\x07.org", "a\0.org", "a\x7f.org", "a\u{9b}2J.org", "a\u{85}b.org"] {
            assert_eq!(parse_host(text.as_bytes()), Err(Malformed), "{text:?}");
        }
    }
}
