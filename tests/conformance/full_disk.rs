//! A disk that is full: a limit on the size of the server's files, set from outside while it runs, has the same effect on every
//! machine and for every user. Writes beyond it fail, the last one that still fits is cut short, and the signal that comes with
//! it (SIGXFSZ) must not kill the server.

use rustix::process::{Resource, Rlimit, Signal, prlimit};
use smp_client::NewQueueOptions;
use smp_client::protocol::error::ErrorType;
use smp_client::protocol::response::Response;

use crate::harness::ini::IN_MEMORY;
use crate::harness::party::Recipient;
use crate::harness::request::{DEL, OFF, QUE, ed25519, key};
use crate::harness::server::Server;
use crate::harness::state::{MESSAGES, STORE_LOG};

/// The files of the server get no larger than this; `None`: as large as they like.
fn limit_files(server: &Server, bytes: Option<u64>) {
    let limit = Rlimit { current: bytes, maximum: None };
    prlimit(Some(server.process().pid()), Resource::Fsize, limit).expect("the limit of an own process can be set");
}

fn size_of(server: &Server, name: &str) -> u64 {
    std::fs::metadata(server.state_file(name)).expect("the file exists").len()
}

fn is_store_error(response: &Response) -> bool {
    matches!(response, Response::Error(ErrorType::Store(_)))
}

#[tokio::test]
async fn commands_that_need_the_log_fail_until_there_is_room() {
    let mut server = Server::start().await;
    let (client, s) = (server.connect().await, server.connect().await);
    let (queue, sender) = Recipient::secured(&client, &s).await;
    let unsecured = Recipient::new(&client).await;
    let sender_key = ed25519();

    // No byte more, then a few that are less than any line.
    for room in [0, 10] {
        let size = size_of(&server, STORE_LOG);
        let logged = server.process().output().len();
        limit_files(&server, Some(size + room));
        for _ in 0..2 {
            let refused = client.create_queue(NewQueueOptions::default()).await.unwrap_err();
            assert!(matches!(refused.answered(), Some(ErrorType::Store(_))), "{refused}");
            for command in [key(sender_key.public()), OFF, DEL] {
                let answer = unsecured.ask(command).await;
                assert!(is_store_error(&answer.response), "{answer:?}");
            }
        }
        let complaint = server.logs(logged, "append to").await;
        assert!(complaint.contains(STORE_LOG), "{complaint}");
        everything_else_goes_on(&queue, &sender, &unsecured).await;
        assert_eq!(size_of(&server, STORE_LOG), size, "nothing is left of what failed");

        limit_files(&server, None);
        Recipient::new(&client).await.does(OFF).await;
        server.logs(logged, "can be written again").await;
    }

    unsecured.does(key(sender_key.public())).await;
    server.restart().await;
    let client = server.connect().await;
    let unsecured = unsecured.on(&client);
    assert!(unsecured.info().await.secured);
    unsecured.sender(&client).signing(sender_key).sends(b"not suspended").await;
    assert_eq!(server.store_log().len(), 4);
    queue.on(&client).info().await;
}

async fn everything_else_goes_on(queue: &Recipient, sender: &crate::harness::party::Sender, unsecured: &Recipient) {
    sender.sends(b"no disk needed").await;
    queue.takes(b"no disk needed").await;
    queue.subscribe().await;
    let Response::Info(info) = unsecured.ask(QUE).await.response else { panic!("the queue is still there") };
    assert!(!info.secured);
    unsecured.sender(&sender.client).sends(b"not suspended").await;
    unsecured.takes(b"not suspended").await;
}

/// Messages that cannot be saved are a failure that is told; the queues are not touched by it.
#[tokio::test]
async fn messages_that_cannot_be_saved() {
    let mut server = Server::start_with(&[IN_MEMORY]).await;
    let client = server.connect().await;
    let (queue, sender) = Recipient::secured(&client, &client).await;
    for _ in 0..3 {
        sender.sends(&[b'x'; 16000]).await;
    }
    limit_files(&server, Some(10_000));
    let status = server.end_by(Signal::INT).await;
    assert_eq!(status.code(), Some(1));
    let output = server.output();
    let complaint = output.iter().find(|line| line.contains(MESSAGES) && line.contains("ERROR"));
    assert!(complaint.is_some(), "{}", output.join("\n"));

    server.run().await;
    let client = server.connect().await;
    let (queue, sender) = (queue.on(&client), sender.on(&client));
    queue.subscribe().await;
    sender.sends(b"works again").await;
    queue.takes(b"works again").await;
}
