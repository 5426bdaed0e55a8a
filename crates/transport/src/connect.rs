//! From a host name to a session with a server in one step.

use std::io;
use std::time::Duration;

use smp_protocol::error::BrokerError;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::handshake::{ClientHandshake, ClientSession, HandshakeFailure};
use crate::keep_alive::KeepAlive;
use crate::tls::{ConnectedTls, TlsClient, TlsError, TlsStream};
use crate::websocket::{UpgradeError, WebSocketStream};

/// Why there is no session with a server.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// Not connected within the limit given by the caller.
    #[error("not connected in time")]
    Timeout,
    /// The name has no address, or no address can be reached.
    #[error("no TCP connection: {0}")]
    Tcp(#[source] io::Error),
    /// TLS failed.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The server accepts no WebSocket.
    #[error(transparent)]
    WebSocket(#[from] UpgradeError),
    /// The SMP handshake failed.
    #[error(transparent)]
    Handshake(#[from] HandshakeFailure),
}

/// How a proxy shows these errors to its clients (behaviour.md §3.15).
impl From<&ConnectError> for BrokerError {
    fn from(error: &ConnectError) -> Self {
        match error {
            ConnectError::Handshake(HandshakeFailure::Refused(error)) => Self::Transport(*error),
            _ => Self::Network,
        }
    }
}

/// A client that connects to servers.
#[derive(Debug, Clone)]
pub struct Connector {
    /// TLS.
    pub tls: TlsClient,
    /// The SMP handshake.
    pub handshake: ClientHandshake,
    /// TCP keep-alive, if wanted.
    pub keep_alive: Option<KeepAlive>,
    /// Limit for everything together.
    pub limit: Duration,
}

impl Connector {
    /// Connects to the server whose identity certificate has the fingerprint `identity`. All addresses of `host` are tried
    /// in turn.
    pub async fn connect(&self, host: &str, port: u16, identity: &[u8]) -> Result<ClientSession, ConnectError> {
        let connected = Box::pin(async {
            let stream = self.connect_tcp(host, port).await.map_err(ConnectError::Tcp)?;
            self.establish(stream, identity).await
        });
        timeout(self.limit, connected).await.map_err(|_| ConnectError::Timeout)?
    }

    /// TLS and the SMP handshake over a stream that is connected already, for example through a SOCKS proxy.
    pub async fn establish<S>(&self, stream: S, identity: &[u8]) -> Result<ClientSession<TlsStream<S>>, ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let connected = self.tls.connect(stream, identity, self.limit).await?;
        Ok(self.handshake.run(connected).await?)
    }

    /// [`Self::connect`] to a port for WebSockets (wire.md §11).
    pub async fn connect_websocket(
        &self,
        host: &str,
        port: u16,
        identity: &[u8],
    ) -> Result<ClientSession<WebSocketStream<TlsStream>>, ConnectError> {
        let connected = Box::pin(async {
            let stream = self.connect_tcp(host, port).await.map_err(ConnectError::Tcp)?;
            self.establish_websocket(stream, host, identity).await
        });
        timeout(self.limit, connected).await.map_err(|_| ConnectError::Timeout)?
    }

    /// [`Self::establish`] with a WebSocket in between. `host` is what the upgrade request says.
    pub async fn establish_websocket<S>(
        &self,
        stream: S,
        host: &str,
        identity: &[u8],
    ) -> Result<ClientSession<WebSocketStream<TlsStream<S>>>, ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let ConnectedTls { stream, tls, identity, credential } = self.tls.connect(stream, identity, self.limit).await?;
        let upgrade = timeout(self.limit, WebSocketStream::connect(stream, host)).await;
        let stream = upgrade.map_err(|_| ConnectError::Timeout)??;
        Ok(self.handshake.run(ConnectedTls { stream, tls, identity, credential }).await?)
    }

    async fn connect_tcp(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        if let Some(keep_alive) = self.keep_alive {
            keep_alive.apply(&stream)?;
        }
        Ok(stream)
    }
}
