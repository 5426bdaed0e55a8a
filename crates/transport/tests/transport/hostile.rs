//! Peers that send garbage, drop by drop, or nothing any more. Nothing here may panic or hang.

use smp_transport::block::Disconnected;
use smp_transport::handshake::HandshakeFailure;
use smp_transport::tls::{SERVER_ALPN, TlsClient, TlsError, TlsServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::issue::{ed448, ed25519};
use crate::loopback::{LIMIT, client_handshake, connected, handshakes, no_service, server_handshake, tcp};

/// Pseudo-random bytes that are the same in every run (xorshift).
fn noise(mut seed: u64, length: usize) -> Vec<u8> {
    let mut next = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed.to_le_bytes()[3]
    };
    (0..length).map(|_| next()).collect()
}

fn garbage() -> Vec<Vec<u8>> {
    let mut garbage = vec![
        Vec::new(),
        vec![0x16],
        b"GET / HTTP/1.1\r\nHost: relay\r\n\r\n".to_vec(),
        b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(),
        vec![0; 100_000],
        // Records: of the largest length and more, empty, of unknown type, an alert, a ClientHello of nonsense.
        [&[0x16, 3, 1, 0xff, 0xff][..], &vec![1; 70_000]].concat(),
        [0x16, 3, 1, 0, 0].repeat(100),
        vec![0x63, 3, 3, 0, 1, 0],
        vec![0x15, 3, 3, 0, 2, 2, 40],
        [&[0x16, 3, 1, 0, 104, 1, 0, 0, 100][..], &noise(9, 100)].concat(),
    ];
    garbage.extend((1..40).map(|seed| noise(seed, 300)));
    garbage
}

#[tokio::test]
async fn garbage_instead_of_tls_is_refused() {
    let server = TlsServer::new(ed25519(2), SERVER_ALPN);
    for bytes in garbage() {
        let (mut client, socket) = tcp().await;
        let send = async {
            // The server may have closed in the middle.
            let _ = client.write_all(&bytes).await;
            let _ = client.shutdown().await;
            let _ = client.read_to_end(&mut Vec::new()).await;
        };
        let (accepted, ()) = tokio::join!(server.accept(socket, LIMIT), send);
        assert!(accepted.is_err());

        let (socket, mut server) = tcp().await;
        let send = async {
            let _ = server.write_all(&bytes).await;
            let _ = server.shutdown().await;
            let _ = server.read_to_end(&mut Vec::new()).await;
        };
        let client = TlsClient::default();
        let (connected, ()) = tokio::join!(client.connect(socket, &[0; 32], LIMIT), send);
        assert!(connected.is_err());
    }
}

/// Passes on what arrives, a few bytes at a time, in both directions.
async fn dribble(mut near: TcpStream, mut far: TcpStream) {
    near.set_nodelay(true).unwrap();
    far.set_nodelay(true).unwrap();
    let (mut near_read, mut near_write) = near.split();
    let (mut far_read, mut far_write) = far.split();
    let pass = async |from: &mut (dyn tokio::io::AsyncRead + Unpin), to: &mut (dyn tokio::io::AsyncWrite + Unpin)| {
        let mut piece = [0; 7];
        while let Ok(length @ 1..) = from.read(&mut piece).await {
            if to.write_all(&piece[..length]).await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
        let _ = to.shutdown().await;
    };
    tokio::join!(pass(&mut near_read, &mut far_write), pass(&mut far_read, &mut near_write));
}

#[tokio::test]
async fn dribbled_handshakes_succeed() {
    let tls_server = TlsServer::new(ed448(3), SERVER_ALPN);
    let identity = tls_server.credential().chain().identity();
    for tls_client in [TlsClient::default(), TlsClient::default().tls12_only().credential(ed25519(2))] {
        let ((client_socket, near), (far, server_socket)) = tokio::join!(tcp(), tcp());
        let sessions = async {
            let (accepted, connected) = tokio::join!(
                tls_server.accept(server_socket, LIMIT),
                tls_client.connect(client_socket, &identity, LIMIT)
            );
            let server = (accepted.unwrap(), server_handshake(20));
            let (server, client) = handshakes(server, (connected.unwrap(), client_handshake(20))).await;
            let (server, mut client) = (server.unwrap(), client.unwrap());
            assert_eq!(server.session_id, client.session_id);
            drop(server);
            assert!(matches!(client.reader.ready().await.unwrap_err(), Disconnected::Closed));
        };
        tokio::join!(sessions, dribble(near, far));
    }
}

/// Passes on `limit` bytes of the client, and everything of the server, then ends both connections.
async fn cut(mut near: TcpStream, mut far: TcpStream, limit: u64) {
    let (near_read, mut near_write) = near.split();
    let (mut far_read, mut far_write) = far.split();
    let mut limited = near_read.take(limit);
    let from_client = tokio::io::copy(&mut limited, &mut far_write);
    tokio::select! {
        _ = from_client => (),
        _ = tokio::io::copy(&mut far_read, &mut near_write) => (),
    }
}

/// How far the two sides got when the client's bytes ended after `limit`.
async fn cut_session(server: &TlsServer, client: &TlsClient, limit: u64) -> (bool, bool) {
    let identity = server.credential().chain().identity();
    let ((client_socket, near), (far, server_socket)) = tokio::join!(tcp(), tcp());
    let server_side = async {
        let Ok(accepted) = server.accept(server_socket, LIMIT).await else { return (false, false) };
        match server_handshake(20).run(accepted, no_service).await {
            Ok(_) => (true, true),
            Err(failure) => {
                assert!(matches!(failure, HandshakeFailure::Disconnected(_)), "{failure}");
                (true, false)
            }
        }
    };
    let client_side = async {
        let connected = client.connect(client_socket, &identity, LIMIT).await;
        let session = match connected {
            Ok(connected) => client_handshake(20).run(connected).await.ok(),
            Err(error) => {
                assert!(matches!(error, TlsError::Io(_)), "{error}");
                None
            }
        };
        if let Some(mut session) = session {
            session.reader.ready().await.unwrap_err();
        }
    };
    let (reached, (), ()) = tokio::join!(server_side, client_side, cut(near, far, limit));
    reached
}

#[tokio::test]
async fn connections_may_end_in_every_phase() {
    let server = TlsServer::new(ed25519(2), SERVER_ALPN);
    for client in [TlsClient::default(), TlsClient::default().tls12_only().credential(ed25519(1))] {
        let mut phases = Vec::new();
        for limit in [0, 1, 5, 100, 200, 250, 300, 400, 600, 1000, 5000, 10_000, 15_000, 20_000] {
            phases.push(cut_session(&server, &client, limit).await);
        }
        assert!(phases.is_sorted(), "{phases:?}");
        assert_eq!(phases.first(), Some(&(false, false)));
        assert!(phases.contains(&(true, false)));
        assert_eq!(phases.last(), Some(&(true, true)));
    }
}

#[tokio::test]
async fn server_that_leaves_after_tls_is_noticed() {
    let tls_server = TlsServer::new(ed25519(2), SERVER_ALPN);
    let (accepted, connected) = connected(&tls_server, &TlsClient::default()).await;
    drop(accepted);
    let failure = client_handshake(20).run(connected).await.unwrap_err();
    assert!(matches!(failure, HandshakeFailure::Disconnected(_)));
}
