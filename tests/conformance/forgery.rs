//! A sender cannot write records of the journal, whatever it sends and whatever happens to the disk.

use std::fs;
use std::path::{Path, PathBuf};

use smp_client::Client;
use smp_client::protocol::id::{MessageId, RecipientId};

use crate::harness::ini::Setting;
use crate::harness::party::{Recipient, Sender};
use crate::harness::server::Server;

const JOURNAL: Setting<'static> = ("STORE_LOG", "store_messages", "journal");
const MESSAGE: u8 = 1;
const REMOVAL: u8 = 4;

/// The CRC-32 that zip and PNG use.
fn crc32(bytes: &[u8]) -> u32 {
    let shift = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), shift))
}

/// A whole record, as a version wrote it that had no keys.
fn record(kind: u8, sequence: u64, queue: RecipientId, message: MessageId, body: &[u8]) -> Vec<u8> {
    let mut record = b"SMPJ".to_vec();
    record.extend([kind, 0]);
    record.extend(u16::try_from(body.len()).unwrap().to_le_bytes());
    record.extend(sequence.to_le_bytes());
    record.extend(1_900_000_000_i64.to_le_bytes());
    record.extend(queue.as_ref());
    record.extend(message.as_ref());
    record.extend(crc32(body).to_le_bytes());
    record.extend(crc32(&record).to_le_bytes());
    record.extend(body);
    record
}

fn segments(server: &Server) -> Vec<PathBuf> {
    let entries = fs::read_dir(server.state_file("smp-server-journal")).expect("there is a journal");
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "segment"));
    paths.sort();
    paths
}

/// The segment that has these bytes, and where.
fn find(server: &Server, bytes: &[u8]) -> (PathBuf, usize) {
    let place = |path: &Path| fs::read(path).unwrap().windows(bytes.len()).position(|window| window == bytes);
    let mut found = segments(server).into_iter().filter_map(|path| Some((path.clone(), place(&path)?)));
    found.next().expect("it is stored")
}

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

/// The forger has sent this: a message for the victim, the removal of another one, and a message with the greatest number.
fn forged(victim: &Recipient, message: MessageId, third: &Recipient) -> Vec<u8> {
    let id = |n: u8| MessageId::from([n; 24]);
    [
        record(MESSAGE, 1, victim.id(), id(0xee), b"forged"),
        record(REMOVAL, 2, victim.id(), message, b""),
        record(MESSAGE, u64::MAX - 1, third.id(), id(0xef), b"great"),
    ]
    .concat()
}

#[tokio::test]
async fn records_in_a_message_are_not_found_after_damage() {
    let mut server = Server::start_with(&[JOURNAL]).await;
    let (r, s) = (server.connect().await, server.connect().await);
    let (victim, to_victim) = Recipient::secured(&r, &s).await;
    let (third, to_third) = Recipient::secured(&r, &s).await;
    let (_own, forger) = Recipient::secured(&r, &s).await;
    to_victim.sends(b"first").await;
    let first = victim.receives(b"first").await;
    let forged = forged(&victim, first.id, &third);
    forger.sends(&forged).await;
    for (sender, body) in [(&to_victim, b"second"), (&to_third, b"before"), (&to_third, b"behind")] {
        sender.sends(body).await;
    }

    server.kill().await;
    let (segment, body) = find(&server, &forged);
    let mut content = fs::read(&segment).unwrap();
    content[body - 30] ^= 1;
    fs::write(&segment, content).unwrap();
    server.run().await;
    server.logs(0, "damaged bytes").await;
    for later in [b"later1", b"later2"] {
        let sender: Sender = to_third.on(&server.connect().await);
        sender.sends(later).await;
        server.restart().await;
    }
    let client = server.connect().await;
    takes_all(&victim, &client, &[b"first", b"second"]).await;
    takes_all(&third, &client, &[b"before", b"behind", b"later1", b"later2"]).await;
}

/// The same with an orderly end before: what an index holds is checked with the key of its segment.
#[tokio::test]
async fn records_in_a_message_are_not_found_when_the_index_is_lost() {
    let mut server = Server::start_with(&[JOURNAL, ("STORE_LOG", "encrypt", "off")]).await;
    let (r, s) = (server.connect().await, server.connect().await);
    let (victim, to_victim) = Recipient::secured(&r, &s).await;
    let (_own, forger) = Recipient::secured(&r, &s).await;
    to_victim.sends(b"first").await;
    let forged = record(REMOVAL, 2, victim.id(), victim.receives(b"first").await.id, b"");
    forger.sends(&forged).await;
    to_victim.sends(b"second").await;
    server.stop().await;
    let (segment, body) = find(&server, &forged);
    let mut content = fs::read(&segment).unwrap();
    content[body - 30] ^= 1;
    fs::write(&segment, content).unwrap();
    fs::remove_file(segment.with_extension("index")).expect("a segment that is complete has an index");
    server.run().await;
    takes_all(&victim, &server.connect().await, &[b"first", b"second"]).await;
}
