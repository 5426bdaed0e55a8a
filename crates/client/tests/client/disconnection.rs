//! How connections end, and what becomes of those who wait.

use smp_client::protocol::command::Command;
use smp_client::protocol::id::{CorrId, EntityId, RecipientId};
use smp_client::protocol::response::Response;
use smp_client::transport::block::Disconnected;
use smp_client::{Client, ClientError, Disconnection, Event, Options, PendingResponse, Request};

use crate::peer::{Peer, Server};

fn ping() -> Request<'static> {
    Request::new(EntityId::EMPTY, Command::Ping, None)
}

async fn in_flight(client: &Client, peer: &mut Peer) -> Vec<PendingResponse> {
    let pending = client.submit_batch(&[ping(), ping(), ping()]).await.unwrap();
    assert_eq!(peer.receive().await.len(), 3);
    pending
}

async fn all_fail(pending: Vec<PendingResponse>, expected: fn(&Disconnection) -> bool) {
    for pending in pending {
        let Err(ClientError::Disconnected(disconnection)) = pending.response().await else { panic!("answered") };
        assert!(expected(&disconnection), "{disconnection}");
    }
}

#[test]
fn handles_go_where_they_are_needed() {
    fn anywhere<T: Send + Sync + 'static>() {}
    fn everywhere<T: Send>(_: T) {}
    anywhere::<Client>();
    anywhere::<PendingResponse>();
    anywhere::<smp_client::Queue>();
    anywhere::<smp_client::QueueSender>();
    anywhere::<smp_client::ProxiedRelay>();
    let _ = |client: Client| {
        everywhere(async move {
            client.ping().await?;
            client.create_queue(smp_client::NewQueueOptions::default()).await?.subscribe().await?;
            client.close().await;
            Ok::<_, ClientError>(())
        });
    };
}

#[tokio::test]
async fn requests_in_flight_fail_when_the_server_closes() {
    let server = Server::start().await;
    let (client, mut peer) = server.session(&Options::default()).await;
    let pending = in_flight(&client, &mut peer).await;
    let queue = EntityId::from(RecipientId::random());
    peer.report(queue.clone(), Response::End).await;
    peer.session.writer.shutdown().await.unwrap();
    all_fail(pending, |end| matches!(end, Disconnection::Server)).await;
    assert!(matches!(client.closed().await, Disconnection::Server));
    assert!(matches!(client.disconnection(), Some(Disconnection::Server)));
    // What came before is handed out, then the end, every time.
    assert_eq!(client.next_event().await.unwrap(), Event::End(queue));
    for _ in 0..2 {
        assert!(matches!(client.next_event().await, Err(Disconnection::Server)));
    }
    assert!(matches!(client.ping().await, Err(ClientError::Disconnected(Disconnection::Server))));
    let raw = client.send_raw_block(vec![0]).await;
    assert!(matches!(raw, Err(ClientError::Disconnected(Disconnection::Server))));
    client.close().await;
}

#[tokio::test]
async fn requests_in_flight_fail_when_the_server_vanishes() {
    let server = Server::start().await;
    let (client, mut peer) = server.session(&Options::default()).await;
    let pending = in_flight(&client, &mut peer).await;
    drop(peer);
    all_fail(pending, |end| matches!(end, Disconnection::Server | Disconnection::Failed(_))).await;
}

#[tokio::test]
async fn an_end_in_the_middle_of_a_block() {
    use tokio::io::AsyncWriteExt;

    let server = Server::start().await;
    let (client, mut peer) = server.session(&Options::default()).await;
    let pending = in_flight(&client, &mut peer).await;
    let mut stream = peer.session.writer.into_inner();
    stream.write_all(&[0; 1000]).await.unwrap();
    stream.shutdown().await.unwrap();
    all_fail(pending, |end| matches!(end, Disconnection::Server)).await;
}

#[tokio::test]
async fn bytes_that_are_not_tls_end_the_connection() {
    use tokio::io::AsyncWriteExt;

    let server = Server::start().await;
    let (client, mut peer) = server.session(&Options::default()).await;
    let pending = in_flight(&client, &mut peer).await;
    let mut stream = peer.session.reader.into_inner().unsplit(peer.session.writer.into_inner());
    stream.get_mut().0.write_all(&[0xff; 100]).await.unwrap();
    all_fail(pending, |end| matches!(end, Disconnection::Failed(_))).await;
}

#[tokio::test]
async fn closing_sends_what_was_submitted() {
    let server = Server::start().await;
    let (client, mut peer) = server.session(&Options::default()).await;
    let requests: Vec<_> = (0..1000).map(|_| ping()).collect();
    let pending = client.submit_batch(&requests).await.unwrap();
    let receive = async {
        let mut received = 0;
        let end = loop {
            match peer.receive_content().await {
                Ok(content) => received += usize::from(content[0]),
                Err(end) => break end,
            }
        };
        peer.session.writer.shutdown().await.unwrap();
        (received, end)
    };
    let ((received, end), ()) = tokio::join!(receive, client.close());
    assert_eq!(received, 1000);
    assert!(matches!(end, Disconnected::Closed));
    all_fail(pending, |end| matches!(end, Disconnection::Local)).await;
    assert!(matches!(client.submit(&ping()).await, Err(ClientError::Disconnected(Disconnection::Local))));
    assert!(matches!(client.next_event().await, Err(Disconnection::Local)));
    client.close().await;
}

#[tokio::test]
async fn the_last_handle_closes() {
    let server = Server::start().await;
    let (client, mut peer) = server.session(&Options::default()).await;
    let other = client.clone();
    let pending = client.submit(&ping()).await.unwrap();
    drop(client);
    let incoming = peer.receive_one().await;
    peer.answer(&incoming, Response::Pong).await;
    assert_eq!(pending.response().await.unwrap(), Response::Pong);
    let pending = other.submit(&ping()).await.unwrap();
    drop(other);
    assert_eq!(peer.receive_one().await.command, Command::Ping);
    assert!(matches!(peer.receive_content().await, Err(Disconnected::Closed)));
    all_fail(vec![pending], |end| matches!(end, Disconnection::Local)).await;
}

#[tokio::test]
async fn a_full_buffer_of_events_does_not_keep_a_dropped_client() {
    let server = Server::start().await;
    let (client, mut peer) = server.session(&Options { event_capacity: 1, ..Options::default() }).await;
    for _ in 0..5 {
        peer.report(RecipientId::random(), Response::End).await;
    }
    assert!(matches!(client.next_event().await, Ok(Event::End(_))));
    drop(client);
    assert!(matches!(peer.receive_content().await, Err(Disconnected::Closed)));
}

#[test]
fn a_runtime_that_stops_ends_its_connections() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (servers, clients) = (runtime(), runtime());
    let server = servers.block_on(Server::start());
    let address = server.address();
    let serving = std::thread::spawn(move || {
        servers.block_on(async { server.accept().await.receive_content().await.map(|_| "a block") })
    });
    let (client, pending) = clients.block_on(async {
        let client = Client::connect(&address, &Options::default()).await.unwrap();
        let pending = client.expect(CorrId::random()).unwrap();
        (client, pending)
    });
    drop(clients);
    let ended = runtime().block_on(pending.response());
    assert!(matches!(ended, Err(ClientError::Disconnected(Disconnection::Local))));
    assert!(matches!(client.disconnection(), Some(Disconnection::Local)));
    assert!(serving.join().unwrap().is_err());
}
