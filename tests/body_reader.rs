//! Messages in the journal are read once, by threads that may wait for the disk: a disk that hangs, fails or dawdles concerns only those
//! whose messages it has, and only until it works again.

#[allow(dead_code, reason = "shared with other test programs, each of which needs its part")]
#[path = "harness/in_process.rs"]
mod in_process;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use in_process::silent;
use smp_actors::Machine;
use smp_actors::faults::{FaultPoint, arm};
use smp_client::protocol::address::ServerAddress;
use smp_client::protocol::message::Content;
use smp_client::{Client, Event, NewQueueOptions, Options, Queue, Received};
use smp_config::certificates::{NewChain, SignAlgorithm};
use smp_store::files::RealFiles;
use smp_store::files::faulty::{Fault, Faults, FaultyFiles, Operation};
use tokio::time::timeout;

/// One thread: whatever waits on it is waited for by all.
const SETTINGS: &str = "\
[STORE_LOG]
enable = on
store_messages = journal

[TRANSPORT]
port = 0
websockets = off

[LIMITS]
threads = 1
";

/// A fault is armed for the whole process: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// No test waits longer for what does not come.
const GIVE_UP: Duration = Duration::from_secs(60);

/// Runs a server on files that fail on command while `meet` meets it.
fn run(meet: impl AsyncFnOnce(ServerAddress, Faults)) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let state = tempfile::tempdir().expect("there is room");
    let chain = NewChain::generate(SignAlgorithm::Ed25519, "localhost").expect("certificates can be made");
    let (files, faults) = FaultyFiles::new(Arc::new(RealFiles));
    let machine = Machine { files: Arc::new(files), ..Machine::default() };
    let meet = async |address| timeout(GIVE_UP, meet(address, faults)).await.expect("everything asked for comes");
    in_process::run(SETTINGS, state.path(), &chain, machine, silent(), meet);
}

async fn connect(address: &ServerAddress) -> Client {
    Client::connect(address, &Options::default()).await.expect("it accepts")
}

/// A queue with these messages, all of them in the journal, that nobody is subscribed to.
async fn leave(client: &Client, bodies: &[&'static [u8]]) -> Queue {
    let new = NewQueueOptions { subscribe: false, ..NewQueueOptions::default() };
    let queue = client.create_queue(new).await.expect("a queue");
    for body in bodies {
        client.sender(queue.sender_id()).send(*body).await.expect("it is stored");
    }
    queue
}

fn assert_body(message: &Received, expected: &[u8]) {
    assert!(matches!(&message.content, Content::Message { body, .. } if body[..] == *expected), "{message:?}");
}

/// The message that is pushed next.
async fn pushed(client: &Client, queue: &Queue, expected: &[u8]) -> Received {
    let Ok(Event::Message(_, message)) = client.next_event().await else { panic!("a message should come") };
    let message = queue.open(&message).expect("it is for this queue");
    assert_body(&message, expected);
    message
}

#[test]
fn a_message_is_read_once() {
    run(async |address, faults| {
        let client = connect(&address).await;
        let queue = leave(&client, &[b"pushed", b"answer to ACK", b"answer to ACK"]).await;
        let got = leave(&client, &[b"answer to GET"]).await;
        let before = faults.reads();
        queue.subscribe().await.expect("the queue is there");
        let mut message = pushed(&client, &queue, b"pushed").await;
        for _ in 0..2 {
            message = queue.acknowledge(&message.id).await.expect("it was delivered").expect("there is one more");
            assert_body(&message, b"answer to ACK");
        }
        let message = got.get().await.expect("the queue is there").expect("it waits");
        assert_body(&message, b"answer to GET");
        assert_eq!(faults.reads() - before, 4, "reads of 4 messages");
    });
}

#[test]
fn what_was_not_written_yet_is_not_read() {
    run(async |address, faults| {
        let client = connect(&address).await;
        let queue = client.create_queue(NewQueueOptions::default()).await.expect("a queue");
        let before = faults.reads();
        client.sender(queue.sender_id()).send(&b"at once"[..]).await.expect("it is stored");
        pushed(&client, &queue, b"at once").await;
        assert_eq!(faults.reads(), before);
    });
}

#[test]
fn a_disk_that_hangs_delays_only_who_needs_it() {
    run(async |address, faults| {
        let (waiting, other) = (connect(&address).await, connect(&address).await);
        let on_disk = leave(&waiting, &[b"on the disk"]).await;
        faults.hold(Operation::ReadAt);
        on_disk.subscribe().await.expect("that needs no disk");
        let queue = other.create_queue(NewQueueOptions::default()).await.expect("that needs no reads");
        for _ in 0..3 {
            other.sender(queue.sender_id()).send(&b"in memory"[..]).await.expect("it is stored");
            let message = pushed(&other, &queue, b"in memory").await;
            assert!(queue.acknowledge(&message.id).await.expect("it was delivered").is_none());
        }
        faults.heal();
        pushed(&waiting, &on_disk, b"on the disk").await;
    });
}

#[test]
fn what_the_disk_does_not_give_comes_when_it_does() {
    run(async |address, faults| {
        let client = connect(&address).await;
        let on_disk = leave(&client, &[b"first", b"second"]).await;
        let queue = client.create_queue(NewQueueOptions::default()).await.expect("a queue");
        faults.fail(Operation::ReadAt, Fault::InputOutput);
        on_disk.subscribe().await.expect("that needs no disk");
        client.sender(queue.sender_id()).send(&b"in memory"[..]).await.expect("it is stored");
        pushed(&client, &queue, b"in memory").await;
        faults.heal();
        let message = pushed(&client, &on_disk, b"first").await;
        let next = on_disk.acknowledge(&message.id).await.expect("it was delivered").expect("there is one more");
        assert_body(&next, b"second");
    });
}

/// Who asks in between is told that there is nothing, as long as there is nothing that can be given.
#[test]
fn answers_do_not_wait_for_a_disk_that_fails() {
    run(async |address, faults| {
        let client = connect(&address).await;
        let on_disk = leave(&client, &[b"first", b"second"]).await;
        faults.fail(Operation::ReadAt, Fault::InputOutput);
        assert!(on_disk.get().await.expect("the queue is there").is_none());
        faults.heal();
        let message = on_disk.get().await.expect("the queue is there").expect("it can be had now");
        assert_body(&message, b"first");
    });
}

#[test]
fn a_panic_costs_time_and_no_message() {
    run(async |address, _| {
        let client = connect(&address).await;
        let on_disk = leave(&client, &[b"kept"]).await;
        arm(FaultPoint::BodyReader);
        on_disk.subscribe().await.expect("that needs no disk");
        pushed(&client, &on_disk, b"kept").await;
    });
}
