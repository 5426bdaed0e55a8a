//! The relays that this server is connected to, or failed to connect to a short while ago.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use smp_client::{Client, ClientError};
use smp_protocol::command::{ForwardedCommand, RelayAddress};
use smp_protocol::error::{BrokerError, ErrorType, ProxyError};
use smp_protocol::id::CorrId;
use smp_protocol::response::RelaySession;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::opening::{Attempt, Opening, Waiters};

/// A connection to a relay.
pub struct Relay {
    client: Client,
    /// What clients are told of it.
    pub session: Arc<RelaySession>,
    /// The operator counts it as an own one.
    pub is_own: bool,
    timeouts_in_a_row: AtomicU32,
    /// Commands that wait for their answers.
    in_flight: AtomicUsize,
    /// The later a client asked for it, the greater.
    last_use: AtomicU64,
    given_up: Notify,
}

impl Relay {
    /// A relay that was connected to.
    pub fn new(client: Client, session: RelaySession, is_own: bool) -> Self {
        Self {
            client,
            session: Arc::new(session),
            is_own,
            timeouts_in_a_row: AtomicU32::new(0),
            in_flight: AtomicUsize::new(0),
            last_use: AtomicU64::new(0),
            given_up: Notify::new(),
        }
    }

    /// Forwards the command of a client; `corr_id` is that of its `PFWD`.
    pub async fn forward(&self, corr_id: &CorrId, command: ForwardedCommand) -> Result<Box<[u8]>, ClientError> {
        let _in_flight = InFlight::begin(&self.in_flight);
        let begun = self.client.begin_forward(corr_id, &command).await;
        drop(command);
        let result = match begun {
            Ok(forward) => forward.response().await,
            Err(error) => Err(error),
        };
        if matches!(result, Err(ClientError::Timeout)) {
            self.timeouts_in_a_row.fetch_add(1, Ordering::Relaxed);
        } else {
            self.timeouts_in_a_row.store(0, Ordering::Relaxed);
        }
        result
    }

    /// Waits until the connection ends, or is given up for another relay and closed.
    pub async fn ended(&self) {
        tokio::select! {
            _ = self.client.closed() => {}
            () = self.given_up.notified() => self.close().await,
        }
    }

    /// Closes the connection.
    pub async fn close(&self) {
        self.client.close().await;
    }

    /// At least so many requests in a row were not answered, and nothing at all came for this time.
    pub fn is_silent(&self, timeouts: u32, silence: Duration) -> bool {
        self.timeouts_in_a_row.load(Ordering::Relaxed) >= timeouts && self.client.last_received().elapsed() >= silence
    }
}

/// A command that waits for its answer, until this is dropped.
struct InFlight<'a>(&'a AtomicUsize);

impl<'a> InFlight<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Why there is no connection to a relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectFailure {
    /// What clients are told.
    pub error: ErrorType,
    /// How it is counted.
    pub kind: FailureKind,
}

/// What the statistics tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// It may work later: TCP, TLS, time limits.
    Temporary,
    /// Connected, but the relay cannot be forwarded to.
    Incompatible,
    /// The relay has no address that everybody can reach.
    NotPublic,
    /// Anything else.
    Other,
}

impl ConnectFailure {
    /// All relays are in use, or the client asks for too many new ones.
    fn no_room() -> Self {
        let error = ProxyError::Broker(BrokerError::Timeout).into();
        Self { error, kind: FailureKind::Temporary }
    }
}

/// A relay, or why there is none.
pub type Outcome = Result<Arc<Relay>, ConnectFailure>;

/// What the table has for an address.
enum Place {
    Opening {
        attempt: Attempt,
        number: u64,
    },
    Open(Arc<Relay>),
    /// Told to clients until then.
    Failed(ConnectFailure, Instant),
}

/// What is to be done for a client that wants to reach an address.
pub enum Entry {
    /// The answer is known.
    Known(Outcome),
    /// Somebody makes the connection already.
    Opening(Opening),
    /// The connection is to be made.
    New(Opener, Opening),
}

/// All relays, by address and by session.
pub struct RelayTable {
    places: Mutex<Places>,
    error_memory: Duration,
    capacity: usize,
}

#[derive(Default)]
struct Places {
    by_address: HashMap<RelayAddress, Place>,
    by_session: HashMap<Box<[u8]>, Arc<Relay>>,
    /// Of the next attempt, or the next use of a relay.
    next: u64,
}

impl RelayTable {
    /// An empty table for so many relays. Failures are remembered for a time, which may be zero.
    pub fn new(capacity: usize, error_memory: Duration) -> Self {
        Self { places: Mutex::default(), error_memory, capacity }
    }

    /// The relay with this session ID.
    pub fn find(&self, session_id: &[u8]) -> Option<Arc<Relay>> {
        let mut places = self.places.lock();
        let relay = places.by_session.get(session_id).cloned()?;
        places.note_use(&relay);
        Some(relay)
    }

    /// What there is for an address. Only one caller at a time is told to make a connection, and only if this client may have
    /// another one.
    pub fn enter(
        self: &Arc<Self>,
        address: &RelayAddress,
        now: Instant,
        may_have_another: impl FnOnce() -> bool,
    ) -> Entry {
        let mut places = self.places.lock();
        match places.by_address.get(address) {
            Some(Place::Open(relay)) => {
                let relay = Arc::clone(relay);
                places.note_use(&relay);
                return Entry::Known(Ok(relay));
            }
            // An attempt for which nobody waits is about to be given up.
            Some(Place::Opening { attempt, .. }) => {
                if let Some(opening) = attempt.join() {
                    return Entry::Opening(opening);
                }
                places.by_address.remove(address);
            }
            Some(Place::Failed(failure, until)) if now < *until => {
                return Entry::Known(Err(failure.clone()));
            }
            Some(Place::Failed(..)) => drop(places.by_address.remove(address)),
            None => {}
        }
        if !may_have_another() || !places.make_room(self.capacity, now) {
            return Entry::Known(Err(ConnectFailure::no_room()));
        }
        let (waiters, opening) = Opening::begin();
        let number = places.number();
        places.by_address.insert(address.clone(), Place::Opening { attempt: opening.attempt(), number });
        let opener = Opener { table: Arc::clone(self), address: address.clone(), number, waiters: Some(waiters) };
        Entry::New(opener, opening)
    }

    /// The connection to a relay is over: its session is unknown from now on, and the next client makes a new one.
    pub fn remove(&self, address: &RelayAddress, relay: &Arc<Relay>) {
        let mut places = self.places.lock();
        places.by_session.remove(relay.session.session_id.as_ref());
        if matches!(places.by_address.get(address), Some(Place::Open(open)) if Arc::ptr_eq(open, relay)) {
            places.by_address.remove(address);
        }
    }

    /// Forgets failures whose time is over.
    pub fn forget_expired(&self, now: Instant) {
        self.places.lock().forget_expired(now);
    }

    /// The relays that are connected.
    pub fn connected(&self) -> Vec<Arc<Relay>> {
        self.places.lock().by_session.values().cloned().collect()
    }

    fn opened(&self, address: &RelayAddress, outcome: &Outcome) {
        let mut places = self.places.lock();
        match outcome {
            Ok(relay) => {
                let session_id = relay.session.session_id.as_ref().into();
                places.note_use(relay);
                places.by_session.insert(session_id, Arc::clone(relay));
                places.by_address.insert(address.clone(), Place::Open(Arc::clone(relay)));
            }
            Err(_) if self.error_memory.is_zero() => drop(places.by_address.remove(address)),
            Err(failure) => {
                let failed = Place::Failed(failure.clone(), Instant::now() + self.error_memory);
                places.by_address.insert(address.clone(), failed);
            }
        }
    }
}

impl Places {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn note_use(&mut self, relay: &Relay) {
        relay.last_use.store(self.number(), Ordering::Relaxed);
    }

    /// Makes room for one more: at the cost of what is remembered of a failure, or else of the idle relay that nobody has used
    /// for longest. False if all relays are in use.
    fn make_room(&mut self, capacity: usize, now: Instant) -> bool {
        if self.by_address.len() < capacity {
            return true;
        }
        self.forget_expired(now);
        if self.by_address.len() < capacity {
            return true;
        }
        let failures = self.by_address.iter().filter_map(|(address, place)| match place {
            Place::Failed(_, until) => Some((*until, address)),
            Place::Opening { .. } | Place::Open(_) => None,
        });
        let idle = self.by_address.iter().filter_map(|(address, place)| match place {
            Place::Open(relay) if relay.in_flight.load(Ordering::Relaxed) == 0 => {
                Some((relay.last_use.load(Ordering::Relaxed), address))
            }
            Place::Open(_) | Place::Opening { .. } | Place::Failed(..) => None,
        });
        let oldest_failure = failures.min_by_key(|(until, _)| *until).map(|(_, address)| address);
        let longest_unused = || idle.min_by_key(|(last_use, _)| *last_use).map(|(_, address)| address);
        let Some(address) = oldest_failure.or_else(longest_unused).cloned() else { return false };
        if let Some(Place::Open(relay)) = self.by_address.remove(&address) {
            self.by_session.remove(relay.session.session_id.as_ref());
            relay.given_up.notify_one();
        }
        true
    }

    fn forget_expired(&mut self, now: Instant) {
        self.by_address.retain(|_, place| !matches!(place, Place::Failed(_, until) if *until <= now));
    }
}

/// The duty to make a connection. Dropped without an outcome it leaves nothing behind, so that the next client tries again.
pub struct Opener {
    table: Arc<RelayTable>,
    address: RelayAddress,
    number: u64,
    /// `None` once they are told.
    waiters: Option<Waiters>,
}

impl Opener {
    /// Where to connect to.
    pub fn address(&self) -> &RelayAddress {
        &self.address
    }

    /// The connection is made, or failed: everybody who waits is told.
    pub fn finish(mut self, outcome: Outcome) {
        self.table.opened(&self.address, &outcome);
        if let Some(waiters) = self.waiters.take() {
            waiters.tell(outcome);
        }
    }

    /// Waits until no client waits for the connection any more.
    pub async fn is_abandoned(&mut self) {
        if let Some(waiters) = &mut self.waiters {
            waiters.are_gone().await;
        }
    }
}

impl Drop for Opener {
    fn drop(&mut self) {
        if self.waiters.is_none() {
            return;
        }
        let mut places = self.table.places.lock();
        // Another attempt may have begun since.
        if matches!(places.by_address.get(&self.address), Some(Place::Opening { number, .. }) if *number == self.number)
        {
            places.by_address.remove(&self.address);
        }
    }
}

/// Addresses of relays are not for logs.
impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opener")
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn address(n: u8) -> RelayAddress {
        RelayAddress { hosts: vec!["localhost".parse().unwrap()], port: 1, key_hash: vec![n] }
    }

    fn failure() -> ConnectFailure {
        ConnectFailure { error: ErrorType::Internal, kind: FailureKind::Other }
    }

    fn opener(table: &Arc<RelayTable>, n: u8, now: Instant) -> Opener {
        match table.enter(&address(n), now, || true) {
            Entry::New(opener, _) => opener,
            Entry::Known(_) | Entry::Opening(_) => panic!("the address is known already"),
        }
    }

    const MEMORY: Duration = Duration::from_secs(30);

    #[test]
    fn failures_are_remembered_for_a_while() {
        let table = Arc::new(RelayTable::new(2, MEMORY));
        let now = Instant::now();
        opener(&table, 1, now).finish(Err(failure()));
        assert!(matches!(table.enter(&address(1), now, || true), Entry::Known(Err(known)) if known == failure()));
        opener(&table, 1, Instant::now() + MEMORY);
    }

    #[tokio::test]
    async fn an_attempt_that_was_given_up_leaves_nothing_behind() {
        let table = Arc::new(RelayTable::new(2, MEMORY));
        let now = Instant::now();
        let Entry::New(first, _own) = table.enter(&address(1), now, || true) else {
            panic!("the address is known already")
        };
        let Entry::Opening(waiting) = table.enter(&address(1), now, || true) else { panic!("nobody opens it") };
        drop(first);
        assert!(waiting.outcome().await.is_none());
        opener(&table, 1, now);
    }

    #[tokio::test]
    async fn an_attempt_is_abandoned_with_the_last_who_waits() {
        let table = Arc::new(RelayTable::new(2, MEMORY));
        let now = Instant::now();
        let Entry::New(mut first, own) = table.enter(&address(1), now, || true) else {
            panic!("the address is known already")
        };
        let Entry::Opening(waiting) = table.enter(&address(1), now, || true) else { panic!("nobody opens it") };
        drop(own);
        assert!(first.is_abandoned().now_or_never().is_none());
        drop(waiting);
        first.is_abandoned().await;
        // Whoever comes now does not wait for what is about to be given up, which does not give up what is new.
        let Entry::New(second, _own) = table.enter(&address(1), now, || true) else {
            panic!("the first attempt is over")
        };
        drop(first);
        assert!(matches!(table.enter(&address(1), now, || true), Entry::Opening(_)));
        drop(second);
    }

    #[tokio::test]
    async fn all_who_wait_share_the_outcome_and_zero_memory_forgets_it() {
        let table = Arc::new(RelayTable::new(2, Duration::ZERO));
        let now = Instant::now();
        let Entry::New(first, own) = table.enter(&address(1), now, || true) else {
            panic!("the address is known already")
        };
        let Entry::Opening(waiting) = table.enter(&address(1), now, || true) else { panic!("nobody opens it") };
        first.finish(Err(failure()));
        for opening in [own, waiting] {
            assert!(matches!(opening.outcome().await, Some(Err(known)) if known == failure()));
        }
        opener(&table, 1, now);
    }

    #[test]
    fn a_full_table_forgets_the_oldest_failure_before_it_refuses() {
        let table = Arc::new(RelayTable::new(2, MEMORY));
        let now = Instant::now();
        opener(&table, 1, now).finish(Err(failure()));
        let _open = opener(&table, 2, now);
        let third = opener(&table, 3, now);
        let refused = table.enter(&address(1), now, || true);
        assert!(matches!(refused, Entry::Known(Err(refused)) if refused == ConnectFailure::no_room()));
        drop(third);
        opener(&table, 1, now);
    }

    #[test]
    fn whoever_may_have_no_other_is_refused_only_what_is_new() {
        let table = Arc::new(RelayTable::new(2, MEMORY));
        let now = Instant::now();
        let refused = table.enter(&address(1), now, || false);
        assert!(matches!(refused, Entry::Known(Err(refused)) if refused == ConnectFailure::no_room()));
        opener(&table, 1, now).finish(Err(failure()));
        assert!(matches!(table.enter(&address(1), now, || false), Entry::Known(Err(known)) if known == failure()));
    }
}
