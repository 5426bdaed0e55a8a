//! How browsers come in on a port that is shared with SMP.

use std::net::IpAddr;
use std::sync::Arc;

use actix::Addr;
use smp_transport::tls::Greeting;
use smp_web::https::HttpsCredential;
use tokio::net::TcpStream;

use super::actor::{Visit, Web};
use crate::admission::Admission;

/// Leads connections with a server name to the site.
#[derive(Clone)]
pub struct WebDoor {
    /// The site.
    pub web: Addr<Web>,
    /// Its certificate.
    pub https: Arc<HttpsCredential>,
    /// One for each connection.
    pub admission: Arc<Admission>,
}

impl WebDoor {
    /// Whether whoever greets like this is a browser, and there is a certificate for it: SMP clients name no server.
    pub fn is_for(&self, greeting: &Greeting<TcpStream>) -> bool {
        greeting.server_name().is_some() && self.https.is_loaded()
    }

    /// Hands the connection over, as soon as the site has a place for it.
    pub async fn enter(&self, greeting: Greeting<TcpStream>, address: IpAddr) {
        let place = self.admission.enter(address).await;
        self.web.do_send(Visit { greeting, place });
    }
}
