//! The journal writer panics while messages are written: only what it was writing is refused, and nothing is lost.

#[allow(dead_code, reason = "shared with other test programs, each of which needs its part")]
#[path = "harness/in_process.rs"]
mod in_process;

use std::path::Path;
use std::sync::Arc;

use in_process::Machine;
use slog::{Discard, Logger, o};
use smp_actors::clock::Clock;
use smp_actors::faults::{FaultPoint, arm};
use smp_client::protocol::address::ServerAddress;
use smp_client::protocol::error::ErrorType;
use smp_client::protocol::message::Content;
use smp_client::{Client, ClientError, Event, NewQueueOptions, Options, Queue};
use smp_config::certificates::{NewChain, SignAlgorithm};
use smp_store::files::RealFiles;

const SETTINGS: &str = "\
[STORE_LOG]
enable = on
store_messages = journal

[TRANSPORT]
port = 0
websockets = off
";

/// Runs a server on this state while `meet` meets it.
fn run(state: &Path, chain: &NewChain, meet: impl AsyncFnOnce(ServerAddress)) {
    let logger = Logger::root(Discard, o!());
    let machine = Machine { files: Arc::new(RealFiles), clock: Clock::system(), logger };
    in_process::run(SETTINGS, state, chain, machine, meet);
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
    let state = tempfile::tempdir().expect("there is room");
    let chain = NewChain::generate(SignAlgorithm::Ed25519, "localhost").expect("certificates can be made");
    let mut kept = None;
    run(state.path(), &chain, async |address| {
        let client = Client::connect(&address, &Options::default()).await.expect("it accepts");
        let new = NewQueueOptions { subscribe: false, ..NewQueueOptions::default() };
        let queue = client.create_queue(new).await.expect("a queue");
        let sender = client.sender(queue.sender_id());
        sender.send(&b"before"[..]).await.expect("it is stored");
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
