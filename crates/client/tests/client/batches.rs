//! How commands are packed into blocks.

use smp_client::protocol::authorization::AuthPrivateKey;
use smp_client::protocol::command::{Command, RecipientCommand, SendMessage, SenderCommand};
use smp_client::protocol::error::ErrorType;
use smp_client::protocol::id::{EntityId, RecipientId, SenderId};
use smp_client::protocol::key::SigningKey;
use smp_client::protocol::response::Response;
use smp_client::protocol::version::Version;
use smp_client::{ClientError, Options, Request};

use crate::peer::{Incoming, Peer, Server};

fn key() -> AuthPrivateKey {
    AuthPrivateKey::Signing(SigningKey::generate_ed25519())
}

fn subscribe(key: &AuthPrivateKey) -> Request<'_> {
    Request::new(RecipientId::random(), Command::Recipient(RecipientCommand::Subscribe), Some(key))
}

/// A SEND with a body of this length.
fn send(body: usize) -> Request<'static> {
    let message = SendMessage { notify: false, body: vec![0; body].into() };
    Request::new(SenderId::random(), Command::Sender(SenderCommand::Send(message)), None)
}

fn ping() -> Request<'static> {
    Request::new(EntityId::EMPTY, Command::Ping, None)
}

/// Receives `count` commands and returns them by block.
async fn receive(peer: &mut Peer, count: usize) -> Vec<Vec<Incoming>> {
    let mut blocks: Vec<Vec<Incoming>> = Vec::new();
    while blocks.iter().map(Vec::len).sum::<usize>() < count {
        blocks.push(peer.receive().await);
    }
    blocks
}

#[tokio::test]
async fn a_batch_takes_as_few_blocks_as_possible() {
    let server = Server::start().await;
    // 135 signed subscriptions fit a block, 106 with the session ID of version 6 (wire.md §13).
    for (version, sizes) in [(20, [135, 135, 30]), (6, [106, 106, 88])] {
        let (client, mut peer) = server.session(&Options::with_version(Version(version))).await;
        let key = key();
        let requests: Vec<_> = (0..300).map(|_| subscribe(&key)).collect();
        let answer = async {
            let blocks = receive(&mut peer, 300).await;
            assert_eq!(blocks.iter().map(Vec::len).collect::<Vec<_>>(), sizes);
            // The responses come in other blocks, in another order.
            for block in blocks.iter().rev() {
                let answers: Vec<_> = block
                    .iter()
                    .rev()
                    .map(|incoming| {
                        let text = incoming.entity.as_ref()[0].to_string();
                        let response = Response::Error(ErrorType::Store(text));
                        peer.encode(&incoming.corr_id, &incoming.entity, &response)
                    })
                    .collect();
                for part in answers.chunks(50) {
                    peer.send(part).await;
                }
            }
            blocks.into_iter().flatten().map(|incoming| incoming.entity).collect::<Vec<_>>()
        };
        let (responses, entities) = tokio::join!(client.send_batch(&requests), answer);
        let responses = responses.unwrap();
        assert_eq!(responses.len(), 300);
        for (response, entity) in responses.iter().zip(&entities) {
            let expected = ErrorType::Store(entity.as_ref()[0].to_string());
            assert_eq!(response.as_ref().unwrap_err().answered(), Some(&expected));
        }
    }
}

#[tokio::test]
async fn at_most_255_commands_share_a_block() {
    let server = Server::start().await;
    let (client, mut peer) = server.session(&Options::default()).await;
    let requests: Vec<_> = (0..256).map(|_| ping()).collect();
    let _pending = client.submit_batch(&requests).await.unwrap();
    let sizes: Vec<_> = receive(&mut peer, 256).await.iter().map(Vec::len).collect();
    assert_eq!(sizes, [255, 1]);
}

#[tokio::test]
async fn what_is_submitted_together_shares_blocks_in_order() {
    let server = Server::start().await;
    let (client, mut peer) = server.session(&Options::default()).await;
    // The connection's task runs only when this one waits, so that all of this is there when it begins to write.
    let first = client.submit_batch(&[ping(), send(100)]).await.unwrap();
    let second = client.submit(&ping()).await.unwrap();
    // Does not fit behind the others, but fits a block: it is not torn apart.
    let third = client.submit_batch(&[send(100), send(16_000)]).await.unwrap();
    let fourth = client.submit(&ping()).await.unwrap();
    let expected: Vec<_> = first.iter().chain([&second]).map(|pending| pending.corr_id().clone()).collect();
    let followed: Vec<_> = third.iter().chain([&fourth]).map(|pending| pending.corr_id().clone()).collect();
    let blocks = receive(&mut peer, 6).await;
    let ids: Vec<Vec<_>> =
        blocks.iter().map(|block| block.iter().map(|incoming| incoming.corr_id.clone()).collect()).collect();
    assert_eq!(ids, [expected, followed]);
}

#[tokio::test]
async fn a_raw_block_keeps_its_place() {
    let server = Server::start().await;
    let (client, mut peer) = server.session(&Options::default()).await;
    let _before = client.submit(&ping()).await.unwrap();
    client.send_raw_block(b"\x00".to_vec()).await.unwrap();
    let _behind = client.submit(&ping()).await.unwrap();
    assert_eq!(peer.receive_one().await.command, Command::Ping);
    assert_eq!(peer.receive_content().await.unwrap(), b"\x00");
    assert_eq!(peer.receive_one().await.command, Command::Ping);
}

#[tokio::test]
async fn the_longest_command() {
    let server = Server::start().await;
    for (options, limit) in [(Options::default(), 16363), (Options::proxy(), 16379)] {
        let (client, mut peer) = server.session(&options).await;
        let overhead = client.encode(&send(0)).unwrap().1.len();
        let pending = client.submit(&send(limit - overhead)).await.unwrap();
        assert_eq!(peer.receive_one().await.bytes.len(), limit);
        drop(pending);
        let too_long = client.send_batch(&[ping(), send(limit + 1 - overhead)]).await;
        let Err(ClientError::TooLong { length, limit: most }) = too_long else { panic!("it was sent") };
        assert_eq!((length, most), (limit + 1, limit));
        // Nothing of that batch was sent.
        let (pong, incoming) = tokio::join!(client.ping(), peer.serve(|_| Response::Pong));
        pong.unwrap();
        assert_eq!(incoming.command, Command::Ping);
    }
}

#[tokio::test]
async fn an_empty_batch_sends_nothing() {
    let server = Server::start().await;
    let (client, mut peer) = server.session(&Options::default()).await;
    assert!(client.send_batch(&[]).await.unwrap().is_empty());
    let (pong, _) = tokio::join!(client.ping(), peer.serve(|_| Response::Pong));
    pong.unwrap();
}
