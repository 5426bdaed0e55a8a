//! `PRXY`: who may, and what becomes of the connection to the relay.

use std::time::Duration;

use futures_util::future::join_all;
use smp_client::protocol::address::ServerAddress;
use smp_client::protocol::command::BasicAuth;
use smp_client::protocol::error::{BrokerError, ProxyError};
use smp_client::protocol::version::Version;
use smp_client::{Client, Options};

use super::{FORGETFUL, broker, refused, relay_through};
use crate::harness::party::Recipient;
use crate::harness::relay::{SilentRelay, address_with, free_port};
use crate::harness::server::Server;

#[tokio::test]
async fn b_200_forwarding_can_be_switched_off() {
    let server = Server::start_with(&[("LIMITS", "proxy", "off")]).await;
    let client = server.connect().await;
    assert_eq!(refused(client.proxied_relay(server.address(), None).await), ProxyError::BasicAuth.into());
    // It still is a relay for other proxies.
    let proxy = Server::start().await;
    let (recipient, sender) = (Recipient::new(&client).await, proxy.connect().await);
    let relay = relay_through(&sender, &server).await;
    relay.sender(recipient.queue.sender_id()).send(*b"hello").await.unwrap();
    recipient.takes(b"hello").await;
}

#[tokio::test]
async fn b_201_password_of_the_proxy() {
    let server = Server::start_with(&[("AUTH", "create_password", "correct")]).await;
    let client = server.connect().await;
    for wrong in [None, Some("wrong"), Some("correct2"), Some("correc")] {
        assert_eq!(
            refused(client.proxied_relay(server.address(), wrong.map(password)).await),
            ProxyError::BasicAuth.into()
        );
    }
    client.proxied_relay(server.address(), Some(password("correct"))).await.unwrap();
}

fn password(text: &str) -> BasicAuth {
    BasicAuth::new(text.as_bytes()).unwrap()
}

/// Also by another client, and by many at the same time: there is one connection.
#[tokio::test]
async fn b_202_one_connection_for_all() {
    let (proxy, relay) = (Server::start().await, Server::start().await);
    for relay in [&relay, &proxy] {
        let (first, second) = (proxy.connect().await, proxy.connect().await);
        let sessions = join_all([&first, &first, &second, &second].map(|client| relay_through(client, relay))).await;
        for session in &sessions {
            assert_eq!(session.session_id(), sessions[0].session_id());
            assert_eq!(session.relay_key(), sessions[0].relay_key());
        }
        first.close().await;
        let third = proxy.connect().await;
        assert_eq!(relay_through(&third, relay).await.session_id(), sessions[0].session_id());
    }
}

#[tokio::test]
async fn b_207_nobody_listens_there() {
    let proxy = Server::start().await;
    let relay = address_with(&proxy, &["127.0.0.1"], free_port().await);
    let client = proxy.connect_at(Version(8)).await;
    for _ in 0..10 {
        for answer in join_all((0..100).map(|_| client.proxied_relay(&relay, None))).await {
            assert_eq!(refused(answer), broker(BrokerError::Network));
        }
    }
    relay_through(&client, &proxy).await;
}

/// A relay that is initialized, and a proxy that soon gives up on it and soon forgets that.
async fn impatient() -> (Server, Server, SilentRelay) {
    let settings = [("LIMITS", "proxy_connect_timeout", "1"), ("LIMITS", "proxy_error_interval", "1")];
    (Server::start_with(&settings).await, Server::new(&[], &[]), SilentRelay::start().await)
}

/// The relay runs at this port from now on.
async fn run_at(relay: &mut Server, port: u16) {
    relay.set(("TRANSPORT", "port", &port.to_string()));
    relay.run().await;
}

#[tokio::test]
async fn b_208_209_relay_that_does_not_answer() {
    let (proxy, mut relay, silent) = impatient().await;
    let address = address_with(&relay, &["127.0.0.1"], silent.port);
    let failed = refused(proxy.connect().await.proxied_relay(&address, None).await);
    assert!(
        matches!(failed, smp_client::protocol::error::ErrorType::Proxy(error) if matches!(*error, ProxyError::Broker(_)))
    );
    run_at(&mut relay, silent.end().await).await;
    connects_in_the_end(&proxy.connect().await, &address).await;
}

/// Failures are remembered for a second; after that there must be a session.
async fn connects_in_the_end(client: &Client, address: &ServerAddress) {
    loop {
        match client.proxied_relay(address, None).await {
            Ok(_) => return,
            failed => {
                let failed = refused(failed);
                assert!(failed == broker(BrokerError::Network) || failed == broker(BrokerError::Timeout), "{failed:?}");
            }
        }
        // The memory of the proxy has no event that could be awaited.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The attempt ends with the last client that waits for it, and leaves no failure behind that would be remembered.
#[tokio::test]
async fn b_210_client_leaves_while_the_proxy_connects() {
    let (proxy, mut relay, mut silent) = (Server::start().await, Server::new(&[], &[]), SilentRelay::start().await);
    let address = address_with(&relay, &["127.0.0.1"], silent.port);
    let (client, other) = (proxy.connect().await, proxy.connect().await);
    let ask = |client: &Client| {
        let (client, address) = (client.clone(), address.clone());
        tokio::spawn(async move { drop(client.proxied_relay(&address, None).await) })
    };
    let asking = [ask(&client), ask(&other)];
    silent.is_tried().await;
    // Its answer comes when what was sent before has been taken up: now both wait for the attempt.
    other.ping().await.unwrap();
    client.close().await;
    other.ping().await.unwrap();
    assert!(!asking[1].is_finished());
    other.close().await;
    silent.is_left().await;
    assert!(silent.is_untried(), "both shared one attempt");
    run_at(&mut relay, silent.end().await).await;
    proxy.connect().await.proxied_relay(&address, None).await.unwrap();
}

#[tokio::test]
async fn b_215_client_gives_up_while_it_connects() {
    let mut relay = Server::new(&[], &[]);
    let mut silent = SilentRelay::start().await;
    let address = address_with(&relay, &["127.0.0.1"], silent.port);
    let options = Options::default();
    tokio::select! {
        _ = Client::connect(&address, &options) => panic!("the relay is silent"),
        () = silent.is_tried() => {}
    }
    run_at(&mut relay, silent.end().await).await;
    Client::connect(&address, &options).await.unwrap().ping().await.unwrap();
}

/// The identity is that of another server: nothing is forwarded.
#[tokio::test]
async fn relay_with_another_identity() {
    let (proxy, relay) = (Server::start_with(FORGETFUL).await, Server::start().await);
    let mut address = relay.address().clone();
    address.key_hash = proxy.identity();
    let client = proxy.connect().await;
    assert_eq!(refused(client.proxied_relay(&address, None).await), broker(BrokerError::Network));
    relay_through(&client, &relay).await;
}

/// Two errands at a time, and one: whether a relay that is waited for holds up another.
#[tokio::test]
async fn concurrency_of_a_client_is_limited() {
    for (limit, healthy_is_first) in [("2", true), ("1", false)] {
        let settings = [("PROXY", "client_concurrency", limit), ("LIMITS", "proxy_connect_timeout", "2")];
        let proxy = Server::start_with(&settings).await;
        let mut silent = SilentRelay::start().await;
        let address = address_with(&proxy, &["127.0.0.1"], silent.port);
        let client = proxy.connect().await;
        let waiting = tokio::spawn({
            let client = client.clone();
            async move { refused(client.proxied_relay(&address, None).await) }
        });
        silent.is_tried().await;
        relay_through(&client, &proxy).await;
        assert_eq!(!waiting.is_finished(), healthy_is_first, "limit {limit}");
        assert_eq!(waiting.await.unwrap(), broker(BrokerError::Network));
    }
}

/// With all places taken the relay that nobody has used for longest is given up.
#[tokio::test]
async fn relays_that_nobody_uses_give_way() {
    let proxy = Server::start_with(&[("LIMITS", "proxy_relays", "2")]).await;
    let relays = [Server::start().await, Server::start().await, Server::start().await];
    let recipient = Recipient::new(&relays[0].connect().await).await;
    let client = proxy.connect().await;
    let used = relay_through(&client, &relays[0]).await;
    let unused = relay_through(&client, &relays[1]).await;
    used.sender(recipient.queue.sender_id()).send(*b"used").await.unwrap();
    recipient.takes(b"used").await;

    relay_through(&client, &relays[2]).await;
    let gone = unused.sender(recipient.queue.sender_id()).send(*b"gone").await;
    assert_eq!(refused(gone), ProxyError::NoSession.into());
    used.sender(recipient.queue.sender_id()).send(*b"still used").await.unwrap();
    recipient.takes(b"still used").await;
    assert_ne!(relay_through(&client, &relays[1]).await.session_id(), unused.session_id());
}

/// One client cannot have all relays made for it; those that are there are for everybody.
#[tokio::test]
async fn new_relays_of_a_client_are_limited() {
    let (proxy, relay) = (Server::start_with(&[("LIMITS", "proxy_new_relays", "2")]).await, Server::start().await);
    let (client, other) = (proxy.connect().await, proxy.connect().await);
    let mut nowhere = Vec::new();
    for _ in 0..3 {
        nowhere.push(address_with(&relay, &["127.0.0.1"], free_port().await));
    }
    relay_through(&other, &relay).await;
    for (address, error) in nowhere.iter().zip([BrokerError::Network, BrokerError::Network, BrokerError::Timeout]) {
        assert_eq!(refused(client.proxied_relay(address, None).await), broker(error));
    }
    relay_through(&client, &relay).await;
    assert_eq!(refused(other.proxied_relay(&nowhere[2], None).await), broker(BrokerError::Network));
}

/// Clients fail to connect as often as they like, and the log does not grow with it.
#[tokio::test]
async fn failures_do_not_fill_the_log() {
    let proxy = Server::start().await;
    let client = proxy.connect().await;
    let mut failures = 0;
    for port in 1..=50 {
        let address = address_with(&proxy, &["127.0.0.1"], port);
        failures += usize::from(client.proxied_relay(&address, None).await.is_err());
    }
    assert!(failures > 40, "hardly anybody listens at such ports");
    let lines = proxy.output().iter().filter(|line| line.contains("Error connecting")).count();
    assert_eq!(lines, 10, "the rest is counted");
}
