//! A soak on a disk that fills up, breaks and dawdles while clients are at work, and works again; and the clock of the machine jumps.
//! Messages are refused while the disk fails, nothing that was answered `OK` is lost, nothing that was acknowledged comes back, and
//! the server recovers by itself.
//!
//! ```text
//! SMP_DISK_ROUNDS=300 cargo test --release --test failing_disk -- --nocapture
//! SMP_SOAK_SEED=42 cargo test --release --test failing_disk -- --nocapture
//! ```
//!
//! `SMP_SOAK_SEED`: what the clients and the disk do; the default is printed. The moments are real, so the same seed plays the same
//! game, not the same moves.
//!
//! The server runs in this process, on files that fail on command. A refused message may be there or not: its sender was told
//! that it has to send it again.

#[allow(dead_code, reason = "shared with other test programs, each of which needs its part")]
#[path = "harness/in_process.rs"]
mod in_process;

#[path = "harness/seed.rs"]
mod seed;

use std::collections::{HashSet, VecDeque};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use slog::{Drain, Logger, OwnedKVList, Record, o};
use smp_actors::Machine;
use smp_actors::clock::Clock;
use smp_client::protocol::address::ServerAddress;
use smp_client::protocol::error::ErrorType;
use smp_client::protocol::message::Content;
use smp_client::{Client, ClientError, Event, NewQueueOptions, Options, Queue, QueueSender, Received};
use smp_config::certificates::{NewChain, SignAlgorithm};
use smp_store::files::RealFiles;
use smp_store::files::faulty::{Fault, Faults, FaultyFiles, Operation};
use smp_store::journal::JournalSizes;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

const SETTINGS: &str = "\
[STORE_LOG]
enable = on
store_messages = journal

[TRANSPORT]
port = 0
websockets = off

[LIMITS]
threads = 2
message_queue_quota = 100000
";
const QUEUES: usize = 8;
/// Failures of the disk in a round.
const EPISODES: usize = 3;
const DEFAULT_ROUNDS: u64 = 4;
const GIVE_UP: Duration = Duration::from_secs(60);

/// What happens to the machine for a while.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    /// The disk does not do this.
    Fails(Operation, Fault),
    /// It takes its time for this.
    Dawdles(Operation),
}

const TROUBLES: [Trouble; 7] = [
    Trouble::Fails(Operation::Write, Fault::NoSpace),
    Trouble::Fails(Operation::Write, Fault::InputOutput),
    Trouble::Fails(Operation::Sync, Fault::InputOutput),
    Trouble::Fails(Operation::Sync, Fault::NoSpace),
    Trouble::Dawdles(Operation::Write),
    Trouble::Dawdles(Operation::Sync),
    Trouble::Dawdles(Operation::ReadAt),
];
/// How far the clock is off at most, in seconds: no message gets older than 21 days by it.
const JUMP: i64 = 10 * 24 * 60 * 60;

fn rounds() -> u64 {
    let text = std::env::var("SMP_DISK_ROUNDS").ok();
    text.map_or(DEFAULT_ROUNDS, |text| text.parse().expect("SMP_DISK_ROUNDS is a number"))
}

#[test]
fn nothing_is_lost_on_a_failing_disk() {
    let state = tempfile::tempdir().expect("there is room");
    let chain = NewChain::generate(SignAlgorithm::Ed25519, "localhost").expect("certificates can be made");
    let mut rng = seed::random();
    let mut owners: Vec<Owner> = Vec::new();
    let mut totals = Totals::default();
    for round in 1..=rounds() {
        let log = Log::default();
        owners = run(state.path(), &chain, &log, async |address, machine| {
            if owners.is_empty() {
                for _ in 0..QUEUES {
                    owners.push(Owner::create(&address).await);
                }
            }
            play(owners, &address, &machine, &log, &mut rng).await
        });
        let told = log.told();
        assert!(!told.iter().any(|line| line.ends_with(" failed")), "an actor failed: {told:#?}");
        let (complaints, recoveries) = log.complaints_and_recoveries();
        assert_eq!(complaints, recoveries, "each complaint is followed by a recovery: {told:#?}");
        totals.add(&owners, complaints);
        println!("round {round}: {complaints} complaints; {totals:?}");
    }
    assert!(totals.refused > 0 && totals.complaints > 0, "the disk failed at the wrong times only: {totals:?}");
}

/// A failed sync leaves doubts about a file. The store log is written anew, and nobody has to start the server again.
#[test]
fn changes_of_queues_recover_from_a_failed_sync() {
    let state = tempfile::tempdir().expect("there is room");
    let chain = NewChain::generate(SignAlgorithm::Ed25519, "localhost").expect("certificates can be made");
    let log = Log::default();
    let made = run(state.path(), &chain, &log, async |address, Unreliable { faults, .. }| {
        let client = connect(&address).await;
        let create = async || client.create_queue(NewQueueOptions::default()).await;
        let mut made = vec![create().await.expect("the disk works").recipient_id()];
        faults.fail(Operation::Sync, Fault::InputOutput);
        for _ in 0..2 {
            let refused = create().await.map(drop);
            assert!(matches!(refused, Err(ClientError::Server(ErrorType::Store(_)))), "{refused:?}");
        }
        faults.heal();
        made.push(accepted(create).await.recipient_id());
        made
    });
    let told = log.told();
    let position = |text: &str| told.iter().position(|line| line.contains(text)).unwrap_or_else(|| panic!("{told:#?}"));
    let (complaint, rescue) = (position("changes of queues are refused"), position("compacted store log from"));
    assert!(complaint < rescue && rescue < position("store log can be written again"), "{told:#?}");
    let lines = std::fs::read_to_string(state.path().join("smp-server-store.log")).expect("it is there");
    assert_eq!(lines.lines().filter(|line| line.starts_with("CREATE ")).count(), made.len(), "and no refused queue");
}

/// What happened, over all rounds.
#[derive(Debug, Default)]
struct Totals {
    sent: u64,
    refused: u64,
    acknowledged: u64,
    complaints: usize,
}

impl Totals {
    fn add(&mut self, owners: &[Owner], complaints: usize) {
        self.complaints += complaints;
        self.sent = owners.iter().map(|owner| owner.sent).sum();
        self.refused = owners.iter().map(|owner| owner.refused_count).sum();
        self.acknowledged = owners.iter().map(|owner| owner.acknowledged_count).sum();
    }
}

/// Clients work while the machine is in trouble and out of it again; then everything that waits is looked at.
async fn play(
    owners: Vec<Owner>,
    address: &ServerAddress,
    machine: &Unreliable,
    log: &Log,
    rng: &mut Rng,
) -> Vec<Owner> {
    let over = Arc::new(AtomicBool::new(false));
    let working: Vec<_> = owners
        .into_iter()
        .map(|owner| tokio::spawn(owner.work(address.clone(), rng.fork(), Arc::clone(&over))))
        .collect();
    let client = connect(address).await;
    for _ in 0..EPISODES {
        sleep(Duration::from_millis(rng.u64(20..200))).await;
        machine.get_into(TROUBLES[rng.usize(..TROUBLES.len())], rng);
        machine.clock.store(now() + rng.i64(-JUMP..JUMP), Ordering::Relaxed);
        sleep(Duration::from_millis(rng.u64(5..80))).await;
        machine.faults.heal();
        // The owners write messages; somebody has to change queues, too.
        change_queues(&client).await;
        log.recovered().await;
    }
    client.close().await;
    over.store(true, Ordering::Relaxed);
    let mut owners = Vec::new();
    for owner in working {
        owners.push(owner.await.expect("an owner saw nothing wrong"));
    }
    owners
}

/// Makes a queue and deletes it, as soon as the server can.
async fn change_queues(client: &Client) {
    let created = accepted(async || client.create_queue(NewQueueOptions::default()).await).await;
    accepted(async || created.delete().await).await;
}

/// Asks until the answer is not that the disk fails.
async fn accepted<T>(ask: impl AsyncFn() -> Result<T, ClientError>) -> T {
    let accepted = async {
        loop {
            match ask().await {
                Err(ClientError::Server(ErrorType::Store(_))) => {}
                answer => return answer.expect("nothing else is wrong"),
            }
        }
    };
    timeout(GIVE_UP, accepted).await.expect("a disk that works is written to again")
}

/// Somebody who sends to himself.
struct Owner {
    queue: Queue,
    sender: QueueSender,
    next: u64,
    /// Answered `OK` and not acknowledged, in order.
    held: VecDeque<u64>,
    /// Refused, so that nobody knows.
    refused: HashSet<u64>,
    /// Acknowledged without an answer that it is done.
    unsure: HashSet<u64>,
    sent: u64,
    refused_count: u64,
    acknowledged_count: u64,
}

impl Owner {
    async fn create(address: &ServerAddress) -> Self {
        let client = connect(address).await;
        let options = NewQueueOptions { subscribe: false, ..NewQueueOptions::default() };
        let queue = client.create_queue(options).await.expect("the disk works");
        let sender = client.sender(queue.sender_id());
        let (held, refused, unsure) = Default::default();
        Self { queue, sender, next: 1, held, refused, unsure, sent: 0, refused_count: 0, acknowledged_count: 0 }
    }

    /// Sends and takes at random, and begins with a look at what is there from before.
    async fn work(mut self, address: ServerAddress, mut rng: Rng, over: Arc<AtomicBool>) -> Self {
        let client = connect(&address).await;
        self.queue = self.queue.on(&client);
        self.sender = client.sender(self.queue.sender_id());
        self.queue.subscribe().await.expect("subscriptions do not need the disk");
        let mut delivered = None;
        while !over.load(Ordering::Relaxed) {
            if rng.u8(..5) < 3 {
                self.send(rng.usize(8..4000)).await;
            } else {
                delivered = self.take(&client, delivered).await;
            }
        }
        // The disk works: so does sending.
        self.send_until_accepted().await;
        client.close().await;
        self
    }

    async fn send(&mut self, length: usize) -> bool {
        let number = self.next;
        self.next += 1;
        let mut body = number.to_be_bytes().to_vec();
        body.resize(length.max(8), b'.');
        match self.sender.send(body).await {
            Ok(()) => {
                self.held.push_back(number);
                self.sent += 1;
                true
            }
            Err(ClientError::Server(ErrorType::Store(_))) => {
                self.refused.insert(number);
                self.refused_count += 1;
                false
            }
            Err(other) => panic!("{other} is no answer to SEND"),
        }
    }

    /// Recovery is by itself, and needs no more than somebody who tries.
    async fn send_until_accepted(&mut self) {
        let accepted = async { while !self.send(8).await {} };
        timeout(GIVE_UP, accepted).await.expect("a disk that works is written to again");
    }

    /// Acknowledges the next message, if there is one; what comes after it.
    async fn take(&mut self, client: &Client, delivered: Option<Received>) -> Option<Received> {
        let message = match delivered {
            Some(message) => message,
            None if self.held.is_empty() => return None,
            None => self.pushed(client).await,
        };
        let number = number(&message);
        let is_next = self.held.front() == Some(&number);
        let may_be = self.refused.contains(&number) || self.unsure.contains(&number);
        assert!(is_next || may_be, "{number} comes, but {:?} is next", self.held.front());
        match self.queue.acknowledge(&message.id).await {
            Ok(next) => {
                self.taken(number, is_next);
                next
            }
            Err(ClientError::Server(ErrorType::Store(_))) => {
                // It may be gone at the next start, or not; in this run it comes again.
                self.unsure.insert(number);
                Some(message)
            }
            Err(ClientError::Server(ErrorType::NoMessage)) if may_be => {
                self.taken(number, is_next);
                None
            }
            Err(other) => panic!("{other} is no answer to ACK"),
        }
    }

    fn taken(&mut self, number: u64, is_next: bool) {
        if is_next {
            self.held.pop_front();
            self.acknowledged_count += 1;
        }
        self.refused.remove(&number);
        self.unsure.remove(&number);
    }

    async fn pushed(&self, client: &Client) -> Received {
        match timeout(GIVE_UP, client.next_event()).await.expect("a message that waits is pushed") {
            Ok(Event::Message(_, message)) => self.queue.open(&message).expect("it is for this queue"),
            other => panic!("{other:?} was not to be expected"),
        }
    }
}

fn number(message: &Received) -> u64 {
    match &message.content {
        Content::Message { body, .. } => u64::from_be_bytes(*body.first_chunk().expect("bodies begin so")),
        Content::QuotaExceeded { .. } => panic!("the queue is not full"),
    }
}

async fn connect(address: &ServerAddress) -> Client {
    Client::connect(address, &Options::default()).await.expect("it accepts")
}

/// A machine with a disk that fails, and a clock that goes wrong, on command.
struct Unreliable {
    faults: Faults,
    clock: Arc<AtomicI64>,
}

impl Unreliable {
    fn get_into(&self, trouble: Trouble, rng: &mut Rng) {
        match trouble {
            Trouble::Fails(operation, fault) => {
                if operation == Operation::Write && rng.bool() {
                    self.faults.shorten_next_write(rng.usize(..200));
                }
                self.faults.fail_after(rng.u64(..5), operation, fault);
            }
            Trouble::Dawdles(operation) => self.faults.slow_down(operation, Duration::from_millis(rng.u64(1..50))),
        }
    }
}

fn now() -> i64 {
    Clock::system().now()
}

/// Runs a server on such a machine.
fn run<T>(state: &Path, chain: &NewChain, log: &Log, meet: impl AsyncFnOnce(ServerAddress, Unreliable) -> T) -> T {
    let (files, faults) = FaultyFiles::new(Arc::new(RealFiles));
    let clock = Arc::new(AtomicI64::new(now()));
    let machine = Machine {
        files: Arc::new(files),
        clock: Clock::set_by(Arc::clone(&clock)),
        // Small, so that segments go and messages move while the disk fails.
        journal: JournalSizes { segment: 30_000, tolerated: 120_000, piece: 10_000 },
        rehearses: false,
    };
    let logger = Logger::root(log.clone().ignore_res(), o!());
    let meet = async |address| meet(address, Unreliable { faults, clock }).await;
    in_process::run(SETTINGS, state, chain, machine, logger, meet)
}

/// What the server tells its operator.
#[derive(Clone, Default)]
struct Log(Arc<LogState>);

#[derive(Default)]
struct LogState {
    lines: Mutex<Vec<String>>,
    grown: Notify,
}

impl Log {
    fn told(&self) -> Vec<String> {
        self.0.lines.lock().expect("nothing panics under this lock").clone()
    }

    fn complaints_and_recoveries(&self) -> (usize, usize) {
        let count = |text| self.told().iter().filter(|line| line.contains(text)).count();
        (count("refused until it works again"), count("can be written again"))
    }

    /// Waits until the server has found out that everything works, if it had noticed that something did not.
    async fn recovered(&self) {
        let recovered = async {
            loop {
                let grown = self.0.grown.notified();
                let (complaints, recoveries) = self.complaints_and_recoveries();
                if complaints == recoveries {
                    return;
                }
                grown.await;
            }
        };
        let recovered = timeout(GIVE_UP, recovered).await;
        assert!(recovered.is_ok(), "the server does not recover by itself: {:#?}", self.told());
    }
}

impl Drain for Log {
    type Ok = ();
    type Err = slog::Never;

    fn log(&self, record: &Record<'_>, _: &OwnedKVList) -> Result<(), slog::Never> {
        self.0.lines.lock().expect("nothing panics under this lock").push(record.msg().to_string());
        self.0.grown.notify_waiters();
        Ok(())
    }
}
