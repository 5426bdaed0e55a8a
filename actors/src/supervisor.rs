//! The root of the tree: hears of panics and restarts, and decides when the server ends.

mod budget;
mod tally;

use std::sync::Arc;
use std::time::Instant;

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message};
use slog::{Logger, error, warn};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use budget::RestartBudget;

pub use tally::{Falls, Tally};

/// Why the server ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// A signal, by its name.
    Signal(&'static str),
    /// The program asked for it.
    Requested,
    /// An actor was restarted too often.
    RestartsExhausted,
}

/// What actors report to the root.
pub trait ChildReport: Send + Sync {
    /// The work of this actor panicked.
    fn panicked(&self, child: &Arc<str>);
    /// The actor was restarted with its mailbox.
    fn restarted(&self, child: &Arc<str>);
}

/// The signals that end the server, with their names.
const SIGNALS: [(SignalKind, &str); 2] = [(SignalKind::interrupt(), "SIGINT"), (SignalKind::terminate(), "SIGTERM")];

/// The root actor.
pub struct Supervisor {
    budget: RestartBudget,
    end: Option<oneshot::Sender<EndReason>>,
    /// Taken over from the system's default, which is to die.
    signals: Vec<(Signal, &'static str)>,
    logger: Logger,
}

impl Supervisor {
    /// Starts the root on the current thread; `end` is told once why the server is to end. From the return on, the signals
    /// end the server in good order.
    pub fn start_root(logger: Logger, handle_signals: bool, end: oneshot::Sender<EndReason>) -> Addr<Self> {
        let wanted = SIGNALS.into_iter().filter(|_| handle_signals);
        let signals = wanted.filter_map(|(kind, name)| match signal(kind) {
            Ok(signal) => Some((signal, name)),
            Err(error) => {
                error!(logger, "cannot handle {name}: {error}; use another way to stop the server");
                None
            }
        });
        let signals = signals.collect();
        // A limit on the size of files is a full disk, for the one who writes to answer: it must not kill the process. The
        // handler stays although nobody listens to it.
        if let Err(error) = signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw())) {
            warn!(logger, "cannot handle SIGXFSZ: {error}; a file that reaches its size limit would end the server");
        }
        Self { budget: RestartBudget::default(), end: Some(end), signals, logger }.start()
    }

    fn end(&mut self, reason: EndReason) {
        if let Some(end) = self.end.take() {
            // Without a receiver the server is ending already.
            let _ = end.send(reason);
        }
    }
}

/// A second signal does not cut the orderly end short.
async fn forward(mut signal: Signal, name: &'static str, root: Addr<Supervisor>) {
    while signal.recv().await.is_some() {
        root.do_send(Shutdown(EndReason::Signal(name)));
    }
}

impl Actor for Supervisor {
    type Context = Context<Self>;

    #[expect(clippy::disallowed_methods, reason = "it only passes signals on")]
    fn started(&mut self, context: &mut Self::Context) {
        for (signal, name) in self.signals.drain(..) {
            actix_rt::spawn(forward(signal, name, context.address()));
        }
    }
}

/// The server is to end, in good order.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Shutdown(pub EndReason);

impl Handler<Shutdown> for Supervisor {
    type Result = ();

    fn handle(&mut self, Shutdown(reason): Shutdown, _: &mut Self::Context) {
        if let EndReason::Signal(name) = reason {
            note!(self.logger, "Received {name}, stopping server...");
        }
        self.end(reason);
    }
}

/// What happened to an actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ChildEvent {
    Panicked,
    Restarted,
}

/// Something happened to an actor.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct ChildDown {
    child: Arc<str>,
    event: ChildEvent,
}

impl Handler<ChildDown> for Supervisor {
    type Result = ();

    fn handle(&mut self, ChildDown { child, event }: ChildDown, _: &mut Self::Context) {
        if event == ChildEvent::Panicked {
            error!(self.logger, "{child} failed");
            return;
        }
        let used = self.budget.spend(&child, Instant::now());
        let most = RestartBudget::RESTARTS;
        let seconds = RestartBudget::PERIOD.as_secs();
        warn!(self.logger, "{child} restarted ({used} of at most {most} restarts in {seconds} seconds)");
        if used > most {
            error!(self.logger, "{child} was restarted too often: saving and stopping");
            self.end(EndReason::RestartsExhausted);
        }
    }
}

/// The root as its children see it.
pub struct Root {
    /// Decides what becomes of the server.
    pub supervisor: Addr<Supervisor>,
    /// Counts for the operator.
    pub tally: Arc<Tally>,
}

impl ChildReport for Root {
    fn panicked(&self, child: &Arc<str>) {
        self.tally.panicked(child);
        self.supervisor.do_send(ChildDown { child: Arc::clone(child), event: ChildEvent::Panicked });
    }

    fn restarted(&self, child: &Arc<str>) {
        self.tally.restarted(child);
        self.supervisor.do_send(ChildDown { child: Arc::clone(child), event: ChildEvent::Restarted });
    }
}
