//! From TLS to a WebSocket: one HTTP/1.1 request and its response (RFC 6455 §4). No subprotocol, no extension.

use std::io;

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tungstenite::error::ProtocolError;
use tungstenite::handshake::client::{Response, generate_key};
use tungstenite::handshake::derive_accept_key;
use tungstenite::handshake::machine::TryParse;
use tungstenite::handshake::server::{Request, create_response, write_response};
use tungstenite::protocol::Role;

use super::WebSocketStream;

/// Most bytes of a request, or of the head of a response.
const MAX_HEAD: usize = 8192;

const NOT_HTTP: &[u8] = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
const NO_UPGRADE: &[u8] = b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Connection: Upgrade, close\r\nContent-Length: 0\r\n\r\n";

/// Why there is no WebSocket.
#[derive(Debug, Error)]
pub enum UpgradeError {
    /// The connection ended first.
    #[error("WebSocket upgrade interrupted: {0}")]
    Io(#[from] io::Error),
    /// The request or response does not end within 8192 bytes, or is no HTTP at all.
    #[error("the peer does not speak HTTP/1.1")]
    NotHttp,
    /// The client does not ask for a WebSocket, or not for version 13.
    #[error("the client asks for no WebSocket: {0}")]
    NotAsked(#[source] ProtocolError),
    /// The server answered with this status, or with 101 but other headers than it must.
    #[error("the server does not speak WebSocket: it answered with status {0}")]
    Refused(u16),
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocketStream<S> {
    /// Reads the request of a client, whatever its path, and accepts it. A client that asks for anything else gets an HTTP
    /// error, and `stream` is closed.
    pub async fn accept(mut stream: S) -> Result<Self, UpgradeError> {
        let response = match read_head(&mut stream).await {
            Ok(head) => response_to(&head),
            Err(error) => Err(error),
        };
        match response {
            Ok(response) => {
                stream.write_all(&response).await?;
                stream.flush().await?;
                Ok(Self::new(stream, Role::Server))
            }
            Err(error) => {
                let refusal = match &error {
                    UpgradeError::NotHttp => NOT_HTTP,
                    UpgradeError::NotAsked(_) => NO_UPGRADE,
                    UpgradeError::Io(_) | UpgradeError::Refused(_) => return Err(error),
                };
                stream.write_all(refusal).await?;
                stream.shutdown().await?;
                Err(error)
            }
        }
    }

    /// Asks the server for a WebSocket at the path `/`. `host` is the host of the server, with its port unless that is 443.
    pub async fn connect(mut stream: S, host: &str) -> Result<Self, UpgradeError> {
        let key = generate_key();
        let request = format!(
            "GET / HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        stream.flush().await?;
        let head = read_head(&mut stream).await?;
        let Ok(Some((_, response))) = Response::try_parse(&head) else { return Err(UpgradeError::NotHttp) };
        if is_accepted(&response, &key) {
            Ok(Self::new(stream, Role::Client))
        } else {
            Err(UpgradeError::Refused(response.status().as_u16()))
        }
    }
}

/// Everything up to the empty line, and nothing behind it: that is for the WebSocket.
async fn read_head<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Vec<u8>, UpgradeError> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == MAX_HEAD {
            return Err(UpgradeError::NotHttp);
        }
        head.push(stream.read_u8().await?);
    }
    Ok(head)
}

fn response_to(head: &[u8]) -> Result<Vec<u8>, UpgradeError> {
    let (_, request) = Request::try_parse(head)?.ok_or(UpgradeError::NotHttp)?;
    let mut response = Vec::new();
    write_response(&mut response, &create_response(&request)?)?;
    Ok(response)
}

impl From<tungstenite::Error> for UpgradeError {
    fn from(error: tungstenite::Error) -> Self {
        match error {
            tungstenite::Error::Protocol(ProtocolError::HttparseError(_)) => Self::NotHttp,
            tungstenite::Error::Protocol(error) => Self::NotAsked(error),
            _ => Self::NotHttp,
        }
    }
}

/// The checks of RFC 6455 §4.1.
fn is_accepted(response: &Response, key: &str) -> bool {
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    response.status().as_u16() == 101
        && header("upgrade").eq_ignore_ascii_case("websocket")
        && header("connection").eq_ignore_ascii_case("upgrade")
        && header("sec-websocket-accept") == derive_accept_key(key.as_bytes())
        && header("sec-websocket-extensions").is_empty()
        && header("sec-websocket-protocol").is_empty()
}
