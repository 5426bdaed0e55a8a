//! Application protocols and server names (wire.md §2.3).

use rustls::AlertDescription;
use smp_transport::tls::{ALPN_SMP, SERVER_ALPN, TlsClient, TlsServer};

use crate::issue::ed25519;
use crate::loopback::{LIMIT, alert, connected, tcp, tls};

#[tokio::test]
async fn first_known_protocol_of_the_client_is_selected() {
    let server = TlsServer::new(ed25519(2), SERVER_ALPN);
    let cases = [
        ("smp/1", Some("smp/1")),
        ("http/1.1", Some("http/1.1")),
        ("http/1.1 h2 smp/1", Some("http/1.1")),
        ("xyz h2 smp/1", Some("h2")),
        ("smp/1 h2", Some("smp/1")),
        ("", None),
    ];
    for (offered, selected) in cases {
        let offered: Vec<_> = offered.split_whitespace().map(str::as_bytes).collect();
        for client in [TlsClient::default().alpn(&offered), TlsClient::default().alpn(&offered).tls12_only()] {
            let (accepted, connected) = connected(&server, &client).await;
            assert_eq!(accepted.tls.alpn.as_deref(), selected.map(str::as_bytes));
            assert_eq!(connected.tls.alpn, accepted.tls.alpn);
        }
    }
}

#[tokio::test]
async fn nothing_in_common_is_refused_with_its_alert() {
    let server = TlsServer::new(ed25519(2), &[ALPN_SMP]);
    for client in [TlsClient::default(), TlsClient::default().tls12_only()] {
        let (accepted, refused) = tls(&server, &client.alpn(&[b"h2", b"xyz"])).await;
        assert!(accepted.is_err());
        assert_eq!(alert(&refused.unwrap_err()), Some(AlertDescription::NoApplicationProtocol));
    }
}

#[tokio::test]
async fn server_name_is_shown_and_otherwise_ignored() {
    let server = TlsServer::new(ed25519(2), SERVER_ALPN);
    let named = TlsClient::default().server_name("relay.example".try_into().unwrap());
    for (client, expected) in [(TlsClient::default(), None), (named, Some("relay.example"))] {
        let identity = server.credential().chain().identity();
        let (client_socket, server_socket) = tcp().await;
        let accept = async {
            let greeting = server.greet(server_socket, LIMIT).await.unwrap();
            assert_eq!(greeting.server_name().as_deref(), expected);
            greeting.accept().await
        };
        let (accepted, connected) = tokio::join!(accept, client.connect(client_socket, &identity, LIMIT));
        assert_eq!(accepted.unwrap().tls.session_id, connected.unwrap().tls.session_id);
    }
}
