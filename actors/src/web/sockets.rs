//! Sockets of the site alone. Without one there is less of the site, and everything else of the server.

use smp_config::settings::Settings;
use smp_transport::listener::{Address, BoundSocket, ListenError};

/// Bound sockets; connections are refused until the site listens.
#[derive(Default)]
pub struct WebSockets {
    /// For HTTP.
    pub http: Vec<BoundSocket>,
    /// For HTTPS, if it is not on an SMP port.
    pub https: Vec<BoundSocket>,
    /// Those that could not be bound.
    pub failures: Vec<ListenError>,
}

impl WebSockets {
    /// Binds what is configured.
    pub fn bind(settings: &Settings) -> Self {
        let mut this = Self::default();
        if settings.web.static_path.is_none() {
            return this;
        }
        let https = settings.https().filter(|https| !https.shared).map(|https| https.port);
        for ip in settings.web.bind.addresses() {
            for (port, sockets) in [(settings.web.http, &mut this.http), (https, &mut this.https)] {
                match port.map(|port| BoundSocket::bind(Address::of(ip, port), false)) {
                    Some(Ok(socket)) => sockets.push(socket),
                    Some(Err(failure)) => this.failures.push(failure),
                    None => {}
                }
            }
        }
        this
    }
}
