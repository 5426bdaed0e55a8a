//! Metrics and health over HTTP, for programs on this machine.
//!
//! | Path | Answer |
//! |---|---|
//! | `/metrics` | all metrics, for Prometheus |
//! | `/healthz` | 200 and `ok`, or 503 and the actors that do not answer |

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::time::Duration;

use actix::{Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Supervised, WrapFuture};
use futures_util::FutureExt;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use slog::{Logger, debug, warn};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout};

use super::operation::Operation;
use crate::admission::{Admission, AdmissionLimits, Place};
use crate::faults::{self, FaultPoint};
use crate::guard::Guard;
use crate::stats_collector::{StatsCollector, TellMetrics};

/// Connections at a time. With more, the one that has been idle longest is closed. Most come from one machine.
const CONNECTIONS: AdmissionLimits = AdmissionLimits { places: 64, of_address: 64, idle: Duration::ZERO };
/// Time for the head of a request.
const HEAD_LIMIT: Duration = Duration::from_secs(5);
/// Most bytes of it.
const HEAD_SIZE: usize = 16 * 1024;
/// Most headers in it.
const HEADERS: usize = 64;
/// Time for a connection, from its beginning to its end.
const CONNECTION_LIMIT: Duration = Duration::from_secs(30);
/// Between two attempts to accept when it fails.
const PAUSE: Duration = Duration::from_secs(1);
/// What takes a walk through all queues is told again for so long.
const FRESH: Duration = Duration::from_secs(5);

const PROMETHEUS_TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
const PLAIN_TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// What is told, and from where.
pub struct EndpointParts {
    /// Knows the metrics of the reference.
    pub collector: Addr<StatsCollector>,
    /// How the server works.
    pub operation: Operation,
    /// Keeps panics inside.
    pub guard: Guard,
    /// Log of the server.
    pub logger: Logger,
}

/// Answers HTTP requests. After a panic it begins anew with the same socket; a request that panics ends its connection only.
pub struct Endpoint {
    socket: std::net::TcpListener,
    desk: Rc<Desk>,
}

struct Desk {
    parts: EndpointParts,
    /// What the collector told last, and when.
    told: Mutex<Option<(Instant, Rc<str>)>>,
}

impl Endpoint {
    /// `socket` does not block.
    pub fn new(socket: std::net::TcpListener, parts: EndpointParts) -> Self {
        Self { socket, desk: Rc::new(Desk { parts, told: Mutex::default() }) }
    }
}

impl Actor for Endpoint {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        let listener = match self.socket.try_clone().and_then(TcpListener::from_std) {
            Ok(listener) => listener,
            Err(failure) => {
                warn!(self.desk.parts.logger, "metrics cannot be told over HTTP: {failure}");
                return;
            }
        };
        let accepting = AssertUnwindSafe(accept(listener, Rc::clone(&self.desk))).catch_unwind();
        context.spawn(accepting.into_actor(self).map(|_, this, context| {
            this.desk.parts.guard.panicked();
            context.stop();
        }));
    }
}

impl Supervised for Endpoint {
    fn restarting(&mut self, _: &mut Self::Context) {
        self.desk.parts.guard.restarted();
    }
}

async fn accept(listener: TcpListener, desk: Rc<Desk>) {
    let admission = Admission::new(CONNECTIONS);
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                faults::pass(FaultPoint::MetricsEndpoint, None);
                let place = admission.enter(peer.ip()).await;
                let serving = Rc::clone(&desk);
                desk.parts.guard.spawn(async move {
                    let _ = timeout(CONNECTION_LIMIT, place.hold(serve(stream, &serving, &place))).await;
                });
            }
            Err(failure) => {
                warn!(desk.parts.logger, "metrics over HTTP: {failure}");
                sleep(PAUSE).await;
            }
        }
    }
}

/// One request for each connection: whoever asks seldom need not hold a place.
async fn serve(stream: TcpStream, desk: &Rc<Desk>, place: &Place) {
    let service = service_fn(|request: Request<Incoming>| {
        let desk = Rc::clone(desk);
        async move {
            let _busy = place.busy();
            Ok::<_, Infallible>(desk.answer(request.method(), request.uri().path()).await)
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_LIMIT).keep_alive(false);
    http.max_buf_size(HEAD_SIZE).max_headers(HEADERS);
    if let Err(failure) = http.serve_connection(TokioIo::new(stream), service).await {
        debug!(desk.parts.logger, "metrics over HTTP: {failure}");
    }
}

impl Desk {
    async fn answer(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        if ![Method::GET, Method::HEAD].contains(method) {
            let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
            refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return refused;
        }
        match path {
            "/metrics" => self.metrics().await,
            "/healthz" => self.health().await,
            _ => text(StatusCode::NOT_FOUND, "there are /metrics and /healthz\n"),
        }
    }

    async fn metrics(&self) -> Response<Full<Bytes>> {
        let Some(of_reference) = self.of_reference().await else {
            return text(StatusCode::SERVICE_UNAVAILABLE, "the statistics do not answer\n");
        };
        let mut told = text(StatusCode::OK, format!("{of_reference}{}", self.parts.operation.tell().await));
        told.headers_mut().insert(CONTENT_TYPE, PROMETHEUS_TEXT);
        told
    }

    /// However many ask: queues are walked through by one of them, and not more often than is sensible.
    async fn of_reference(&self) -> Option<Rc<str>> {
        let mut told = self.told.lock().await;
        if let Some((at, text)) = &*told
            && at.elapsed() < FRESH
        {
            return Some(Rc::clone(text));
        }
        let text: Rc<str> = self.parts.collector.send(TellMetrics).await.ok()??.into();
        *told = Some((Instant::now(), Rc::clone(&text)));
        Some(text)
    }

    async fn health(&self) -> Response<Full<Bytes>> {
        match &self.parts.operation.not_answering().await[..] {
            [] => text(StatusCode::OK, "ok\n"),
            silent => text(StatusCode::SERVICE_UNAVAILABLE, format!("not answering: {}\n", silent.join(", "))),
        }
    }
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, PLAIN_TEXT);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
