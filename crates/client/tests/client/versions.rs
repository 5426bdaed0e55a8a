//! What is agreed on, and what commands look like in each version.

use smp_client::protocol::authorization::AuthPrivateKey;
use smp_client::protocol::command::{Command, RecipientCommand};
use smp_client::protocol::error::TransportError;
use smp_client::protocol::id::{EntityId, RecipientId};
use smp_client::protocol::key::{DhPrivateKey, SigningKey};
use smp_client::protocol::response::Response;
use smp_client::protocol::version::{Version, VersionRange};
use smp_client::transport::connect::ConnectError;
use smp_client::transport::handshake::HandshakeFailure;
use smp_client::transport::tls::{Group, TlsClient};
use smp_client::{ClientError, Options};

use crate::peer::Server;

fn keys() -> [AuthPrivateKey; 3] {
    [
        AuthPrivateKey::Signing(SigningKey::generate_ed25519()),
        AuthPrivateKey::Signing(SigningKey::generate_ed448()),
        AuthPrivateKey::Dh(DhPrivateKey::generate()),
    ]
}

const SUB: Command = Command::Recipient(RecipientCommand::Subscribe);

#[tokio::test]
async fn commands_of_every_version_are_authorized_by_every_kind_of_key() {
    let server = Server::start().await;
    for version in 6..=20 {
        let (client, mut peer) = server.session(&Options::with_version(Version(version))).await;
        assert_eq!((client.version(), peer.session.version), (Version(version), Version(version)));
        assert_eq!(client.session_id(), &peer.session.session_id);
        assert_eq!(client.server_key(), Some(&peer.session.session_key.public()));
        assert_eq!(client.max_content(), if version >= 11 { 16366 } else { 16382 });
        for key in keys() {
            let recipient = RecipientId::random();
            let serve = peer.serve(|_| Response::Subscribed(None));
            let (response, incoming) = tokio::join!(client.send(recipient, SUB, Some(&key)), serve);
            let expected = if version >= 16 { Response::Subscribed(None) } else { Response::Ok };
            assert_eq!(response.unwrap(), expected);
            assert_eq!((incoming.command.clone(), &incoming.entity), (SUB, &recipient.into()));
            assert!(peer.verify(&incoming, &key.public(), None));
        }
    }
}

#[tokio::test]
async fn the_highest_common_version_is_used() {
    for (server_max, client_max) in [(20, 9), (9, 20), (14, 14)] {
        let server = Server::up_to(server_max).await;
        let versions = VersionRange::new(Version::MIN, Version(client_max)).unwrap();
        let (client, _peer) = server.session(&Options { versions, ..Options::default() }).await;
        assert_eq!(client.version(), Version(server_max.min(client_max)));
    }
}

#[tokio::test]
async fn a_version_that_the_server_lacks_is_refused() {
    let server = Server::up_to(9).await;
    let refusal = server.refusal(&Options::with_version(Version(10))).await;
    let ClientError::Connect(ConnectError::Handshake(HandshakeFailure::Refused(error))) = refusal else {
        panic!("{refusal}");
    };
    assert_eq!(error, TransportError::Version);
}

#[tokio::test]
async fn without_application_protocol_there_is_no_session_key() {
    let server = Server::start().await;
    let options = Options { tls: TlsClient::default().alpn(&[]), ..Options::default() };
    let (client, mut peer) = server.session(&options).await;
    assert_eq!((client.version(), client.server_key()), (Version(6), None));
    let [signing, _, authenticating] = keys();
    let recipient = RecipientId::random();
    let refused = client.send(recipient, SUB, Some(&authenticating)).await;
    assert!(matches!(refused, Err(ClientError::NoServerKey)));
    let (response, incoming) = tokio::join!(client.send(recipient, SUB, Some(&signing)), peer.serve(|_| Response::Ok));
    assert_eq!(response.unwrap(), Response::Ok);
    assert!(peer.verify(&incoming, &signing.public(), None));
}

#[tokio::test]
async fn clients_without_key_proxies_and_other_tls_parameters() {
    let server = Server::start().await;
    let ping = |options: Options| {
        let server = &server;
        async move {
            let (client, mut peer) = server.session(&options).await;
            let (response, _) = tokio::join!(
                client.send(EntityId::EMPTY, Command::Ping, None),
                peer.serve(|incoming| {
                    assert_eq!(incoming.command, Command::Ping);
                    Response::Pong
                })
            );
            assert_eq!(response.unwrap(), Response::Pong);
            (peer.session.peer_key.is_some(), peer.session.is_proxy, client.max_content())
        }
    };
    assert_eq!(ping(Options { send_key: false, ..Options::default() }).await, (false, false, 16382));
    assert_eq!(ping(Options::proxy()).await, (true, true, 16382));
    for tls in [
        TlsClient::default().alpn(&[b"h2", b"smp/1"]),
        TlsClient::default().groups(&[Group::X25519]),
        TlsClient::default().tls12_only(),
    ] {
        assert_eq!(ping(Options { tls, ..Options::default() }).await, (true, false, 16366));
    }
}

#[tokio::test]
async fn hosts_are_tried_in_turn() {
    use smp_client::Client;
    use smp_client::protocol::address::Host;

    let (server, options) = (Server::start().await, Options::default());
    let onion = Host::Onion("abc.onion".into());
    let mut address = server.address();
    // Nobody listens on the port of the server at another loopback address.
    address.hosts = vec![onion.clone(), Host::V4([127, 0, 0, 2].into()), address.hosts.remove(0)];
    let (client, _peer) = tokio::join!(Client::connect(&address, &options), server.accept());
    client.unwrap();
    address.hosts = vec![onion];
    let refused = Client::connect(&address, &options).await;
    assert!(matches!(refused, Err(ClientError::OnlyOnionHosts)));
}

#[tokio::test]
async fn another_identity_is_refused() {
    let (server, other) = (Server::start().await, Server::start().await);
    let mut address = server.address();
    address.key_hash = other.address().key_hash;
    let options = Options::default();
    let (client, _) = tokio::join!(smp_client::Client::connect(&address, &options), server.failed_tls());
    let Err(ClientError::Connect(ConnectError::Tls(error))) = client else { panic!("{client:?}") };
    assert!(error.is_certificate_error());
}
