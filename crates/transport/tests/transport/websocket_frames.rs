//! Frames as other clients send them, and as none should: written byte by byte (RFC 6455 §5).

use std::io;

use smp_protocol::block::BLOCK_SIZE;
use smp_transport::tls::{SERVER_ALPN, TlsClient, TlsServer, TlsStream};
use smp_transport::websocket::WebSocketStream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::client_async;

use crate::issue::ed25519;
use crate::loopback::connected;

const FIN: u8 = 0x80;
const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// Close codes.
const PROTOCOL: u16 = 1002;
const POLICY: u16 = 1008;

/// The server's side of a WebSocket, and the bare stream of its client.
async fn websocket() -> (WebSocketStream<TlsStream>, TlsStream) {
    let (accepted, connected) = connected(&TlsServer::new(ed25519(2), SERVER_ALPN), &TlsClient::default()).await;
    let (server, client) =
        tokio::join!(WebSocketStream::accept(accepted.stream), client_async("wss://localhost/", connected.stream));
    (server.unwrap(), client.unwrap().0.into_inner())
}

/// A frame of a client.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let masked = payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key);
    [&header(first, 0x80, payload.len() as u64)[..], &KEY, &masked.collect::<Vec<_>>()].concat()
}

/// A frame of a server.
fn plain_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    [&header(first, 0, payload.len() as u64)[..], payload].concat()
}

fn header(first: u8, masked: u8, length: u64) -> Vec<u8> {
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(length @ 0..126), _) => vec![first, masked + length],
        (_, Ok(length)) => [&[first, masked + 126][..], &length.to_be_bytes()].concat(),
        _ => [&[first, masked + 127][..], &length.to_be_bytes()].concat(),
    }
}

fn block() -> Vec<u8> {
    (0..251).cycle().take(BLOCK_SIZE).collect()
}

async fn received_block(server: &mut WebSocketStream<TlsStream>) -> Vec<u8> {
    let mut received = vec![0; BLOCK_SIZE];
    server.read_exact(&mut received).await.unwrap();
    received
}

#[tokio::test]
async fn text_is_as_good_as_binary() {
    let (mut server, mut client) = websocket().await;
    for kind in [TEXT, BINARY] {
        // Not UTF-8, as encrypted blocks are not.
        client.write_all(&frame(FIN | kind, &block())).await.unwrap();
        assert_eq!(received_block(&mut server).await, block());
    }
}

#[tokio::test]
async fn blocks_may_come_in_fragments() {
    let (mut server, mut client) = websocket().await;
    for size in [1, 125, 126, 5000, BLOCK_SIZE - 1, BLOCK_SIZE] {
        let block = block();
        let mut bytes = Vec::new();
        for (number, piece) in block.chunks(size).enumerate() {
            bytes.extend(frame(if number == 0 { TEXT } else { CONTINUATION }, piece));
            bytes.extend(frame(CONTINUATION, b""));
            bytes.extend(frame(FIN | PONG, b"control frames may come between fragments"));
        }
        bytes.extend(frame(FIN | CONTINUATION, b""));
        let write = async {
            client.write_all(&bytes).await.unwrap();
            client.flush().await.unwrap();
        };
        assert_eq!(tokio::join!(received_block(&mut server), write).0, block);
    }
}

#[tokio::test]
async fn bytes_may_come_one_at_a_time() {
    let (mut server, mut client) = websocket().await;
    let write = async {
        for byte in [frame(FIN | PING, b"ping"), frame(FIN | BINARY, &block())].concat() {
            client.write_all(&[byte]).await.unwrap();
        }
        client.flush().await.unwrap();
        let mut pong = [0; 6];
        client.read_exact(&mut pong).await.unwrap();
        assert_eq!(pong[..], plain_frame(FIN | PONG, b"ping"));
    };
    assert_eq!(tokio::join!(received_block(&mut server), write).0, block());
}

/// A header may say its length in more bytes than needed.
#[tokio::test]
async fn long_headers_are_understood() {
    let (mut server, mut client) = websocket().await;
    let length = (BLOCK_SIZE as u64).to_be_bytes();
    let bytes = [&[FIN | BINARY, 0x80 + 127][..], &length, &[0; 4], &block()].concat();
    client.write_all(&bytes).await.unwrap();
    assert_eq!(received_block(&mut server).await, block());
}

#[tokio::test]
async fn server_sends_one_binary_frame_per_block() {
    let (mut server, mut client) = websocket().await;
    for _ in 0..3 {
        // In pieces, as the socket would take them.
        for piece in block().chunks(1000) {
            server.write_all(piece).await.unwrap();
        }
        server.flush().await.unwrap();
        let expected = plain_frame(FIN | BINARY, &block());
        let mut received = vec![0; expected.len()];
        client.read_exact(&mut received).await.unwrap();
        assert!(received == expected);
    }
}

#[tokio::test]
async fn ping_in_the_middle_of_a_block_is_answered_behind_it() {
    let (server, mut client) = websocket().await;
    let (mut read, mut write) = tokio::io::split(server);
    write.write_all(&block()[..100]).await.unwrap();
    client.write_all(&frame(FIN | PING, b"1")).await.unwrap();
    client.write_all(&frame(FIN | BINARY, &block())).await.unwrap();
    read.read_u8().await.unwrap();
    write.write_all(&block()[100..]).await.unwrap();
    write.flush().await.unwrap();
    let expected = [plain_frame(FIN | BINARY, &block()), plain_frame(FIN | PONG, b"1")].concat();
    let mut received = vec![0; expected.len()];
    client.read_exact(&mut received).await.unwrap();
    assert!(received == expected);
}

/// What is read after these bytes of the client, and what the client gets until the server closes.
async fn answer_to(bytes: &[u8]) -> (io::Result<Vec<u8>>, Vec<u8>) {
    let (mut server, mut client) = websocket().await;
    let serve = async {
        let mut received = Vec::new();
        let result = server.read_to_end(&mut received).await.map(|_| received);
        // What is written now must not get in the way.
        server.write_all(&block()).await.unwrap();
        server.shutdown().await.unwrap();
        // As a session does: the client may not have read yet.
        let _ = server.read_to_end(&mut Vec::new()).await;
        result
    };
    let talk = async {
        client.write_all(bytes).await.unwrap();
        client.flush().await.unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        client.shutdown().await.unwrap();
        answer
    };
    tokio::join!(serve, talk)
}

#[tokio::test]
async fn close_is_echoed() {
    for payload in [&b""[..], &1000_u16.to_be_bytes(), b"\x03\xe9going away", b"\x0f\xa0own code"] {
        let bytes = [frame(FIN | BINARY, &block()), frame(FIN | CLOSE, payload), frame(FIN | PING, b"late")].concat();
        let (received, answer) = answer_to(&bytes).await;
        assert_eq!(received.unwrap(), block());
        let code = payload.get(..2).unwrap_or_default();
        assert_eq!(answer, plain_frame(FIN | CLOSE, code));
    }
}

async fn assert_refused(frames: &[Vec<u8>], code: u16) {
    let bytes = frames.concat();
    let (received, answer) = answer_to(&bytes).await;
    let case = &bytes[..bytes.len().min(20)];
    assert_eq!(received.unwrap_err().kind(), io::ErrorKind::InvalidData, "{case:x?}");
    assert_eq!(answer, plain_frame(FIN | CLOSE, &code.to_be_bytes()), "{case:x?}");
}

#[tokio::test]
async fn messages_of_another_size_close_the_connection() {
    for length in [0, 1, BLOCK_SIZE - 1, BLOCK_SIZE + 1, 2 * BLOCK_SIZE, 65536, 70_000] {
        for kind in [TEXT, BINARY] {
            assert_refused(&[frame(FIN | kind, &vec![0; length])], POLICY).await;
        }
    }
    // Lengths that are only announced.
    for length in [65537, 1 << 32, u64::MAX >> 1, u64::MAX] {
        assert_refused(&[[&header(FIN | BINARY, 0x80, length)[..], &[0; 4]].concat()], POLICY).await;
    }
    // Sums of fragments.
    let half = vec![0; BLOCK_SIZE / 2];
    for frames in [
        vec![frame(BINARY, b"1"), frame(FIN | CONTINUATION, b"2")],
        vec![frame(BINARY, b""), frame(FIN | CONTINUATION, b"")],
        vec![frame(BINARY, &half), frame(CONTINUATION, &half), frame(FIN | CONTINUATION, b"1")],
        vec![frame(BINARY, &half), frame(FIN | CONTINUATION, &half[1..])],
        vec![frame(BINARY, &vec![0; BLOCK_SIZE]), frame(CONTINUATION, b"1")],
    ] {
        assert_refused(&frames, POLICY).await;
    }
}

#[tokio::test]
async fn frames_against_the_rules_close_the_connection() {
    for frames in [
        // Not masked.
        vec![plain_frame(FIN | BINARY, &block())],
        vec![plain_frame(FIN | PING, b"")],
        // Reserved bits and opcodes.
        vec![frame(FIN | 0x40 | BINARY, &block())],
        vec![frame(FIN | 0x20 | PING, b"")],
        vec![frame(FIN | 0x10 | BINARY, &block())],
        vec![frame(FIN + 3, &block())],
        vec![frame(FIN + 7, b"")],
        vec![frame(FIN + 11, b"")],
        vec![frame(FIN + 15, b"")],
        // Control frames in fragments, or too long.
        vec![frame(PING, b"1")],
        vec![frame(CLOSE, b"")],
        vec![frame(FIN | PING, &[0; 126])],
        vec![frame(FIN | PONG, &[0; 65536])],
        // Fragments of nothing, and a message within another.
        vec![frame(FIN | CONTINUATION, &block())],
        vec![frame(CONTINUATION, b"1")],
        vec![frame(FIN | BINARY, &block()), frame(FIN | CONTINUATION, b"")],
        vec![frame(BINARY, b"1"), frame(FIN | BINARY, &block())],
        vec![frame(TEXT, b"1"), frame(TEXT, b"2")],
        // Close with half a code, or one that must not be sent.
        vec![frame(FIN | CLOSE, b"\x03")],
        vec![frame(FIN | CLOSE, &999_u16.to_be_bytes())],
        vec![frame(FIN | CLOSE, &1005_u16.to_be_bytes())],
        vec![frame(FIN | CLOSE, &1006_u16.to_be_bytes())],
    ] {
        assert_refused(&frames, PROTOCOL).await;
    }
}

#[tokio::test]
async fn stream_may_end_anywhere() {
    let bytes = [frame(FIN | PING, b"ping"), frame(FIN | BINARY, &block())].concat();
    for length in [0, 1, 2, 5, 9, 10, 11, 17, 18, 19, 1000, bytes.len() - 1] {
        let (mut server, mut client) = websocket().await;
        client.write_all(&bytes[..length]).await.unwrap();
        client.shutdown().await.unwrap();
        let mut received = Vec::new();
        server.read_to_end(&mut received).await.unwrap();
        assert!(block().starts_with(&received) && received.len() < BLOCK_SIZE);
    }
}
