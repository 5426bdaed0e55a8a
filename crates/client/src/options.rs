//! How to connect and how long to wait.

use std::time::Duration;

use smp_protocol::handshake::ServiceRole;
use smp_protocol::version::{Version, VersionRange};
use smp_transport::connect::Connector;
use smp_transport::handshake::ClientHandshake;
use smp_transport::keep_alive::KeepAlive;
use smp_transport::tls::{Credential, TlsClient};

/// How to connect. The default is an ordinary client of the newest version.
#[derive(Debug, Clone)]
pub struct Options {
    /// Versions the client speaks; the highest common one is used. [`VersionRange::single`] insists on one.
    pub versions: VersionRange,
    /// TLS: application protocols, key exchange groups, version, server name. See also [`Options::with_service`].
    pub tls: TlsClient,
    /// Send a session key: without it blocks are not encrypted a second time.
    pub send_key: bool,
    /// Say that the client is a proxy: its blocks are not encrypted a second time either.
    pub is_proxy: bool,
    /// Be a service with this role. Works with a certificate only, see [`Options::with_service`].
    pub service: Option<ServiceRole>,
    /// Speak WebSocket inside TLS: what servers expect on some ports (wire.md §11).
    pub websocket: bool,
    /// TCP keep-alive.
    pub keep_alive: Option<KeepAlive>,
    /// Limit for TCP, TLS and the SMP handshake together, for each host of an address in turn.
    pub connect_timeout: Duration,
    /// How long to wait for an answer, the time until the command can be sent included.
    pub request_timeout: Duration,
    /// How many events may wait to be taken; more stop the reading from the socket. 0: events are thrown away.
    pub event_capacity: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            versions: VersionRange::ALL,
            tls: TlsClient::default(),
            send_key: true,
            is_proxy: false,
            service: None,
            websocket: false,
            keep_alive: Some(KeepAlive::PROXY),
            connect_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(30),
            event_capacity: 1024,
        }
    }
}

impl Options {
    /// What a proxy uses towards relays (behaviour.md §3.13, §3.16): 45 s to connect, 30 s for an answer, no events.
    pub fn proxy() -> Self {
        Self { is_proxy: true, connect_timeout: Duration::from_secs(45), event_capacity: 0, ..Self::default() }
    }

    /// The default with exactly this version.
    pub fn with_version(version: Version) -> Self {
        Self { versions: VersionRange::single(version), ..Self::default() }
    }

    /// The same as a service with this certificate and role.
    #[must_use]
    pub fn with_service(mut self, credential: Credential, role: ServiceRole) -> Self {
        self.tls = self.tls.credential(credential);
        self.service = Some(role);
        self
    }

    pub(crate) fn connector(&self) -> Connector {
        Connector {
            tls: self.tls.clone(),
            handshake: ClientHandshake {
                versions: self.versions,
                send_key: self.send_key,
                is_proxy: self.is_proxy,
                service: self.service,
                limit: self.connect_timeout,
            },
            keep_alive: self.keep_alive,
            limit: self.connect_timeout,
        }
    }
}
