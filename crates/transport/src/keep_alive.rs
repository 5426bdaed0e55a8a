//! How the operating system finds out that a peer is gone.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// TCP keep-alive, and the time after which a silent peer is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeepAlive {
    /// Idle time before the first probe.
    pub idle: Duration,
    /// Time between probes.
    pub interval: Duration,
    /// Probes that are sent.
    pub probes: u32,
    /// `TCP_USER_TIMEOUT`: a peer that acknowledges nothing of what was sent to it, or takes nothing more, is given up after this
    /// time; one that answers no probe, at the first probe after it.
    pub give_up: Duration,
}

impl KeepAlive {
    /// Of a proxy: 30 s, 15 s, 4 probes (wire.md §3.7).
    pub const PROXY: Self = Self {
        idle: Duration::from_secs(30),
        interval: Duration::from_secs(15),
        probes: 4,
        give_up: Duration::from_secs(90),
    };

    /// Of a server: an idle client is asked once a minute.
    pub const SERVER: Self = Self {
        idle: Duration::from_secs(60),
        interval: Duration::from_secs(20),
        probes: 3,
        give_up: Duration::from_secs(120),
    };

    /// Sets it on a connection.
    pub fn apply(self, stream: &TcpStream) -> io::Result<()> {
        let options = TcpKeepalive::new().with_time(self.idle).with_interval(self.interval).with_retries(self.probes);
        let socket = SockRef::from(stream);
        socket.set_tcp_keepalive(&options)?;
        socket.set_tcp_user_timeout(Some(self.give_up))
    }
}
