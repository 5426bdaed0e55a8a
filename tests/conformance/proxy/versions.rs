//! Proxies, relays and clients of different versions.

use smp_client::protocol::error::TransportError;
use smp_client::protocol::version::{Version, VersionRange};
use smp_client::{NewQueueOptions, Options, QueueKind};

use super::{refused, relay_through, transport};
use crate::harness::party::Recipient;
use crate::harness::request::ed25519;
use crate::harness::server::Server;

#[tokio::test]
async fn b_211_relay_without_forwarding() {
    let (proxy, relay) = (Server::start().await, Server::start_with(&[("LIMITS", "max_version", "7")]).await);
    let client = proxy.connect().await;
    let refused = refused(client.proxied_relay(relay.address(), None).await);
    assert_eq!(refused, transport(TransportError::Version));
    // Clients that may do so go there themselves.
    let direct = relay.connect().await;
    assert_eq!(direct.version(), Version(7));
    let recipient = Recipient::new(&direct).await;
    recipient.sender(&relay.connect().await).sends(b"direct").await;
    recipient.takes(b"direct").await;
}

#[tokio::test]
async fn every_version_with_every_other() {
    let proxy = Server::start().await;
    for relay_version in [8, 9, 10, 11, 13, 14, 15, 16, 17, 18, 19, 20] {
        let relay = Server::start_with(&[("LIMITS", "max_version", &relay_version.to_string())]).await;
        // A proxy is not known as one before version 14, so it speaks like a client of version 10 there.
        let between = if relay_version < 14 { relay_version.min(10) } else { relay_version };
        for client_version in 8..=20 {
            let versions = VersionRange::new(Version(6), Version(client_version)).unwrap();
            let options = Options { versions, ..Options::default() };
            let client = proxy.connect_with(&options).await;
            let through = relay_through(&client, &relay).await;
            assert_eq!(through.version(), Version(between.min(client_version)));

            let kind = if relay_version < 9 { QueueKind::Unset } else { QueueKind::Messaging(None) };
            let options = NewQueueOptions { kind, ..NewQueueOptions::default() };
            let recipient = Recipient::with(&relay.connect().await, options).await;
            let sender = through.sender(recipient.queue.sender_id());
            let sender = if through.version() >= Version(9) { sender.secure(ed25519()).await.unwrap() } else { sender };
            sender.send(*b"hello").await.unwrap();
            recipient.takes(b"hello").await;
        }
    }
}
