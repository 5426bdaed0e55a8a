//! A relay with such long certificates that no block has room for the answer to `PRXY`.

use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, IsCa, Issuer, KeyPair, PKCS_ED25519, SerialNumber,
};
use rustls::pki_types::PrivatePkcs8KeyDer;
use smp_client::protocol::address::{Host, KeyHash, ServerAddress};
use smp_client::protocol::error::ErrorType;
use smp_client::protocol::handshake::{CertChainPubKey, ServerHello};
use smp_client::protocol::id::SessionId;
use smp_client::protocol::key::{DhPrivateKey, SigningKey};
use smp_client::protocol::signed_key::sign_dh_key;
use smp_client::protocol::version::VersionRange;
use smp_client::transport::handshake::ServerHandshake;
use smp_client::transport::tls::{Credential, SERVER_ALPN, TlsServer};
use tokio::net::TcpListener;

use super::refused;
use crate::harness::server::Server;

const LIMIT: Duration = Duration::from_secs(60);
/// Bytes of the hello: it fits a block, and the same with a correlation ID does not.
const HELLO: usize = 16_370;

/// A chain of two, the first of which has an extension of so many bytes.
fn credential(padding: usize) -> Credential {
    let params = |name: &str| {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        // That of a key has not always the same length.
        params.serial_number = Some(SerialNumber::from(1));
        params
    };
    let keys = [(); 2].map(|()| SigningKey::generate_ed25519());
    let pairs = keys.each_ref().map(|key| {
        let der = PrivatePkcs8KeyDer::from(key.to_pkcs8().to_vec());
        KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_ED25519).unwrap()
    });
    let mut authority = params("authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let mut leaf = params("leaf");
    leaf.custom_extensions.push(CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99_999, 1], vec![0; padding]));
    let issuer = Issuer::from_params(&authority, &pairs[1]);
    let chain = [leaf.signed_by(&pairs[0], &issuer), authority.signed_by(&pairs[1], &issuer)];
    let chain = chain.map(|certificate| certificate.unwrap().der().clone());
    Credential::new(chain.to_vec(), keys[0].clone()).unwrap()
}

fn hello_length(credential: &Credential) -> usize {
    let signed_key = sign_dh_key(&DhPrivateKey::generate().public(), credential.key());
    let key = Some(CertChainPubKey { chain: credential.chain().to_der(), signed_key });
    let session_id = SessionId::try_from(&[0; 32][..]).unwrap();
    let mut hello = Vec::new();
    ServerHello { versions: VersionRange::ALL, session_id, key }.encode(&mut hello).unwrap();
    hello.len()
}

/// A relay that does nothing but handshakes.
async fn relay_with_long_certificates() -> ServerAddress {
    let guess = 14_000;
    let credential = credential(guess + HELLO - hello_length(&credential(guess)));
    assert_eq!(hello_length(&credential), HELLO);
    let key_hash = KeyHash(credential.chain().identity());
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let tls = TlsServer::new(credential, SERVER_ALPN);
    tokio::spawn(async move {
        let mut sessions = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            let accepted = tls.accept(stream, LIMIT).await.unwrap();
            let handshake = ServerHandshake { versions: VersionRange::ALL, limit: LIMIT };
            sessions.push(handshake.run(accepted, async |_| None).await.unwrap());
        }
    });
    let hosts = vec![Host::V4(std::net::Ipv4Addr::LOCALHOST)];
    ServerAddress { key_hash, password: None, hosts, port: Some(port) }
}

#[tokio::test]
async fn an_answer_that_fits_no_block() {
    let (proxy, relay) = (Server::start().await, relay_with_long_certificates().await);
    let client = proxy.connect().await;
    assert_eq!(refused(client.proxied_relay(&relay, None).await), ErrorType::Internal);
    proxy.logs(0, "an answer that fits no block").await;
    client.ping().await.unwrap();
}
