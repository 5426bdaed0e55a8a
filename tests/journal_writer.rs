//! The journal writer panics while messages are written: only what it was writing is refused, and nothing is lost.

use std::path::Path;

use slog::{Discard, Logger, o};
use smp_actors::faults::{FaultPoint, arm};
use smp_actors::{EndReason, RunningServer, Server, ServerParts, Sockets};
use smp_client::protocol::address::{Host, KeyHash, ServerAddress};
use smp_client::protocol::error::ErrorType;
use smp_client::protocol::message::Content;
use smp_client::{Client, ClientError, Event, NewQueueOptions, Options, Queue};
use smp_config::certificates::{Credentials, NewChain, SignAlgorithm};
use smp_config::paths::Directories;
use smp_config::settings::Settings;

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
    let parts = parts(state, chain.credentials());
    let (running, is_running) = tokio::sync::oneshot::channel();
    let server = std::thread::spawn(move || {
        let sockets = Sockets::bind(&parts.settings).expect("ports are free");
        let server = Server::load(parts).expect("the state is sound");
        server.run(sockets, |server| drop(running.send(server))).expect("it ends well")
    });
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let server = is_running.await.expect("it starts");
        meet(address(chain.identity(), &server)).await;
        server.stop();
    });
    assert_eq!(server.join().expect("it does not panic"), EndReason::Requested);
}

fn parts(state: &Path, credentials: Credentials) -> ServerParts {
    let (settings, _) = Settings::parse(Path::new("smp-server.ini"), SETTINGS).expect("the settings are right");
    let directories = Directories { config: state.to_owned(), state: state.to_owned() };
    let logger = Logger::root(Discard, o!());
    ServerParts { settings, directories, credentials, skip_warnings: false, handle_signals: false, version: "", logger }
}

fn address(key_hash: KeyHash, server: &RunningServer) -> ServerAddress {
    let port = Some(server.listening[0].port());
    ServerAddress { key_hash, password: None, hosts: vec![Host::V4([127, 0, 0, 1].into())], port }
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
