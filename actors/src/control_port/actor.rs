//! The actor of the control port: accepts connections.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Message, ResponseFuture, SpawnHandle,
    Supervised, WrapFuture,
};
use futures_util::FutureExt;
use slog::warn;
use tokio::net::TcpListener;
use tokio::time::{Duration, sleep};

use super::connection::serve;
use super::desk::ControlDesk;
use crate::admission::{Admission, AdmissionLimits};
use crate::connections::Connections;
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
    connections: Arc<Connections<()>>,
    accepting: Option<SpawnHandle>,
    guard: Guard,
}

impl ControlPort {
    /// `socket` does not block.
    pub fn new(socket: std::net::TcpListener, desk: ControlDesk, guard: Guard) -> Self {
        Self { socket, desk: Arc::new(desk), connections: Arc::default(), accepting: None, guard }
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
        let accepting = accept(listener, Arc::clone(&self.desk), Arc::clone(&self.connections), self.guard.clone());
        let accepting = AssertUnwindSafe(accepting).catch_unwind();
        self.accepting = Some(context.spawn(accepting.into_actor(self).map(|_, this, context| {
            this.guard.panicked();
            context.stop();
        })));
    }
}

impl Supervised for ControlPort {
    fn restarting(&mut self, _: &mut Self::Context) {
        self.guard.restarted();
    }
}

/// The server is about to end: no more connections, and an end to those that there are, so that no command is answered whose effect is
/// not saved.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Drain;

impl Handler<Drain> for ControlPort {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Drain, context: &mut Self::Context) -> Self::Result {
        if let Some(accepting) = self.accepting.take() {
            context.cancel_future(accepting);
        }
        let connections = Arc::clone(&self.connections);
        connections.close();
        connections.abort(|()| true);
        Box::pin(async move { connections.all_gone().await })
    }
}

async fn accept(listener: TcpListener, desk: Arc<ControlDesk>, connections: Arc<Connections<()>>, guard: Guard) {
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
        let (desk, guard) = (Arc::clone(&desk), guard.clone());
        // Without a task the server ends, and the connection with it.
        let _ = connections.run((), |running| async move {
            let _running = running;
            // Whoever is gone is told nothing.
            let _ = guard.watch(place.hold(serve(stream, desk, &place))).await;
        });
    }
}
