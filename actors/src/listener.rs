//! A listener: accepts connections on one socket and turns them into sessions.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Message, SpawnHandle, Supervised, WrapFuture,
};
use slog::{Level, Logger, debug, error, info, warn};
use smp_transport::handshake::ServerHandshake;
use smp_transport::keep_alive::KeepAlive;
use smp_transport::listener::{AcceptError, BoundSocket, Listener as Socket};
use smp_transport::stream::SmpStream;
use smp_transport::tls::{AcceptedTls, TlsError, TlsServer};
use smp_transport::websocket::{UpgradeError, WebSocketStream};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::admission::{Admission, AdmissionLimits, Place};
use crate::faults::{self, FaultPoint};
use crate::guard::Guard;
use crate::limited_log::LimitedLog;
use crate::services::ServiceRegistrar;
use crate::session::{Session, SessionContext, Stage};
use crate::sockets::Transport;
use crate::stats::{OpenConnection, PortStats};
use crate::web::WebDoor;

/// Between two attempts on a socket that does not work: it may be the machine that recovers.
const BROKEN_PAUSE: Duration = Duration::from_secs(1);
/// Connections without a first byte for each handshake that there may be: they hold nothing but a socket.
const SILENT: usize = 10;
/// A handshake gives way only after its client was idle for longer than those far away need for an answer.
const HANDSHAKE_IDLE: Duration = Duration::from_secs(1);
/// Connections that give way when there are no descriptors left.
const MAKE_ROOM: usize = 16;

/// What a listener needs besides its socket.
#[derive(Clone)]
pub struct ListenerParts {
    /// Port, as configured.
    pub port: u16,
    /// What clients speak there.
    pub transport: Transport,
    /// Counts its connections.
    pub port_stats: Arc<PortStats>,
    /// Where connections with a server name go, if the port is shared with the web site.
    pub door: Option<WebDoor>,
    /// Accepts TLS.
    pub tls: Arc<TlsServer>,
    /// Limit for the first byte of a client.
    pub first_byte_limit: Duration,
    /// Limit for TLS, and for the WebSocket on top of it where there is one.
    pub tls_limit: Duration,
    /// Terms and limit of the SMP handshake.
    pub handshake: ServerHandshake,
    /// Handshakes that may be unfinished at a time; half of them of one address.
    pub concurrent_handshakes: usize,
    /// Connections of the whole server.
    pub max_connections: Option<usize>,
    /// How it is noticed that a client is gone.
    pub keep_alive: KeepAlive,
    /// Whether connections that fail before the SMP handshake are logged.
    pub log_tls_errors: bool,
    /// Finds the services that connect.
    pub services: ServiceRegistrar,
    /// For the sessions.
    pub sessions: Arc<SessionContext>,
    /// Keeps panics inside.
    pub guard: Guard,
    /// Log of the server.
    pub logger: Logger,
}

/// Accepts connections until it is drained.
pub struct Listener {
    socket: SocketState,
    acceptor: Arc<Acceptor>,
    accepting: Option<SpawnHandle>,
}

/// The socket of a listener.
enum SocketState {
    /// Connections are refused.
    Bound(BoundSocket),
    /// Connections are accepted.
    Open(Arc<Socket>),
    /// There is no socket any more.
    Closed,
}

struct Acceptor {
    parts: ListenerParts,
    /// Of connections whose clients have said nothing.
    silent: Arc<Admission>,
    /// Of connections that are not through their handshakes.
    handshakes: Arc<Admission>,
    failures: Arc<LimitedLog>,
}

impl Listener {
    /// A listener that refuses connections until it is opened.
    pub fn new(socket: BoundSocket, parts: ListenerParts) -> Self {
        let admission =
            |places: usize, idle| Admission::new(AdmissionLimits { places, of_address: places.div_ceil(2), idle });
        let silent = admission(parts.concurrent_handshakes.saturating_mul(SILENT), Duration::ZERO);
        let handshakes = admission(parts.concurrent_handshakes, HANDSHAKE_IDLE);
        let failures = LimitedLog::new(&parts.logger, Level::Warning, "connections not accepted");
        let acceptor = Arc::new(Acceptor { parts, silent, handshakes, failures });
        Self { socket: SocketState::Bound(socket), acceptor, accepting: None }
    }
}

impl Actor for Listener {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        // After a restart; at first the listener is not open yet.
        self.accept(context);
    }
}

impl Listener {
    fn accept(&mut self, context: &mut Context<Self>) {
        let SocketState::Open(socket) = &self.socket else { return };
        let socket = Arc::clone(socket);
        let (acceptor, guard) = (Arc::clone(&self.acceptor), self.acceptor.parts.guard.clone());
        let accepting = async move { guard.watch(acceptor.accept_all(socket)).await };
        // The loop ends only by a panic: then the actor is restarted, on the same socket.
        let ended = accepting.into_actor(self).map(|_, _, context| context.stop());
        self.accepting = Some(context.spawn(ended));
    }
}

impl Supervised for Listener {
    fn restarting(&mut self, _: &mut Self::Context) {
        self.acceptor.parts.guard.restarted();
    }
}

/// Connections are accepted from now on, unless somebody else was faster to listen on the port.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "io::Result<()>")]
pub struct Open;

impl Handler<Open> for Listener {
    type Result = io::Result<()>;

    fn handle(&mut self, _: Open, context: &mut Self::Context) -> io::Result<()> {
        if let SocketState::Bound(socket) = std::mem::replace(&mut self.socket, SocketState::Closed) {
            self.socket = SocketState::Open(Arc::new(socket.into_listener(self.acceptor.parts.keep_alive)?));
            self.accept(context);
        }
        Ok(())
    }
}

/// No more connections are accepted; the socket is closed.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Drain;

impl Handler<Drain> for Listener {
    type Result = ();

    fn handle(&mut self, _: Drain, context: &mut Self::Context) {
        if let Some(accepting) = self.accepting.take() {
            context.cancel_future(accepting);
        }
        self.socket = SocketState::Closed;
    }
}

impl Acceptor {
    async fn accept_all(self: Arc<Self>, socket: Arc<Socket>) {
        loop {
            match socket.accept().await {
                Ok((stream, peer)) => {
                    faults::pass(FaultPoint::Listener, None);
                    let place = self.silent.enter(peer.ip()).await;
                    self.accepted(stream, peer.ip(), place);
                }
                Err(error) => self.refused(&error).await,
            }
        }
    }

    async fn refused(&self, error: &AcceptError) {
        let ListenerParts { port, logger, .. } = &self.parts;
        if matches!(error, AcceptError::Exhausted(_)) {
            self.silent.make_room(MAKE_ROOM);
            self.handshakes.make_room(MAKE_ROOM);
        }
        match error.pause() {
            Some(pause) => {
                if self.failures.allows_line() {
                    warn!(logger, "port {port}: {error}");
                }
                sleep(pause).await;
            }
            None => {
                error!(logger, "port {port}: {error}");
                sleep(BROKEN_PAUSE).await;
            }
        }
    }

    fn accepted(self: &Arc<Self>, stream: TcpStream, address: IpAddr, place: Place) {
        let full = self.parts.max_connections.is_some_and(|most| self.parts.sessions.sessions.len() >= most);
        if full {
            return;
        }
        let this = Arc::clone(self);
        let connection = OpenConnection::accepted(&self.parts.port_stats);
        // Without a task the server ends, and the connection with it.
        let _ = self.parts.sessions.sessions.run(Stage::Handshake, |task| async move {
            let _kept = task;
            this.parts.guard.watch(this.admit(stream, address, place, connection)).await;
        });
    }

    /// Waits for the first byte before the connection may cost more than a socket.
    async fn admit(&self, stream: TcpStream, address: IpAddr, place: Place, connection: OpenConnection) {
        let limit = self.parts.first_byte_limit;
        let begun = place.hold(timeout(limit, stream.peek(&mut [0]))).await;
        if !matches!(begun, Some(Ok(Ok(1..)))) {
            return;
        }
        let entering = self.handshakes.enter(address);
        let Ok(handshaking) = timeout(self.parts.tls_limit, entering).await else { return };
        drop(place);
        // A pointer: the state of a handshake is large, and there are more connections that say nothing.
        handshaking.hold(Box::pin(self.handshake(stream, address, connection))).await;
    }

    async fn handshake(&self, stream: TcpStream, address: IpAddr, connection: OpenConnection) {
        faults::pass(FaultPoint::Handshake, None);
        let parts = &self.parts;
        let accepted = match self.accept(stream, address).await {
            Ok(Some(accepted)) => accepted,
            Err(error) if parts.log_tls_errors => {
                info!(parts.logger, "port {}: {error}", parts.port);
                return;
            }
            Ok(None) | Err(_) => return,
        };
        match parts.handshake.run(accepted, async |request| parts.services.identify(request).await).await {
            Ok(session) => {
                Session::open(Arc::clone(&parts.sessions), session, connection);
            }
            Err(error) => debug!(parts.logger, "port {}: {error}", parts.port),
        }
    }

    /// Everything below the SMP handshake; `None`: the connection went to the web site.
    async fn accept(&self, stream: TcpStream, address: IpAddr) -> Result<Option<AcceptedTls<SmpStream>>, NotAccepted> {
        let parts = &self.parts;
        let deadline = Instant::now() + parts.tls_limit;
        let greeting = parts.tls.greet(stream, parts.tls_limit).await?;
        if let Some(door) = &parts.door
            && door.is_for(&greeting)
        {
            timeout_at(deadline, door.enter(greeting, address)).await.map_err(|_| TlsError::Timeout)?;
            return Ok(None);
        }
        let accepted = greeting.accept().await?;
        match parts.transport {
            Transport::Tls => Ok(Some(accepted.map_stream(SmpStream::Tls))),
            Transport::WebSockets => {
                let AcceptedTls { stream, tls, credential } = accepted;
                let upgrade = timeout_at(deadline, WebSocketStream::accept(stream)).await;
                let stream = SmpStream::WebSocket(upgrade.map_err(|_| NotAccepted::SlowUpgrade)??);
                Ok(Some(AcceptedTls { stream, tls, credential }))
            }
        }
    }
}

/// Why a connection did not come to the SMP handshake.
#[derive(Debug, Error)]
enum NotAccepted {
    #[error("TLS error: {0}")]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Upgrade(#[from] UpgradeError),
    #[error("WebSocket upgrade not finished in time")]
    SlowUpgrade,
}
