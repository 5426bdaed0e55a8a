//! A soak on a disk that fills up and breaks while clients are at work, and works again: messages are refused meanwhile, nothing
//! that was answered `OK` is lost, nothing that was acknowledged comes back, and the server recovers by itself.
//!
//! ```text
//! SMP_DISK_ROUNDS=300 cargo test --release --test failing_disk -- --nocapture
//! ```
//!
//! The server runs in this process, on files that fail on command. A refused message may be there or not: its sender was told
//! that it has to send it again.

#[path = "harness/in_process.rs"]
mod in_process;

use std::collections::{HashSet, VecDeque};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use slog::{Drain, Logger, OwnedKVList, Record, o};
use smp_client::protocol::address::ServerAddress;
use smp_client::protocol::error::ErrorType;
use smp_client::protocol::message::Content;
use smp_client::{Client, ClientError, Event, NewQueueOptions, Options, Queue, QueueSender, Received};
use smp_config::certificates::{NewChain, SignAlgorithm};
use smp_store::files::RealFiles;
use smp_store::files::faulty::{Fault, Faults, FaultyFiles, Operation};
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

/// What the disk does, and how often it does it right before.
const FAULTS: [(Operation, Fault); 4] = [
    (Operation::Write, Fault::NoSpace),
    (Operation::Write, Fault::InputOutput),
    (Operation::Sync, Fault::InputOutput),
    (Operation::Sync, Fault::NoSpace),
];

fn rounds() -> u64 {
    let text = std::env::var("SMP_DISK_ROUNDS").ok();
    text.map_or(DEFAULT_ROUNDS, |text| text.parse().expect("SMP_DISK_ROUNDS is a number"))
}

#[test]
fn nothing_is_lost_on_a_failing_disk() {
    let state = tempfile::tempdir().expect("there is room");
    let chain = NewChain::generate(SignAlgorithm::Ed25519, "localhost").expect("certificates can be made");
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut rng = Rng::with_seed(seed);
    let mut owners: Vec<Owner> = Vec::new();
    let mut totals = Totals::default();
    for round in 1..=rounds() {
        let log = Log::default();
        owners = run(state.path(), &chain, &log, async |address, faults| {
            if owners.is_empty() {
                for _ in 0..QUEUES {
                    owners.push(Owner::create(&address).await);
                }
            }
            play(owners, &address, &faults, &log, &mut rng).await
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
    let made = run(state.path(), &chain, &log, async |address, faults| {
        let client = connect(&address).await;
        let create = async || client.create_queue(NewQueueOptions::default()).await;
        let mut made = vec![create().await.expect("the disk works").recipient_id()];
        faults.fail(Operation::Sync, Fault::InputOutput);
        for _ in 0..2 {
            let refused = create().await.map(drop);
            assert!(matches!(refused, Err(ClientError::Server(ErrorType::Store(_)))), "{refused:?}");
        }
        faults.heal();
        let accepted = async {
            loop {
                match create().await {
                    Ok(queue) => return queue.recipient_id(),
                    Err(error) => assert!(matches!(error, ClientError::Server(ErrorType::Store(_))), "{error}"),
                }
            }
        };
        made.push(timeout(GIVE_UP, accepted).await.expect("the log is written again"));
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

/// Clients work while the disk fails and works again; then everything that waits is looked at.
async fn play(owners: Vec<Owner>, address: &ServerAddress, faults: &Faults, log: &Log, rng: &mut Rng) -> Vec<Owner> {
    let over = Arc::new(AtomicBool::new(false));
    let working: Vec<_> = owners
        .into_iter()
        .map(|owner| tokio::spawn(owner.work(address.clone(), rng.fork(), Arc::clone(&over))))
        .collect();
    for _ in 0..EPISODES {
        sleep(Duration::from_millis(rng.u64(20..200))).await;
        let (operation, fault) = FAULTS[rng.usize(..FAULTS.len())];
        if operation == Operation::Write && rng.bool() {
            faults.shorten_next_write(rng.usize(..200));
        }
        faults.fail_after(rng.u64(..5), operation, fault);
        sleep(Duration::from_millis(rng.u64(5..80))).await;
        faults.heal();
        log.recovered().await;
    }
    over.store(true, Ordering::Relaxed);
    let mut owners = Vec::new();
    for owner in working {
        owners.push(owner.await.expect("an owner saw nothing wrong"));
    }
    owners
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

/// Runs a server on files that fail on command.
fn run<T>(state: &Path, chain: &NewChain, log: &Log, meet: impl AsyncFnOnce(ServerAddress, Faults) -> T) -> T {
    let (files, faults) = FaultyFiles::new(Arc::new(RealFiles));
    let logger = Logger::root(log.clone().ignore_res(), o!());
    in_process::run(SETTINGS, state, chain, (Arc::new(files), logger), async |address| meet(address, faults).await)
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
        timeout(GIVE_UP, recovered).await.expect("the server recovers by itself");
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
