//! Sockets of each port: accepted, and closed again.

use std::sync::Arc;

use super::Counter;

/// Connections of a port.
#[derive(Debug)]
pub struct PortStats {
    /// The port, as bound.
    pub port: u16,
    /// Accepted since the start.
    pub accepted: Counter,
    /// Closed again.
    pub closed: Counter,
}

impl PortStats {
    /// A port without connections.
    pub fn new(port: u16) -> Arc<Self> {
        Arc::new(Self { port, accepted: Counter::default(), closed: Counter::default() })
    }
}

/// A connection that is open. It is counted as closed when this is dropped.
#[derive(Debug)]
pub struct OpenConnection(Arc<PortStats>);

impl OpenConnection {
    /// Accepted just now.
    pub fn accepted(port: &Arc<PortStats>) -> Self {
        port.accepted.count();
        Self(Arc::clone(port))
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.closed.count();
    }
}
