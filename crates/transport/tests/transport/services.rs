//! Service handshakes with their third message (wire.md §3.4, §3.5).

use smp_protocol::error::{HandshakeError, TransportError};
use smp_protocol::handshake::ServiceRole;
use smp_protocol::id::ServiceId;
use smp_protocol::key::SigningKey;
use smp_transport::handshake::{ClientSession, HandshakeFailure, ServerSession, ServiceRequest};
use smp_transport::tls::{Credential, SERVER_ALPN, TlsClient, TlsServer};

use crate::issue::{ed448, ed25519, issue, parties};
use crate::loopback::{client_handshake, connected, server_handshake};

type Sides = (Result<ServerSession, HandshakeFailure>, Result<ClientSession, HandshakeFailure>);

/// A client with the TLS certificate `proved` claims in its hello to have `claimed`.
async fn service(
    version: u16,
    proved: Option<&Credential>,
    claimed: Option<&Credential>,
    identify: impl AsyncFnOnce(ServiceRequest) -> Option<ServiceId>,
) -> Sides {
    let tls_server = TlsServer::new(ed25519(2), SERVER_ALPN);
    let client = proved.iter().fold(TlsClient::default(), |client, proved| client.credential((*proved).clone()));
    let (accepted, mut connected) = connected(&tls_server, &client).await;
    connected.credential = claimed.cloned();
    let mut options = client_handshake(version);
    options.service = Some(ServiceRole::Notifier);
    let server = server_handshake(20);
    tokio::join!(server.run(accepted, identify), options.run(connected))
}

#[tokio::test]
async fn services_get_their_id() {
    for credential in [ed25519(1), ed25519(2), ed25519(4), ed448(1), ed448(3)] {
        for version in 16..=20 {
            let id = ServiceId::random();
            let identify = async |request: ServiceRequest| {
                assert_eq!(request.role, ServiceRole::Notifier);
                assert_eq!(request.fingerprint, credential.chain().identity());
                assert_eq!(request.chain.certificates(), credential.chain().certificates());
                Some(id)
            };
            let (server, client) = service(version, Some(&credential), Some(&credential), identify).await;
            let (accepted, own) = (server.unwrap().service.unwrap(), client.unwrap().service.unwrap());
            assert_eq!((accepted.id, own.id), (id, id));
            assert_eq!((accepted.role, own.role), (ServiceRole::Notifier, ServiceRole::Notifier));
            assert_eq!(accepted.fingerprint, own.fingerprint);
            let SigningKey::Ed25519(key) = &own.session_key else { panic!("not an Ed25519 key") };
            assert_eq!(accepted.session_key, key.verifying_key().to_bytes());
        }
    }
}

#[tokio::test]
async fn before_version_16_there_are_no_services() {
    let credential = ed25519(2);
    let (server, client) = service(15, Some(&credential), Some(&credential), async |_| unreachable!()).await;
    assert!(server.unwrap().service.is_none());
    assert!(client.unwrap().service.is_none());
}

fn both_refused((server, client): Sides, expected: HandshakeError) {
    for failure in [server.unwrap_err(), client.unwrap_err()] {
        let HandshakeFailure::Refused(TransportError::Handshake(error)) = failure else { panic!("{failure}") };
        assert_eq!(error, expected);
    }
}

#[tokio::test]
async fn unproved_certificates_are_refused() {
    let (one, other) = (ed25519(2), ed25519(2));
    let never = async |_| unreachable!();
    both_refused(service(20, Some(&one), Some(&other), never).await, HandshakeError::BadAuth);
    both_refused(service(20, None, Some(&one), never).await, HandshakeError::BadAuth);
}

#[tokio::test]
async fn session_key_signed_by_another_key_is_refused() {
    let parties = parties(2);
    let chain = issue(&parties);
    let credential = Credential::new(chain.clone(), parties[0].key()).unwrap();
    let tls_server = TlsServer::new(ed25519(2), SERVER_ALPN);
    let tls_client = TlsClient::default().credential(credential.clone());
    let (accepted, connected) = connected(&tls_server, &tls_client).await;
    let hello = forged::client_hello(&tls_server.credential(), &credential);
    let handshake = server_handshake(20);
    let (server, response) =
        tokio::join!(handshake.run(accepted, async |_| unreachable!()), forged::send(connected.stream, hello));
    assert_eq!(response, b"EHANDSHAKE BAD_AUTH");
    let failure = server.unwrap_err();
    assert!(matches!(failure, HandshakeFailure::Refused(TransportError::Handshake(HandshakeError::BadAuth))));
}

#[tokio::test]
async fn unknown_service_is_refused() {
    let credential = ed25519(2);
    let sides = service(20, Some(&credential), Some(&credential), async |_| None).await;
    both_refused(sides, HandshakeError::BadService);
}

mod forged {
    use smp_protocol::handshake::{CertChainPubKey, ClientHello, ClientService, ServiceRole};
    use smp_protocol::key::SigningKey;
    use smp_protocol::signed_key::sign_service_key;
    use smp_protocol::version::Version;
    use smp_transport::block::{BlockReader, BlockWriter, new_block};
    use smp_transport::tls::{Credential, TlsStream};

    /// The right chain, but the session key signed by a key of the attacker.
    pub(super) fn client_hello(server: &Credential, service: &Credential) -> Vec<u8> {
        let attacker = SigningKey::generate_ed25519();
        let SigningKey::Ed25519(session_key) = &attacker else { unreachable!() };
        let signed_key = sign_service_key(&session_key.verifying_key(), &attacker);
        let key = CertChainPubKey { chain: service.chain().to_der(), signed_key };
        let hello = ClientHello {
            version: Version(20),
            key_hash: server.chain().identity().to_vec(),
            key: None,
            proxy: false,
            service: Some(ClientService { role: ServiceRole::Messaging, key }),
        };
        let mut content = Vec::new();
        hello.encode(&mut content).unwrap();
        content
    }

    /// Sends the hello after that of the server, and returns the answer.
    pub(super) async fn send(stream: TlsStream, hello: Vec<u8>) -> Vec<u8> {
        let (read, write) = tokio::io::split(stream);
        let (mut reader, mut writer) = (BlockReader::new(read, None), BlockWriter::new(write, None));
        let mut buffer = new_block();
        reader.read(&mut buffer).await.unwrap().unwrap();
        writer.write_content(&hello, &mut buffer).await.unwrap();
        writer.flush().await.unwrap();
        reader.read(&mut buffer).await.unwrap().unwrap().to_vec()
    }
}
