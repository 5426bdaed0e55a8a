//! Errors as they travel in `ERR` responses (wire.md §7.5–7.7). All of them can be read as well as written: a proxy reads
//! the errors of relays.

mod blocking;
mod broker;

use crate::encoding::{Decoded, Encode, Malformed, Reader};

pub use blocking::{BlockingInfo, BlockingReason, Notice};
pub use broker::{BrokerError, HandshakeError, ProxyError, TransportError};

/// What an `ERR` response says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorType {
    /// `BLOCK`: the block, the batch or the transmission does not decode.
    Block,
    /// `SESSION`: wrong session ID in a version 6 transmission.
    Session,
    /// `CMD`.
    Command(CommandError),
    /// `PROXY`.
    Proxy(Box<ProxyError>),
    /// `AUTH`: one answer for everything that must not be told apart (behaviour.md I-1).
    Auth,
    /// `BLOCKED`: the operator blocked the queue.
    Blocked(BlockingInfo),
    /// `SERVICE`: service signature missing, unexpected or wrong.
    Service,
    /// `CRYPTO`: decryption failed in forwarding.
    Crypto,
    /// `QUOTA`: the queue is full.
    Quota,
    /// `STORE` and a short text: the store failed.
    Store(String),
    /// `NO_MSG`: nothing to acknowledge under this ID.
    NoMessage,
    /// `LARGE_MSG`: body of SEND too large.
    LargeMessage,
    /// `EXPIRED`: never sent by a server.
    Expired,
    /// `INTERNAL`: fault of the server.
    Internal,
    /// `NAME`.
    Name(NameError),
    /// `DUPLICATE_`: never sent by a server.
    Duplicate,
}

/// What is wrong with a command as such.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandError {
    /// `UNKNOWN` command word.
    Unknown,
    /// `SYNTAX` of the arguments.
    Syntax,
    /// `PROHIBITED` here.
    Prohibited,
    /// `NO_AUTH`: authorization or entity ID missing.
    NoAuth,
    /// `HAS_AUTH`: authorization or entity ID where there must be none.
    HasAuth,
    /// `NO_ENTITY`: entity ID missing.
    NoEntity,
}

/// Why a name was not resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameError {
    /// `NO_RESOLVER` is configured.
    NoResolver,
    /// `NOT_FOUND`.
    NotFound,
    /// `RESOLVER` and a short text.
    Resolver(String),
}

impl ErrorType {
    /// Appends the error, without the word `ERR`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Block => out.put(b"BLOCK"),
            Self::Session => out.put(b"SESSION"),
            Self::Command(error) => {
                out.put(b"CMD ");
                out.put(error.word());
            }
            Self::Proxy(error) => {
                out.put(b"PROXY ");
                error.encode(out);
            }
            Self::Auth => out.put(b"AUTH"),
            Self::Blocked(info) => {
                out.put(b"BLOCKED ");
                out.put(info.to_string().as_bytes());
            }
            Self::Service => out.put(b"SERVICE"),
            Self::Crypto => out.put(b"CRYPTO"),
            Self::Quota => out.put(b"QUOTA"),
            Self::Store(text) => {
                out.put(b"STORE ");
                out.put(text.as_bytes());
            }
            Self::NoMessage => out.put(b"NO_MSG"),
            Self::LargeMessage => out.put(b"LARGE_MSG"),
            Self::Expired => out.put(b"EXPIRED"),
            Self::Internal => out.put(b"INTERNAL"),
            Self::Name(error) => {
                out.put(b"NAME ");
                error.encode(out);
            }
            Self::Duplicate => out.put(b"DUPLICATE_"),
        }
    }

    /// Reads an error that takes the whole input.
    pub fn decode(text: &[u8]) -> Decoded<Self> {
        let (word, arguments) = split_word(text);
        let error = match (word, arguments) {
            (b"CMD", Some(rest)) => return CommandError::decode(rest).map(Self::Command),
            (b"PROXY", Some(rest)) => return ProxyError::decode(rest).map(|e| Self::Proxy(Box::new(e))),
            (b"BLOCKED", Some(rest)) => return BlockingInfo::decode(rest).map(Self::Blocked),
            (b"STORE", Some(rest)) => Self::Store(text_to_end(rest)),
            (b"NAME", Some(rest)) => return NameError::decode(rest).map(Self::Name),
            (b"BLOCK", None) => Self::Block,
            (b"SESSION", None) => Self::Session,
            (b"AUTH", None) => Self::Auth,
            (b"SERVICE", None) => Self::Service,
            (b"CRYPTO", None) => Self::Crypto,
            (b"QUOTA", None) => Self::Quota,
            (b"NO_MSG", None) => Self::NoMessage,
            (b"LARGE_MSG", None) => Self::LargeMessage,
            (b"EXPIRED", None) => Self::Expired,
            (b"INTERNAL", None) => Self::Internal,
            (b"DUPLICATE_", None) => Self::Duplicate,
            _ => return Err(Malformed),
        };
        Ok(error)
    }
}

impl From<CommandError> for ErrorType {
    fn from(error: CommandError) -> Self {
        Self::Command(error)
    }
}

impl From<ProxyError> for ErrorType {
    fn from(error: ProxyError) -> Self {
        Self::Proxy(Box::new(error))
    }
}

impl CommandError {
    fn word(self) -> &'static [u8] {
        match self {
            Self::Unknown => b"UNKNOWN",
            Self::Syntax => b"SYNTAX",
            Self::Prohibited => b"PROHIBITED",
            Self::NoAuth => b"NO_AUTH",
            Self::HasAuth => b"HAS_AUTH",
            Self::NoEntity => b"NO_ENTITY",
        }
    }

    fn decode(text: &[u8]) -> Decoded<Self> {
        match text {
            b"UNKNOWN" => Ok(Self::Unknown),
            b"SYNTAX" => Ok(Self::Syntax),
            b"PROHIBITED" => Ok(Self::Prohibited),
            b"NO_AUTH" => Ok(Self::NoAuth),
            b"HAS_AUTH" => Ok(Self::HasAuth),
            b"NO_ENTITY" | b"NO_QUEUE" => Ok(Self::NoEntity),
            _ => Err(Malformed),
        }
    }
}

impl NameError {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::NoResolver => out.put(b"NO_RESOLVER"),
            Self::NotFound => out.put(b"NOT_FOUND"),
            Self::Resolver(text) => {
                out.put(b"RESOLVER ");
                out.put(text.as_bytes());
            }
        }
    }

    fn decode(text: &[u8]) -> Decoded<Self> {
        match split_word(text) {
            (b"NO_RESOLVER", None) => Ok(Self::NoResolver),
            (b"NOT_FOUND", None) => Ok(Self::NotFound),
            (b"RESOLVER", Some(rest)) => Ok(Self::Resolver(text_to_end(rest))),
            _ => Err(Malformed),
        }
    }
}

/// The word before the first space, and what follows that space if there is one.
fn split_word(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    match text.iter().position(|&b| b == b' ') {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    }
}

/// Texts of other implementations are bytes of any encoding; they are shown, never interpreted.
fn text_to_end(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn short_text(bytes: &[u8]) -> Decoded<String> {
    let mut input = Reader::new(bytes);
    let text = input.short()?;
    input.finish()?;
    Ok(text_to_end(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(error: &ErrorType) -> String {
        let mut out = Vec::new();
        error.encode(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_error_round_trips() {
        let blocked =
            BlockingInfo { reason: BlockingReason::Content, notice: Some(Notice { ttl_seconds: Some(3600) }) };
        let handshake = TransportError::Handshake(HandshakeError::BadService);
        let errors = [
            (ErrorType::Command(CommandError::Syntax), "CMD SYNTAX"),
            (ErrorType::Auth, "AUTH"),
            (ErrorType::Blocked(blocked), "BLOCKED reason=content,notice={\"ttl\":3600}"),
            (ErrorType::Store("disk full".into()), "STORE disk full"),
            (ErrorType::Name(NameError::Resolver("HTTP 502".into())), "NAME RESOLVER HTTP 502"),
            (ProxyError::Protocol(ErrorType::Quota).into(), "PROXY PROTOCOL QUOTA"),
            (
                ProxyError::Broker(BrokerError::Response("CMD UNKNOWN".into())).into(),
                "PROXY BROKER RESPONSE \x0bCMD UNKNOWN",
            ),
            (ProxyError::Broker(BrokerError::Network).into(), "PROXY BROKER NETWORK"),
            (
                ProxyError::Broker(BrokerError::Transport(handshake)).into(),
                "PROXY BROKER TRANSPORT HANDSHAKE BAD_SERVICE",
            ),
            (ProxyError::NoSession.into(), "PROXY NO_SESSION"),
        ];
        for (error, text) in errors {
            assert_eq!(encoded(&error), text);
            assert_eq!(ErrorType::decode(text.as_bytes()), Ok(error));
        }
    }

    #[test]
    fn relays_of_other_releases_are_understood() {
        for text in ["NETWORK FAILED", "NETWORK CONNECT \x03abc", "NETWORK whatever"] {
            let text = format!("PROXY BROKER {text}");
            assert_eq!(ErrorType::decode(text.as_bytes()), Ok(ProxyError::Broker(BrokerError::Network).into()),);
        }
        assert_eq!(ErrorType::decode(b"STORE \xff"), Ok(ErrorType::Store("\u{fffd}".into())));
        assert_eq!(ErrorType::decode(b"CMD NO_QUEUE"), Ok(CommandError::NoEntity.into()));
    }

    #[test]
    fn surplus_text_is_malformed() {
        for text in ["AUTH ", "CMD", "CMD SYNTAX ", "", "BLOCKED spam", "NAME"] {
            assert_eq!(ErrorType::decode(text.as_bytes()), Err(Malformed), "{text}");
        }
    }
}
