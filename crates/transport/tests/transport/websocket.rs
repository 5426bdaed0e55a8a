//! Sessions over WebSockets, with ours and with another implementation on the other side (wire.md §11).

use futures_util::{SinkExt, StreamExt};
use smp_protocol::block::{BLOCK_SIZE, pad, unpad};
use smp_protocol::handshake::ServerHello;
use smp_protocol::version::Version;
use smp_transport::block::{Disconnected, close, new_block};
use smp_transport::connect::Connector;
use smp_transport::handshake::{ClientSession, ServerSession};
use smp_transport::stream::SmpStream;
use smp_transport::tls::{AcceptedTls, SERVER_ALPN, TlsClient, TlsServer, TlsStream};
use smp_transport::websocket::WebSocketStream;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::{WebSocketStream as Other, accept_async, client_async};

use crate::issue::{ed448, ed25519};
use crate::loopback::{LIMIT, client_handshake, connected, no_service, server_handshake, tcp};

/// The server's side of TLS, with a WebSocket on top.
async fn upgraded(accepted: AcceptedTls) -> AcceptedTls<SmpStream> {
    let AcceptedTls { stream, tls, credential } = accepted;
    let stream = SmpStream::WebSocket(WebSocketStream::accept(stream).await.unwrap());
    AcceptedTls { stream, tls, credential }
}

fn connector(max: u16) -> Connector {
    Connector { tls: TlsClient::default(), handshake: client_handshake(max), keep_alive: None, limit: LIMIT }
}

type Sides = (ServerSession<SmpStream>, ClientSession<WebSocketStream<TlsStream>>);

async fn sessions(server: &TlsServer, connector: &Connector) -> Sides {
    let identity = server.credential().chain().identity();
    let (client_socket, server_socket) = tcp().await;
    let server = async {
        let accepted = upgraded(server.accept(server_socket, LIMIT).await.unwrap()).await;
        server_handshake(20).run(accepted, no_service).await.unwrap()
    };
    let client = connector.establish_websocket(client_socket, "localhost", &identity);
    let (server, client) = tokio::join!(server, client);
    (server, client.unwrap())
}

#[tokio::test]
async fn everything_above_is_the_same() {
    for (credential, version) in [(ed25519(2), 6), (ed448(3), 7), (ed25519(3), 11), (ed448(2), 20)] {
        let (mut server, mut client) = sessions(&TlsServer::new(credential, SERVER_ALPN), &connector(version)).await;
        assert_eq!((server.version, client.version), (Version(version), Version(version)));
        assert_eq!(server.session_id, client.session_id);
        let (mut outgoing, mut incoming) = (new_block(), new_block());
        let question = vec![b'q'; client.writer.max_content()];
        client.writer.write_content(&question, &mut outgoing).await.unwrap();
        client.writer.flush().await.unwrap();
        assert_eq!(server.reader.read(&mut incoming).await.unwrap().unwrap(), question);
        server.writer.write_content(b"answer", &mut outgoing).await.unwrap();
        server.writer.flush().await.unwrap();
        assert_eq!(client.reader.read(&mut incoming).await.unwrap().unwrap(), b"answer");
    }
    let without_alpn = Connector { tls: TlsClient::default().alpn(&[]), ..connector(20) };
    let (server, _client) = sessions(&TlsServer::new(ed25519(2), SERVER_ALPN), &without_alpn).await;
    assert_eq!(server.version, Version(6));
}

#[tokio::test]
async fn blocks_flow_both_ways_at_once() {
    const BLOCKS: u8 = 50;
    let (server, client) = sessions(&TlsServer::new(ed25519(2), SERVER_ALPN), &connector(20)).await;
    let (mut from_client, mut to_client) = (server.reader, server.writer);
    let (mut from_server, mut to_server) = (client.reader, client.writer);
    // Each on a task of its own.
    let tasks = [
        tokio::spawn(async move {
            for number in 0..BLOCKS {
                to_client.write_content(&[b's', number], &mut new_block()).await.unwrap();
            }
            to_client.flush().await.unwrap();
        }),
        tokio::spawn(async move {
            for number in 0..BLOCKS {
                to_server.write_content(&[b'c', number], &mut new_block()).await.unwrap();
            }
            to_server.flush().await.unwrap();
        }),
        tokio::spawn(async move {
            for number in 0..BLOCKS {
                assert_eq!(from_client.read(&mut new_block()).await.unwrap(), Ok(&[b'c', number][..]));
            }
        }),
        tokio::spawn(async move {
            for number in 0..BLOCKS {
                assert_eq!(from_server.read(&mut new_block()).await.unwrap(), Ok(&[b's', number][..]));
            }
        }),
    ];
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn either_side_can_close() {
    let tls = TlsServer::new(ed25519(2), SERVER_ALPN);
    let (server, mut client) = sessions(&tls, &connector(20)).await;
    let closing = async {
        assert!(matches!(client.reader.ready().await.unwrap_err(), Disconnected::Closed));
        close(client.reader, client.writer).await;
    };
    tokio::join!(close(server.reader, server.writer), closing);

    let (mut server, client) = sessions(&tls, &connector(20)).await;
    let closing = async {
        assert!(matches!(server.reader.ready().await.unwrap_err(), Disconnected::Closed));
        // What is promised to the client is written still, and does no harm.
        server.writer.write_content(b"too late", &mut new_block()).await.unwrap();
        server.writer.flush().await.unwrap();
        close(server.reader, server.writer).await;
    };
    tokio::join!(closing, close(client.reader, client.writer));
}

/// A client that is not ours, before the SMP handshake, and what the server makes of it.
async fn other_client(path: &str) -> (WebSocketStream<TlsStream>, Other<TlsStream>) {
    let (accepted, connected) = connected(&TlsServer::new(ed25519(2), SERVER_ALPN), &TlsClient::default()).await;
    let request = format!("wss://localhost{path}");
    let (server, client) =
        tokio::join!(WebSocketStream::accept(accepted.stream), client_async(request, connected.stream));
    let (client, response) = client.unwrap();
    assert!(!response.headers().keys().any(|name| name.as_str().starts_with("sec-websocket-ext")));
    (server.unwrap(), client)
}

#[tokio::test]
async fn another_client_is_served() {
    let tls = TlsServer::new(ed25519(2), SERVER_ALPN);
    let (accepted, connected) = connected(&tls, &TlsClient::default()).await;
    let handshake = server_handshake(20);
    let server = async { handshake.run(upgraded(accepted).await, no_service).await };
    let client = async {
        let (mut client, _) = client_async("wss://localhost/a/path?and=more", connected.stream).await.unwrap();
        let Some(Ok(Message::Binary(hello))) = client.next().await else { panic!("the hello is a binary message") };
        assert_eq!(hello.len(), BLOCK_SIZE);
        let hello = ServerHello::decode(unpad(&hello).unwrap()).unwrap();
        assert_eq!(hello.session_id, connected.tls.session_id);
        client.close(None).await.unwrap();
        assert!(matches!(client.next().await, Some(Ok(Message::Close(None)))), "the close is echoed");
        assert!(!matches!(client.next().await, Some(Ok(_))), "the server closes the connection");
    };
    let (session, ()) = tokio::join!(server, client);
    assert!(session.is_err());
}

#[tokio::test]
async fn another_server_is_understood() {
    let (accepted, connected) = connected(&TlsServer::new(ed25519(2), SERVER_ALPN), &TlsClient::default()).await;
    let server = async {
        let mut server = accept_async(accepted.stream).await.unwrap();
        let block = pad(b"from the server", BLOCK_SIZE).unwrap();
        server.send(Message::Ping("are you there?".into())).await.unwrap();
        server.send(Message::binary(block)).await.unwrap();
        let (mut pongs, mut blocks) = (Vec::new(), Vec::new());
        while let Some(message) = server.next().await {
            match message.unwrap() {
                Message::Pong(payload) => pongs.push(payload),
                Message::Binary(block) => blocks.push(block),
                Message::Close(frame) => assert_eq!(frame.unwrap().code, CloseCode::Normal),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(pongs, ["are you there?"]);
        assert_eq!(blocks.len(), 1);
        assert_eq!(unpad(&blocks[0]).unwrap(), b"from the client");
    };
    let client = async {
        let mut client = WebSocketStream::connect(connected.stream, "localhost").await.unwrap();
        let mut block = new_block();
        client.read_exact(&mut block[..]).await.unwrap();
        assert_eq!(unpad(&block[..]).unwrap(), b"from the server");
        client.write_all(&pad(b"from the client", BLOCK_SIZE).unwrap()).await.unwrap();
        client.shutdown().await.unwrap();
        assert_eq!(client.read(&mut block[..]).await.unwrap(), 0);
    };
    tokio::join!(server, client);
}

#[tokio::test]
async fn pings_are_answered_while_nothing_is_written() {
    let (mut server, mut client) = other_client("/").await;
    let reading = tokio::spawn(async move { server.read_u8().await });
    for payload in [String::new(), "x".repeat(125)] {
        client.send(Message::Ping(payload.clone().into())).await.unwrap();
        assert_eq!(client.next().await.unwrap().unwrap(), Message::Pong(payload.into()));
    }
    client.send(Message::Pong("unasked".into())).await.unwrap();
    client.send(Message::binary(vec![7; BLOCK_SIZE])).await.unwrap();
    assert_eq!(reading.await.unwrap().unwrap(), 7);
}

/// A peer that pings without end and reads nothing gets one pong when it reads, not a memory full of them.
#[tokio::test]
async fn pings_do_not_pile_up() {
    const PINGS: usize = 2000;
    let block = [1; BLOCK_SIZE];
    let (near, far) = duplex(1000);
    let (server, client) = tokio::join!(WebSocketStream::accept(near), client_async("ws://localhost/", far));
    let (mut client, server) = (client.unwrap().0, server.unwrap());
    // The block fills the pipe: no pong can go until somebody reads.
    let server = async {
        let (mut read, mut write) = tokio::io::split(server);
        let mut received = [0; BLOCK_SIZE];
        let written = async {
            write.write_all(&block).await?;
            write.flush().await
        };
        let (read, written) = tokio::join!(read.read_exact(&mut received), written);
        read.unwrap();
        written.unwrap();
        assert_eq!(received, [9; BLOCK_SIZE]);
    };
    let client = async {
        // The other implementation reads only when it is asked to.
        for number in 0..PINGS {
            client.send(Message::Ping(number.to_string().into())).await.unwrap();
        }
        client.send(Message::binary(vec![9; BLOCK_SIZE])).await.unwrap();
        assert_eq!(client.next().await.unwrap().unwrap(), Message::binary(block.to_vec()));
        assert_eq!(client.next().await.unwrap().unwrap(), Message::Pong((PINGS - 1).to_string().into()));
    };
    tokio::join!(server, client);
}
