//! The SMP handshake in all versions (wire.md §3).

use smp_protocol::block::{MAX_PLAIN_CONTENT, MAX_SEALED_CONTENT};
use smp_protocol::error::{HandshakeError, TransportError};
use smp_protocol::handshake::{ClientHello, ServerHello};
use smp_protocol::version::Version;
use smp_transport::block::{BlockReader, BlockWriter, Disconnected, new_block};
use smp_transport::handshake::{ClientSession, HandshakeFailure, ServerSession};
use smp_transport::tls::{SERVER_ALPN, TlsClient, TlsError, TlsServer};

use crate::issue::{ed448, ed25519};
use crate::loopback::{LIMIT, client_handshake, connected, handshakes, no_service, server_handshake, tcp};

/// One block in each direction, as large as possible.
async fn exchange(server: &mut ServerSession, client: &mut ClientSession) {
    let (mut outgoing, mut incoming) = (new_block(), new_block());
    let question = vec![b'q'; client.writer.max_content()];
    client.writer.write_content(&question, &mut outgoing).await.unwrap();
    client.writer.flush().await.unwrap();
    assert_eq!(server.reader.read(&mut incoming).await.unwrap().unwrap(), question);
    server.writer.write_content(b"answer", &mut outgoing).await.unwrap();
    server.writer.flush().await.unwrap();
    assert_eq!(client.reader.read(&mut incoming).await.unwrap().unwrap(), b"answer");
}

#[tokio::test]
async fn every_version_with_and_without_key_and_proxy_flag() {
    let tls_server = TlsServer::new(ed25519(2), SERVER_ALPN);
    for version in 6..=20 {
        for (server_max, client_max) in [(20, version), (version, 20)] {
            for (send_key, is_proxy) in [(true, false), (false, false), (true, true)] {
                let (accepted, connected) = connected(&tls_server, &TlsClient::default()).await;
                let mut options = client_handshake(client_max);
                (options.send_key, options.is_proxy) = (send_key, is_proxy);
                let sides = handshakes((accepted, server_handshake(server_max)), (connected, options)).await;
                let (mut server, mut client) = (sides.0.unwrap(), sides.1.unwrap());

                // A proxy stays below block encryption at relays that do not know its flag.
                let old_relay = is_proxy && server_max < 14;
                let agreed = Version(if old_relay { version.min(10) } else { version });
                assert_eq!((server.version, client.version), (agreed, agreed));
                assert_eq!(server.session_id, client.session_id);
                let flagged = is_proxy && agreed >= Version(14);
                assert_eq!(server.is_proxy, flagged);
                assert_eq!(server.peer_key, (send_key && agreed >= Version(7)).then(|| client.session_key.public()));
                assert_eq!(client.peer_key, (server_max >= 7).then(|| server.session_key.public()));
                let sealed = agreed >= Version(11) && send_key && !flagged;
                let content = if sealed { MAX_SEALED_CONTENT } else { MAX_PLAIN_CONTENT };
                assert_eq!((server.writer.max_content(), client.writer.max_content()), (content, content));
                exchange(&mut server, &mut client).await;
            }
        }
    }
}

#[tokio::test]
async fn every_chain_and_both_tls_versions() {
    for credential in [2, 3, 4].into_iter().flat_map(|length| [ed25519(length), ed448(length)]) {
        let tls_server = TlsServer::new(credential, SERVER_ALPN);
        for tls_client in [TlsClient::default(), TlsClient::default().tls12_only()] {
            let (accepted, connected) = connected(&tls_server, &tls_client).await;
            let sides = handshakes((accepted, server_handshake(20)), (connected, client_handshake(20))).await;
            let (mut server, mut client) = (sides.0.unwrap(), sides.1.unwrap());
            assert_eq!(client.server_key.as_ref().unwrap().chain, tls_server.credential().chain().to_der());
            exchange(&mut server, &mut client).await;
        }
    }
}

#[tokio::test]
async fn without_application_protocol_version_6_is_offered() {
    let tls_server = TlsServer::new(ed25519(2), SERVER_ALPN);
    let tls_client = TlsClient::default().alpn(&[]);
    let (accepted, connected_tls) = connected(&tls_server, &tls_client).await;
    let sides = handshakes((accepted, server_handshake(20)), (connected_tls, client_handshake(20))).await;
    let (mut server, mut client) = (sides.0.unwrap(), sides.1.unwrap());
    assert_eq!((server.version, client.version), (Version(6), Version(6)));
    assert!(client.server_key.is_none());
    exchange(&mut server, &mut client).await;

    // A client may insist on more, in vain.
    let (accepted, connected_tls) = connected(&tls_server, &tls_client).await;
    let mut options = client_handshake(20);
    options.versions = smp_protocol::version::VersionRange::single(Version(7));
    let (server, client) = handshakes((accepted, server_handshake(20)), (connected_tls, options)).await;
    assert!(matches!(server.unwrap_err(), HandshakeFailure::Disconnected(Disconnected::Closed)));
    assert!(matches!(client.unwrap_err(), HandshakeFailure::Refused(TransportError::Version)));
}

/// What the server makes of a client hello of these bytes, and that it closes without an answer.
async fn refusal_of(hello: impl FnOnce(ServerHello) -> Vec<u8>) -> HandshakeFailure {
    let tls_server = TlsServer::new(ed25519(2), SERVER_ALPN);
    let (accepted, connected) = connected(&tls_server, &TlsClient::default()).await;
    let client = async {
        let (read, write) = tokio::io::split(connected.stream);
        let (mut reader, mut writer) = (BlockReader::new(read, None), BlockWriter::new(write, None));
        let mut buffer = new_block();
        let server_hello = ServerHello::decode(reader.read(&mut buffer).await.unwrap().unwrap()).unwrap();
        writer.write_content(&hello(server_hello), &mut buffer).await.unwrap();
        writer.flush().await.unwrap();
        reader.read(&mut buffer).await.unwrap_err()
    };
    let handshake = server_handshake(20);
    let (server, closed) = tokio::join!(handshake.run(accepted, no_service), client);
    assert!(matches!(closed, Disconnected::Closed));
    server.unwrap_err()
}

fn hello_for(server_hello: &ServerHello, version: u16) -> ClientHello {
    let chain = &server_hello.key.as_ref().unwrap().chain;
    let key_hash = smp_transport::tls::fingerprint(&chain[1]).to_vec();
    ClientHello { version: Version(version), key_hash, key: None, proxy: false, service: None }
}

fn encoded(hello: &ClientHello) -> Vec<u8> {
    let mut content = Vec::new();
    hello.encode(&mut content).unwrap();
    content
}

fn refused_with(failure: &HandshakeFailure, expected: TransportError) -> bool {
    matches!(failure, HandshakeFailure::Refused(error) if *error == expected)
}

#[tokio::test]
async fn unacceptable_client_hellos_are_not_answered() {
    for version in [0, 5, 21, 65535] {
        let failure = refusal_of(|server| encoded(&hello_for(&server, version))).await;
        assert!(refused_with(&failure, TransportError::Version), "{version}: {failure}");
    }
    for key_hash in [vec![], vec![0; 32], vec![0; 255]] {
        // The identity is checked first.
        let failure = refusal_of(|server| encoded(&ClientHello { key_hash, ..hello_for(&server, 21) })).await;
        assert!(refused_with(&failure, TransportError::Handshake(HandshakeError::Identity)), "{failure}");
    }
    for content in [&b""[..], b"\x00", b"\x00\x14\x20abc", &[0xff; 16382]] {
        let failure = refusal_of(|_| content.to_vec()).await;
        assert!(refused_with(&failure, TransportError::Handshake(HandshakeError::Parse)), "{failure}");
    }
}

/// What a client makes of a server hello altered on its way.
async fn client_refusal(alter: impl FnOnce(&mut ServerHello)) -> HandshakeFailure {
    let credential = ed25519(2);
    let tls_server = TlsServer::new(credential.clone(), SERVER_ALPN);
    let (accepted, connected) = connected(&tls_server, &TlsClient::default()).await;
    let session_key = smp_protocol::key::DhPrivateKey::generate();
    let key = smp_protocol::handshake::CertChainPubKey {
        chain: credential.chain().to_der(),
        signed_key: smp_protocol::signed_key::sign_dh_key(&session_key.public(), credential.key()),
    };
    let versions = smp_protocol::version::VersionRange::ALL;
    let mut hello = ServerHello { versions, session_id: accepted.tls.session_id, key: Some(key) };
    alter(&mut hello);
    let mut content = Vec::new();
    hello.encode(&mut content).unwrap();
    let (_read, write) = tokio::io::split(accepted.stream);
    let mut writer = BlockWriter::new(write, None);
    writer.write_content(&content, &mut new_block()).await.unwrap();
    writer.flush().await.unwrap();
    let handshake = client_handshake(20);
    handshake.run(connected).await.unwrap_err()
}

#[tokio::test]
async fn server_hellos_that_prove_nothing_are_refused() {
    let bad_auth = TransportError::Handshake(HandshakeError::BadAuth);
    let other = ed448(2);
    let failure = client_refusal(|hello| hello.session_id = (&[7; 32][..]).try_into().unwrap()).await;
    assert!(refused_with(&failure, TransportError::Session), "{failure}");
    let failure = client_refusal(|hello| hello.key.as_mut().unwrap().signed_key[20] ^= 1).await;
    assert!(refused_with(&failure, bad_auth), "{failure}");
    let failure = client_refusal(|hello| hello.key.as_mut().unwrap().chain = other.chain().to_der()).await;
    assert!(refused_with(&failure, bad_auth), "{failure}");
    let failure = client_refusal(|hello| hello.key.as_mut().unwrap().chain.truncate(1)).await;
    assert!(refused_with(&failure, bad_auth), "{failure}");
    let signed_by_another = |hello: &mut ServerHello| {
        let key = smp_protocol::key::DhPrivateKey::generate().public();
        hello.key.as_mut().unwrap().signed_key = smp_protocol::signed_key::sign_dh_key(&key, other.key());
    };
    let failure = client_refusal(signed_by_another).await;
    assert!(refused_with(&failure, bad_auth), "{failure}");
}

/// Paused time stands still until everybody waits, so that the limits are reached at once.
#[tokio::test]
async fn silent_peers_run_into_the_limits() {
    let tls_server = TlsServer::new(ed25519(2), SERVER_ALPN);
    let ((_silent_client, server_socket), (client_socket, _silent_server)) = tokio::join!(tcp(), tcp());
    let sides = connected(&tls_server, &TlsClient::default()).await;
    let (accepted, silent_after_tls) = sides;
    let other_sides = connected(&tls_server, &TlsClient::default()).await;
    let (silent_before_hello, connected_tls) = other_sides;
    tokio::time::pause();
    assert!(matches!(tls_server.accept(server_socket, LIMIT).await.unwrap_err(), TlsError::Timeout));
    assert!(matches!(TlsClient::default().connect(client_socket, &[0], LIMIT).await.unwrap_err(), TlsError::Timeout));
    let failure = server_handshake(20).run(accepted, no_service).await.unwrap_err();
    assert!(matches!(failure, HandshakeFailure::Timeout));
    let failure = client_handshake(20).run(connected_tls).await.unwrap_err();
    assert!(matches!(failure, HandshakeFailure::Timeout));
    drop((silent_after_tls, silent_before_hello));
}
