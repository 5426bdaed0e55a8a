//! The listening sockets of the server, bound before its state is touched: a port in use must not cost a compaction.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::thread::available_parallelism;

use smp_config::settings::Settings;
use smp_transport::listener::{Address, BoundSocket, ListenError};

/// Sockets of all ports, one per thread. Connections are refused until the server runs.
pub struct Sockets {
    pub(crate) ports: Vec<PortSockets>,
    /// Of the control port, on this machine only.
    pub(crate) control: Option<TcpListener>,
    /// Where metrics are told.
    pub(crate) metrics: Option<TcpListener>,
}

/// What clients speak on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// TLS.
    Tls,
    /// WebSockets over TLS.
    WebSockets,
}

/// Sockets of one port.
pub(crate) struct PortSockets {
    /// The port as configured; 0 is any free one.
    pub port: u16,
    /// What clients speak there.
    pub transport: Transport,
    /// The address in use.
    pub address: SocketAddr,
    /// One per thread.
    pub sockets: Vec<BoundSocket>,
}

impl Sockets {
    /// Takes every configured port.
    pub fn bind(settings: &Settings) -> Result<Self, ListenError> {
        let threads = threads(settings);
        let tls = settings.transport.ports.iter().map(|port| (*port, Transport::Tls));
        let websockets = settings.transport.websocket_ports.iter().map(|port| (*port, Transport::WebSockets));
        let ports = tls.chain(websockets).map(|(port, transport)| PortSockets::bind(port, transport, threads));
        let ports = ports.collect::<Result<_, _>>()?;
        // The control port has no TLS: nobody else's machine may reach it.
        let control = settings.transport.control_port.map(|port| (Ipv4Addr::LOCALHOST, port).into());
        let control = control.map(bind_plain).transpose()?;
        let metrics = settings.store_log.prometheus_listen.map(bind_plain).transpose()?;
        Ok(Self { ports, control, metrics })
    }
}

/// For what is spoken without TLS.
fn bind_plain(address: SocketAddr) -> Result<TcpListener, ListenError> {
    let socket = TcpListener::bind(address).and_then(|socket| socket.set_nonblocking(true).map(|()| socket));
    socket.map_err(|source| ListenError { address: Address::Only(address), source })
}

impl PortSockets {
    fn bind(port: u16, transport: Transport, threads: usize) -> Result<Self, ListenError> {
        let any = Address::Any(port);
        // Sockets that share a port would not notice that another server listens on it too.
        let first = BoundSocket::bind(any, false)?;
        let address = first.local_addr().map_err(|source| ListenError { address: any, source })?;
        if threads == 1 {
            return Ok(Self { port, transport, address, sockets: vec![first] });
        }
        drop(first);
        let sockets = (0..threads).map(|_| BoundSocket::bind(Address::Any(address.port()), true));
        Ok(Self { port, transport, address, sockets: sockets.collect::<Result<_, _>>()? })
    }
}

/// Threads of the server: as configured, else one per processor.
pub(crate) fn threads(settings: &Settings) -> usize {
    settings.limits.threads.or(available_parallelism().ok().map(Into::into)).unwrap_or(1)
}
