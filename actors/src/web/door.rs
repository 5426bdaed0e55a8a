//! How browsers come in on a port that is shared with SMP.

use std::sync::Arc;

use actix::Addr;
use smp_transport::tls::Greeting;
use smp_web::https::HttpsCredential;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use super::actor::{Visit, Web};

/// Leads connections with a server name to the site.
#[derive(Clone)]
pub struct WebDoor {
    /// The site.
    pub web: Addr<Web>,
    /// Its certificate.
    pub https: Arc<HttpsCredential>,
    /// One for each connection.
    pub places: Arc<Semaphore>,
}

impl WebDoor {
    /// Whether whoever greets like this is a browser, and there is a certificate for it: SMP clients name no server.
    pub fn is_for(&self, greeting: &Greeting<TcpStream>) -> bool {
        greeting.server_name().is_some() && self.https.is_loaded()
    }

    /// Hands the connection over. If the site has too many, it is closed.
    pub fn enter(&self, greeting: Greeting<TcpStream>) {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            self.web.do_send(Visit { greeting, place });
        }
    }
}
