//! SMP over WebSockets, on ports of its own.

use std::time::Duration;

use smp_client::protocol::address::ServerAddress;
use smp_client::protocol::version::VersionRange;
use smp_client::transport::connect::Connector;
use smp_client::transport::handshake::ClientHandshake;
use smp_client::transport::tls::TlsClient;
use smp_client::{Client, Options};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::harness::ini::Setting;
use crate::harness::party::Recipient;
use crate::harness::server::Server;
use crate::harness::service::{Service, service_id};
use crate::harness::{GIVE_UP, at_every_version};

/// A server with a port for WebSockets, and its address there.
async fn with_websockets() -> (Server, ServerAddress) {
    with_websockets_and(&[]).await
}

async fn with_websockets_and(settings: &[Setting<'_>]) -> (Server, ServerAddress) {
    let websockets = [("TRANSPORT", "websockets", "0")];
    let server = Server::start_with(&[&websockets, settings].concat()).await;
    server.logs(0, "Server started").await;
    let bound = server.output().into_iter().filter(|line| line.contains("binding to "));
    let ports: Vec<u16> = bound.map(|line| line.rsplit(':').next().unwrap().parse().unwrap()).collect();
    let &[first, second] = &ports[..] else { panic!("two ports: {ports:?}") };
    assert_eq!(first, server.port());
    let address = ServerAddress { port: Some(second), ..server.address().clone() };
    (server, address)
}

#[tokio::test]
async fn everything_is_the_same_behind_a_websocket() {
    let (server, address) = with_websockets().await;
    at_every_version(async |version| {
        let options = Options { websocket: true, ..Options::with_version(version) };
        let client = Client::connect(&address, &options).await.unwrap();
        assert_eq!(client.version(), version);
        let (queue, sender) = Recipient::secured(&client, &server.connect_at(version).await).await;
        let longest = vec![7; if version.0 < 8 { 16_088 } else { 16_048 }];
        for body in [&b"hello"[..], &longest] {
            sender.sends(body).await;
            queue.takes(body).await;
        }
        let sender = sender.on(&client);
        sender.sends(b"back").await;
        queue.takes(b"back").await;
    })
    .await;
    let options =
        Options { websocket: true, ..Service::messaging().options(smp_client::protocol::version::Version::MAX) };
    let service = Client::connect(&address, &options).await.unwrap();
    let queue = Recipient::new(&service).await;
    assert_eq!(queue.queue.credentials().service_id, Some(service_id(&service)));
}

/// The frame of a block has begun, and one byte of it has come.
#[tokio::test]
async fn a_block_that_is_not_finished() {
    let (server, address) = with_websockets_and(&[("LIMITS", "block_timeout", "1")]).await;
    let handshake =
        ClientHandshake { versions: VersionRange::ALL, send_key: true, is_proxy: false, service: None, limit: GIVE_UP };
    let connector = Connector { tls: TlsClient::default(), handshake, keep_alive: None, limit: GIVE_UP };
    let port = address.port.unwrap();
    let mut session = connector.connect_websocket("127.0.0.1", port, &server.identity().0).await.unwrap();
    let mut stream = session.writer.into_inner();
    stream.write_all(&[0]).await.unwrap();
    stream.flush().await.unwrap();
    let ready = timeout(GIVE_UP, session.reader.ready()).await.expect("the server closes the connection");
    assert!(ready.is_err());
}

#[tokio::test]
async fn each_port_speaks_one_transport() {
    let (server, websockets) = with_websockets().await;
    let options = |websocket| Options { websocket, connect_timeout: Duration::from_secs(2), ..Options::default() };
    // There each side waits for the other to begin, or gets what it does not understand.
    assert!(Client::connect(&websockets, &options(false)).await.is_err());
    assert!(Client::connect(server.address(), &options(true)).await.is_err());
    Client::connect(&websockets, &options(true)).await.unwrap().ping().await.unwrap();
    server.connect().await.ping().await.unwrap();
}
