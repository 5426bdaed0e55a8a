//! The listening sockets of the server, bound before its state is touched: a port in use must not cost a compaction.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::thread::available_parallelism;

use smp_config::settings::Settings;
use smp_transport::listener::{Address, BoundSocket, ListenError};

use crate::web::WebSockets;

/// Sockets of all ports, one per thread. Connections are refused until the server runs.
pub struct Sockets {
    pub(crate) ports: Vec<PortSockets>,
    /// Of the control port, on this machine only.
    pub(crate) control: Option<TcpListener>,
    /// Where metrics are told.
    pub(crate) metrics: Option<TcpListener>,
    /// Of the web site alone.
    pub(crate) web: WebSockets,
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
    /// On each address of the machine that is listened on.
    pub bound: Vec<BoundAddress>,
}

/// Sockets of one port on one address.
pub(crate) struct BoundAddress {
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
        let addresses = settings.transport.bind.addresses();
        let ports = tls.chain(websockets).map(|(port, transport)| {
            let bound = addresses.iter().map(|ip| BoundAddress::bind(Address::of(*ip, port), threads));
            Ok(PortSockets { port, transport, bound: bound.collect::<Result<_, _>>()? })
        });
        let ports = ports.collect::<Result<_, _>>()?;
        // The control port has no TLS: nobody else's machine may reach it.
        let control = settings.transport.control_port.map(|port| (Ipv4Addr::LOCALHOST, port).into());
        let control = control.map(bind_plain).transpose()?;
        let metrics = settings.store_log.prometheus_listen.map(bind_plain).transpose()?;
        Ok(Self { ports, control, metrics, web: WebSockets::bind(settings) })
    }
}

/// For what is spoken without TLS.
fn bind_plain(address: SocketAddr) -> Result<TcpListener, ListenError> {
    let socket = TcpListener::bind(address).and_then(|socket| socket.set_nonblocking(true).map(|()| socket));
    socket.map_err(|source| ListenError { address: Address::Only(address), source })
}

impl BoundAddress {
    fn bind(wanted: Address, threads: usize) -> Result<Self, ListenError> {
        // Sockets that share a port would not notice that another server listens on it too.
        let first = BoundSocket::bind(wanted, false)?;
        let address = first.local_addr().map_err(|source| ListenError { address: wanted, source })?;
        if threads == 1 {
            return Ok(Self { address, sockets: vec![first] });
        }
        drop(first);
        let sockets = (0..threads).map(|_| BoundSocket::bind(wanted.with_port(address.port()), true));
        Ok(Self { address, sockets: sockets.collect::<Result<_, _>>()? })
    }
}

/// Threads of the server: as configured, else one per processor.
pub(crate) fn threads(settings: &Settings) -> usize {
    settings.limits.threads.or(available_parallelism().ok().map(Into::into)).unwrap_or(1)
}
