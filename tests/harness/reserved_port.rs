//! Ports for servers under test.

use std::net::{Ipv4Addr, Ipv6Addr};

use tokio::net::TcpSocket;

/// A port that the system gives to nobody else. Who asks for exactly this one can listen on it.
pub struct ReservedPort {
    pub number: u16,
    /// Bound, and never listened on.
    _socket: TcpSocket,
}

impl ReservedPort {
    /// One of all addresses of this machine.
    pub fn new() -> Self {
        let socket = TcpSocket::new_v6().and_then(|socket| Self::bind(socket, (Ipv6Addr::UNSPECIFIED, 0).into()));
        let socket = socket
            .or_else(|_| TcpSocket::new_v4().and_then(|socket| Self::bind(socket, (Ipv4Addr::UNSPECIFIED, 0).into())));
        let socket = socket.expect("there are free ports");
        Self { number: socket.local_addr().expect("it is bound").port(), _socket: socket }
    }

    fn bind(socket: TcpSocket, address: std::net::SocketAddr) -> std::io::Result<TcpSocket> {
        socket.bind(address)?;
        // Only now, so that the port is nobody else's; with it the server can bind it too.
        socket.set_reuseaddr(true)?;
        Ok(socket)
    }
}
