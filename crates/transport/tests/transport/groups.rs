//! Key exchange groups, with and without HelloRetryRequest (wire.md §2.1).

use rustls::{AlertDescription, HandshakeKind, NamedGroup};
use smp_transport::tls::Group::{X448, X25519};
use smp_transport::tls::{Group, SERVER_ALPN, TlsClient, TlsServer};

use crate::issue::ed25519;
use crate::loopback::{alert, connected, tls};

#[tokio::test]
async fn groups_are_negotiated() {
    use HandshakeKind::{Full, FullWithHelloRetryRequest as Retry};
    let cases: [(&[Group], &[Group], NamedGroup, HandshakeKind); 7] = [
        (Group::DEFAULT, &[X448, X25519], NamedGroup::X448, Full),
        (Group::DEFAULT, &[X448], NamedGroup::X448, Full),
        (Group::DEFAULT, &[X25519], NamedGroup::X25519, Full),
        (Group::DEFAULT, &[X25519, X448], NamedGroup::X25519, Full),
        (&[X448], &[X25519, X448], NamedGroup::X448, Retry),
        (&[X25519], &[X448, X25519], NamedGroup::X25519, Retry),
        (&[X25519, X448], &[X448, X25519], NamedGroup::X448, Full),
    ];
    for (ours, theirs, group, kind) in cases {
        let server = TlsServer::with_groups(ed25519(2), SERVER_ALPN, ours);
        let (accepted, connected) = connected(&server, &TlsClient::default().groups(theirs)).await;
        assert_eq!(accepted.tls.session_id, connected.tls.session_id);
        let (_, connection) = accepted.stream.get_ref();
        assert_eq!(connection.negotiated_key_exchange_group().unwrap().name(), group);
        assert_eq!(connection.handshake_kind(), Some(kind));
    }
}

#[tokio::test]
async fn no_common_group_is_a_handshake_failure() {
    let server = TlsServer::with_groups(ed25519(2), SERVER_ALPN, &[X448]);
    for client in [TlsClient::default().groups(&[X25519]), TlsClient::default().groups(&[X25519]).tls12_only()] {
        let (accepted, refused) = tls(&server, &client).await;
        assert!(accepted.is_err());
        assert_eq!(alert(&refused.unwrap_err()), Some(AlertDescription::HandshakeFailure));
    }
}
