//! `store_messages = journal`: whatever was answered is still true after any end of the process.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use rustix::process::{Resource, Rlimit, prlimit};
use smp_client::protocol::error::ErrorType;
use smp_client::protocol::response::Response;
use smp_client::{Client, NewQueueOptions};

use crate::harness::event::assert_quiet;
use crate::harness::ini::{IN_MEMORY, Setting};
use crate::harness::party::{Recipient, Sender};
use crate::harness::request::{DEL, GET, SUB, auth, err, ok};
use crate::harness::server::Server;
use crate::harness::state::MESSAGES;

const JOURNAL: Setting<'static> = ("STORE_LOG", "store_messages", "journal");

async fn start() -> (Server, Recipient, Sender) {
    let server = Server::start_with(&[JOURNAL]).await;
    let (r, s) = (server.connect().await, server.connect().await);
    let (queue, sender) = Recipient::secured(&r, &s).await;
    (server, queue, sender)
}

/// The files of the journal with this ending, the oldest first.
fn files(server: &Server, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(server.state_file("smp-server-journal")).expect("there is a journal");
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|found| found == ending));
    paths.sort();
    paths
}

/// Subscribes and takes exactly these.
async fn takes_all(queue: &Recipient, client: &Client, bodies: &[&[u8]]) {
    let queue = queue.on(client);
    queue.subscribe().await;
    let (first, rest) = bodies.split_first().expect("there are some");
    let mut message = queue.receives(first).await;
    for body in rest {
        message = queue.acknowledge_for(&message, body).await;
    }
    queue.acknowledge(&message).await;
}

#[tokio::test]
async fn answered_messages_survive_a_kill() {
    let (mut server, queue, sender) = start().await;
    sender.sends(b"acknowledged").await;
    queue.takes(b"acknowledged").await;
    let big = vec![b'x'; 16_000];
    for body in [b"1", &big[..], b"3"] {
        sender.sends(body).await;
    }
    for _ in 0..2 {
        server.kill().await;
        server.run().await;
    }
    let client = server.connect().await;
    takes_all(&queue, &client, &[b"1", &big, b"3"]).await;
    server.kill().await;
    server.run().await;
    let client = server.connect().await;
    let queue = queue.on(&client);
    queue.subscribe().await;
    sender.on(&client).sends(b"after").await;
    queue.takes(b"after").await;
    assert!(!server.state_file(MESSAGES).exists());
}

#[tokio::test]
async fn a_full_queue_is_full_after_a_kill() {
    let (mut server, queue, sender) = start().await;
    for body in [b"1", b"2", b"3", b"4"] {
        sender.sends(body).await;
    }
    assert_eq!(sender.send(b"5").await, err(sender.id, ErrorType::Quota));
    let first = queue.receives(b"1").await;
    let second = queue.acknowledge_for(&first, b"2").await;
    server.kill().await;
    server.run().await;
    let client = server.connect().await;
    let (queue, sender) = (queue.on(&client), sender.on(&client));
    assert_eq!(sender.send(b"6").await, err(sender.id, ErrorType::Quota), "the marker is still there");
    queue.subscribe().await;
    assert_eq!(queue.receives(b"2").await.id, second.id);
    let mut message = queue.acknowledge_for(&second, b"3").await;
    message = queue.acknowledge_for(&message, b"4").await;
    let marker = queue.acknowledge_for_marker(&message).await;
    queue.acknowledge(&marker).await;
    server.kill().await;
    server.run().await;
    let client = server.connect().await;
    let (queue, sender) = (queue.on(&client), sender.on(&client));
    sender.sends(b"7").await;
    queue.subscribe().await;
    queue.takes(b"7").await;
}

#[tokio::test]
async fn messages_of_a_deleted_queue_are_gone() {
    let (mut server, queue, sender) = start().await;
    sender.sends(b"1").await;
    queue.does(DEL).await;
    server.kill().await;
    server.run().await;
    let client = server.connect().await;
    assert_eq!(queue.on(&client).ask(SUB).await, auth(queue.id()));
    server.stop().await;
    assert_eq!(files(&server, "segment").len(), 0, "nothing is left of it");
}

#[tokio::test]
async fn saved_messages_are_moved_to_the_journal_once() {
    let mut server = Server::start_with(&[IN_MEMORY]).await;
    let client = server.connect().await;
    let (queue, sender) = Recipient::secured(&client, &client).await;
    for body in [b"1", b"2", b"3"] {
        sender.sends(body).await;
    }
    server.stop().await;
    server.set(JOURNAL);
    server.run().await;
    server.logs(0, "moved to the journal: 3 messages").await;
    assert!(!server.state_file(MESSAGES).exists());
    assert!(server.state_file(&format!("{MESSAGES}.bak")).exists());
    let client = server.connect().await;
    let queue = queue.on(&client);
    queue.subscribe().await;
    let first = queue.receives(b"1").await;
    queue.acknowledge_for(&first, b"2").await;

    server.kill().await;
    server.run().await;
    takes_all(&queue, &server.connect().await, &[b"2", b"3"]).await;
}

#[tokio::test]
async fn a_damaged_message_is_passed_over_and_told() {
    let (mut server, queue, sender) = start().await;
    let (other, other_sender) = Recipient::secured(&queue.client, &sender.client).await;
    for body in [b"first", b"lost!", b"third"] {
        sender.sends(body).await;
    }
    other_sender.sends(b"other").await;
    server.stop().await;
    let segment = files(&server, "segment").pop().unwrap();
    let mut content = fs::read(&segment).unwrap();
    // The body is encrypted for nobody here: the server stores what the sender sent.
    let place = content.windows(5).position(|bytes| bytes == b"lost!").expect("it is stored");
    content[place] ^= 1;
    fs::write(&segment, content).unwrap();
    server.run().await;
    takes_all(&queue, &server.connect().await, &[b"first", b"third"]).await;
    takes_all(&other, &server.connect().await, &[b"other"]).await;
    let complaint = server.logs(0, "a message is not delivered").await;
    assert!(complaint.contains("checksum") && complaint.contains(segment.file_name().unwrap().to_str().unwrap()));
}

/// The server has the segment open when the disk loses a part of it.
#[tokio::test]
async fn damage_while_it_runs_costs_the_damaged_messages() {
    let mut server = Server::start_with(&[JOURNAL]).await;
    let client = server.connect().await;
    let silent = || NewQueueOptions { subscribe: false, ..NewQueueOptions::default() };
    let (queue, got) = (Recipient::with(&client, silent()).await, Recipient::with(&client, silent()).await);
    for body in [b"lost 1", b"kept 1", b"lost 2", b"kept 2"] {
        queue.sender(&client).sends(body).await;
    }
    for body in [b"lost 3", b"kept 3", b"lost 4"] {
        got.sender(&client).sends(body).await;
    }
    let segment = files(&server, "segment").pop().unwrap();
    let content = fs::read(&segment).unwrap();
    let file = fs::OpenOptions::new().write(true).open(&segment).unwrap();
    for (place, _) in content.windows(4).enumerate().filter(|(_, bytes)| bytes == b"lost") {
        file.write_all_at(b"L", place as u64).unwrap();
    }

    takes_all(&queue, &client, &[b"kept 1", b"kept 2"]).await;
    let message = got.gets(b"kept 3").await;
    got.acknowledge(&message).await;
    assert_eq!(got.ask(GET).await, ok(got.id()));
    let output = Arc::clone(server.process().output());
    server.stop().await;
    let told = output.lines().iter().filter(|line| line.contains("a message is not delivered")).count();
    assert_eq!(told, 4, "each damaged message is told once");
}

#[tokio::test]
async fn a_torn_end_is_cut() {
    let (mut server, queue, sender) = start().await;
    sender.sends(b"whole").await;
    server.kill().await;
    let segment = files(&server, "segment").pop().unwrap();
    let mut content = fs::read(&segment).unwrap();
    content.extend_from_within(..content.len() - 3);
    fs::write(&segment, content).unwrap();
    server.run().await;
    server.logs(0, "the journal ended with").await;
    takes_all(&queue, &server.connect().await, &[b"whole"]).await;
}

/// No message is accepted that cannot be kept; what is there can be taken out.
#[tokio::test]
async fn a_full_disk_refuses_messages_and_delivers() {
    let (mut server, queue, sender) = start().await;
    for body in [b"1", b"2", b"3"] {
        sender.sends(body).await;
    }
    let first = queue.receives(b"1").await;
    let limit = |server: &Server, bytes| {
        let limit = Rlimit { current: bytes, maximum: None };
        prlimit(Some(server.process().pid()), Resource::Fsize, limit).expect("the limit of an own process can be set");
    };
    let size = fs::metadata(files(&server, "segment").pop().unwrap()).unwrap().len();
    limit(&server, Some(size + 10));
    let logged = server.process().output().len();
    for _ in 0..2 {
        let answer = sender.send(b"refused").await;
        assert!(matches!(answer.response, Response::Error(ErrorType::Store(_))), "{answer:?}");
    }
    server.logs(logged, "messages are refused until it works again").await;
    let second = queue.acknowledge_for(&first, b"2").await;
    queue.acknowledge_for(&second, b"3").await;

    limit(&server, None);
    server.logs(logged, "messages can be written again").await;
    sender.sends(b"4").await;
    server.kill().await;
    server.run().await;
    takes_all(&queue, &server.connect().await, &[b"3", b"4"]).await;
}

/// What was pushed to a recipient before its sender was answered is acknowledged like everything else.
#[tokio::test]
async fn answers_come_before_what_follows_from_them() {
    let (_server, queue, sender) = start().await;
    for n in 0..200_u8 {
        let body = [n; 100];
        sender.sends(&body).await;
        let message = queue.receives(&body).await;
        let next = [n; 50];
        let (answer, ()) = tokio::join!(queue.ask(crate::harness::request::ack(message.id)), sender.sends(&next));
        let message = match answer.response {
            Response::Message(message) => message,
            Response::Ok => queue.pushed().await,
            other => panic!("{other:?}"),
        };
        assert_eq!(queue.body(&message), next);
        queue.acknowledge(&message).await;
    }
    assert_quiet(&queue.client).await;
}

/// All files of the server with their content.
fn raw_files(directory: &std::path::Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(directory).expect("it is a directory").map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() { raw_files(&path) } else { vec![(path.clone(), fs::read(&path).unwrap_or_default())] }
        })
        .collect()
}

fn found_in(server: &Server, bytes: &[u8]) -> Vec<PathBuf> {
    let files = raw_files(&server.state_file("."));
    let found = files.into_iter().filter(|(_, content)| content.windows(bytes.len()).any(|window| window == bytes));
    found.map(|(path, _)| path).collect()
}

fn keys(server: &Server) -> Vec<Vec<u8>> {
    let table = fs::read(server.state_file("smp-server-journal/keys")).expect("there are keys");
    let keys = table.chunks_exact(72).map(|slot| slot[32..64].to_vec());
    keys.filter(|key| key.iter().any(|byte| *byte != 0)).collect()
}

/// `encrypt = on`: messages are never readable on the disk, and their keys are gone after `ACK` and `DEL`.
#[tokio::test]
async fn what_was_acknowledged_or_deleted_cannot_be_recovered() {
    const PLAIN: &[u8] = b"a text that is easy to find on a disk";
    let mut server = Server::start_with(&[JOURNAL, ("STORE_LOG", "encrypt", "on")]).await;
    let client = server.connect().await;
    let (first, to_first) = Recipient::secured(&client, &client).await;
    let (second, to_second) = Recipient::secured(&client, &client).await;
    for sender in [&to_first, &to_second] {
        for n in 0..3 {
            sender.sends(&[PLAIN, &[b'0' + n]].concat()).await;
        }
    }
    assert_eq!(found_in(&server, PLAIN), [] as [PathBuf; 0]);
    let made = keys(&server);
    assert_eq!(made.len(), 2, "one for each queue");
    server.kill().await;
    server.run().await;
    assert_eq!(keys(&server), made);

    let client = server.connect().await;
    let bodies: Vec<_> = (0..3).map(|n| [PLAIN, &[b'0' + n]].concat()).collect();
    takes_all(&first, &client, &bodies.iter().map(Vec::as_slice).collect::<Vec<_>>()).await;
    assert_eq!(second.on(&client).ask(DEL).await, ok(second.id()));
    while made.iter().any(|key| !found_in(&server, key).is_empty()) {
        client.ping().await.expect("the server lives");
    }
    assert_eq!(found_in(&server, PLAIN), [] as [PathBuf; 0]);

    // A queue goes on with another key, and an orderly end leaves none that is not needed.
    to_first.on(&client).sends(PLAIN).await;
    assert!(!made.contains(&keys(&server)[0]));
    let first = first.on(&client);
    first.takes(PLAIN).await;
    server.stop().await;
    assert_eq!(keys(&server), [] as [Vec<u8>; 0]);
}
