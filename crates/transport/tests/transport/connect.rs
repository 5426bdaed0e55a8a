//! From host name to session.

use std::net::Ipv4Addr;
use std::time::Duration;

use smp_protocol::error::{BrokerError, TransportError};
use smp_protocol::version::{Version, VersionRange};
use smp_transport::connect::{ConnectError, Connector};
use smp_transport::handshake::ServerSession;
use smp_transport::keep_alive::KeepAlive;
use smp_transport::listener::{Address, Listener};
use smp_transport::tls::{SERVER_ALPN, TlsClient, TlsError, TlsServer};
use socket2::SockRef;

use crate::issue::ed25519;
use crate::loopback::{LIMIT, client_handshake, no_service, server_handshake};

fn connector() -> Connector {
    Connector {
        tls: TlsClient::default(),
        handshake: client_handshake(20),
        keep_alive: Some(KeepAlive::PROXY),
        limit: LIMIT,
    }
}

async fn serve_one(listener: &Listener, server: &TlsServer, max: u16) -> Option<ServerSession> {
    let (stream, _) = listener.accept().await.unwrap();
    let accepted = server.accept(stream, LIMIT).await.ok()?;
    server_handshake(max).run(accepted, no_service).await.ok()
}

#[tokio::test]
async fn session_in_one_step() {
    let server = TlsServer::new(ed25519(2), SERVER_ALPN);
    let identity = server.credential().chain().identity();
    let listener = Listener::bind(Address::Any(0), false).unwrap();
    let port = listener.local_addr().unwrap().port();
    for host in ["127.0.0.1", "localhost"] {
        let session = tokio::spawn(async move { connector().connect(host, port, &identity).await });
        let (accepted, session) = tokio::join!(serve_one(&listener, &server, 20), session);
        assert_eq!(accepted.unwrap().session_id, session.unwrap().unwrap().session_id);
    }
}

#[tokio::test]
async fn keep_alive_is_that_of_a_proxy() {
    let server = TlsServer::new(ed25519(2), SERVER_ALPN);
    let listener = Listener::bind(Address::Any(0), false).unwrap();
    let port = listener.local_addr().unwrap().port();
    let connector = connector();
    let identity = server.credential().chain().identity();
    let (_server, session) =
        tokio::join!(serve_one(&listener, &server, 20), connector.connect("127.0.0.1", port, &identity));
    let session = session.unwrap();
    let stream = session.reader.into_inner().unsplit(session.writer.into_inner());
    let socket = SockRef::from(stream.get_ref().0);
    assert!(socket.keepalive().unwrap());
    assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(30));
    assert_eq!(socket.tcp_keepalive_interval().unwrap(), Duration::from_secs(15));
    assert_eq!(socket.tcp_keepalive_retries().unwrap(), 4);
    assert_eq!(socket.tcp_user_timeout().unwrap(), Some(Duration::from_secs(90)));
}

#[tokio::test]
async fn failures_are_told_apart() {
    let server = TlsServer::new(ed25519(2), SERVER_ALPN);
    let identity = server.credential().chain().identity();
    let listener = Listener::bind(Address::Only((Ipv4Addr::LOCALHOST, 0).into()), false).unwrap();
    let port = listener.local_addr().unwrap().port();

    let connector = connector();
    let (_, wrong_server) =
        tokio::join!(serve_one(&listener, &server, 20), connector.connect("127.0.0.1", port, &[1; 32]));
    let error = wrong_server.unwrap_err();
    assert!(matches!(&error, ConnectError::Tls(error) if error.is_certificate_error()));
    assert_eq!(BrokerError::from(&error), BrokerError::Network);

    let mut modern = connector.clone();
    modern.handshake.versions = VersionRange::new(Version(14), Version(20)).unwrap();
    let (_, old_server) = tokio::join!(serve_one(&listener, &server, 13), modern.connect("127.0.0.1", port, &identity));
    assert_eq!(BrokerError::from(&old_server.unwrap_err()), BrokerError::Transport(TransportError::Version));

    // Bound, so that nobody else can have the port, but not listening.
    let unused = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    unused.bind(&std::net::SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    let port = unused.local_addr().unwrap().as_socket_ipv4().unwrap().port();
    let error = connector.connect("127.0.0.1", port, &identity).await.unwrap_err();
    assert!(matches!(error, ConnectError::Tcp(_)));
    let error = connector.connect("host.invalid", port, &identity).await.unwrap_err();
    assert!(matches!(error, ConnectError::Tcp(_)));
}

#[tokio::test]
async fn limit_covers_everything() {
    let listener = Listener::bind(Address::Only((Ipv4Addr::LOCALHOST, 0).into()), false).unwrap();
    let port = listener.local_addr().unwrap().port();
    // Paused time stands still until everybody waits.
    tokio::time::pause();
    let error = connector().connect("127.0.0.1", port, &[1; 32]).await.unwrap_err();
    assert!(matches!(error, ConnectError::Timeout | ConnectError::Tls(TlsError::Timeout)));
}
