//! Answers that do not come in time. Time stands still while anybody has something to do, so nobody really waits.

use std::time::Duration;

use smp_client::protocol::command::Command;
use smp_client::protocol::id::EntityId;
use smp_client::protocol::response::Response;
use smp_client::transport::connect::ConnectError;
use smp_client::{Client, ClientError, Options, Request};
use tokio::time::{Instant, advance, pause};

use crate::peer::Server;

fn ping() -> Request<'static> {
    Request::new(EntityId::EMPTY, Command::Ping, None)
}

#[tokio::test]
async fn a_request_times_out_and_its_late_answer_does_no_harm() {
    let server = Server::start().await;
    let (client, mut peer) = server.session_in_memory(&Options::default()).await;
    pause();
    let began = Instant::now();
    assert!(matches!(client.ping().await, Err(ClientError::Timeout)));
    assert_eq!(began.elapsed().as_secs(), 30);
    let hasty = client.with_request_timeout(Duration::from_secs(2));
    let began = Instant::now();
    assert!(matches!(hasty.ping().await, Err(ClientError::Timeout)));
    assert_eq!(began.elapsed().as_secs(), 2);
    let patient = client.with_request_timeout(Duration::MAX).submit(&ping()).await.unwrap();
    for _ in 0..2 {
        peer.serve(|_| Response::Pong).await;
    }
    peer.receive_one().await;
    let (pong, _) = tokio::join!(client.ping(), peer.serve(|_| Response::Pong));
    pong.unwrap();
    let incoming = patient.corr_id().clone();
    let pong = peer.encode(&incoming, &EntityId::EMPTY, &Response::Pong);
    peer.send(&[pong]).await;
    assert_eq!(patient.response().await.unwrap(), Response::Pong);
}

#[tokio::test]
async fn an_answer_that_is_there_is_not_too_late() {
    let server = Server::start().await;
    let (client, mut peer) = server.session_in_memory(&Options::default()).await;
    let pending = client.submit(&ping()).await.unwrap();
    peer.serve(|_| Response::Pong).await;
    let (pong, _) = tokio::join!(client.ping(), peer.serve(|_| Response::Pong));
    pong.unwrap();
    pause();
    advance(Duration::from_hours(1)).await;
    assert_eq!(pending.response().await.unwrap(), Response::Pong);
}

#[tokio::test]
async fn a_batch_has_time_while_answers_come() {
    let server = Server::start().await;
    let (client, mut peer) = server.session_in_memory(&Options::default()).await;
    pause();
    let began = Instant::now();
    let requests: Vec<_> = (0..5).map(|_| ping()).collect();
    let answer = async {
        let incoming = peer.receive().await;
        // The third is never answered, the fourth while it is waited for.
        for n in [0, 1, 3] {
            tokio::time::sleep(Duration::from_secs(20)).await;
            peer.answer(&incoming[n], Response::Pong).await;
        }
        peer
    };
    let (responses, _peer) = tokio::join!(client.send_batch(&requests), answer);
    let outcomes: Vec<_> = responses
        .unwrap()
        .into_iter()
        .map(|response| match response {
            Ok(response) => response == Response::Pong,
            Err(ClientError::Timeout) => false,
            Err(other) => panic!("{other}"),
        })
        .collect();
    assert_eq!(outcomes, [true, true, false, true, false]);
    assert_eq!(began.elapsed().as_secs(), 100);
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    let server = Server::start().await;
    let address = server.address();
    let options = Options { connect_timeout: Duration::from_secs(3), ..Options::default() };
    pause();
    let (client, _silent) = tokio::join!(Client::connect(&address, &options), server.accept_tcp());
    assert!(matches!(client, Err(ClientError::Connect(ConnectError::Timeout | ConnectError::Tls(_)))));
    let (near, _far) = tokio::io::duplex(65536);
    let began = Instant::now();
    Client::over(near, &address, &options).await.unwrap_err();
    assert_eq!(began.elapsed().as_secs(), 3);
}

#[tokio::test]
async fn the_last_sign_of_life_is_known() {
    let server = Server::start().await;
    let (client, mut peer) = server.session_in_memory(&Options::proxy()).await;
    pause();
    let began = client.last_received();
    advance(Duration::from_mins(15)).await;
    assert_eq!(client.last_received(), began);
    let (pong, _) = tokio::join!(client.ping(), peer.serve(|_| Response::Pong));
    pong.unwrap();
    assert!(client.last_received().duration_since(began).as_secs() >= 900);
}
