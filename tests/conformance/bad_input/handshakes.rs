//! Handshakes that go wrong: TLS and SMP. They end the connection without a word.

use smp_client::protocol::block::{BLOCK_SIZE, pad};
use smp_client::protocol::encoding::Encode;
use smp_client::protocol::handshake::ClientHello;
use smp_client::protocol::id::random_bytes;
use smp_client::protocol::version::{Version, VersionRange};
use smp_client::transport::block::new_block;
use smp_client::transport::tls::{TlsClient, TlsError, TlsStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Bystander;
use crate::harness::request::ed25519;
use crate::harness::seed;
use crate::harness::server::Server;
use crate::harness::wire::{assert_closes, greeted, tcp, tls};

fn hello(version: u16, key_hash: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let hello =
        ClientHello { version: Version(version), key_hash: key_hash.to_vec(), key: None, proxy: false, service: None };
    hello.encode(&mut bytes).unwrap();
    bytes
}

/// Sends a client hello with this content; the stream behind it.
async fn greet(server: &Server, client: &TlsClient, content: &[u8]) -> TlsStream {
    let (mut stream, _) = greeted(server, client).await;
    stream.write_all(&pad(content, BLOCK_SIZE).unwrap()).await.unwrap();
    stream.flush().await.unwrap();
    stream
}

#[tokio::test]
async fn hellos_that_are_refused() {
    let server = Server::start().await;
    let bystander = Bystander::new(&server).await;
    let identity = server.address().key_hash.0;
    let mut cut = Vec::new();
    cut.put_u16(20);
    cut.put(b"\x20abc");
    let mut without_proxy = Vec::new();
    without_proxy.put_u16(20);
    without_proxy.put_short(&identity);
    let bad_proxy = [&without_proxy[..], b"X0"].concat();
    let no_service = [&without_proxy[..], b"F2"].concat();
    for content in [
        hello(5, &identity),
        hello(21, &identity),
        hello(0, &identity),
        hello(65535, &identity),
        hello(20, &random_bytes::<32>()),
        hello(20, &identity[..31]),
        hello(20, b""),
        Vec::new(),
        vec![0],
        cut,
        without_proxy,
        bad_proxy,
        no_service,
        vec![0xff; BLOCK_SIZE - 2],
    ] {
        assert_closes(&mut greet(&server, &TlsClient::default(), &content).await).await;
    }
    let old = TlsClient::default().alpn(&[]);
    assert_closes(&mut greet(&server, &old, &hello(7, &identity)).await).await;

    let (mut stream, _) = greeted(&server, &TlsClient::default()).await;
    stream.write_all(&[0xff; BLOCK_SIZE]).await.unwrap();
    assert_closes(&mut stream).await;
    bystander.is_served(&server).await;
}

/// Unencrypted `PING` and `PONG`.
async fn pings(mut stream: TlsStream) {
    let transmission = b"\0\x01c\0PING";
    let mut content = vec![1];
    content.put_u16(u16::try_from(transmission.len()).unwrap());
    content.put(transmission);
    stream.write_all(&pad(&content, BLOCK_SIZE).unwrap()).await.unwrap();
    let mut block = new_block();
    stream.read_exact(&mut block[..]).await.unwrap();
    let answer = smp_client::protocol::block::unpad(&block[..]).unwrap();
    assert_eq!(answer, b"\x01\0\x08\0\x01c\0PONG");
}

#[tokio::test]
async fn hellos_that_are_understood_all_the_same() {
    let server = Server::start().await;
    let identity = server.address().key_hash.0;
    let with_key = |version: u16, key: &[u8]| {
        let mut content = Vec::new();
        content.put_u16(version);
        content.put_short(&identity);
        content.put_short(key);
        content
    };
    for content in [
        [&hello(20, &identity)[..], b"trailing"].concat(),
        [&hello(12, &identity)[..], b"0 trailing"].concat(),
        with_key(12, b"no key"),
        with_key(12, &ed25519().public().to_spki()),
    ] {
        pings(greet(&server, &TlsClient::default(), &content).await).await;
    }
    let (_, hello) = greeted(&server, &TlsClient::default().alpn(&[])).await;
    assert_eq!(hello.versions, VersionRange::single(Version(6)));
    assert_eq!(hello.key, None);
}

#[tokio::test]
async fn application_protocols_that_nobody_speaks() {
    let server = Server::start_with(&[("TRANSPORT", "log_tls_errors", "on")]).await;
    let bystander = Bystander::new(&server).await;
    for protocols in [&[&b"unknown/1"[..]][..], &[b"smp/2", b"SMP/1"]] {
        let refused = tls(&server, &TlsClient::default().alpn(protocols)).await;
        assert!(matches!(refused, Err(TlsError::Tls(_))), "{refused:?}");
    }
    server.logs(0, "TLS error").await;
    bystander.is_served(&server).await;
}

#[tokio::test]
async fn bytes_that_are_no_tls() {
    let server = Server::start().await;
    let bystander = Bystander::new(&server).await;
    let mut random = seed::random();
    let noise: Vec<u8> = (0..20_000).map(|_| random.u8(..)).collect();
    let mut long_record = vec![0x16, 3, 1, 0xff, 0xff];
    long_record.resize(70_005, 0);
    let mut many_empty_records = Vec::new();
    for _ in 0..200 {
        many_empty_records.extend([0x16, 3, 1, 0, 0]);
    }
    for garbage in [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        b"SSH-2.0-OpenSSH_9.9\r\n".to_vec(),
        noise,
        vec![0; 16384],
        long_record,
        many_empty_records,
        // A ClientHello that claims more than it has, and an alert instead of one.
        vec![0x16, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff],
        vec![0x15, 3, 1, 0, 2, 2, 40],
        // Application data before any handshake.
        vec![0x17, 3, 3, 0, 5, 1, 2, 3, 4, 5],
    ] {
        let mut stream = tcp(&server).await;
        // The server may close before everything is written.
        let _ = stream.write_all(&garbage).await;
        let _ = stream.shutdown().await;
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        assert!(rest.len() < 100, "an alert at most");
    }
    bystander.is_served(&server).await;
}
