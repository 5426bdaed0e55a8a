//! The session ID is the same on both sides and different in every connection, however handshakes are interleaved.

use std::collections::HashSet;
use std::sync::Arc;

use smp_transport::tls::Group::{X448, X25519};
use smp_transport::tls::{SERVER_ALPN, TlsClient, TlsServer};
use tokio::task::JoinSet;

use crate::issue::{ed448, ed25519};
use crate::loopback::connected;

const CONNECTIONS: usize = 240;

async fn all_session_ids_agree() {
    let x448_only = TlsServer::with_groups(ed448(2), SERVER_ALPN, &[X448]);
    let servers = [Arc::new(TlsServer::new(ed25519(2), SERVER_ALPN)), Arc::new(x448_only)];
    let clients = [
        TlsClient::default(),
        TlsClient::default().credential(ed25519(2)),
        TlsClient::default().groups(&[X25519, X448]),
        TlsClient::default().tls12_only(),
        TlsClient::default().tls12_only().credential(ed448(1)),
        TlsClient::default().alpn(&[]),
    ];
    let mut tasks = JoinSet::new();
    for number in 0..CONNECTIONS {
        let server = Arc::clone(&servers[number % servers.len()]);
        let client = clients[number / servers.len() % clients.len()].clone();
        tasks.spawn(async move {
            let (accepted, connected) = connected(&server, &client).await;
            assert_eq!(accepted.tls.session_id, connected.tls.session_id);
            let version = accepted.stream.get_ref().1.protocol_version();
            let expected = if version == Some(rustls::ProtocolVersion::TLSv1_3) { 32 } else { 12 };
            assert_eq!(accepted.tls.session_id.as_ref().len(), expected);
            accepted.tls.session_id
        });
    }
    let ids: HashSet<_> = tasks.join_all().await.into_iter().collect();
    assert_eq!(ids.len(), CONNECTIONS);
}

#[tokio::test]
async fn on_one_thread() {
    all_session_ids_agree().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn on_several_threads() {
    all_session_ids_agree().await;
}
