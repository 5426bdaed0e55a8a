//! Relays and proxies that go away and come back.

use rustix::process::Signal;
use smp_client::protocol::error::{BrokerError, ErrorType, ProxyError};
use smp_client::{Client, ClientError, ProxiedRelay};

use super::{FORGETFUL, broker, refused, relay_through};
use crate::harness::ini::Setting;
use crate::harness::party::Recipient;
use crate::harness::request::ed25519;
use crate::harness::server::Server;

/// The server has the same port after a restart.
fn stays_at_its_port(server: &Server) {
    server.set(("TRANSPORT", "port", &server.port().to_string()));
}

/// The proxy notices the end of a relay connection soon, by itself: until then a command may fail with it.
async fn session_is_gone(through: &ProxiedRelay, to: &Recipient) {
    loop {
        let failed = refused(through.sender(to.queue.sender_id()).send(*b"old session").await);
        if failed == ProxyError::NoSession.into() {
            return;
        }
        assert_eq!(failed, broker(BrokerError::Network));
    }
}

#[tokio::test]
async fn b_213_relay_restarts() {
    let (proxy, mut relay) = (Server::start_with(FORGETFUL).await, Server::start().await);
    stays_at_its_port(&relay);
    let recipient = Recipient::new(&relay.connect().await).await;
    let client = proxy.connect().await;
    let through = relay_through(&client, &relay).await;
    relay.restart().await;
    session_is_gone(&through, &recipient).await;

    let again = relay_through(&client, &relay).await;
    assert_ne!(again.session_id(), through.session_id());
    again.sender(recipient.queue.sender_id()).send(*b"new session").await.unwrap();
    let recipient = recipient.on(&relay.connect().await);
    recipient.subscribe().await;
    recipient.takes(b"new session").await;
}

/// Sends until it succeeds, as apps do: each time with a new session.
async fn sends_in_the_end(client: &Client, relay: &Server, to: &Recipient, body: &[u8]) {
    loop {
        let failed = match client.proxied_relay(relay.address(), None).await {
            Ok(through) => match through.sender(to.queue.sender_id()).send(body).await {
                Ok(()) => return,
                Err(error) => error,
            },
            Err(error) => error,
        };
        assert!(matches!(failed, ClientError::Server(ErrorType::Proxy(_))), "{failed}");
    }
}

#[tokio::test]
async fn b_212_relay_or_proxy_is_offline_for_a_while() {
    let (mut proxy, mut relay) = (Server::start_with(FORGETFUL).await, Server::start().await);
    stays_at_its_port(&relay);
    let recipient = Recipient::new(&relay.connect().await).await;
    let client = proxy.connect().await;
    sends_in_the_end(&client, &relay, &recipient, b"1").await;

    let address = relay.address().clone();
    relay.stop().await;
    let failed = refused(client.proxied_relay(&address, None).await.map(|_| ()));
    assert_eq!(failed, broker(BrokerError::Network));
    relay.run().await;
    sends_in_the_end(&client, &relay, &recipient, b"2").await;

    proxy.restart().await;
    assert!(client.ping().await.is_err());
    let client = proxy.connect().await;
    sends_in_the_end(&client, &relay, &recipient, b"3").await;

    let recipient = recipient.on(&relay.connect().await);
    recipient.subscribe().await;
    let one = recipient.receives(b"1").await;
    let two = recipient.acknowledge_for(&one, b"2").await;
    let three = recipient.acknowledge_for(&two, b"3").await;
    recipient.acknowledge(&three).await;
}

/// A relay that stops answering costs those who wait for it, and nobody else; its late answers do no harm.
#[tokio::test]
async fn relay_that_falls_silent() {
    const HASTY: &[Setting<'static>] = &[("LIMITS", "proxy_response_timeout", "1")];
    let (proxy, silent, other) = (Server::start_with(HASTY).await, Server::start().await, Server::start().await);
    let (to_silent, to_other) =
        (Recipient::new(&silent.connect().await).await, Recipient::new(&other.connect().await).await);
    let client = proxy.connect().await;
    let (through_silent, through_other) = (relay_through(&client, &silent).await, relay_through(&client, &other).await);
    let sender = through_silent.sender(to_silent.queue.sender_id()).secure(ed25519()).await.unwrap();
    silent.process().signal(Signal::STOP);
    let to_the_silent = futures_util::future::join_all((0..20).map(|_| sender.send(*b"late")));
    let to_the_other = async {
        for number in 0..20_u8 {
            through_other.sender(to_other.queue.sender_id()).send([number]).await.unwrap();
            to_other.takes(&[number]).await;
        }
    };
    for answer in tokio::join!(to_the_silent, to_the_other).0 {
        assert_eq!(refused(answer), broker(BrokerError::Timeout));
    }
    silent.process().signal(Signal::CONT);
    // The same connection goes on.
    let again = relay_through(&client, &silent).await;
    assert_eq!(again.session_id(), through_silent.session_id());
    let queue = Recipient::new(&silent.connect().await).await;
    again.sender(queue.queue.sender_id()).send(*b"in time").await.unwrap();
    queue.takes(b"in time").await;
}
