//! Many clients at the same time.

use std::collections::HashSet;

use futures_util::future::join_all;

use crate::harness::party::Recipient;
use crate::harness::server::Server;

const CLIENTS: usize = 200;

/// Each client checks that the session ID in the server's hello is that of its own TLS connection, and each signs with it.
#[tokio::test]
async fn two_hundred_clients() {
    let server = Server::start().await;
    let clients = join_all((0..CLIENTS).map(|_| server.connect())).await;
    let session_ids: HashSet<_> = clients.iter().map(|client| client.session_id().as_ref().to_vec()).collect();
    assert_eq!(session_ids.len(), CLIENTS);
    join_all(clients.iter().map(async |client| client.ping().await.unwrap())).await;

    let neighbours = clients.iter().zip(clients.iter().cycle().skip(1));
    join_all(neighbours.enumerate().map(async |(number, (client, neighbour))| {
        let (queue, sender) = Recipient::secured(client, neighbour).await;
        let body = number.to_be_bytes();
        sender.sends(&body).await;
        queue.takes(&body).await;
    }))
    .await;
    join_all(clients.iter().map(async |client| client.ping().await.unwrap())).await;
}
