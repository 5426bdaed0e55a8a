//! Many clients that are stuck, in the middle of a block or because they never read: all of them go, the end of the server does not
//! wait for them, and they leave nothing behind. `SMP_SOAK_CLIENTS`: how many of each kind, 10 by default.

use futures_util::future::select_all;
use smp_client::protocol::version::Version;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::harness::GIVE_UP;
use crate::harness::server::Server;
use crate::harness::stuck::{QUIET, floods, in_a_block};
use crate::harness::wire::Blocks;
use crate::number_or;

const DEFAULT_CLIENTS: u64 = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stuck_clients_go_and_leave_nothing_behind() {
    let clients = number_or("SMP_SOAK_CLIENTS", DEFAULT_CLIENTS);
    let timeouts = [("LIMITS", "block_timeout", "5"), ("LIMITS", "write_timeout", "5")];
    let mut server = Server::start_with(&timeouts).await;
    let client = server.connect().await;
    // The first time buffers are made that threads keep.
    for time in ["first", "second"] {
        let before = resident(&server);
        let (in_blocks, flooding) = crowd(&server, clients).await;
        let meanwhile = resident(&server);
        all_are_closed(in_blocks, flooding).await;
        client.ping().await.expect("others are served");
        println!("{time} time: {before} KB, with the clients {meanwhile} KB, after them {} KB", resident(&server));
    }
    for name in ["block_timeout", "write_timeout"] {
        server.set(("LIMITS", name, "3600"));
    }
    server.restart().await;
    let (_in_blocks, mut flooding) = crowd(&server, clients).await;
    are_held_back(&mut flooding).await;
    server.stop().await;
    let ends = server.output().into_iter().filter(|line| line.contains(" connections in "));
    println!("without stuck clients, and with them: {:#?}", ends.collect::<Vec<_>>());
}

async fn all_are_closed(in_blocks: Vec<Blocks>, flooding: Vec<watch::Receiver<usize>>) {
    let mut closing = JoinSet::new();
    for mut client in in_blocks {
        closing.spawn(async move { client.closes().await });
    }
    while let Some(closed) = closing.join_next().await {
        closed.expect("the server closes the connection");
    }
    for mut taken in flooding {
        let closed = async { while taken.changed().await.is_ok() {} };
        timeout(GIVE_UP, closed).await.expect("the server closes the connection");
    }
}

/// Waits until the server takes nothing more from any of them: what is in the buffers on the way keeps it at work for a while.
async fn are_held_back(flooding: &mut [watch::Receiver<usize>]) {
    let mut change = async || select_all(flooding.iter_mut().map(|taken| Box::pin(taken.changed()))).await.0;
    while let Ok(changed) = timeout(QUIET, change()).await {
        changed.expect("the connection is open");
    }
}

/// Clients of both kinds.
async fn crowd(server: &Server, clients: u64) -> (Vec<Blocks>, Vec<watch::Receiver<usize>>) {
    let (mut in_blocks, mut flooding) = (Vec::new(), Vec::new());
    for _ in 0..clients {
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
