//! Clients that stop in the middle of something: each is closed in time, and the end of the server does not wait for them.

use smp_client::protocol::block::BLOCK_SIZE;
use smp_client::protocol::version::Version;
use tokio::time::timeout;

use crate::harness::GIVE_UP;
use crate::harness::server::Server;
use crate::harness::stuck::{floods, in_a_block, is_held_back};
use crate::harness::wire::Blocks;

#[tokio::test]
async fn a_block_that_is_not_finished() {
    let server = Server::start_with(&[("LIMITS", "block_timeout", "1")]).await;
    let mut idle = Blocks::connect(&server, Version::MAX).await;
    for version in [Version::MIN, Version::MAX] {
        for bytes in [1, BLOCK_SIZE / 2, BLOCK_SIZE - 1] {
            in_a_block(&server, version, bytes).await.closes().await;
        }
    }
    // Between blocks there is no limit.
    idle.ping().await;
}

#[tokio::test]
async fn answers_that_are_not_read() {
    let server = Server::start_with(&[("LIMITS", "write_timeout", "1")]).await;
    let mut taken = floods(Blocks::connect(&server, Version::MAX).await);
    let closed = async { while taken.changed().await.is_ok() {} };
    timeout(GIVE_UP, closed).await.expect("the server closes the connection");
}

#[tokio::test]
async fn stuck_clients_do_not_keep_others_out() {
    let server = Server::start_with(&[("LIMITS", "max_connections", "5"), ("LIMITS", "block_timeout", "2")]).await;
    let mut stuck = Vec::new();
    for _ in 0..5 {
        stuck.push(in_a_block(&server, Version::MAX, 1).await);
    }
    for client in &mut stuck {
        client.closes().await;
    }
    server.connect().await.ping().await.expect("there is room for others");
}

/// The system asks whether peers are still there: the timer of every connection says so.
#[tokio::test]
async fn peers_that_vanish_are_noticed() {
    let server = Server::start().await;
    let _client = server.connect().await;
    let local = format!(":{:04X}", server.port());
    let tables = ["tcp", "tcp6"].map(|name| std::fs::read_to_string(format!("/proc/net/{name}")).unwrap_or_default());
    let connections = tables.iter().flat_map(|table| table.lines()).map(|line| line.split_whitespace().collect());
    let ours = |fields: &Vec<&str>| fields[1].ends_with(&local) && fields[3] == "01";
    let timers: Vec<_> = connections.filter(ours).map(|fields: Vec<&str>| fields[5].to_owned()).collect();
    assert_eq!(timers.len(), 1, "{timers:?}");
    assert!(timers[0].starts_with("02:"), "no keep-alive: {timers:?}");
}

#[tokio::test]
async fn the_end_does_not_wait_for_the_rest_of_a_block() {
    let mut server = Server::start().await;
    let mut stuck = in_a_block(&server, Version::MAX, BLOCK_SIZE - 1).await;
    server.stop().await;
    stuck.closes().await;
    let waited = server.output().into_iter().find(|line| line.contains("did not take what was waiting"));
    assert_eq!(waited, None);
}

/// With the default limits. The end waits a moment for a client that takes nothing, not the ten seconds that it has for one that
/// is slow.
#[tokio::test]
async fn the_end_cuts_off_who_does_not_read() {
    let mut server = Server::start().await;
    let mut taken = floods(Blocks::connect(&server, Version::MAX).await);
    is_held_back(&mut taken).await;
    server.stop().await;
    let output = server.output();
    let closed = output.iter().find_map(|line| line.split_once("closed 1 connections in ")).expect("how long it took");
    let milliseconds: u64 = closed.1.trim_end_matches(" ms").parse().expect("a number");
    assert!(milliseconds < 10_000, "{milliseconds} ms");
}
