//! The server as OpenSSL sees it.

use std::process::Stdio;

use rustls::AlertDescription;
use smp_protocol::handshake::ServerHello;
use smp_transport::handshake::HandshakeFailure;
use smp_transport::listener::{Address, Listener};
use smp_transport::tls::{AcceptedTls, Credential, SERVER_ALPN, TlsServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use crate::issue::{ed448, ed25519};
use crate::loopback::{LIMIT, no_service, server_handshake};

/// Connects with `openssl s_client` and returns its report together with the server's view.
async fn s_client(credential: Credential, options: &[&str]) -> (String, Option<AcceptedTls>) {
    let server = TlsServer::new(credential, SERVER_ALPN);
    let listener = Listener::bind(Address::Any(0), false).unwrap();
    let address = format!("127.0.0.1:{}", listener.local_addr().unwrap().port());
    let mut client = Command::new("openssl")
        .args(["s_client", "-connect", &address, "-msg"])
        .args(options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let accepted = server.accept(stream, LIMIT).await.ok();
    // Ends s_client once the handshake is through.
    client.stdin.take().unwrap().shutdown().await.unwrap();
    let output = client.wait_with_output().await.unwrap();
    (String::from_utf8_lossy(&output.stdout).into_owned(), accepted)
}

/// The client's Finished in the hex dump of `-msg`.
fn finished(report: &str) -> Vec<u8> {
    let dump = report.split("\n>>> ").find(|message| message.lines().next().unwrap().ends_with("Finished")).unwrap();
    let lines = dump.lines().skip(1).take_while(|line| line.starts_with("    "));
    let bytes: String = lines.flat_map(str::split_whitespace).collect();
    hex::decode(bytes).unwrap().split_off(4)
}

fn server_hellos(report: &str) -> usize {
    report.matches("ServerHello\n").count()
}

#[tokio::test]
async fn x448_completes_without_hello_retry_request() {
    for (credential, signature) in [(ed25519(2), "ed25519"), (ed448(2), "ed448"), (ed448(4), "ed448")] {
        let options = ["-tls1_3", "-alpn", "smp/1", "-groups", "X448"];
        let (report, accepted) = s_client(credential, &options).await;
        assert!(report.contains("Server Temp Key: X448"), "{report}");
        assert!(report.contains("ALPN protocol: smp/1"), "{report}");
        assert!(report.contains("Cipher is TLS_CHACHA20_POLY1305_SHA256"), "{report}");
        assert!(report.contains(&format!("Peer signature type: {signature}")), "{report}");
        assert_eq!(server_hellos(&report), 1, "{report}");
        assert_eq!(accepted.unwrap().tls.session_id.as_ref(), finished(&report));
    }
}

#[tokio::test]
async fn other_clients_are_served_too() {
    let tls12 = ["-tls1_2", "-alpn", "smp/1", "-groups", "X448", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"];
    // X25519, P-256, X448 and others, with a key share for the first.
    let defaults = ["-tls1_3", "-alpn", "smp/1"];
    // A share for a group that the server does not have: the only case that costs a round trip.
    let retry = ["-tls1_3", "-alpn", "smp/1", "-groups", "P-256:X448"];
    for (options, group, hellos) in [(&tls12[..], "X448", 1), (&defaults[..], "X25519", 1), (&retry[..], "X448", 2)] {
        let (report, accepted) = s_client(ed448(2), options).await;
        assert!(report.contains(&format!("Server Temp Key: {group}")), "{report}");
        assert_eq!(server_hellos(&report), hellos, "{report}");
        assert_eq!(accepted.unwrap().tls.session_id.as_ref(), finished(&report));
    }
}

#[tokio::test]
async fn no_ticket_is_sent() {
    let (report, _) = s_client(ed25519(2), &["-tls1_3", "-alpn", "smp/1"]).await;
    assert!(!report.contains("NewSessionTicket"), "{report}");
}

#[tokio::test]
async fn what_is_not_offered_is_refused_with_its_alert() {
    let cases: [(&[&str], AlertDescription); 4] = [
        (&["-tls1_3", "-alpn", "xyz"], AlertDescription::NoApplicationProtocol),
        (&["-tls1_3", "-groups", "P-256"], AlertDescription::HandshakeFailure),
        (&["-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256"], AlertDescription::HandshakeFailure),
        (&["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"], AlertDescription::HandshakeFailure),
    ];
    for (options, alert) in cases {
        let (report, accepted) = s_client(ed25519(2), options).await;
        let received = report.split("\n<<< ").find(|message| message.contains(", Alert [")).unwrap();
        let bytes = received.lines().nth(1).unwrap().trim();
        assert_eq!(bytes, format!("02 {:02x}", u8::from(alert)), "{report}");
        assert!(accepted.is_none());
    }
}

#[tokio::test]
async fn first_block_arrives() {
    let server = TlsServer::new(ed25519(3), SERVER_ALPN);
    let listener = Listener::bind(Address::Any(0), false).unwrap();
    let address = format!("127.0.0.1:{}", listener.local_addr().unwrap().port());
    let mut client = Command::new("openssl")
        .args(["s_client", "-connect", &address, "-tls1_3", "-alpn", "smp/1", "-quiet", "-no_ign_eof"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let accepted = server.accept(stream, LIMIT).await.unwrap();
    let session_id = accepted.tls.session_id.clone();
    let read = async {
        let mut block = vec![0; 16384];
        client.stdout.as_mut().unwrap().read_exact(&mut block).await.unwrap();
        drop(client.stdin.take());
        block
    };
    let handshake = server_handshake(20);
    let (failure, block) = tokio::join!(handshake.run(accepted, no_service), read);
    let content = smp_protocol::block::unpad(&block).unwrap();
    let hello = ServerHello::decode(content).unwrap();
    assert_eq!(hello.session_id, session_id);
    assert_eq!(hello.key.unwrap().chain, server.credential().chain().to_der());
    assert!(matches!(failure.unwrap_err(), HandshakeFailure::Disconnected(_)));
    client.wait().await.unwrap();
}
