//! The journal writer: a panic while messages are written costs only what it was writing, and space of delivered messages is
//! given back while the server runs.

#[allow(dead_code, reason = "shared with other test programs, each of which needs its part")]
#[path = "harness/in_process.rs"]
mod in_process;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use in_process::silent;
use smp_actors::Machine;
use smp_actors::faults::{FaultPoint, arm};
use smp_client::protocol::address::ServerAddress;
use smp_client::protocol::error::ErrorType;
use smp_client::protocol::message::Content;
use smp_client::{Client, ClientError, Event, NewQueueOptions, Options, Queue};
use smp_config::certificates::{NewChain, SignAlgorithm};
use smp_store::files::RealFiles;
use smp_store::files::faulty::{FaultyFiles, Operation};
use smp_store::journal::JournalSizes;

const SETTINGS: &str = "\
[STORE_LOG]
enable = on
store_messages = journal

[TRANSPORT]
port = 0
websockets = off
";

/// A fault is armed for the whole process: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// No test waits longer for what does not come.
const GIVE_UP: Duration = Duration::from_secs(60);
/// Segments of six messages; more than 20 of them are never tolerated.
const SIZES: JournalSizes = JournalSizes { segment: 100_000, tolerated: 2_000_000, piece: 40_000 };

/// Runs a server on this state while `meet` meets it.
fn run(state: &Path, chain: &NewChain, meet: impl AsyncFnOnce(ServerAddress)) {
    in_process::run(SETTINGS, state, chain, Machine { journal: SIZES, ..Machine::default() }, silent(), meet);
}

async fn takes(client: &Client, queue: &Queue, expected: &[&[u8]]) {
    let Ok(Event::Message(_, first)) = client.next_event().await else { panic!("a message should come") };
    let mut next = Some(queue.open(&first).expect("it is for this queue"));
    for body in expected {
        let message = next.expect("there is one more");
        assert!(matches!(&message.content, Content::Message { body: found, .. } if found[..] == **body));
        next = queue.acknowledge(&message.id).await.expect("it was delivered");
    }
    assert!(next.is_none(), "there is nothing else");
}

#[test]
fn a_panic_costs_what_was_being_written() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let state = tempfile::tempdir().expect("there is room");
    let chain = NewChain::generate(SignAlgorithm::Ed25519, "localhost").expect("certificates can be made");
    let mut kept = None;
    run(state.path(), &chain, async |address| {
        let client = Client::connect(&address, &Options::default()).await.expect("it accepts");
        let queue = leave(&client, b"before").await;
        let sender = client.sender(queue.sender_id());
        arm(FaultPoint::JournalWriter);
        let refused = sender.send(&b"refused"[..]).await;
        assert!(matches!(refused, Err(ClientError::Server(ErrorType::Store(_)))), "{refused:?}");
        sender.send(&b"after"[..]).await.expect("the writer was restarted");
        kept = Some(queue);
    });
    run(state.path(), &chain, async |address| {
        let client = Client::connect(&address, &Options::default()).await.expect("it accepts");
        let queue = kept.as_ref().expect("it was made").on(&client);
        queue.subscribe().await.expect("the queue is there");
        takes(&client, &queue, &[b"before", b"after"]).await;
    });
}

/// Puts a message in a queue that nobody subscribes to.
async fn leave(client: &Client, body: &'static [u8]) -> Queue {
    let new = NewQueueOptions { subscribe: false, ..NewQueueOptions::default() };
    let queue = client.create_queue(new).await.expect("a queue");
    client.sender(queue.sender_id()).send(body).await.expect("it is stored");
    queue
}

/// Sends so many large messages, each of which is taken out before the next.
async fn pass_through(client: &Client, messages: usize) {
    let new = NewQueueOptions { subscribe: false, ..NewQueueOptions::default() };
    let queue = client.create_queue(new).await.expect("a queue");
    let sender = client.sender(queue.sender_id());
    for _ in 0..messages {
        sender.send(vec![7; 16_000]).await.expect("it is stored");
        let message = queue.get().await.expect("the queue is there").expect("it was stored");
        queue.acknowledge(&message.id).await.expect("it was delivered");
    }
}

/// Names of the segments of a journal.
fn segments(state: &Path) -> Vec<String> {
    let names = std::fs::read_dir(state.join("smp-server-journal")).expect("there is a journal");
    let names = names.map(|entry| entry.expect("it can be listed").file_name().into_string().expect("a name"));
    names.filter(|name| name.ends_with(".segment")).collect()
}

/// Returns when there are at most so many segments.
async fn shrunk_to(count: usize, state: &Path) {
    let shrunk = async {
        while segments(state).len() > count {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(GIVE_UP, shrunk).await.expect("segments without messages go");
}

/// Nobody fetches the first message, which is in the oldest segment. It moves, so that this and those after it go.
#[test]
fn space_is_given_back_and_what_waits_stays() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let state = tempfile::tempdir().expect("there is room");
    let chain = NewChain::generate(SignAlgorithm::Ed25519, "localhost").expect("certificates can be made");
    let mut kept = None;
    run(state.path(), &chain, async |address| {
        let client = Client::connect(&address, &Options::default()).await.expect("it accepts");
        kept = Some(leave(&client, b"kept").await);
        pass_through(&client, 130).await;
        shrunk_to(2, state.path()).await;
        let message = kept.as_ref().expect("it was made").get().await.expect("the queue is there");
        assert!(matches!(&message.expect("it waits").content, Content::Message { body, .. } if body[..] == *b"kept"));
    });
    run(state.path(), &chain, async |address| {
        let client = Client::connect(&address, &Options::default()).await.expect("it accepts");
        let queue = kept.as_ref().expect("it was made").on(&client);
        queue.subscribe().await.expect("the queue is there");
        takes(&client, &queue, &[b"kept"]).await;
    });
}

#[test]
fn a_panic_while_space_is_given_back_does_not_end_that() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let state = tempfile::tempdir().expect("there is room");
    let chain = NewChain::generate(SignAlgorithm::Ed25519, "localhost").expect("certificates can be made");
    let (files, faults) = FaultyFiles::new(Arc::new(RealFiles));
    // The first segment keeps it busy until it panics.
    faults.slow_down(Operation::Truncate, Duration::from_secs(3));
    let machine = Machine { files: Arc::new(files), journal: SIZES, ..Machine::default() };
    in_process::run(SETTINGS, state.path(), &chain, machine, silent(), async |address| {
        let client = Client::connect(&address, &Options::default()).await.expect("it accepts");
        let queue = leave(&client, b"before").await;
        let sender = client.sender(queue.sender_id());
        pass_through(&client, 40).await;
        let message = queue.get().await.expect("the queue is there").expect("it waits");
        queue.acknowledge(&message.id).await.expect("it was delivered");
        let all = segments(state.path()).len();
        shrunk_to(all - 1, state.path()).await;
        arm(FaultPoint::JournalWriter);
        assert!(matches!(sender.send(&b"refused"[..]).await, Err(ClientError::Server(ErrorType::Store(_)))));
        faults.heal();
        shrunk_to(1, state.path()).await;
        sender.send(&b"after"[..]).await.expect("the writer was restarted");
    });
}
