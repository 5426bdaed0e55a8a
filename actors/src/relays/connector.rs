//! Makes connections to relays.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use smp_client::protocol::address::{KeyHash, ServerAddress};
use smp_client::transport::connect::ConnectError;
use smp_client::transport::keep_alive::KeepAlive;
use smp_client::{Client, ClientError, Options};
use smp_config::settings::{Proxy, SocksAuth, SocksProxy};
use smp_protocol::address::Host;
use smp_protocol::command::RelayAddress;
use smp_protocol::error::{BrokerError, ErrorType, ProxyError, TransportError};
use smp_protocol::id::random_bytes;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_socks::tcp::Socks5Stream;

use super::addresses::{self, Unreachable, is_public_host};
use super::hosts::{Way, is_own, ways};
use super::table::{ConnectFailure, FailureKind, Relay};

/// Connects as a proxy does: as the settings of the operator say.
pub struct RelayConnector {
    settings: Proxy,
    options: Options,
    connect_limit: Duration,
}

impl RelayConnector {
    /// `connect_limit` is for everything up to the end of both handshakes, `response_limit` for each forwarded command.
    pub fn new(settings: Proxy, connect_limit: Duration, response_limit: Duration) -> Self {
        let options = Options { connect_timeout: connect_limit, request_timeout: response_limit, ..Options::proxy() };
        Self { settings, options, connect_limit }
    }

    /// Connects to the first host that can be reached.
    pub async fn connect(&self, address: &RelayAddress) -> Result<Relay, ConnectFailure> {
        let client = match timeout(self.connect_limit, self.connect_somewhere(address)).await {
            Ok(connected) => connected?,
            Err(_) => return Err(failure(ProxyError::Broker(BrokerError::Network).into())),
        };
        let is_own = is_own(&address.hosts, &self.settings.own_server_domains);
        match client.relay_session() {
            Ok(session) => Ok(Relay::new(client, session, is_own)),
            Err(error) => {
                client.close().await;
                Err(incompatible(error))
            }
        }
    }

    async fn connect_somewhere(&self, address: &RelayAddress) -> Result<Client, ConnectFailure> {
        // No relay has an identity of another length.
        let identity = address.key_hash.as_slice().try_into().map(KeyHash);
        let identity = identity.map_err(|_| failure(ProxyError::Broker(BrokerError::Network).into()))?;
        let mut last = failure(ProxyError::Broker(BrokerError::Host).into());
        for way in ways(&address.hosts, &self.settings) {
            match self.connect_by(way, address.port, identity).await {
                Ok(client) => return Ok(client),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn connect_by(&self, way: Way<'_>, port: u16, key_hash: KeyHash) -> Result<Client, ConnectFailure> {
        let connected = match way {
            Way::Direct(host) => addresses::connect(host, port, self.settings.allow_private).await,
            Way::Socks(host, _) if !self.settings.allow_private && !is_public_host(host) => Err(Unreachable::NotPublic),
            Way::Socks(host, proxy) => through_socks(proxy, host, port).await.map_err(Unreachable::Tcp),
        };
        let stream = match connected {
            Ok(stream) => stream,
            Err(Unreachable::NotPublic) => return Err(not_public()),
            Err(Unreachable::Tcp(error)) => {
                return Err(failure(ClientError::from(ConnectError::Tcp(error)).to_forwarding_error()));
            }
        };
        let to = ServerAddress { key_hash, password: None, hosts: vec![way.host().clone()], port: Some(port) };
        Client::over(stream, &to, &self.options).await.map_err(|error| failure(error.to_forwarding_error()))
    }
}

/// A TCP connection through the proxy, which is given the name, not an address.
async fn through_socks(proxy: &SocksProxy, host: &Host, port: u16) -> std::io::Result<TcpStream> {
    let name = match host {
        Host::V4(ip) => ip.to_string(),
        Host::V6(ip) => ip.to_string(),
        Host::Onion(name) | Host::Domain(name) => name.clone(),
    };
    let at = (unbracketed(&proxy.host), proxy.port);
    let (at, to) = ((at.0.as_str(), at.1), (name.as_str(), port));
    let stream = match &proxy.auth {
        SocksAuth::None => Socks5Stream::connect(at, to).await,
        SocksAuth::Password { user, password } => {
            Socks5Stream::connect_with_password(at, to, user, password.expose()).await
        }
        SocksAuth::Isolate => {
            // Tor builds another circuit for other credentials.
            let [user, password] = [unguessable(), unguessable()];
            Socks5Stream::connect_with_password(at, to, &user, &password).await
        }
    };
    let stream = stream.map_err(std::io::Error::other)?.into_inner();
    stream.set_nodelay(true)?;
    KeepAlive::PROXY.apply(&stream)?;
    Ok(stream)
}

fn unbracketed(host: &Host) -> String {
    match host {
        Host::V6(ip) => ip.to_string(),
        other => other.to_string(),
    }
}

fn unguessable() -> String {
    URL_SAFE_NO_PAD.encode(random_bytes::<16>())
}

fn failure(error: ErrorType) -> ConnectFailure {
    let is_temporary = matches!(
        &error,
        ErrorType::Proxy(proxy)
            if matches!(**proxy, ProxyError::Broker(BrokerError::Network | BrokerError::Timeout))
    );
    let kind = if is_temporary { FailureKind::Temporary } else { FailureKind::Other };
    ConnectFailure { error, kind }
}

/// To clients it is a host that this server does not connect to, such as one of another kind than the operator wants.
fn not_public() -> ConnectFailure {
    ConnectFailure { error: ProxyError::Broker(BrokerError::Host).into(), kind: FailureKind::NotPublic }
}

/// Connected, but without a version or a key that forwarding needs.
fn incompatible(error: TransportError) -> ConnectFailure {
    let error = ProxyError::Broker(BrokerError::Transport(error)).into();
    ConnectFailure { error, kind: FailureKind::Incompatible }
}
