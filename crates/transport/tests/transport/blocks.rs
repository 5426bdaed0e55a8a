//! Streams of blocks.

use std::pin::pin;
use std::task::Poll;

use smp_protocol::block::{BLOCK_SIZE, MAX_PLAIN_CONTENT, MAX_SEALED_CONTENT};
use smp_protocol::key::DhSecret;
use smp_protocol::seal::{BadBlock, BlockChains};
use smp_transport::block::{BlockReader, BlockWriter, CLOSE_LIMIT, Disconnected, WriteError, close, new_block};
use smp_transport::tls::{SERVER_ALPN, TlsClient, TlsServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::time::Instant;

use crate::issue::ed25519;
use crate::loopback::{LIMIT, client_handshake, connected, handshakes, server_handshake, tcp};

fn chains() -> BlockChains {
    BlockChains::new(&DhSecret::from([5; 32]), b"session")
}

#[tokio::test]
async fn contents_of_every_size_arrive() {
    for chain in [None, Some(chains().client_to_server)] {
        let (near, far) = duplex(BLOCK_SIZE);
        let mut writer = BlockWriter::new(near, chain.clone());
        let mut reader = BlockReader::new(far, chain);
        let max = writer.max_content();
        let contents = [0, 1, 255, max - 1, max].map(|length| vec![b'c'; length]);
        let write = async {
            for content in &contents {
                writer.write_content(content, &mut new_block()).await.unwrap();
            }
            let too_long = writer.write_content(&vec![0; max + 1], &mut new_block()).await;
            assert!(matches!(too_long, Err(WriteError::TooLong(_))));
            writer.write_content(b"after", &mut new_block()).await.unwrap();
            writer.flush().await.unwrap();
        };
        let read = async {
            let mut buffer = new_block();
            for content in &contents {
                assert_eq!(reader.read(&mut buffer).await.unwrap(), Ok(&content[..]));
            }
            assert_eq!(reader.read(&mut buffer).await.unwrap(), Ok(&b"after"[..]));
        };
        tokio::join!(write, read);
    }
}

#[tokio::test]
async fn blocks_on_the_wire_are_padded_and_sealed() {
    let (near, mut far) = duplex(4 * BLOCK_SIZE);
    let mut writer = BlockWriter::new(near, None);
    let mut buffer = new_block();
    assert_eq!(writer.content(&mut buffer).len(), MAX_PLAIN_CONTENT);
    writer.content(&mut buffer)[..3].copy_from_slice(b"abc");
    writer.write(&mut buffer, 3).await.unwrap();
    let mut wire = buffer.clone();
    far.read_exact(&mut wire[..]).await.unwrap();
    assert_eq!(&wire[..5], b"\x00\x03abc");
    assert!(wire[5..].iter().all(|&byte| byte == b'#'));

    let (near, mut far) = duplex(4 * BLOCK_SIZE);
    let mut writer = BlockWriter::new(near, Some(chains().server_to_client));
    assert_eq!(writer.content(&mut buffer).len(), MAX_SEALED_CONTENT);
    for content in ["first", "second"] {
        writer.write_content(content.as_bytes(), &mut buffer).await.unwrap();
    }
    let mut chain = chains().server_to_client;
    for content in ["first", "second"] {
        let mut expected = [0; BLOCK_SIZE];
        chain.seal_content(content.as_bytes(), &mut expected).unwrap();
        far.read_exact(&mut wire[..]).await.unwrap();
        assert!(*wire == expected);
    }
}

#[tokio::test]
async fn stream_goes_on_after_bad_blocks() {
    let (mut near, far) = duplex(8 * BLOCK_SIZE);
    let mut reader = BlockReader::new(far, None);
    near.write_all(&[0xff; BLOCK_SIZE]).await.unwrap();
    let mut writer = BlockWriter::new(near, None);
    writer.write_content(b"good", &mut new_block()).await.unwrap();
    let mut incoming = new_block();
    assert_eq!(reader.read(&mut incoming).await.unwrap(), Err(BadBlock));
    assert_eq!(reader.read(&mut incoming).await.unwrap(), Ok(&b"good"[..]));

    // The chain advances past the bad one.
    let (mut near, far) = duplex(8 * BLOCK_SIZE);
    let (mut sender, mut reader) = (chains().client_to_server, BlockReader::new(far, Some(chains().client_to_server)));
    let mut block = [0; BLOCK_SIZE];
    for (content, damage) in [(&b"one"[..], 0), (b"two", 1), (b"three", 0x80), (b"four", 0)] {
        sender.seal_content(content, &mut block).unwrap();
        block[BLOCK_SIZE - 1] ^= damage;
        near.write_all(&block).await.unwrap();
    }
    assert_eq!(reader.read(&mut incoming).await.unwrap(), Ok(&b"one"[..]));
    assert_eq!(reader.read(&mut incoming).await.unwrap(), Err(BadBlock));
    assert_eq!(reader.read(&mut incoming).await.unwrap(), Err(BadBlock));
    assert_eq!(reader.read(&mut incoming).await.unwrap(), Ok(&b"four"[..]));
}

#[tokio::test]
async fn end_inside_a_block_is_the_end() {
    for length in [0, 1, 2, 100, BLOCK_SIZE - 1] {
        let (mut near, far) = duplex(BLOCK_SIZE);
        near.write_all(&vec![0; length]).await.unwrap();
        drop(near);
        let mut reader = BlockReader::new(far, None);
        assert!(matches!(reader.read(&mut new_block()).await.unwrap_err(), Disconnected::Closed));
    }
}

#[tokio::test]
async fn waiting_for_a_block_can_be_given_up() {
    let (near, far) = duplex(BLOCK_SIZE);
    let (mut writer, mut reader) = (BlockWriter::new(near, None), BlockReader::new(far, None));
    for content in [b"one", b"two"] {
        {
            let mut ready = pin!(reader.ready());
            let first_poll =
                std::future::poll_fn(|context| Poll::Ready(ready.as_mut().poll(context).is_pending())).await;
            assert!(first_poll);
        }
        writer.write_content(content, &mut new_block()).await.unwrap();
        reader.ready().await.unwrap();
        reader.ready().await.unwrap();
        assert_eq!(reader.read(&mut new_block()).await.unwrap(), Ok(&content[..]));
    }
}

/// More data than sockets buffer, in both directions at once, each half in its own task of one thread.
#[tokio::test]
async fn halves_work_at_the_same_time() {
    const BLOCKS: usize = 600;
    let tls_server = TlsServer::new(ed25519(2), SERVER_ALPN);
    let (accepted, connected) = connected(&tls_server, &TlsClient::default()).await;
    let sides = handshakes((accepted, server_handshake(20)), (connected, client_handshake(20))).await;
    let (server, client) = (sides.0.unwrap(), sides.1.unwrap());
    let local = tokio::task::LocalSet::new();
    let mut readers = Vec::new();
    for (mut reader, mut writer) in [(server.reader, server.writer), (client.reader, client.writer)] {
        local.spawn_local(async move {
            let mut buffer = new_block();
            for number in 0..BLOCKS {
                let content = number.to_string().repeat(1000);
                writer.write_content(content.as_bytes(), &mut buffer).await.unwrap();
            }
            writer.shutdown().await.unwrap();
        });
        readers.push(local.spawn_local(async move {
            for number in 0..BLOCKS {
                reader.ready().await.unwrap();
                let mut buffer = new_block();
                let content = reader.read(&mut buffer).await.unwrap().unwrap();
                assert_eq!(content, number.to_string().repeat(1000).as_bytes());
            }
            assert!(matches!(reader.ready().await.unwrap_err(), Disconnected::Closed));
        }));
    }
    local.await;
    for reader in readers {
        reader.await.unwrap();
    }
}

#[tokio::test]
async fn last_blocks_before_closing_are_not_lost() {
    const BLOCKS: usize = 100;
    let tls_server = TlsServer::new(ed25519(2), SERVER_ALPN);
    let (accepted, connected) = connected(&tls_server, &TlsClient::default()).await;
    let sides = handshakes((accepted, server_handshake(20)), (connected, client_handshake(20))).await;
    let (mut server, mut client) = (sides.0.unwrap(), sides.1.unwrap());
    let server_side = async {
        // The client's unread blocks would reset the connection if it were simply dropped.
        server.reader.ready().await.unwrap();
        for _ in 0..BLOCKS {
            server.writer.write_content(b"last words", &mut new_block()).await.unwrap();
        }
        close(server.reader, server.writer).await;
    };
    let client_side = async {
        for _ in 0..3 {
            client.writer.write_content(b"never read", &mut new_block()).await.unwrap();
        }
        client.writer.flush().await.unwrap();
        for _ in 0..BLOCKS {
            assert_eq!(client.reader.read(&mut new_block()).await.unwrap(), Ok(&b"last words"[..]));
        }
        assert!(matches!(client.reader.ready().await.unwrap_err(), Disconnected::Closed));
        close(client.reader, client.writer).await;
    };
    tokio::join!(server_side, client_side);
}

/// Paused time stands still until everybody waits.
#[tokio::test(start_paused = true)]
async fn closing_does_not_wait_for_ever() {
    let (silent, stream) = duplex(BLOCK_SIZE);
    let (read, write) = tokio::io::split(stream);
    let start = Instant::now();
    close(BlockReader::new(read, None), BlockWriter::new(write, None)).await;
    assert!(start.elapsed() >= CLOSE_LIMIT);
    drop(silent);
}

/// The TLS records in what went over the wire: type and length of each.
fn records(mut wire: &[u8]) -> Vec<(u8, usize)> {
    let mut records = Vec::new();
    while let Some((&[kind, _, _, high, low], rest)) = wire.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes([high, low]));
        records.push((kind, length));
        wire = &rest[length..];
    }
    records
}

#[tokio::test]
async fn every_block_is_one_record() {
    const BLOCKS: usize = 20;
    let tls_server = TlsServer::new(ed25519(2), SERVER_ALPN);
    let identity = tls_server.credential().chain().identity();
    let ((client_socket, mut near), (mut far, server_socket)) = tokio::join!(tcp(), tcp());
    let (mut near_read, mut near_write) = near.split();
    let (mut far_read, mut far_write) = far.split();
    let mut wire = Vec::new();
    let record = async {
        let mut piece = [0; 4096];
        while let Ok(length @ 1..) = far_read.read(&mut piece).await {
            wire.extend_from_slice(&piece[..length]);
            near_write.write_all(&piece[..length]).await.unwrap();
        }
        near_write.shutdown().await.unwrap();
    };
    let tls_client = TlsClient::default();
    let sessions = async {
        let (accepted, connected) =
            tokio::join!(tls_server.accept(server_socket, LIMIT), tls_client.connect(client_socket, &identity, LIMIT));
        let server = (accepted.unwrap(), server_handshake(20));
        let (server, client) = handshakes(server, (connected.unwrap(), client_handshake(20))).await;
        let (mut server, mut client) = (server.unwrap(), client.unwrap());
        let write = async {
            for _ in 0..BLOCKS {
                server.writer.write_content(b"content", &mut new_block()).await.unwrap();
            }
            server.writer.shutdown().await.unwrap();
        };
        let read = async {
            while client.reader.ready().await.is_ok() {
                client.reader.read(&mut new_block()).await.unwrap().unwrap();
            }
            client.writer.shutdown().await.unwrap();
        };
        tokio::join!(write, read);
    };
    let (_, (), ()) = tokio::join!(tokio::io::copy(&mut near_read, &mut far_write), record, sessions);
    // The server hello is a block as well. A record of TLS 1.3 adds its type and a tag.
    let blocks = records(&wire).into_iter().filter(|record| *record == (0x17, BLOCK_SIZE + 17));
    assert_eq!(blocks.count(), 1 + BLOCKS);
}
