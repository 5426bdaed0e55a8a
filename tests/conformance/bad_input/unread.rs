//! Clients that ask for much and read nothing of it.

use smp_client::Client;
use smp_client::protocol::batch::MAX_TRANSMISSIONS;
use smp_client::protocol::command::{Command, LinkData};
use smp_client::protocol::id::{EntityId, LinkId};
use smp_client::protocol::version::Version;
use smp_client::{NewQueueOptions, QueueKind};

use super::Bystander;
use crate::harness::party::Recipient;
use crate::harness::request::{GET, LGET};
use crate::harness::server::Server;
use crate::harness::wire::{Blocks, batch_of};

/// Clients at a time.
const CLIENTS: u64 = 20;
/// What each may cost: see docs/limits.md.
const BOUND: u64 = 600_000;

/// The most memory that the server has used so far.
fn most_memory(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.process().pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the kernel tells");
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// A block of as many commands as fit, whose answers are not read.
async fn ask_and_leave_unread(
    server: &Server,
    entity: impl Into<EntityId> + Clone,
    command: &Command,
    key: Option<&smp_client::protocol::authorization::AuthPrivateKey>,
) -> Blocks {
    let mut client = Blocks::connect(server, Version::MAX).await;
    for _ in 0..2 {
        let mut transmissions = Vec::new();
        let mut length = 0;
        while transmissions.len() < MAX_TRANSMISSIONS {
            let (_, transmission) = client.command(entity.clone(), command, key);
            length += transmission.len() + 2;
            if length > 16_000 {
                break;
            }
            transmissions.push(transmission);
        }
        client.send(&batch_of(&transmissions)).await;
    }
    client
}

async fn is_served_within_bounds(server: &Server, bystander: &Bystander, before: u64) {
    for _ in 0..50 {
        bystander.exchanges_messages(&bystander.client).await;
    }
    bystander.is_served(server).await;
    let grown = most_memory(server) - before;
    assert!(grown < CLIENTS * BOUND, "{} bytes for each client", grown / CLIENTS);
}

/// Each link has 15 KB.
#[tokio::test]
async fn links() {
    let server = Server::start().await;
    let bystander = Bystander::new(&server).await;
    let data = LinkData { fixed: vec![1; 2_000].into(), user: vec![2; 13_000].into() };
    let link = LinkId::random();
    let kind = QueueKind::Contact(Some((link.clone(), data)));
    let owner: Client = server.connect().await;
    let _queue = Recipient::with(&owner, NewQueueOptions { kind, ..NewQueueOptions::default() }).await;

    let before = most_memory(&server);
    let mut unread = Vec::new();
    for _ in 0..CLIENTS {
        unread.push(ask_and_leave_unread(&server, link.clone(), &LGET, None).await);
    }
    is_served_within_bounds(&server, &bystander, before).await;
    // Who reads gets all of it, in the order of the commands.
    let mut client = unread.remove(0);
    for _ in 0..MAX_TRANSMISSIONS {
        let answers = client.receive().await;
        assert!(answers.iter().all(|answer| answer.reply.entity == link.clone().into()));
    }
}

/// Each message has 16 KB.
#[tokio::test]
async fn messages() {
    let server = Server::start().await;
    let bystander = Bystander::new(&server).await;
    let client = server.connect().await;
    let options = NewQueueOptions { subscribe: false, ..NewQueueOptions::default() };
    let queue = Recipient::with(&client, options).await;
    queue.sender(&client).sends(&[7; 16_000]).await;

    let before = most_memory(&server);
    let mut unread = Vec::new();
    for _ in 0..CLIENTS {
        unread.push(ask_and_leave_unread(&server, queue.id(), &GET, Some(queue.key())).await);
    }
    is_served_within_bounds(&server, &bystander, before).await;
}
