//! Errors about relays and connections (wire.md §7.6, §7.7).

use super::{ErrorType, short_text, split_word};
use crate::encoding::{Decoded, Encode, Malformed};

/// Why a proxy could not forward.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProxyError {
    /// `PROTOCOL`: the relay answered the forward with this error.
    Protocol(ErrorType),
    /// `BROKER`: the connection to the relay failed.
    Broker(BrokerError),
    /// `BASIC_AUTH`: proxying is off, or the password is missing or wrong.
    BasicAuth,
    /// `NO_SESSION`: no relay connection with this session ID.
    NoSession,
}

/// What happened to the connection to a relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BrokerError {
    /// `RESPONSE` and a short text: the relay's answer does not decode.
    Response(String),
    /// `UNEXPECTED` and a short text of at most 32 characters: the relay's answer is of another kind.
    Unexpected(String),
    /// `NETWORK`: TCP, DNS or TLS.
    Network,
    /// `TIMEOUT`
    Timeout,
    /// `HOST`: no host of the required kind.
    Host,
    /// `NO_SERVICE`
    NoService,
    /// `TRANSPORT`: the SMP handshake failed.
    Transport(TransportError),
}

/// What is wrong with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransportError {
    /// `BLOCK`
    Block,
    /// `VERSION`: no common version.
    Version,
    /// `LARGE_MSG`
    LargeMessage,
    /// `SESSION`: session IDs differ.
    Session,
    /// `NO_AUTH`: no session key.
    NoAuth,
    /// `HANDSHAKE`
    Handshake(HandshakeError),
}

/// What is wrong with a handshake message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandshakeError {
    /// `PARSE`
    Parse,
    /// `IDENTITY`: another server was expected.
    Identity,
    /// `BAD_AUTH`: the session key is not proved.
    BadAuth,
    /// `BAD_SERVICE`: the service is not accepted.
    BadService,
}

impl ProxyError {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Protocol(error) => {
                out.put(b"PROTOCOL ");
                error.encode(out);
            }
            Self::Broker(error) => {
                out.put(b"BROKER ");
                error.encode(out);
            }
            Self::BasicAuth => out.put(b"BASIC_AUTH"),
            Self::NoSession => out.put(b"NO_SESSION"),
        }
    }

    pub(super) fn decode(text: &[u8]) -> Decoded<Self> {
        match split_word(text) {
            // A relay never nests the error of another one; without this check the depth is the peer's choice.
            (b"PROTOCOL", Some(rest)) if !rest.starts_with(b"PROXY PROTOCOL ") => {
                ErrorType::decode(rest).map(Self::Protocol)
            }
            (b"BROKER", Some(rest)) => BrokerError::decode(rest).map(Self::Broker),
            (b"BASIC_AUTH", None) => Ok(Self::BasicAuth),
            (b"NO_SESSION", None) => Ok(Self::NoSession),
            _ => Err(Malformed),
        }
    }
}

impl BrokerError {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Response(text) => {
                out.put(b"RESPONSE ");
                out.put_short(at_most(text, 255));
            }
            Self::Unexpected(text) => {
                out.put(b"UNEXPECTED ");
                out.put_short(at_most(text, 32));
            }
            Self::Network => out.put(b"NETWORK"),
            Self::Timeout => out.put(b"TIMEOUT"),
            Self::Host => out.put(b"HOST"),
            Self::NoService => out.put(b"NO_SERVICE"),
            Self::Transport(error) => {
                out.put(b"TRANSPORT ");
                error.encode(out);
            }
        }
    }

    fn decode(text: &[u8]) -> Decoded<Self> {
        match split_word(text) {
            (b"RESPONSE", Some(rest)) => short_text(rest).map(Self::Response),
            (b"UNEXPECTED", Some(rest)) => short_text(rest).map(Self::Unexpected),
            (b"NETWORK", _) => Ok(Self::Network),
            (b"TIMEOUT", None) => Ok(Self::Timeout),
            (b"HOST", None) => Ok(Self::Host),
            (b"NO_SERVICE", None) => Ok(Self::NoService),
            (b"TRANSPORT", Some(rest)) => TransportError::decode(rest).map(Self::Transport),
            _ => Err(Malformed),
        }
    }
}

/// The longest prefix of whole characters within `limit` bytes.
fn at_most(text: &str, limit: usize) -> &[u8] {
    &text.as_bytes()[..text.floor_char_boundary(limit)]
}

impl TransportError {
    /// Appends the error.
    pub fn encode(self, out: &mut Vec<u8>) {
        out.put(match self {
            Self::Block => b"BLOCK",
            Self::Version => b"VERSION",
            Self::LargeMessage => b"LARGE_MSG",
            Self::Session => b"SESSION",
            Self::NoAuth => b"NO_AUTH",
            Self::Handshake(HandshakeError::Parse) => b"HANDSHAKE PARSE",
            Self::Handshake(HandshakeError::Identity) => b"HANDSHAKE IDENTITY",
            Self::Handshake(HandshakeError::BadAuth) => b"HANDSHAKE BAD_AUTH",
            Self::Handshake(HandshakeError::BadService) => b"HANDSHAKE BAD_SERVICE",
        });
    }

    /// Reads an error that takes the whole input.
    pub fn decode(text: &[u8]) -> Decoded<Self> {
        match text {
            b"BLOCK" => Ok(Self::Block),
            b"VERSION" => Ok(Self::Version),
            b"LARGE_MSG" => Ok(Self::LargeMessage),
            b"SESSION" => Ok(Self::Session),
            b"NO_AUTH" => Ok(Self::NoAuth),
            b"HANDSHAKE PARSE" => Ok(Self::Handshake(HandshakeError::Parse)),
            b"HANDSHAKE IDENTITY" => Ok(Self::Handshake(HandshakeError::Identity)),
            b"HANDSHAKE BAD_AUTH" => Ok(Self::Handshake(HandshakeError::BadAuth)),
            b"HANDSHAKE BAD_SERVICE" => Ok(Self::Handshake(HandshakeError::BadService)),
            _ => Err(Malformed),
        }
    }
}
