//! Which client certificates a server accepts, and with which alert it refuses others (wire.md §2.4).

use std::sync::Arc;

use rustls::AlertDescription;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use smp_protocol::key::SigningKey;
use smp_transport::tls::{Credential, SERVER_ALPN, TlsClient, TlsServer};
use tokio::io::AsyncReadExt;

use crate::issue::{Party, ed448, ed25519, issue, parties};
use crate::loopback::{LIMIT, alert, connected, tcp};

#[tokio::test]
async fn chains_of_every_length_and_algorithm_are_kept() {
    let server = TlsServer::new(ed448(2), SERVER_ALPN);
    for credential in [1, 2, 3, 4].into_iter().flat_map(|length| [ed25519(length), ed448(length)]) {
        let client = TlsClient::default().credential(credential.clone());
        for client in [client.clone(), client.tls12_only()] {
            let (accepted, _) = connected(&server, &client).await;
            let proved = accepted.tls.peer_chain.unwrap();
            assert_eq!(proved.certificates(), credential.chain().certificates());
            assert_eq!(proved.identity(), credential.chain().identity());
        }
    }
}

#[tokio::test]
async fn refusals_have_their_alerts() {
    use AlertDescription::{CertificateExpired, CertificateUnknown, UnknownCA};
    let mut cases: Vec<(&str, Vec<CertificateDer<'static>>, SigningKey, AlertDescription)> = Vec::new();
    let mut case = |name, length, change: fn(&mut [Party]), alert| {
        let mut parties = parties(length);
        change(&mut parties);
        cases.push((name, issue(&parties), parties[0].key(), alert));
    };
    let expired = |p: &mut [Party]| p[0].params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    let early = |p: &mut [Party]| p[0].params.not_before = rcgen::date_time_ymd(4000, 1, 1);
    let usage = |p: &mut [Party]| p[0].params.key_usages = vec![rcgen::KeyUsagePurpose::KeyAgreement];
    case("expired, alone", 1, expired, CertificateExpired);
    case("expired, of two", 2, expired, CertificateExpired);
    case("not yet valid", 2, early, CertificateExpired);
    case("may not sign", 2, usage, CertificateUnknown);
    case("five certificates", 5, |_| (), CertificateUnknown);
    case("issuer without authority", 3, |p| p[1].params.is_ca = rcgen::IsCa::NoCa, CertificateUnknown);

    let (leaf, root) = (Party::leaf("leaf"), Party::authority("root"));
    let foreign = vec![leaf.signed_by(&root), Party::authority("other").signed_by(&root)];
    cases.push(("foreign issuer", foreign, leaf.key(), UnknownCA));
    cases.push(("issued by somebody absent", vec![leaf.signed_by(&root)], leaf.key(), UnknownCA));
    let forged = vec![leaf.signed_by(&root.impostor()), root.signed_by(&root)];
    cases.push(("forged signature", forged, leaf.key(), CertificateUnknown));
    cases.push(("forged self-signature", vec![leaf.signed_by(&leaf.impostor())], leaf.key(), CertificateUnknown));
    cases.push(("not a certificate", vec![vec![0x30, 0].into()], leaf.key(), CertificateUnknown));
    cases.push((
        "not its key",
        vec![leaf.signed_by(&root), root.signed_by(&root)],
        root.key(),
        AlertDescription::DecryptError,
    ));

    let server = TlsServer::new(ed25519(2), SERVER_ALPN);
    for (name, chain, key, expected) in cases {
        assert_eq!(refusal(&server, chain, key).await, Some(expected), "{name}");
    }
}

/// Presents a chain to the server as no client of ours would, and returns the server's alert.
async fn refusal(server: &TlsServer, chain: Vec<CertificateDer<'static>>, key: SigningKey) -> Option<AlertDescription> {
    let key = PrivatePkcs8KeyDer::from(key.to_pkcs8().to_vec());
    let key = rustls::crypto::aws_lc_rs::sign::any_eddsa_type(&key).unwrap();
    let mut config =
        rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyServer))
            .with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(
                rustls::sign::CertifiedKey::new(chain, key),
            )));
    config.alpn_protocols = vec![b"smp/1".to_vec()];
    let (client_socket, server_socket) = tcp().await;
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let client = async {
        let mut stream = connector.connect("localhost".try_into().unwrap(), client_socket).await?;
        stream.read_u8().await
    };
    let (accepted, error) = tokio::join!(server.accept(server_socket, LIMIT), client);
    assert!(accepted.is_err());
    alert(&error.unwrap_err())
}

/// The client of these tests does not mind who the server is.
#[derive(Debug)]
struct AnyServer;

impl rustls::client::danger::ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &rustls::pki_types::ServerName<'_>,
        _: &[u8],
        _: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        vec![rustls::SignatureScheme::ED25519]
    }
}

/// A service must not pass for another one by putting its identity certificate into its chain.
#[tokio::test]
async fn foreign_identity_certificate_is_refused() {
    let victim = issue(&parties(2));
    let (leaf, root) = (Party::leaf("leaf"), Party::authority("root"));
    let chain = vec![leaf.signed_by(&root), victim[1].clone(), root.signed_by(&root)];
    assert!(Credential::new(chain.clone(), leaf.key()).is_ok());
    let server = TlsServer::new(ed25519(2), SERVER_ALPN);
    assert_eq!(refusal(&server, chain, leaf.key()).await, Some(AlertDescription::UnknownCA));
}
