//! Points at which actors fail on purpose, for tests and examples. They exist only with the feature `fault-injection`; without it
//! they compile to nothing.

#[cfg(feature = "fault-injection")]
use std::sync::LazyLock;

#[cfg(feature = "fault-injection")]
use parking_lot::Mutex;
use smp_protocol::version::Version;

/// A place in an actor where it can be made to panic, or to hang.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultPoint {
    /// A session, when a block has come.
    Session,
    /// A session, when a block is answered.
    SessionAnswers,
    /// A listener, when a connection has come.
    Listener,
    /// A handshake, before TLS.
    Handshake,
    /// The registry, in the middle of a batch, before a command.
    RegistryCommand,
    /// The registry, when a change of a queue is under way and not yet given to the log.
    RegistryChange,
    /// The registry, when the line of a change is written or could not be, before that has consequences.
    RegistryAppended,
    /// The registry, when a message or removal is in the journal or could not be written.
    RegistryJournaled,
    /// The registry, before a command of the operator.
    RegistryOperator,
    /// The registry, before messages of a queue expire.
    RegistryExpiry,
    /// The registry, before a queue is visited for the service that subscribed to all its queues.
    RegistryWalk,
    /// The registry, when a session has ended.
    RegistryMessage,
    /// The store log writer, before it writes.
    StoreLogWriter,
    /// The compaction of the store log, before it reads.
    Compaction,
    /// The journal writer, before it writes.
    JournalWriter,
    /// A thread that reads messages, before it reads one.
    BodyReader,
    /// Notifications, in a delivery cycle.
    Notifications,
    /// The statistics collector, when it is asked or begins its work.
    StatsCollector,
    /// The statistics collector, while it puts metrics together.
    Metrics,
    /// The statistics collector, at the end of a day.
    EndOfDay,
    /// The endpoint of metrics, when a connection has come.
    MetricsEndpoint,
    /// The web site, when a browser has come.
    Web,
    /// A connection of a browser.
    WebConnection,
    /// The expirer, in a round over connections.
    Expirer,
    /// The expirer, in a round over messages.
    ExpiryRound,
    /// Names, in a lookup.
    Names,
    /// Relays, when a connection is to be made.
    Relays,
}

/// What passes a point: sessions are told apart by their version, so that a fault can be aimed at one client.
pub(crate) type Passer = Option<Version>;

#[cfg(feature = "fault-injection")]
static ARMED: Mutex<Vec<(FaultPoint, Passer)>> = Mutex::new(Vec::new());

/// The next actor that comes to this point panics, once.
#[cfg(feature = "fault-injection")]
pub fn arm(point: FaultPoint) {
    ARMED.lock().push((point, None));
}

/// The next session of this version, or command of one, that comes to this point panics, once.
#[cfg(feature = "fault-injection")]
pub fn arm_for(point: FaultPoint, version: Version) {
    ARMED.lock().push((point, Some(version)));
}

/// The environment of the program says at which point actors hang, by its name.
#[cfg(feature = "fault-injection")]
static HANGS_AT: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("SMP_SERVER_HANGS_AT").ok());

#[cfg(feature = "fault-injection")]
fn hang_if_wanted(point: FaultPoint) {
    if HANGS_AT.as_deref().is_some_and(|name| name == format!("{point:?}")) {
        loop {
            std::thread::park();
        }
    }
}

/// Panics if the point is armed for whoever passes.
#[cfg(feature = "fault-injection")]
pub(crate) fn pass(point: FaultPoint, passer: Passer) {
    hang_if_wanted(point);
    let strikes = |(armed, target): &(FaultPoint, Passer)| *armed == point && (target.is_none() || *target == passer);
    let mut armed = ARMED.lock();
    if let Some(position) = armed.iter().position(strikes) {
        armed.remove(position);
        drop(armed);
        panic!("fault injected at {point:?}");
    }
}

/// Nothing, in a server that is to run.
#[cfg(not(feature = "fault-injection"))]
#[inline(always)]
pub(crate) fn pass(_: FaultPoint, _: Passer) {}
