//! The actor of the control port: accepts connections.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Supervised, WrapFuture};
use futures_util::FutureExt;
use slog::warn;
use tokio::net::TcpListener;
use tokio::time::{Duration, sleep};

use super::connection::serve;
use super::desk::ControlDesk;
use crate::admission::{Admission, AdmissionLimits};
use crate::guard::Guard;

/// Connections at a time. With more, the one without a role that has been idle longest is closed.
const CONNECTIONS: AdmissionLimits = AdmissionLimits { places: 16, of_address: 16, idle: Duration::ZERO };
/// Between two attempts to accept when it fails.
const PAUSE: Duration = Duration::from_secs(1);

/// Accepts connections of the operator. After a panic it begins anew with the same socket; a command that panics ends its
/// connection only.
pub struct ControlPort {
    socket: std::net::TcpListener,
    desk: Arc<ControlDesk>,
    guard: Guard,
}

impl ControlPort {
    /// `socket` does not block.
    pub fn new(socket: std::net::TcpListener, desk: ControlDesk, guard: Guard) -> Self {
        Self { socket, desk: Arc::new(desk), guard }
    }
}

impl Actor for ControlPort {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        let listener = match self.socket.try_clone().and_then(TcpListener::from_std) {
            Ok(listener) => listener,
            Err(failure) => {
                warn!(self.desk.logger, "the control port cannot be used: {failure}");
                return;
            }
        };
        let accepting = AssertUnwindSafe(accept(listener, Arc::clone(&self.desk), self.guard.clone())).catch_unwind();
        context.spawn(accepting.into_actor(self).map(|_, this, context| {
            this.guard.panicked();
            context.stop();
        }));
    }
}

impl Supervised for ControlPort {
    fn restarting(&mut self, _: &mut Self::Context) {
        self.guard.restarted();
    }
}

async fn accept(listener: TcpListener, desk: Arc<ControlDesk>, guard: Guard) {
    let admission = Admission::new(CONNECTIONS);
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(failure) => {
                warn!(desk.logger, "control port: {failure}");
                sleep(PAUSE).await;
                continue;
            }
        };
        let place = admission.enter(peer.ip()).await;
        let desk = Arc::clone(&desk);
        guard.spawn(async move {
            // Whoever is gone is told nothing.
            let _ = place.hold(serve(stream, desk, &place)).await;
        });
    }
}
