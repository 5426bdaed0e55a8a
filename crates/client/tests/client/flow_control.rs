//! Slow consumers, on either side.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use smp_client::protocol::command::{Command, SendMessage, SenderCommand};
use smp_client::protocol::id::{EntityId, MessageId, RecipientId, SenderId};
use smp_client::protocol::response::{EncryptedMessage, Response};
use smp_client::{ClientError, Event, Options, Request};
use tokio::time::{pause, sleep};

use crate::peer::Server;

/// Time stands still while anybody has something to do, and nobody here waits for anything outside of this process: so this
/// returns when nothing moves any more.
async fn until_nothing_moves() {
    pause();
    sleep(Duration::from_millis(1)).await;
}

const MESSAGES: usize = 300;

#[tokio::test]
async fn a_slow_consumer_of_events_slows_the_server_down() {
    let server = Server::start().await;
    let (client, mut peer) = server.session_in_memory(&Options { event_capacity: 4, ..Options::default() }).await;
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let sending = tokio::spawn(async move {
        for n in 0..MESSAGES {
            let body = vec![u8::try_from(n % 256).unwrap(); 16122].into();
            let message = EncryptedMessage { id: MessageId::random(), body };
            peer.report(RecipientId::random(), Response::Message(message)).await;
            counter.store(n + 1, Ordering::Relaxed);
        }
        peer
    });
    until_nothing_moves().await;
    // The buffer of events, one event in hand, and what pipe and TLS hold: 4 blocks on each end.
    let stopped_at = sent.load(Ordering::Relaxed);
    assert!((5..32).contains(&stopped_at), "{stopped_at} messages were sent");

    for n in 0..MESSAGES {
        let Event::Message(_, message) = client.next_event().await.unwrap() else { panic!("another event") };
        assert_eq!(usize::from(message.body[0]), n % 256);
    }
    let mut peer = sending.await.unwrap();
    let (pong, _) = tokio::join!(client.ping(), peer.serve(|_| Response::Pong));
    pong.unwrap();
}

#[tokio::test]
async fn answers_behind_events_that_nobody_takes_time_out() {
    let server = Server::start().await;
    let options = Options { event_capacity: 1, request_timeout: Duration::from_secs(5), ..Options::default() };
    let (client, mut peer) = server.session_in_memory(&options).await;
    let queue = EntityId::from(RecipientId::random());
    for _ in 0..3 {
        peer.report(queue.clone(), Response::End).await;
    }
    pause();
    let (late, _) = tokio::join!(client.ping(), peer.serve(|_| Response::Pong));
    assert!(matches!(late, Err(ClientError::Timeout)));
    for _ in 0..3 {
        assert_eq!(client.next_event().await.unwrap(), Event::End(queue.clone()));
    }
    let (pong, _) = tokio::join!(client.ping(), peer.serve(|_| Response::Pong));
    pong.unwrap();
}

#[tokio::test]
async fn a_server_that_does_not_read_slows_the_senders_down() {
    let server = Server::start().await;
    let (client, mut peer) = server.session_in_memory(&Options::default()).await;
    let submitted = Arc::new(AtomicUsize::new(0));
    let (counter, handle) = (Arc::clone(&submitted), client.clone());
    let submitting = tokio::spawn(async move {
        let message = SendMessage { notify: false, body: vec![0; 16_000].into() };
        let request = Request::new(SenderId::random(), Command::Sender(SenderCommand::Send(message)), None);
        for n in 0..MESSAGES {
            drop(handle.submit(&request).await.unwrap());
            counter.store(n + 1, Ordering::Relaxed);
        }
    });
    until_nothing_moves().await;
    let stopped_at = submitted.load(Ordering::Relaxed);
    assert!((64..100).contains(&stopped_at), "{stopped_at} commands were submitted");
    for _ in 0..MESSAGES {
        peer.receive_one().await;
    }
    submitting.await.unwrap();
}

/// A line full of commands for a server that does not read.
#[tokio::test]
async fn commands_that_cannot_be_sent_time_out_and_closing_gives_up() {
    let server = Server::start().await;
    let (client, peer) = server.session_in_memory(&Options::default()).await;
    pause();
    let message = SendMessage { notify: false, body: vec![0; 16_000].into() };
    let request = Request::new(SenderId::random(), Command::Sender(SenderCommand::Send(message)), None);
    let mut pending = Vec::new();
    let error = loop {
        match client.submit(&request).await {
            Ok(submitted) => pending.push(submitted),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, ClientError::Timeout));
    client.close().await;
    for pending in pending {
        let ended = pending.response().await;
        assert!(matches!(ended, Err(ClientError::Disconnected(_) | ClientError::Timeout)));
    }
    drop(peer);
}
