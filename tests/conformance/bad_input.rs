//! Input that no honest client sends. It is refused with the right error or by closing the connection, never by more: other
//! clients are served, and the server does not panic (which the end of every test looks for in its log).

mod blocks;
mod commands;
mod handshakes;
mod keys;
mod sockets;
mod transmissions;
mod unread;

use smp_client::Client;

use crate::harness::party::Recipient;
use crate::harness::server::Server;

/// A client that was there before the trouble.
struct Bystander {
    client: Client,
    queue: Recipient,
}

impl Bystander {
    async fn new(server: &Server) -> Self {
        let client = server.connect().await;
        let queue = Recipient::new(&client).await;
        Self { client, queue }
    }

    /// It is served, and so are new clients.
    async fn is_served(&self, server: &Server) {
        self.exchanges_messages(&self.client).await;
        self.exchanges_messages(&server.connect().await).await;
    }

    /// Gets what this sender sends.
    async fn exchanges_messages(&self, sender: &Client) {
        self.queue.sender(sender).sends(b"still here").await;
        self.queue.takes(b"still here").await;
    }
}
