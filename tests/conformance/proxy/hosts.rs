//! Which host of a relay a proxy goes to, and how.

use smp_client::protocol::address::Host;
use smp_client::protocol::error::{BrokerError, CommandError};

use super::{broker, refused};
use crate::harness::relay::{SilentRelay, Socks, SocksRequest, address_with};
use crate::harness::server::Server;

const ONION: &str = "beccx4yfxxbvyhqypaavemqurytl6hozr47wfc7uuecacjqdvwpw2xid.onion";

/// Without a SOCKS proxy onion services cannot be reached, and their names are given to nobody.
#[tokio::test]
async fn onion_hosts_need_a_socks_proxy() {
    let (proxy, relay) = (Server::start().await, Server::start().await);
    let client = proxy.connect().await;
    let onion = address_with(&relay, &[ONION], relay.port());
    assert_eq!(refused(client.proxied_relay(&onion, None).await), broker(BrokerError::Host));
    let both = address_with(&relay, &[ONION, "127.0.0.1"], relay.port());
    client.proxied_relay(&both, None).await.unwrap();
}

#[tokio::test]
async fn onion_hosts_are_reached_by_name() {
    let relay = Server::start().await;
    let mut socks = Socks::to(&relay).await;
    let proxy = Server::start_with(&[("PROXY", "socks_proxy", &format!("user:secret@127.0.0.1:{}", socks.port))]).await;
    let client = proxy.connect().await;
    client.proxied_relay(&address_with(&relay, &[ONION], 5223), None).await.unwrap();
    let credentials = Some(("user".to_owned(), "secret".to_owned()));
    assert_eq!(socks.request().await, SocksRequest { host: ONION.to_owned(), port: 5223, credentials });

    // The public host is preferred, and not behind the proxy.
    let other = Server::start().await;
    client.proxied_relay(&address_with(&other, &[ONION, "127.0.0.1"], other.port()), None).await.unwrap();
    assert!(socks.is_unused());
}

#[tokio::test]
async fn everything_through_the_socks_proxy() {
    let (relay, other) = (Server::start().await, Server::start().await);
    let mut socks = Socks::to(&relay).await;
    let settings = [("PROXY", "socks_proxy", &*format!("127.0.0.1:{}", socks.port)), ("PROXY", "socks_mode", "always")];
    let proxy = Server::start_with(&settings).await;
    let client = proxy.connect().await;
    client.proxied_relay(&address_with(&relay, &["relay.example.com"], 443), None).await.unwrap();
    let first = socks.request().await;
    assert_eq!((&*first.host, first.port), ("relay.example.com", 443), "the name is not looked up here");

    // Another destination, other credentials: Tor uses another circuit. (It is the wrong relay: the identity tells.)
    refused(client.proxied_relay(&address_with(&other, &["127.0.0.1"], 5223), None).await);
    let second = socks.request().await;
    assert_eq!(second.host, "127.0.0.1");
    assert!(first.credentials.is_some() && first.credentials != second.credentials);
}

#[tokio::test]
async fn onion_only() {
    let relay = Server::start().await;
    let settings = [("PROXY", "host_mode", "onion"), ("PROXY", "required_host_mode", "on")];
    let proxy = Server::start_with(&settings).await;
    let client = proxy.connect().await;
    assert_eq!(refused(client.proxied_relay(relay.address(), None).await), broker(BrokerError::Host));
}

/// The names of onion services are in no case for DNS; of other names all spellings are one host.
#[tokio::test]
async fn case_of_names() {
    let (proxy, relay) = (Server::start().await, Server::start().await);
    let client = proxy.connect().await;
    let mut address = relay.address().clone();
    for name in [ONION.to_uppercase(), format!("x.{}", ONION.to_uppercase()), format!("{ONION}.")] {
        address.hosts = vec![Host::Domain(name)];
        assert_eq!(refused(client.proxied_relay(&address, None).await), CommandError::Syntax.into());
    }
    let mut sessions = Vec::new();
    for name in ["localhost", "LocalHost", "LOCALHOST"] {
        address.hosts = vec![Host::Domain(name.to_owned())];
        sessions.push(client.proxied_relay(&address, None).await.expect("the name is known").session_id().clone());
    }
    assert!(sessions.iter().all(|session| *session == sessions[0]), "there is one connection");
}

/// What a client calls a host gets neither to DNS nor to the terminal of the operator.
#[tokio::test]
async fn hosts_with_control_characters() {
    let proxy = Server::start().await;
    let client = proxy.connect().await;
    let mut address = proxy.address().clone();
    for name in ["\x1b[2Jgone.example.org", "bell\x07.example.org", "a\0b", "c1\u{9b}31m.example.org"] {
        address.hosts = vec![Host::Domain(name.to_owned())];
        assert_eq!(refused(client.proxied_relay(&address, None).await), CommandError::Syntax.into(), "{name:?}");
    }
    assert!(!proxy.output().iter().any(|line| line.chars().any(char::is_control)));
}

/// Whatever a client calls it, the network of the operator is none of its business.
#[tokio::test]
async fn relays_that_are_not_public() {
    let mut inside = SilentRelay::start().await;
    let proxy = Server::start_with(&[("PROXY", "allow_private", "off")]).await;
    let client = proxy.connect().await;
    for host in ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "127.1.2.3"] {
        let address = address_with(&proxy, &[host], inside.port);
        assert_eq!(refused(client.proxied_relay(&address, None).await), broker(BrokerError::Host), "{host}");
    }
    assert!(inside.is_untried());
    proxy.logs(0, "Error connecting: 127.0.0.1 its address is not public ([PROXY] allow_private").await;

    let socks = SilentRelay::start().await;
    let settings = [
        ("PROXY", "allow_private", "off"),
        ("PROXY", "socks_mode", "always"),
        ("PROXY", "socks_proxy", &*format!("127.0.0.1:{}", socks.port)),
    ];
    let mut socks = socks;
    let proxy = Server::start_with(&settings).await;
    let client = proxy.connect().await;
    for host in ["127.0.0.1", "localhost", "10.0.0.1"] {
        let address = address_with(&proxy, &[host], inside.port);
        assert_eq!(refused(client.proxied_relay(&address, None).await), broker(BrokerError::Host), "{host}");
    }
    assert!(socks.is_untried());
}
