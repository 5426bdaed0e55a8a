//! Both sides of a connection over the loopback interface.

use std::error::Error;
use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use rustls::AlertDescription;
use smp_protocol::id::ServiceId;
use smp_protocol::version::{Version, VersionRange};
use smp_transport::handshake::{ClientHandshake, ClientSession, HandshakeFailure, ServerHandshake, ServerSession};
use smp_transport::tls::{AcceptedTls, ConnectedTls, TlsClient, TlsError, TlsServer};
use tokio::net::{TcpListener, TcpStream};

/// So long that only a hanging test reaches it.
pub(crate) const LIMIT: Duration = Duration::from_mins(1);

/// What a server offers that knows versions up to `max`.
pub(crate) fn server_handshake(max: u16) -> ServerHandshake {
    ServerHandshake { versions: versions(max), limit: LIMIT }
}

/// What an ordinary client asks for that knows versions up to `max`.
pub(crate) fn client_handshake(max: u16) -> ClientHandshake {
    ClientHandshake { versions: versions(max), send_key: true, is_proxy: false, service: None, limit: LIMIT }
}

fn versions(max: u16) -> VersionRange {
    VersionRange::new(Version::MIN, Version(max)).unwrap()
}

/// Client and server end of a connection.
pub(crate) async fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let (client, server) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
    (client.unwrap(), server.unwrap().0)
}

/// The TLS handshake of both sides; the client expects the server's current identity.
pub(crate) async fn tls(
    server: &TlsServer,
    client: &TlsClient,
) -> (Result<AcceptedTls, TlsError>, Result<ConnectedTls, TlsError>) {
    let identity = server.credential().chain().identity();
    let (client_socket, server_socket) = tcp().await;
    tokio::join!(server.accept(server_socket, LIMIT), client.connect(client_socket, &identity, LIMIT))
}

/// TLS that succeeds.
pub(crate) async fn connected(server: &TlsServer, client: &TlsClient) -> (AcceptedTls, ConnectedTls) {
    let (accepted, connected) = tls(server, client).await;
    (accepted.unwrap(), connected.unwrap())
}

/// The SMP handshake of both sides, for clients that are no services.
pub(crate) async fn handshakes(
    (accepted, server): (AcceptedTls, ServerHandshake),
    (connected, client): (ConnectedTls, ClientHandshake),
) -> (Result<ServerSession, HandshakeFailure>, Result<ClientSession, HandshakeFailure>) {
    tokio::join!(server.run(accepted, no_service), client.run(connected))
}

/// No service is known.
pub(crate) async fn no_service(_: smp_transport::handshake::ServiceRequest) -> Option<ServiceId> {
    None
}

/// The alert with which the peer ended the connection.
pub(crate) fn alert(error: &(dyn Error + 'static)) -> Option<AlertDescription> {
    let mut error = Some(error);
    while let Some(current) = error {
        if let Some(rustls::Error::AlertReceived(alert)) = current.downcast_ref() {
            return Some(*alert);
        }
        let inner = current.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(rustls::Error::AlertReceived(alert)) = inner.and_then(|inner| inner.downcast_ref()) {
            return Some(*alert);
        }
        error = current.source();
    }
    None
}
