//! The SMP handshake (wire.md §3): server hello, client hello and, for services, the server's answer.
//!
//! Each message is the content of one unencrypted padded block. Bytes after the known fields are ignored in all of them.

use crate::encoding::{Decoded, Encode, Malformed, Reader, TooLong};
use crate::error::TransportError;
use crate::id::{ServiceId, SessionId};
use crate::key::DhPublicKey;
use crate::version::{Version, VersionRange};

/// Longest certificate chain that either side may present.
pub const MAX_CHAIN: usize = 4;

/// A certificate chain (DER, leaf first) and a key signed by its leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertChainPubKey {
    /// DER certificates, leaf first.
    pub chain: Vec<Vec<u8>>,
    /// See [`crate::signed_key`].
    pub signed_key: Vec<u8>,
}

impl CertChainPubKey {
    /// Appends `ne(l(certificate)) ‖ l(signed key)`.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), TooLong> {
        let count = self.chain.len();
        out.push(u8::try_from(count).map_err(|_| TooLong { length: count, limit: 255 })?);
        for certificate in &self.chain {
            out.try_put_large(certificate)?;
        }
        out.try_put_large(&self.signed_key)
    }

    /// Reads what [`Self::encode`] writes.
    pub fn decode(input: &mut Reader<'_>) -> Decoded<Self> {
        let chain = input.list(|i| i.large().map(<[u8]>::to_vec))?;
        Ok(Self { chain, signed_key: input.large()?.to_vec() })
    }
}

/// First block of a connection, from the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerHello {
    /// Versions the server offers to this client.
    pub versions: VersionRange,
    /// Session ID of the TLS connection.
    pub session_id: SessionId,
    /// The TLS chain and the server's session key; absent for clients without ALPN.
    pub key: Option<CertChainPubKey>,
}

impl ServerHello {
    /// Appends the block content.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), TooLong> {
        self.versions.encode(out);
        out.put_short(self.session_id.as_ref());
        self.key.as_ref().map_or(Ok(()), |key| key.encode(out))
    }

    /// Reads the block content. A key that does not decode counts as absent, as in every client.
    pub fn decode(content: &[u8]) -> Decoded<Self> {
        let mut input = Reader::new(content);
        let versions = VersionRange::decode(&mut input)?;
        let session_id = input.short()?.try_into()?;
        let key = CertChainPubKey::decode(&mut input).ok();
        Ok(Self { versions, session_id, key })
    }
}

/// What a service connection may do (wire.md §5.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ServiceRole {
    /// `M`: everything an ordinary client may.
    Messaging,
    /// `N`: notifications.
    Notifier,
    /// `P`: forwarding.
    Proxy,
}

impl ServiceRole {
    /// The letter on the wire and in the store log.
    pub fn letter(self) -> u8 {
        match self {
            Self::Messaging => b'M',
            Self::Notifier => b'N',
            Self::Proxy => b'P',
        }
    }

    /// The role of a letter.
    pub fn from_letter(letter: u8) -> Decoded<Self> {
        match letter {
            b'M' => Ok(Self::Messaging),
            b'N' => Ok(Self::Notifier),
            b'P' => Ok(Self::Proxy),
            _ => Err(Malformed),
        }
    }
}

/// The service part of a client hello.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientService {
    /// Role of the service.
    pub role: ServiceRole,
    /// The client's TLS chain and its Ed25519 service session key.
    pub key: CertChainPubKey,
}

/// Second block of a connection, from the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientHello {
    /// The version for this connection.
    pub version: Version,
    /// SHA-256 of the server's identity certificate, 32 bytes; other lengths parse and match nothing.
    pub key_hash: Vec<u8>,
    /// The client's session key.
    pub key: Option<DhPublicKey>,
    /// The client is a proxy: blocks are not encrypted.
    pub proxy: bool,
    /// The client is a service.
    pub service: Option<ClientService>,
}

impl ClientHello {
    /// Appends the block content.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), TooLong> {
        out.put_u16(self.version.0);
        out.try_put_short(&self.key_hash)?;
        if let Some(key) = &self.key
            && self.version >= Version::IMPLICIT_SESSION_ID
        {
            key.encode(out);
        }
        if self.version >= Version::PROXY_FLAG {
            out.put_bool(self.proxy);
        }
        if self.version >= Version::SERVICES {
            match &self.service {
                None => out.push(b'0'),
                Some(service) => {
                    out.put(&[b'1', service.role.letter()]);
                    service.key.encode(out)?;
                }
            }
        }
        Ok(())
    }

    /// Reads the block content.
    pub fn decode(content: &[u8]) -> Decoded<Self> {
        let mut input = Reader::new(content);
        let version = Version(input.u16()?);
        let key_hash = input.short()?.to_vec();
        let key = if version >= Version::IMPLICIT_SESSION_ID { optional_key(&mut input) } else { None };
        let proxy = version >= Version::PROXY_FLAG && input.bool()?;
        let service = if version >= Version::SERVICES {
            input.optional(|i| {
                Ok(ClientService { role: ServiceRole::from_letter(i.u8()?)?, key: CertChainPubKey::decode(i)? })
            })?
        } else {
            None
        };
        Ok(Self { version, key_hash, key, proxy, service })
    }
}

/// The key has no presence tag: what does not read as one is left for the next field.
fn optional_key(input: &mut Reader<'_>) -> Option<DhPublicKey> {
    let mut ahead = input.clone();
    let key = DhPublicKey::decode(&mut ahead).ok()?;
    *input = ahead;
    Some(key)
}

/// Third block, from the server, only to services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceResponse {
    /// `R` and the service ID, stable for the certificate.
    Accepted(ServiceId),
    /// `E` and the reason; the server closes.
    Refused(TransportError),
}

impl ServiceResponse {
    /// Appends the block content.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Accepted(id) => {
                out.push(b'R');
                out.put_short(id.as_ref());
            }
            Self::Refused(error) => {
                out.push(b'E');
                error.encode(out);
            }
        }
    }

    /// Reads the block content.
    pub fn decode(content: &[u8]) -> Decoded<Self> {
        let mut input = Reader::new(content);
        match input.u8()? {
            b'R' => input.short()?.try_into().map(Self::Accepted),
            b'E' => TransportError::decode(input.tail()).map(Self::Refused),
            _ => Err(Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::DhPrivateKey;

    fn hello(version: u16, key: bool, proxy: bool) -> ClientHello {
        ClientHello {
            version: Version(version),
            key_hash: vec![7; 32],
            key: key.then(|| DhPrivateKey::generate().public()),
            proxy,
            service: None,
        }
    }

    #[test]
    fn client_hello_round_trips_in_every_version() {
        for version in 6..=20 {
            for key in [false, true] {
                for proxy in [false, true] {
                    let hello = hello(version, key && version >= 7, proxy && version >= 14);
                    let mut content = Vec::new();
                    hello.encode(&mut content).unwrap();
                    content.extend_from_slice(b"ignored");
                    if version >= 14 || hello.key.is_some() || version == 6 {
                        assert_eq!(ClientHello::decode(&content), Ok(hello));
                    }
                }
            }
        }
    }

    #[test]
    fn known_lengths_of_version_20() {
        let mut content = Vec::new();
        hello(20, false, false).encode(&mut content).unwrap();
        assert_eq!((content.len(), &content[35..]), (37, &b"F0"[..]));
        content.clear();
        hello(20, true, true).encode(&mut content).unwrap();
        assert_eq!((content.len(), &content[80..]), (82, &b"T0"[..]));
    }

    #[test]
    fn server_hello_with_a_broken_key_has_none() {
        let hello =
            ServerHello { versions: VersionRange::ALL, session_id: (&[1; 32][..]).try_into().unwrap(), key: None };
        let mut content = Vec::new();
        hello.encode(&mut content).unwrap();
        content.extend_from_slice(&[2, 0, 9, 1]);
        assert_eq!(ServerHello::decode(&content), Ok(hello));
    }
}
