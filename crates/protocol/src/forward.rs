//! The cryptography of forwarding (wire.md §9.2–9.5): one type per party that seals something and later opens, or answers,
//! what belongs to it.
//!
//! ```text
//! client ──PFWD──► proxy ──RFWD──► relay        ClientForward   ProxyForward   RelayForward
//! client ◄──PRES── proxy ◄──RRES── relay
//! ```
//!
//! Two secrets, two nonces. Between client and relay: the client's key of this command with the relay's session key, and the
//! correlation ID of PFWD. Between proxy and relay: the session keys of their connection, and the correlation ID of RFWD.
//! Responses use the same secrets with the nonces reversed.

use std::fmt;

use thiserror::Error;

use crate::batch;
use crate::block::{self, ContentTooLong};
use crate::command::ForwardedCommand;
use crate::crypto::secret_box::{self, Nonce};
use crate::encoding::{Decoded, Encode, Reader};
use crate::error::{BrokerError, CommandError, ErrorType, ProxyError};
use crate::id::CorrId;
use crate::key::{DhPrivateKey, DhPublicKey, DhSecret};
use crate::transmission::Rejected;
use crate::version::Version;

/// Bytes of the padded batch inside every response, and inside the commands of clients from version 11.
pub const PADDED: usize = 16226;
/// Bytes of the padded batch inside the commands of older clients.
pub const PADDED_BEFORE_V11: usize = 16242;

/// A client waits for the response to one forwarded command.
pub struct ClientForward {
    secret: DhSecret,
    nonce: Nonce,
}

impl ClientForward {
    /// Encrypts `transmission` with `key`, which is fresh for every command, to the session key of the relay. `corr_id` is
    /// that of PFWD.
    ///
    /// Fails if the transmission is longer than 16221 bytes (16237 before version 11).
    pub fn seal(
        key: &DhPrivateKey,
        relay_key: &DhPublicKey,
        corr_id: &CorrId,
        version: Version,
        transmission: &[u8],
    ) -> Result<(Self, ForwardedCommand), ContentTooLong> {
        let padded = if version < Version::BLOCK_ENCRYPTION { PADDED_BEFORE_V11 } else { PADDED };
        let forward = Self { secret: key.agree(relay_key), nonce: corr_id.nonce() };
        let encrypted = seal_single(&forward.secret, &forward.nonce, transmission, padded)?;
        Ok((forward, ForwardedCommand { version, key: key.public(), encrypted: encrypted.into() }))
    }

    /// Decrypts a PRES into the one transmission that it must hold.
    pub fn open_response(&self, encrypted: &[u8]) -> Result<Vec<u8>, ResponseError> {
        let padded =
            secret_box::open(&self.secret, &reversed(self.nonce), encrypted).map_err(|_| ResponseError::Crypto)?;
        let content = block::unpad(&padded).map_err(|_| ResponseError::Crypto)?;
        batch::single(content).map(<[u8]>::to_vec).map_err(|_| ResponseError::Malformed)
    }
}

/// A proxy waits for the response of a relay to one RFWD.
pub struct ProxyForward {
    nonce: Nonce,
}

impl ProxyForward {
    /// Encrypts what RFWD carries. `secret` is that of the connection to the relay, `corr_id` the fresh one of RFWD and
    /// `client_corr_id` that of PFWD; the command itself is not looked at.
    pub fn seal(
        secret: &DhSecret,
        corr_id: &CorrId,
        client_corr_id: &CorrId,
        command: &ForwardedCommand,
    ) -> (Self, Vec<u8>) {
        let forward = Self { nonce: corr_id.nonce() };
        let mut plain = Vec::with_capacity(1 + 255 + 2 + 45 + command.encrypted.len());
        plain.put_short(client_corr_id.as_ref());
        command.encode(&mut plain);
        let encrypted = secret_box::seal(secret, &forward.nonce, &plain);
        (forward, encrypted)
    }

    /// Decrypts an RRES into what PRES carries. The correlation ID in it is redundant: only the answer to this RFWD decrypts.
    pub fn open_response(&self, secret: &DhSecret, encrypted: &[u8]) -> Result<Vec<u8>, ResponseError> {
        let plain = secret_box::open(secret, &reversed(self.nonce), encrypted).map_err(|_| ResponseError::Crypto)?;
        let mut input = Reader::new(&plain);
        input.short().map_err(|_| ResponseError::Malformed)?;
        Ok(input.tail().to_vec())
    }
}

/// What a relay finds in an RFWD.
pub struct Opened {
    /// Encrypts the response, whatever it is.
    pub reply: RelayForward,
    /// Version that the client speaks; not checked against anything, it only selects encodings.
    pub version: Version,
    /// The transmission of the client, or the error that is its encrypted response: then the batch did not decode.
    pub transmission: Result<Vec<u8>, Rejected>,
}

/// A relay owes the response to one RFWD.
pub struct RelayForward {
    client_secret: DhSecret,
    client_corr_id: CorrId,
    proxy_nonce: Nonce,
}

impl RelayForward {
    /// Decrypts the argument of RFWD. `proxy_secret` is that of the connection, `session_key` the relay's key of it, `corr_id`
    /// that of RFWD. Padding of any length is accepted.
    pub fn open(
        proxy_secret: &DhSecret,
        session_key: &DhPrivateKey,
        corr_id: &CorrId,
        encrypted: &[u8],
    ) -> Result<Opened, ForwardError> {
        let proxy_nonce = corr_id.nonce();
        let plain = secret_box::open(proxy_secret, &proxy_nonce, encrypted).map_err(|_| ForwardError::Crypto)?;
        let (client_corr_id, command) = read_forward(&plain).map_err(|_| ForwardError::Syntax)?;
        let client_secret = session_key.agree(&command.key);
        let padded = secret_box::open(&client_secret, &client_corr_id.nonce(), &command.encrypted)
            .map_err(|_| ForwardError::Crypto)?;
        let content = block::unpad(&padded).map_err(|_| ForwardError::Crypto)?;
        let transmission = match batch::split(content).as_deref() {
            Ok([transmission]) => Ok(transmission.to_vec()),
            Ok(_) => return Err(ForwardError::Block),
            Err(_) => Err(Rejected::block()),
        };
        let reply = Self { client_secret, client_corr_id, proxy_nonce };
        Ok(Opened { reply, version: command.version, transmission })
    }

    /// Encrypts the response transmission to the client and then to the proxy: what RRES carries.
    ///
    /// Fails with [`ForwardError::Block`] if the transmission is longer than 16221 bytes.
    pub fn seal(&self, proxy_secret: &DhSecret, transmission: &[u8]) -> Result<Vec<u8>, ForwardError> {
        let client_nonce = reversed(self.client_corr_id.nonce());
        let response = seal_single(&self.client_secret, &client_nonce, transmission, PADDED)
            .map_err(|_: ContentTooLong| ForwardError::Block)?;
        let mut plain = Vec::with_capacity(1 + 255 + response.len());
        plain.put_short(self.client_corr_id.as_ref());
        plain.put(&response);
        Ok(secret_box::seal(proxy_secret, &reversed(self.proxy_nonce), &plain))
    }
}

/// Shows neither secrets nor IDs.
impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opened(version {})", self.version)
    }
}

/// Why a relay answers RFWD with a plain error (wire.md §9.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ForwardError {
    /// One of the two layers does not decrypt.
    #[error("forwarded command does not decrypt")]
    Crypto,
    /// The proxy's layer holds something else than a forwarded command.
    #[error("forwarded command does not parse")]
    Syntax,
    /// There is not exactly one transmission inside, or the response does not fit.
    #[error("forwarded block does not hold exactly one transmission that fits")]
    Block,
}

impl From<ForwardError> for ErrorType {
    fn from(error: ForwardError) -> Self {
        match error {
            ForwardError::Crypto => Self::Crypto,
            ForwardError::Syntax => CommandError::Syntax.into(),
            ForwardError::Block => Self::Block,
        }
    }
}

/// What is wrong with an encrypted response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ResponseError {
    /// It does not decrypt.
    #[error("forwarded response does not decrypt")]
    Crypto,
    /// It decrypts to something else than a response.
    #[error("forwarded response does not parse")]
    Malformed,
}

/// How a proxy tells its client (wire.md §9.6).
impl From<ResponseError> for ErrorType {
    fn from(error: ResponseError) -> Self {
        match error {
            ResponseError::Crypto => Self::Crypto,
            ResponseError::Malformed => ProxyError::Broker(BrokerError::Response("BLOCK".into())).into(),
        }
    }
}

/// `s(correlation ID of PFWD) ‖ u16 version ‖ s(key) ‖ tail`
fn read_forward(plain: &[u8]) -> Decoded<(CorrId, ForwardedCommand)> {
    let mut input = Reader::new(plain);
    Ok((input.short()?.try_into()?, ForwardedCommand::decode(&mut input)?))
}

/// Encrypts a batch of one transmission, padded to `size`.
fn seal_single(secret: &DhSecret, nonce: &Nonce, transmission: &[u8], size: usize) -> Result<Vec<u8>, ContentTooLong> {
    let length = 3 + transmission.len();
    let mut content = Vec::with_capacity(length);
    content.push(1);
    content.try_put_large(transmission).map_err(|_| ContentTooLong { length, size })?;
    Ok(secret_box::seal(secret, nonce, &block::pad(&content, size)?))
}

fn reversed(mut nonce: Nonce) -> Nonce {
    nonce.reverse();
    nonce
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Parties {
        client: DhPrivateKey,
        relay: DhPrivateKey,
        proxy_secret: DhSecret,
        client_corr_id: CorrId,
        proxy_corr_id: CorrId,
    }

    impl Parties {
        fn new() -> Self {
            let (proxy, relay) = (DhPrivateKey::generate(), DhPrivateKey::generate());
            Self {
                client: DhPrivateKey::generate(),
                proxy_secret: proxy.agree(&relay.public()),
                relay,
                client_corr_id: CorrId::random(),
                proxy_corr_id: CorrId::random(),
            }
        }

        fn client(&self, version: Version, transmission: &[u8]) -> (ClientForward, ForwardedCommand) {
            ClientForward::seal(&self.client, &self.relay.public(), &self.client_corr_id, version, transmission)
                .unwrap()
        }

        fn proxy(&self, command: &ForwardedCommand) -> (ProxyForward, Vec<u8>) {
            ProxyForward::seal(&self.proxy_secret, &self.proxy_corr_id, &self.client_corr_id, command)
        }

        fn relay(&self, encrypted: &[u8]) -> Result<Opened, ForwardError> {
            RelayForward::open(&self.proxy_secret, &self.relay, &self.proxy_corr_id, encrypted)
        }

        /// A forward whose padded content is the client's choice.
        fn relay_finds(&self, padded: &[u8]) -> Result<Opened, ForwardError> {
            let secret = self.client.agree(&self.relay.public());
            let encrypted = secret_box::seal(&secret, &self.client_corr_id.nonce(), padded).into();
            let command = ForwardedCommand { version: Version::MAX, key: self.client.public(), encrypted };
            self.relay(&self.proxy(&command).1)
        }
    }

    #[test]
    fn a_command_and_its_response_pass_through() {
        let parties = Parties::new();
        for (version, length) in
            [(Version(8), 16258), (Version(10), 16258), (Version(11), 16242), (Version::MAX, 16242)]
        {
            let (client, command) = parties.client(version, b"command");
            assert_eq!(command.encrypted.len(), length);
            let (proxy, rfwd) = parties.proxy(&command);
            let opened = parties.relay(&rfwd).unwrap();
            assert_eq!((opened.version, opened.transmission), (version, Ok(b"command".to_vec())));
            let rres = opened.reply.seal(&parties.proxy_secret, b"response").unwrap();
            let pres = proxy.open_response(&parties.proxy_secret, &rres).unwrap();
            assert_eq!(pres.len(), 16242);
            assert_eq!(client.open_response(&pres), Ok(b"response".to_vec()));
        }
    }

    #[test]
    fn longest_transmissions() {
        let parties = Parties::new();
        let seal = |version, length| {
            let transmission = vec![0; length];
            ClientForward::seal(
                &parties.client,
                &parties.relay.public(),
                &parties.client_corr_id,
                version,
                &transmission,
            )
            .is_ok()
        };
        assert!(seal(Version(11), 16221) && !seal(Version(11), 16222));
        assert!(seal(Version(10), 16237) && !seal(Version(10), 16238));
        assert!(!seal(Version::MAX, 70_000));
        let (_, command) = parties.client(Version::MAX, b"");
        let reply = parties.relay(&parties.proxy(&command).1).unwrap().reply;
        assert!(reply.seal(&parties.proxy_secret, &[0; 16221]).is_ok());
        assert_eq!(reply.seal(&parties.proxy_secret, &[0; 16222]), Err(ForwardError::Block));
    }

    #[test]
    fn what_does_not_decrypt_is_crypto() {
        let parties = Parties::new();
        let (client, command) = parties.client(Version::MAX, b"command");
        let (proxy, mut rfwd) = parties.proxy(&command);
        rfwd[20] ^= 1;
        assert_eq!(parties.relay(&rfwd).unwrap_err(), ForwardError::Crypto);
        assert_eq!(parties.relay(&[]).unwrap_err(), ForwardError::Crypto);
        let other_key = ForwardedCommand { key: DhPrivateKey::generate().public(), ..command };
        assert_eq!(parties.relay(&parties.proxy(&other_key).1).unwrap_err(), ForwardError::Crypto);
        assert_eq!(parties.relay_finds(b"\x00\x05abc").unwrap_err(), ForwardError::Crypto);
        assert_eq!(proxy.open_response(&parties.proxy_secret, &rfwd), Err(ResponseError::Crypto));
        assert_eq!(client.open_response(&other_key.encrypted), Err(ResponseError::Crypto));
    }

    #[test]
    fn what_does_not_parse_is_syntax() {
        let parties = Parties::new();
        for plain in [&b""[..], b"\x04abc", b"\x00\x00\x14\x03abc"] {
            let rfwd = secret_box::seal(&parties.proxy_secret, &parties.proxy_corr_id.nonce(), plain);
            assert_eq!(parties.relay(&rfwd).unwrap_err(), ForwardError::Syntax);
        }
    }

    #[test]
    fn other_numbers_of_transmissions() {
        let parties = Parties::new();
        let two = block::pad(b"\x02\x00\x01a\x00\x01b", 100).unwrap();
        assert_eq!(parties.relay_finds(&two).unwrap_err(), ForwardError::Block);
        for unreadable in [&b""[..], b"\x00", b"\x01\x00\x02a", b"\x02\x00\x01a"] {
            let opened = parties.relay_finds(&block::pad(unreadable, 16).unwrap()).unwrap();
            assert_eq!(opened.transmission, Err(Rejected::block()));
            assert!(opened.reply.seal(&parties.proxy_secret, b"ERR BLOCK").is_ok());
        }
        let any_padding = parties.relay_finds(b"\x00\x04\x01\x00\x01a").unwrap();
        assert_eq!(any_padding.transmission, Ok(b"a".to_vec()));
    }

    #[test]
    fn errors_on_the_wire() {
        let encoded = |error: ErrorType| {
            let mut out = Vec::new();
            error.encode(&mut out);
            out
        };
        assert_eq!(encoded(ForwardError::Crypto.into()), b"CRYPTO");
        assert_eq!(encoded(ForwardError::Syntax.into()), b"CMD SYNTAX");
        assert_eq!(encoded(ForwardError::Block.into()), b"BLOCK");
        assert_eq!(encoded(ResponseError::Crypto.into()), b"CRYPTO");
        assert_eq!(encoded(ResponseError::Malformed.into()), b"PROXY BROKER RESPONSE \x05BLOCK");
    }

    #[test]
    fn responses_that_are_none() {
        let parties = Parties::new();
        let (client, command) = parties.client(Version::MAX, b"command");
        let (proxy, _) = parties.proxy(&command);
        let rres = secret_box::seal(&parties.proxy_secret, &reversed(parties.proxy_corr_id.nonce()), b"\x05abc");
        assert_eq!(proxy.open_response(&parties.proxy_secret, &rres), Err(ResponseError::Malformed));
        let secret = parties.client.agree(&parties.relay.public());
        let empty_batch = block::pad(b"\x00", 16).unwrap();
        let pres = secret_box::seal(&secret, &reversed(parties.client_corr_id.nonce()), &empty_batch);
        assert_eq!(client.open_response(&pres), Err(ResponseError::Malformed));
    }
}
