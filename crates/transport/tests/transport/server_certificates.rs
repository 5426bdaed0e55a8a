//! Which servers a client accepts (wire.md §2.2).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::{AlertDescription, CertificateError};
use smp_protocol::key::SigningKey;
use smp_transport::tls::{
    CertificateChain, CertificateProblem, ChainError, Credential, CredentialError, SERVER_ALPN, TlsClient, TlsError,
    TlsServer,
};

use crate::issue::{Party, credential_of, ed448, ed25519, issue, parties};
use crate::loopback::{LIMIT, alert, connected, tcp, tls};

fn now() -> UnixTime {
    UnixTime::since_unix_epoch(SystemTime::now().duration_since(UNIX_EPOCH).unwrap())
}

#[tokio::test]
async fn chains_of_every_length_and_algorithm_are_accepted() {
    for credential in [2, 3, 4].into_iter().flat_map(|length| [ed25519(length), ed448(length)]) {
        let server = TlsServer::new(credential.clone(), SERVER_ALPN);
        for client in [TlsClient::default(), TlsClient::default().tls12_only()] {
            let (accepted, connected) = connected(&server, &client).await;
            let seen = connected.tls.peer_chain.unwrap();
            assert_eq!(seen.certificates(), credential.chain().certificates());
            assert_eq!(seen.identity(), credential.chain().identity());
            assert!(accepted.tls.peer_chain.is_none());
        }
    }
}

#[tokio::test]
async fn credential_made_by_the_reference_is_accepted() {
    let file = |name: &str| std::fs::read(format!("{}/tests/data/reference/{name}", env!("CARGO_MANIFEST_DIR")));
    let mut certificates = Vec::new();
    for name in ["server.crt", "ca.crt"] {
        certificates.extend(rustls_pemfile::certs(&mut &file(name).unwrap()[..]).map(Result::unwrap));
    }
    let key = rustls_pemfile::private_key(&mut &file("server.key").unwrap()[..]).unwrap().unwrap();
    let credential = Credential::new(certificates, SigningKey::from_pkcs8(key.secret_der()).unwrap()).unwrap();
    assert_eq!(
        credential.chain().validate_server(UnixTime::since_unix_epoch(Duration::from_secs(88_000_000_000))),
        Ok(())
    );
    connected(&TlsServer::new(credential, SERVER_ALPN), &TlsClient::default()).await;
}

#[tokio::test]
async fn another_identity_is_refused_with_unknown_ca() {
    let (expected, other) = (ed25519(2), ed25519(2));
    let server = TlsServer::new(other, SERVER_ALPN);
    for client in [TlsClient::default(), TlsClient::default().tls12_only()] {
        for identity in [&expected.chain().identity()[..], &[], &[0; 31]] {
            let (client_socket, server_socket) = tcp().await;
            let (accepted, refused) =
                tokio::join!(server.accept(server_socket, LIMIT), client.connect(client_socket, identity, LIMIT));
            let error = refused.unwrap_err();
            assert!(error.is_certificate_error());
            assert!(matches!(error, TlsError::Tls(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer))));
            assert_eq!(alert(&accepted.unwrap_err()), Some(AlertDescription::UnknownCA));
        }
    }
}

/// The identity certificate is public: putting it into a chain proves nothing.
#[tokio::test]
async fn identity_certificate_that_issued_nothing_proves_nothing() {
    let victim = parties(2);
    let identity = issue(&victim)[1].clone();
    let (root, leaf) = (Party::authority("root"), Party::leaf("leaf"));
    let chains = [
        vec![leaf.signed_by(&root), identity.clone(), root.signed_by(&root)],
        vec![leaf.signed_by(&root), identity.clone()],
        vec![leaf.signed_by(&victim[1].impostor()), identity.clone()],
        vec![leaf.signed_by(&victim[1].impostor()), identity.clone(), root.signed_by(&root)],
        vec![leaf.signed_by(&root), identity.clone(), root.signed_by(&root), root.signed_by(&root)],
    ];
    for chain in chains {
        let credential = Credential::new(chain, leaf.key()).unwrap();
        assert_eq!(credential.chain().identity(), smp_transport::tls::fingerprint(&identity));
        let (_, refused) = tls(&TlsServer::new(credential, SERVER_ALPN), &TlsClient::default()).await;
        assert!(refused.unwrap_err().is_certificate_error());
    }
}

#[tokio::test]
async fn single_certificate_is_no_server() {
    let (_, refused) = tls(&TlsServer::new(ed25519(1), SERVER_ALPN), &TlsClient::default()).await;
    assert!(refused.unwrap_err().is_certificate_error());
}

#[tokio::test]
async fn replaced_credential_is_used_for_new_connections() {
    let (old, new) = (ed25519(2), ed448(3));
    let server = TlsServer::new(old.clone(), SERVER_ALPN);
    let (before, _) = connected(&server, &TlsClient::default()).await;
    server.replace_credential(new.clone());
    let (after, _) = connected(&server, &TlsClient::default()).await;
    assert_eq!(before.credential.chain().identity(), old.chain().identity());
    assert_eq!(after.credential.chain().identity(), new.chain().identity());
}

#[test]
fn paths_are_validated() {
    use CertificateProblem::*;
    let problem = |position, problem| Err(ChainError::Certificate { position, problem });
    let mut cases: Vec<(Vec<Party>, Result<(), ChainError>)> = Vec::new();
    let mut case = |change: fn(&mut [Party]), expected| {
        let mut parties = parties(4);
        change(&mut parties);
        cases.push((parties, expected));
    };
    case(|_| (), Ok(()));
    case(|p| p[0].params.not_after = rcgen::date_time_ymd(2021, 1, 1), problem(0, Expired));
    case(|p| p[1].params.not_after = rcgen::date_time_ymd(2021, 1, 1), problem(1, Expired));
    case(|p| p[2].params.not_before = rcgen::date_time_ymd(4000, 1, 1), problem(2, NotYetValid));
    case(|p| p[3].params.not_after = rcgen::date_time_ymd(2021, 1, 1), Ok(()));
    case(|p| p[1].params.is_ca = rcgen::IsCa::ExplicitNoCa, problem(1, NotAnAuthority));
    case(|p| p[2].params.is_ca = rcgen::IsCa::NoCa, problem(2, NotAnAuthority));
    case(|p| p[3].params.is_ca = rcgen::IsCa::NoCa, Ok(()));
    case(|p| p[1].params.is_ca = path_length(0), Ok(()));
    case(|p| p[2].params.is_ca = path_length(0), problem(2, PathTooLong));
    case(|p| p[2].params.is_ca = path_length(1), Ok(()));
    case(|p| p[1].params.key_usages = vec![rcgen::KeyUsagePurpose::DigitalSignature], problem(1, WrongKeyUsage));
    case(|p| p[1].params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign], Ok(()));
    case(|p| p[0].params.custom_extensions = vec![extension(true)], problem(0, UnknownCriticalExtension));
    case(|p| p[2].params.custom_extensions = vec![extension(true)], problem(2, UnknownCriticalExtension));
    case(|p| p[0].params.custom_extensions = vec![extension(false)], Ok(()));
    for (number, (parties, expected)) in cases.into_iter().enumerate() {
        assert_eq!(credential_of(&parties).chain().validate_server(now()), expected, "case {number}");
    }
}

fn path_length(length: u8) -> rcgen::IsCa {
    rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(length))
}

fn extension(critical: bool) -> rcgen::CustomExtension {
    let mut extension = rcgen::CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99_999, 1], vec![5, 0]);
    extension.set_criticality(critical);
    extension
}

#[test]
fn altered_signatures_and_orders_are_refused() {
    use CertificateProblem::{BadSignature, UnknownIssuer};
    let chain = issue(&parties(3));
    let validate = |chain: Vec<CertificateDer<'static>>| CertificateChain::new(chain).unwrap().validate_server(now());
    let problem = |position, problem| Err(ChainError::Certificate { position, problem });
    assert_eq!(validate(vec![chain[0].clone(), chain[2].clone(), chain[1].clone()]), problem(0, UnknownIssuer));
    let mut altered = chain[1].to_vec();
    *altered.last_mut().unwrap() ^= 1;
    assert_eq!(validate(vec![chain[0].clone(), altered.into(), chain[2].clone()]), problem(1, BadSignature));
    assert_eq!(validate(vec![chain[0].clone()]), Err(ChainError::Length(1)));
}

#[test]
fn unusable_credentials_are_told_apart() {
    let parties = parties(5);
    let chain = issue(&parties);
    let key = || parties[0].key();
    let malformed = ChainError::Certificate { position: 0, problem: CertificateProblem::Malformed };
    let error = |chain: &[CertificateDer<'static>], key| Credential::new(chain.to_vec(), key).unwrap_err();
    assert_eq!(error(&chain, key()), CredentialError::Chain(ChainError::Length(5)));
    assert_eq!(error(&[], key()), CredentialError::Chain(ChainError::Length(0)));
    assert_eq!(error(&[vec![0x30, 0x03, 1, 1].into()], key()), CredentialError::Chain(malformed));
    assert_eq!(error(&chain[..2], SigningKey::generate_ed448()), CredentialError::KeyMismatch);
}
