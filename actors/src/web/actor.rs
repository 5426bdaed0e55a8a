//! The actor of the site: accepts browsers, and looks after the certificate.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Message, Supervised, WrapFuture};
use futures_util::FutureExt;
use slog::{Logger, debug, info, warn};
use smp_transport::keep_alive::KeepAlive;
use smp_transport::listener::{BoundSocket, Listener};
use smp_transport::tls::Greeting;
use smp_web::connection::serve;
use smp_web::https::HttpsCredential;
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::sockets::WebSockets;
use super::{Site, reload};
use crate::admission::{Admission, Place};
use crate::faults::{self, FaultPoint};
use crate::guard::Guard;

/// How often the files of the certificate are looked at.
const CERTIFICATE_INTERVAL: Duration = Duration::from_secs(5);

/// What the actor is made from.
pub struct WebParts {
    /// Pages and certificate.
    pub site: Site,
    /// Its own sockets.
    pub sockets: WebSockets,
    /// Time for a TLS handshake.
    pub tls_limit: Duration,
    /// Keeps panics inside.
    pub guard: Guard,
    /// Log of the server.
    pub logger: Logger,
}

/// What is spoken on a socket.
#[derive(Clone, Copy)]
enum Scheme {
    Http,
    Https,
}

/// The site.
pub struct Web {
    bound: Vec<(Scheme, BoundSocket)>,
    listening: Vec<(Scheme, Arc<Listener>)>,
    reception: Arc<Reception>,
}

/// What all connections share.
struct Reception {
    router: axum::Router,
    https: Option<Arc<HttpsCredential>>,
    admission: Arc<Admission>,
    tls_limit: Duration,
    guard: Guard,
    logger: Logger,
}

impl Web {
    /// Listens as soon as it is started.
    pub fn new(parts: WebParts) -> Self {
        let WebParts { site, sockets, tls_limit, guard, logger } = parts;
        for failure in &sockets.failures {
            warn!(logger, "web site: {failure}");
        }
        let http = sockets.http.into_iter().map(|socket| (Scheme::Http, socket));
        let https = sockets.https.into_iter().map(|socket| (Scheme::Https, socket));
        let Site { router, https: credential, admission, .. } = site;
        let reception = Reception { router, https: credential, admission, tls_limit, guard, logger };
        Self { bound: http.chain(https).collect(), listening: Vec::new(), reception: Arc::new(reception) }
    }

    fn listen(&mut self) {
        for (scheme, socket) in self.bound.drain(..) {
            match socket.into_listener(KeepAlive::SERVER) {
                Ok(listener) => {
                    if let Ok(address) = listener.local_addr() {
                        info!(self.reception.logger, "Serving static site on port {}", address.port());
                        debug!(self.reception.logger, "web site at {address}");
                    }
                    self.listening.push((scheme, Arc::new(listener)));
                }
                Err(failure) => warn!(self.reception.logger, "web site: cannot listen: {failure}"),
            }
        }
    }

    fn look_after_certificate(&self, context: &mut Context<Self>) {
        let Some(credential) = self.reception.https.clone() else { return };
        context.run_interval(CERTIFICATE_INTERVAL, move |this, _| {
            let (credential, logger) = (Arc::clone(&credential), this.reception.logger.clone());
            // Reading waits for the disk.
            let guard = this.reception.guard.clone();
            drop(actix_rt::task::spawn_blocking(move || guard.run(|| reload(&credential, &logger))));
        });
    }
}

impl Actor for Web {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.listen();
        for (scheme, listener) in &self.listening {
            let accepting = Arc::clone(&self.reception).accept_all(*scheme, Arc::clone(listener));
            let accepting = AssertUnwindSafe(accepting).catch_unwind();
            context.spawn(accepting.into_actor(self).map(|_, this, context| {
                this.reception.guard.panicked();
                context.stop();
            }));
        }
        self.look_after_certificate(context);
    }
}

impl Supervised for Web {
    fn restarting(&mut self, _: &mut Self::Context) {
        self.reception.guard.restarted();
    }
}

/// A browser on a shared port.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Visit {
    /// Its connection.
    pub greeting: Greeting<TcpStream>,
    /// It has a place.
    pub place: Place,
}

impl Handler<Visit> for Web {
    type Result = ();

    fn handle(&mut self, Visit { greeting, place }: Visit, _: &mut Self::Context) {
        let reception = Arc::clone(&self.reception);
        self.reception.receive(place, async move {
            let Some(credential) = reception.https.as_ref().and_then(|https| https.current()) else { return };
            match greeting.accept_with(credential.config).await {
                Ok(stream) => serve(stream, reception.router.clone()).await,
                Err(failure) => debug!(reception.logger, "web site: {failure}"),
            }
        });
    }
}

impl Reception {
    async fn accept_all(self: Arc<Self>, scheme: Scheme, listener: Arc<Listener>) {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    faults::pass(FaultPoint::Web, None);
                    let place = self.admission.enter(peer.ip()).await;
                    let this = Arc::clone(&self);
                    self.receive(place, async move { this.converse(scheme, stream).await });
                }
                Err(failure) => {
                    warn!(self.logger, "web site: {failure}");
                    sleep(failure.pause().unwrap_or(CERTIFICATE_INTERVAL)).await;
                }
            }
        }
    }

    /// Runs a connection beside the others; a panic ends nothing but it.
    fn receive(&self, place: Place, connection: impl Future<Output = ()> + 'static) {
        self.guard.spawn(async move {
            faults::pass(FaultPoint::WebConnection, None);
            place.hold(connection).await;
        });
    }

    async fn converse(&self, scheme: Scheme, stream: TcpStream) {
        match scheme {
            Scheme::Http => serve(stream, self.router.clone()).await,
            Scheme::Https => {
                let Some(credential) = self.https.as_ref().and_then(|https| https.current()) else { return };
                match credential.accept(stream, self.tls_limit).await {
                    Ok(stream) => serve(stream, self.router.clone()).await,
                    Err(failure) => debug!(self.logger, "web site: {failure}"),
                }
            }
        }
    }
}
