//! The upgrade from HTTP to WebSocket (RFC 6455 §4).

use std::io::ErrorKind;
use std::time::Duration;

use smp_transport::connect::{ConnectError, Connector};
use smp_transport::tls::{SERVER_ALPN, TlsClient, TlsServer};
use smp_transport::websocket::{UpgradeError, WebSocketStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::time::timeout;

use crate::issue::ed25519;
use crate::loopback::{LIMIT, client_handshake, connected, tcp};

/// The example of RFC 6455 §1.3.
const REQUEST: &str = "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://example.com\r\n\
    Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

/// What the server makes of a request, and answers.
async fn answer_to(request: &[u8]) -> (Result<(), UpgradeError>, String) {
    let (accepted, mut connected) = connected(&TlsServer::new(ed25519(2), SERVER_ALPN), &TlsClient::default()).await;
    let talk = async {
        connected.stream.write_all(request).await.unwrap();
        connected.stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        // A server that gives up does not say goodbye.
        let end = connected.stream.read_to_end(&mut answer).await;
        assert!(end.is_ok() || end.unwrap_err().kind() == ErrorKind::UnexpectedEof);
        // Behind the head there may be a close frame, which is no text.
        String::from_utf8_lossy(&answer).into_owned()
    };
    let accept = async {
        let mut stream = WebSocketStream::accept(accepted.stream).await?;
        stream.shutdown().await?;
        Ok(())
    };
    tokio::join!(accept, talk)
}

#[tokio::test]
async fn any_path_is_accepted_and_nothing_else_is_agreed() {
    for path in ["/", "/chat", "/a/b?c=d&e", "*", "//", "http://example.com/"] {
        let request = REQUEST.replace("/chat", path);
        let (accepted, answer) = answer_to(request.as_bytes()).await;
        accepted.unwrap();
        let (head, _close) = answer.split_once("\r\n\r\n").unwrap();
        let mut lines: Vec<_> = head.split("\r\n").map(str::to_ascii_lowercase).collect();
        assert_eq!(lines.remove(0), "http/1.1 101 switching protocols");
        lines.sort_unstable();
        let accept = "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=";
        assert_eq!(lines, ["connection: upgrade", accept, "upgrade: websocket"]);
    }
}

#[tokio::test]
async fn what_browsers_send_is_accepted() {
    for (from, to) in [("Connection: Upgrade", "connection: keep-alive, Upgrade"), ("websocket", "WebSocket")] {
        answer_to(REQUEST.replacen(from, to, 1).as_bytes()).await.0.unwrap();
    }
}

#[tokio::test]
async fn requests_for_something_else_are_refused() {
    for (from, to) in [
        ("GET", "POST"),
        ("HTTP/1.1", "HTTP/1.0"),
        ("Upgrade: websocket\r\n", ""),
        ("websocket", "h2c"),
        ("Connection: Upgrade\r\n", ""),
        ("Connection: Upgrade", "Connection: close"),
        ("Version: 13", "Version: 8"),
        ("Sec-WebSocket-Version: 13\r\n", ""),
        ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", ""),
        ("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ="),
    ] {
        let (accepted, answer) = answer_to(REQUEST.replacen(from, to, 1).as_bytes()).await;
        assert!(matches!(accepted, Err(UpgradeError::NotAsked(_))), "{from} -> {to}: {accepted:?}");
        assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
        assert!(answer.contains("\r\nSec-WebSocket-Version: 13\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn garbage_is_refused() {
    let long_header = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(8192));
    let many_headers = format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(1000));
    for garbage in
        [&b"\r\n\r\n"[..], b"\x00\x14####\r\n\r\n", &[0xff; 16384], long_header.as_bytes(), many_headers.as_bytes()]
    {
        let (accepted, answer) = answer_to(garbage).await;
        assert!(matches!(accepted, Err(UpgradeError::NotHttp)), "{accepted:?}");
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
    for beginning in [&b""[..], b"\x16\x03", &REQUEST.as_bytes()[..REQUEST.len() - 1]] {
        let (accepted, answer) = answer_to(beginning).await;
        assert!(matches!(accepted, Err(UpgradeError::Io(_))), "{accepted:?}");
        assert_eq!(answer, "");
    }
}

#[tokio::test]
async fn request_may_come_byte_by_byte() {
    let (near, mut far) = duplex(1);
    let talk = async {
        far.write_all(REQUEST.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        far.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 101");
        far.read_to_end(&mut Vec::new()).await.unwrap();
    };
    let accept = async { drop(WebSocketStream::accept(near).await.unwrap()) };
    tokio::join!(accept, talk);
}

/// The limit is the caller's; nothing else ends the waiting. Paused time stands still until everybody waits.
#[tokio::test(start_paused = true)]
async fn slow_request_is_waited_for_until_the_limit() {
    let (near, mut far) = duplex(1024);
    let dribble = async {
        for byte in REQUEST.as_bytes() {
            far.write_all(&[*byte]).await.unwrap();
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::select! {
        accepted = timeout(LIMIT, WebSocketStream::accept(near)) => assert!(accepted.is_err()),
        () = dribble => panic!("the limit is shorter"),
    }
}

/// What a client makes of this response.
async fn refusal_of(response: &str) -> UpgradeError {
    let tls_server = TlsServer::new(ed25519(2), SERVER_ALPN);
    let identity = tls_server.credential().chain().identity();
    let (client_socket, server_socket) = tcp().await;
    let connector =
        Connector { tls: TlsClient::default(), handshake: client_handshake(20), keep_alive: None, limit: LIMIT };
    let server = async {
        let mut stream = tls_server.accept(server_socket, LIMIT).await.unwrap().stream;
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(stream.read_u8().await.unwrap());
        }
        let request = String::from_utf8(request).unwrap();
        assert!(
            request.starts_with("GET / HTTP/1.1\r\n") && request.contains("\r\nHost: example.com\r\n"),
            "{request}"
        );
        stream.write_all(response.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        // Until the client has read it.
        let _ = stream.read_to_end(&mut Vec::new()).await;
    };
    let client = async { connector.establish_websocket(client_socket, "example.com", &identity).await.unwrap_err() };
    match tokio::join!(server, client).1 {
        ConnectError::WebSocket(error) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn client_insists_on_a_websocket() {
    for (response, status) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200),
        ("HTTP/1.1 301 Moved\r\nLocation: /other\r\n\r\n", 301),
        ("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 101),
        (
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
            101,
        ),
    ] {
        assert!(matches!(refusal_of(response).await, UpgradeError::Refused(refused) if refused == status));
    }
    assert!(matches!(refusal_of("SSH-2.0-OpenSSH_9.2\r\n\r\n").await, UpgradeError::NotHttp));
    assert!(matches!(refusal_of("HTTP/1.1 101").await, UpgradeError::Io(_)));
}
