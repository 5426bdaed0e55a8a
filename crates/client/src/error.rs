//! What can go wrong between a client and its server.

use std::io;
use std::sync::Arc;

use smp_protocol::command::InvalidBasicAuth;
use smp_protocol::error::ErrorType;
use smp_protocol::forward::ResponseError;
use smp_protocol::response::{MalformedResponse, Response};
use smp_protocol::version::Version;
use smp_transport::block::{Disconnected, WriteError};
use smp_transport::connect::ConnectError;
use thiserror::Error;

/// Why a connection or a request failed.
#[derive(Debug, Error)]
pub enum ClientError {
    /// There is no connection: TCP, TLS or the SMP handshake failed.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The address has only onion services; see [`crate::Client::over`].
    #[error("the address names onion services only, which are reached through a SOCKS proxy")]
    OnlyOnionHosts,
    /// The password in the address or in the options is too long to be sent.
    #[error(transparent)]
    Password(#[from] InvalidBasicAuth),
    /// The connection ended before the answer came. Whether the server executed the command is not known.
    #[error(transparent)]
    Disconnected(#[from] Disconnection),
    /// No answer in time. Whether the server executed the command is not known; the connection remains.
    #[error("no answer in time")]
    Timeout,
    /// The server, for forwarded commands the proxy, answered `ERR`.
    #[error("the server answered ERR {}", text(.0))]
    Server(ErrorType),
    /// The relay answered `ERR` to a forwarded command.
    #[error("the relay answered ERR {}", text(.0))]
    Relay(ErrorType),
    /// The answer does not decode.
    #[error("the answer does not decode: {0}")]
    Malformed(#[from] MalformedResponse),
    /// The answer to a forwarded command decrypts, but to something that does not decode.
    #[error("the forwarded answer does not decode")]
    MalformedForward,
    /// The answer is none to this command; its tag.
    #[error("the answer {0} does not belong to the command")]
    Unexpected(String),
    /// The answer, the message or the notification does not decrypt.
    #[error("does not decrypt")]
    Crypto,
    /// The command does not fit a block. Nothing was sent.
    #[error("the command has {length} bytes, at most {limit} can be sent")]
    TooLong {
        /// Bytes of the transmission or of the content of the block.
        length: usize,
        /// The most that fits.
        limit: usize,
    },
    /// The correlation ID is empty, or that of another request in flight. Nothing was sent.
    #[error("the correlation ID is empty or in use")]
    CorrelationId,
    /// The connection has too old a version for what was asked. Nothing was sent.
    #[error("this needs protocol version {needed}, the connection has {agreed}")]
    VersionTooLow {
        /// The first version that has it.
        needed: Version,
        /// The version agreed on.
        agreed: Version,
    },
    /// The server has no session key, which X25519 authenticators and forwarding need. Nothing was sent.
    #[error("the server has no session key")]
    NoServerKey,
    /// The connection is not that of a service. Nothing was sent.
    #[error("the connection is not that of a service")]
    NotAService,
    /// The certificates that a proxy passed on do not prove the key of the relay (wire.md §9.1).
    #[error("the key of the relay is not proved by the certificates of its address")]
    RelayNotProved,
}

impl ClientError {
    /// An answer that is none to the command.
    pub(crate) fn unexpected(response: &Response) -> Self {
        let mut bytes = Vec::new();
        // Only the tag matters, which is written first.
        let _ = response.encode(Version::MAX, &mut bytes);
        let tag = bytes.split(|&byte| byte == b' ').next().unwrap_or_default();
        Self::Unexpected(tag.escape_ascii().to_string())
    }

    /// What the server, or the relay behind it, answered.
    pub fn answered(&self) -> Option<&ErrorType> {
        match self {
            Self::Server(error) | Self::Relay(error) => Some(error),
            _ => None,
        }
    }
}

impl From<ResponseError> for ClientError {
    fn from(error: ResponseError) -> Self {
        match error {
            ResponseError::Crypto => Self::Crypto,
            ResponseError::Malformed => Self::MalformedForward,
        }
    }
}

/// The error in the words of the protocol; texts in it are the peer's choice.
fn text(error: &ErrorType) -> String {
    let mut words = Vec::new();
    error.encode(&mut words);
    words.escape_ascii().to_string()
}

/// How a connection ended.
#[derive(Debug, Clone, Error)]
pub enum Disconnection {
    /// By [`crate::Client::close`], by dropping the client, or because the runtime stopped.
    #[error("the connection was closed by this side")]
    Local,
    /// The server closed it.
    #[error("the connection was closed by the server")]
    Server,
    /// TLS or the network failed.
    #[error("the connection failed: {0}")]
    Failed(#[source] Arc<io::Error>),
}

impl From<Disconnected> for Disconnection {
    fn from(error: Disconnected) -> Self {
        match error {
            Disconnected::Closed => Self::Server,
            Disconnected::Failed(error) => Self::Failed(Arc::new(error)),
        }
    }
}

impl From<WriteError> for Disconnection {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Failed(error) => Self::Failed(Arc::new(error)),
            WriteError::TooLong(error) => Self::Failed(Arc::new(io::Error::other(error))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unexpected_answers_are_named_by_their_tag() {
        for (response, tag) in [(Response::Pong, "PONG"), (Response::Subscribed(None), "SOK")] {
            assert_eq!(
                ClientError::unexpected(&response).to_string(),
                format!("the answer {tag} does not belong to the command")
            );
        }
    }

    #[test]
    fn texts_of_the_server_cannot_break_lines() {
        let error = ClientError::Server(ErrorType::Store("a\nb".into()));
        assert_eq!(error.to_string(), "the server answered ERR STORE a\\nb");
    }
}
