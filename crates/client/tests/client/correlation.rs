//! Which answer belongs to which request.

use std::sync::Arc;

use smp_client::protocol::authorization::AuthPrivateKey;
use smp_client::protocol::command::{Command, RecipientCommand};
use smp_client::protocol::error::{CommandError, ErrorType};
use smp_client::protocol::id::{CorrId, EntityId, RecipientId};
use smp_client::protocol::key::SigningKey;
use smp_client::protocol::response::Response;
use smp_client::{ClientError, Event, Options, Request};
use tokio::task::JoinSet;

use crate::peer::Server;

fn ping() -> Request<'static> {
    Request::new(EntityId::EMPTY, Command::Ping, None)
}

fn corr_id(bytes: &[u8]) -> CorrId {
    bytes.try_into().unwrap()
}

#[tokio::test]
async fn answers_may_come_in_any_order() {
    let server = Server::start().await;
    let (client, mut peer) = server.session(&Options::default()).await;
    let key = AuthPrivateKey::Signing(SigningKey::generate_ed25519());
    let mut pending = Vec::new();
    for command in [RecipientCommand::Suspend, RecipientCommand::Subscribe, RecipientCommand::Delete] {
        let request = Request::new(RecipientId::random(), Command::Recipient(command), Some(&key));
        pending.push(client.submit(&request).await.unwrap());
    }
    let mut incoming = Vec::new();
    while incoming.len() < pending.len() {
        incoming.extend(peer.receive().await);
    }
    let responses = [Response::Ok, Response::Subscribed(None), Response::Error(ErrorType::Auth)];
    for (incoming, response) in incoming.iter().zip(&responses).rev() {
        peer.answer(incoming, response.clone()).await;
    }
    for (pending, response) in pending.into_iter().zip(responses) {
        assert_eq!(pending.reply().await.unwrap().response, response);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tasks_share_a_connection() {
    let server = Server::start().await;
    let (client, mut peer) = server.session(&Options::default()).await;
    let key = Arc::new(AuthPrivateKey::Signing(SigningKey::generate_ed25519()));
    let mut tasks = JoinSet::new();
    for n in 0..200_u8 {
        let (client, key) = (client.clone(), Arc::clone(&key));
        tasks.spawn(async move {
            let entity = EntityId::try_from(&[n][..]).unwrap();
            (n, client.send(entity, Command::Recipient(RecipientCommand::Get), Some(&key)).await)
        });
    }
    let mut answered = 0;
    while answered < 200 {
        for incoming in peer.receive().await.into_iter().rev() {
            let n = incoming.entity.as_ref()[0];
            let text = Response::Error(ErrorType::Store(n.to_string()));
            peer.answer(&incoming, text).await;
            answered += 1;
        }
    }
    while let Some(outcome) = tasks.join_next().await {
        let (n, response) = outcome.unwrap();
        assert_eq!(response.unwrap_err().answered(), Some(&ErrorType::Store(n.to_string())));
    }
}

#[tokio::test]
async fn errors_and_unreadable_answers() {
    let server = Server::start().await;
    let (client, mut peer) = server.session(&Options::default()).await;
    let (error, _) = tokio::join!(
        client.send(EntityId::EMPTY, Command::Ping, None),
        peer.serve(|_| Response::Error(CommandError::HasAuth.into()))
    );
    assert_eq!(error.unwrap_err().answered(), Some(&ErrorType::Command(CommandError::HasAuth)));

    for body in [&b"WHAT"[..], b"", b"PONG "] {
        let unreadable = async {
            let incoming = peer.receive_one().await;
            let mut transmission = Vec::new();
            peer.wire()
                .write(&incoming.corr_id, &EntityId::EMPTY, &mut transmission, |out| out.extend_from_slice(body));
            peer.send(&[transmission]).await;
        };
        let (error, ()) = tokio::join!(client.send(EntityId::EMPTY, Command::Ping, None), unreadable);
        assert!(matches!(error, Err(ClientError::Malformed(_))));
    }
    let (error, _) = tokio::join!(client.ping(), peer.serve(|_| Response::Ok));
    assert!(matches!(error, Err(ClientError::Unexpected(tag)) if tag == "OK"));
}

#[tokio::test]
async fn an_answer_about_another_queue_is_none() {
    let server = Server::start().await;
    let (client, mut peer) = server.session(&Options::default()).await;
    let key = AuthPrivateKey::Signing(SigningKey::generate_ed25519());
    let get = || client.send(RecipientId::random(), Command::Recipient(RecipientCommand::Get), Some(&key));
    for (other, expected) in [(EntityId::from(RecipientId::random()), false), (EntityId::EMPTY, true)] {
        let answer = async {
            let incoming = peer.receive_one().await;
            let transmission = peer.encode(&incoming.corr_id, &other, &Response::Ok);
            peer.send(&[transmission]).await;
        };
        let (response, ()) = tokio::join!(get(), answer);
        assert_eq!(response.is_ok(), expected);
    }
}

#[tokio::test]
async fn correlation_ids_of_the_caller() {
    let server = Server::start().await;
    let (client, mut peer) = server.session(&Options::default()).await;
    for bytes in [&b"1"[..], &[7; 24], &[9; 255]] {
        let request = ping().with_corr_id(corr_id(bytes));
        let pending = client.submit(&request).await.unwrap();
        assert_eq!(pending.corr_id().as_ref(), bytes);
        assert!(matches!(client.submit(&request).await, Err(ClientError::CorrelationId)));
        let incoming = peer.serve(|_| Response::Pong).await;
        assert_eq!(incoming.corr_id.as_ref(), bytes);
        assert_eq!(pending.response().await.unwrap(), Response::Pong);
    }
    let without = client.submit(&ping().with_corr_id(CorrId::EMPTY)).await;
    assert!(matches!(without, Err(ClientError::CorrelationId)));
}

#[tokio::test]
async fn answers_that_nobody_waits_for_do_no_harm() {
    let server = Server::start().await;
    let (client, mut peer) = server.session(&Options::default()).await;
    drop(client.submit(&ping()).await.unwrap());
    let given_up = peer.receive_one().await;
    let unknown = peer.encode(&CorrId::random(), &EntityId::EMPTY, &Response::Ok);
    let late = peer.encode(&given_up.corr_id, &EntityId::EMPTY, &Response::Pong);
    peer.send(&[unknown, late.clone(), late]).await;
    let (pong, _) = tokio::join!(client.ping(), peer.serve(|_| Response::Pong));
    pong.unwrap();
}

#[tokio::test]
async fn raw_transmissions_and_blocks() {
    let server = Server::start().await;
    let (client, mut peer) = server.session(&Options::default()).await;
    let (id, mut bytes) = client.encode(&ping()).unwrap();
    bytes.extend_from_slice(b"UIN");
    let expected = client.expect(id).unwrap();
    client.send_raw(vec![bytes.clone(), bytes.clone()]).await.unwrap();
    let content = peer.receive_content().await.unwrap();
    let length = u8::try_from(bytes.len()).unwrap();
    assert_eq!(content, [&[2, 0, length][..], &bytes, &[0, length], &bytes].concat());

    client.send_raw_block(b"not a batch".to_vec()).await.unwrap();
    assert_eq!(peer.receive_content().await.unwrap(), b"not a batch");
    let longest = vec![1; client.max_content()];
    client.send_raw_block(longest.clone()).await.unwrap();
    assert_eq!(peer.receive_content().await.unwrap(), longest);
    let too_long = client.send_raw_block(vec![1; client.max_content() + 1]).await;
    assert!(matches!(too_long, Err(ClientError::TooLong { length: 16367, limit: 16366 })));
    let too_long = client.send_raw(vec![vec![], vec![0; 16364]]).await;
    assert!(matches!(too_long, Err(ClientError::TooLong { length: 16364, limit: 16363 })));

    // The answer with the correlation ID comes to who expects it, those without are events.
    let entity = EntityId::try_from(&b"entity"[..]).unwrap();
    let unknown = Response::Error(CommandError::Unknown.into());
    let answer = peer.encode(expected.corr_id(), &entity, &unknown);
    let block = peer.encode(&CorrId::EMPTY, &EntityId::EMPTY, &Response::Error(ErrorType::Block));
    let pong = peer.encode(&CorrId::EMPTY, &EntityId::EMPTY, &Response::Pong);
    peer.send(&[block, pong, answer]).await;
    let reply = expected.reply().await.unwrap();
    assert_eq!((reply.entity, reply.response), (entity, unknown));
    assert_eq!(client.next_event().await.unwrap(), Event::Error(EntityId::EMPTY, ErrorType::Block));
    assert_eq!(client.next_event().await.unwrap(), Event::Other(EntityId::EMPTY, Box::new(Response::Pong)));
}
