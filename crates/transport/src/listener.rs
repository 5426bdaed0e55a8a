//! Listening sockets and what can go wrong with them (behaviour.md §1.1).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};

use crate::keep_alive::KeepAlive;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 4096;
/// How long to wait for descriptors to become free.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(500);

/// Where to listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Address {
    /// All addresses of the machine, IPv6 and IPv4; IPv4 alone where there is no IPv6.
    Any(u16),
    /// Just this one.
    Only(SocketAddr),
}

impl Address {
    /// This port of one address, or of all.
    pub fn of(ip: Option<IpAddr>, port: u16) -> Self {
        ip.map_or(Self::Any(port), |ip| Self::Only((ip, port).into()))
    }

    /// The same address with another port.
    #[must_use]
    pub fn with_port(self, port: u16) -> Self {
        match self {
            Self::Any(_) => Self::Any(port),
            Self::Only(address) => Self::Only((address.ip(), port).into()),
        }
    }

    fn port(self) -> u16 {
        match self {
            Self::Any(port) => port,
            Self::Only(address) => address.port(),
        }
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Any(port) => write!(f, "port {port}"),
            Self::Only(address) => address.fmt(f),
        }
    }
}

/// A socket that cannot be listened on.
#[derive(Debug, Error)]
#[error("cannot listen on {address}: {source}{}", remedy(source, *address))]
pub struct ListenError {
    /// Where.
    pub address: Address,
    /// Why.
    pub source: io::Error,
}

fn remedy(error: &io::Error, address: Address) -> String {
    let port = address.port();
    match error.kind() {
        io::ErrorKind::AddrInUse => format!("; stop the program that uses port {port}, or configure another port"),
        io::ErrorKind::PermissionDenied if port < 1024 => {
            format!("; port {port} needs the capability CAP_NET_BIND_SERVICE, or configure a port above 1023")
        }
        io::ErrorKind::AddrNotAvailable => "; configure an address of this machine".to_owned(),
        _ => String::new(),
    }
}

/// A connection that was not accepted, and what to do.
#[derive(Debug, Error)]
pub enum AcceptError {
    /// This one connection was lost: accept the next.
    #[error("a connection was lost before it was accepted: {0}")]
    Transient(#[source] io::Error),
    /// The process or the machine has no more descriptors or memory for sockets: accept again after [`Self::pause`].
    #[error("no resources for another connection: {0}; raise the limit of open files (ulimit -n, LimitNOFILE)")]
    Exhausted(#[source] io::Error),
    /// The listening socket does not work any more.
    #[error("cannot accept connections: {0}")]
    Broken(#[source] io::Error),
}

impl AcceptError {
    /// How long to wait before accepting again; `None` if there is no point.
    pub fn pause(&self) -> Option<Duration> {
        match self {
            Self::Transient(_) => Some(Duration::ZERO),
            Self::Exhausted(_) => Some(EXHAUSTED_PAUSE),
            Self::Broken(_) => None,
        }
    }
}

impl From<io::Error> for AcceptError {
    fn from(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(
                libc::ECONNABORTED
                | libc::EAGAIN
                | libc::ENETDOWN
                | libc::EPROTO
                | libc::ENOPROTOOPT
                | libc::EHOSTDOWN
                | libc::ENONET
                | libc::EHOSTUNREACH
                | libc::EOPNOTSUPP
                | libc::ENETUNREACH,
            ) => Self::Transient(error),
            Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM) => Self::Exhausted(error),
            _ => Self::Broken(error),
        }
    }
}

/// A TCP socket that has its port, but does not listen yet: connections are refused.
#[derive(Debug)]
pub struct BoundSocket {
    socket: Socket,
}

impl BoundSocket {
    /// Binds; fails if somebody listens there. With `share_port` several sockets of this user may listen on the same port and the system
    /// spreads connections over them (`SO_REUSEPORT`).
    pub fn bind(address: Address, share_port: bool) -> Result<Self, ListenError> {
        let bound = match address {
            Address::Only(address) => bind(address, share_port),
            Address::Any(port) => match bind((Ipv6Addr::UNSPECIFIED, port).into(), share_port) {
                Err(error) if lacks_ipv6(&error) => bind((Ipv4Addr::UNSPECIFIED, port).into(), share_port),
                bound => bound,
            },
        };
        bound.map(|socket| Self { socket }).map_err(|source| ListenError { address, source })
    }

    /// The address in use, for port 0 the one that the system chose.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()?.as_socket().ok_or_else(|| io::ErrorKind::Unsupported.into())
    }

    /// Listens from now on; `keep_alive` is for the connections. Must be called within the tokio runtime that is to accept.
    pub fn into_listener(self, keep_alive: KeepAlive) -> io::Result<Listener> {
        self.socket.listen(BACKLOG)?;
        TcpListener::from_std(self.socket.into()).map(|socket| Listener { socket, keep_alive })
    }
}

/// A listening TCP socket.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    keep_alive: KeepAlive,
}

impl Listener {
    /// [`BoundSocket::bind`] and [`BoundSocket::into_listener`] in one.
    pub fn bind(address: Address, share_port: bool) -> Result<Self, ListenError> {
        let bound = BoundSocket::bind(address, share_port)?;
        bound.into_listener(KeepAlive::SERVER).map_err(|source| ListenError { address, source })
    }

    /// The address in use.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// The next connection, with `TCP_NODELAY` and keep-alive.
    pub async fn accept(&self) -> Result<(TcpStream, SocketAddr), AcceptError> {
        let (stream, peer) = self.socket.accept().await?;
        // Fails only if the connection has ended already, which its first read will tell.
        stream.set_nodelay(true).and_then(|()| self.keep_alive.apply(&stream)).map_err(AcceptError::Transient)?;
        Ok((stream, peer))
    }
}

fn bind(address: SocketAddr, share_port: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        socket.set_only_v6(false)?;
    }
    // Lets a restart have its port again at once. A port that the system chooses is not to be shared with anybody who asks
    // for any port, too, before it is listened on.
    socket.set_reuse_address(address.port() != 0)?;
    if share_port {
        socket.set_reuse_port(true)?;
    }
    socket.bind(&address.into())?;
    Ok(socket)
}

fn lacks_ipv6(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EAFNOSUPPORT | libc::EADDRNOTAVAIL))
}
