//! Clients that stop in the middle of something.

use std::time::Duration;

use smp_client::protocol::command::Command;
use smp_client::protocol::id::EntityId;
use smp_client::protocol::version::Version;
use tokio::sync::watch;
use tokio::time::timeout;

use super::server::Server;
use super::wire::{Blocks, batch_of};

/// A client that has sent so many bytes of a block.
pub async fn in_a_block(server: &Server, version: Version, bytes: usize) -> Blocks {
    let mut client = Blocks::connect(server, version).await;
    let block = client.block_of(b"begun");
    client.send_bytes(&block[..bytes]).await;
    client
}

/// Sends `PING`s without reading until the connection is closed; tells how many blocks were taken.
pub fn floods(mut client: Blocks) -> watch::Receiver<usize> {
    let (taken, watched) = watch::channel(0);
    tokio::spawn(async move {
        let pings = (0..255).map(|_| client.command(EntityId::EMPTY, &Command::Ping, None).1);
        let content = batch_of(&pings.collect::<Vec<_>>());
        loop {
            let block = client.block_of(&content);
            if client.try_send_bytes(&block).await.is_err() {
                return;
            }
            taken.send_modify(|taken| *taken += 1);
        }
    });
    watched
}

/// Nothing is on the way any more after so long: until then buffers keep the server at work.
pub const QUIET: Duration = Duration::from_secs(5);

/// Waits until the server takes no more from this client.
pub async fn is_held_back(taken: &mut watch::Receiver<usize>) {
    while timeout(QUIET, taken.changed()).await.is_ok_and(|changed| changed.is_ok()) {}
    assert!(taken.has_changed().is_ok(), "the connection is open");
}
