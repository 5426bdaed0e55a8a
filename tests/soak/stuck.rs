//! Many clients that are stuck, in the middle of a block or because they never read: all of them go, the end of the server does not
//! wait for them, and they leave nothing behind.

use std::time::Instant;

use futures_util::future::join_all;
use smp_client::protocol::version::Version;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::harness::GIVE_UP;
use crate::harness::server::Server;
use crate::harness::stuck::{floods, in_a_block, is_held_back};
use crate::harness::wire::Blocks;

/// Of each kind.
const CLIENTS: usize = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stuck_clients_go_and_leave_nothing_behind() {
    let timeouts = [("LIMITS", "block_timeout", "5"), ("LIMITS", "write_timeout", "5")];
    let mut server = Server::start_with(&timeouts).await;
    let client = server.connect().await;
    client.ping().await.expect("the server answers");
    let before = resident(&server);
    let (in_blocks, mut flooding) = crowd(&server).await;
    let meanwhile = resident(&server);
    let mut closing = JoinSet::new();
    for mut client in in_blocks {
        closing.spawn(async move { client.closes().await });
    }
    while let Some(closed) = closing.join_next().await {
        closed.expect("the server closes the connection");
    }
    for taken in &mut flooding {
        let closed = async { while taken.changed().await.is_ok() {} };
        timeout(GIVE_UP, closed).await.expect("the server closes the connection");
    }
    client.ping().await.expect("others are served");
    println!("resident: {before} KB before, {meanwhile} KB with the clients, {} KB after", resident(&server));

    let begin = Instant::now();
    server.restart().await;
    println!("restart without stuck clients: {:?}", begin.elapsed());
    for name in ["block_timeout", "write_timeout"] {
        server.set(("LIMITS", name, "3600"));
    }
    server.restart().await;
    let (in_blocks, mut flooding) = crowd(&server).await;
    join_all(flooding.iter_mut().map(is_held_back)).await;
    let begin = Instant::now();
    server.restart().await;
    println!("restart with them: {:?}", begin.elapsed());
    drop(in_blocks);
}

/// Clients of both kinds.
async fn crowd(server: &Server) -> (Vec<Blocks>, Vec<watch::Receiver<usize>>) {
    let (mut in_blocks, mut flooding) = (Vec::new(), Vec::new());
    for _ in 0..CLIENTS {
        in_blocks.push(in_a_block(server, Version::MAX, 1).await);
        flooding.push(floods(Blocks::connect(server, Version::MAX).await));
    }
    (in_blocks, flooding)
}

/// Resident memory of the server, in KB.
fn resident(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.process().pid())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("the line is there");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
