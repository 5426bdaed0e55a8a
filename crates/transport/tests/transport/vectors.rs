//! Exchanges recorded from the reference server and its clients.

use serde_json::Value;
use smp_protocol::block::MAX_SEALED_CONTENT;
use smp_protocol::id::{ServiceId, SessionId};
use smp_protocol::key::DhPublicKey;
use smp_protocol::version::Version;
use smp_transport::block::{BlockReader, BlockWriter, new_block};
use smp_transport::handshake::ServiceRequest;
use smp_transport::tls::{AcceptedTls, CertificateChain, ConnectedTls, Credential, TlsSession};
use tokio::io::duplex;

use crate::issue::Party;
use crate::loopback::{client_handshake, server_handshake};

fn vectors(name: &str) -> Vec<Value> {
    let path = format!("{}/tests/data/handshake.json", env!("CARGO_MANIFEST_DIR"));
    let file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    file["vectors"][name].as_array().unwrap().clone()
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

fn chain(value: &Value) -> CertificateChain {
    let certificates = value.as_array().unwrap().iter().map(|certificate| bytes(certificate).into());
    CertificateChain::new(certificates.collect()).unwrap()
}

fn session(session_id: &[u8], alpn: bool, peer_chain: Option<CertificateChain>) -> TlsSession {
    let session_id = SessionId::try_from(session_id).unwrap();
    TlsSession { session_id, alpn: alpn.then(|| b"smp/1".to_vec()), peer_chain }
}

#[tokio::test]
async fn client_understands_recorded_servers() {
    for vector in vectors("server_hello") {
        let key_hash = bytes(&vector["key_hash"]);
        let recorded_chain = (!vector["chain"].is_null()).then(|| chain(&vector["chain"]));
        if let Some(chain) = &recorded_chain {
            assert_eq!(chain.identity()[..], key_hash);
        }
        let tls = session(&bytes(&vector["session_id"]), recorded_chain.is_some(), recorded_chain);
        let (near, far) = duplex(16384);
        let connected = ConnectedTls { stream: near, tls, identity: key_hash.into(), credential: None };
        let server = async {
            let (read, write) = tokio::io::split(far);
            let mut buffer = new_block();
            BlockWriter::new(write, None).write_content(&bytes(&vector["content"]), &mut buffer).await.unwrap();
            BlockReader::new(read, None).read(&mut buffer).await.unwrap().unwrap().to_vec()
        };
        let handshake = client_handshake(20);
        let (client, hello) = tokio::join!(handshake.run(connected), server);
        let client = client.unwrap();
        let max = u16::try_from(vector["max_version"].as_u64().unwrap()).unwrap();
        assert_eq!(client.version, Version(max));
        assert_eq!(u64::from(client.versions.min().0), vector["min_version"].as_u64().unwrap());
        let public = (!vector["session_public"].is_null()).then(|| bytes(&vector["session_public"]));
        assert_eq!(client.peer_key.map(|key| key.as_bytes().to_vec()), public);
        assert_eq!(hello[..2], max.to_be_bytes());
    }
}

/// A server with the recorded identity. The leaf is our own, because the key of the recorded one is not known.
fn server_with_identity(key_hash: &Value) -> Credential {
    let leaf = Party::leaf("leaf");
    let server_hellos = vectors("server_hello");
    let recorded = server_hellos.iter().find(|hello| hello["key_hash"] == *key_hash && !hello["chain"].is_null());
    let certificates = vec![leaf.signed_by(&Party::authority("ca")), bytes(&recorded.unwrap()["chain"][1]).into()];
    Credential::new(certificates, leaf.key()).unwrap()
}

#[tokio::test]
async fn server_understands_recorded_clients() {
    let mut services = 0;
    for vector in vectors("client_hello") {
        let service = vector.get("service");
        let proved = service.map(|service| chain(&service["chain"]));
        let (near, far) = duplex(65536);
        let credential = server_with_identity(&vector["key_hash"]);
        let accepted = AcceptedTls { stream: near, tls: session(&[3; 32], true, proved), credential };
        let identify = async |request: ServiceRequest| {
            let service = service.unwrap();
            assert_eq!(request.fingerprint[..], bytes(&service["fingerprint"]));
            assert_eq!(request.role.letter(), service["role"].as_str().unwrap().as_bytes()[0]);
            ServiceId::try_from(&bytes(&service["service_id"])[..]).ok()
        };
        let client = async {
            let (read, write) = tokio::io::split(far);
            let mut buffer = new_block();
            let (mut reader, mut writer) = (BlockReader::new(read, None), BlockWriter::new(write, None));
            reader.read(&mut buffer).await.unwrap().unwrap();
            writer.write_content(&bytes(&vector["content"]), &mut buffer).await.unwrap();
            if let Some(service) = service {
                assert_eq!(reader.read(&mut buffer).await.unwrap(), Ok(&bytes(&service["response"])[..]));
            }
        };
        let handshake = server_handshake(20);
        let (server, ()) = tokio::join!(handshake.run(accepted, identify), client);
        let server = server.unwrap();
        assert_eq!(u64::from(server.version.0), vector["version"].as_u64().unwrap());
        assert_eq!(server.is_proxy, vector["proxy"].as_bool().unwrap());
        let sealed = server.writer.max_content() == MAX_SEALED_CONTENT;
        assert_eq!(sealed, vector["encrypted_afterwards"].as_bool().unwrap());
        let key = vector["client_session_key"].get("public").map(|public| <[u8; 32]>::try_from(&bytes(public)[..]));
        assert_eq!(server.peer_key, key.map(|key| DhPublicKey::from(key.unwrap())));
        assert_eq!(server.service.is_some(), service.is_some());
        services += usize::from(service.is_some());
    }
    assert_eq!(services, 3);
}
