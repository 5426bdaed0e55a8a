//! TCP, TLS and the SMP handshake: authenticated streams of SMP blocks, for servers and for clients.
//!
//! | Step | Server | Client |
//! |---|---|---|
//! | TCP | [`listener::Listener`] | [`connect::Connector`] does all steps |
//! | TLS | [`tls::TlsServer`] → [`tls::AcceptedTls`] | [`tls::TlsClient`] → [`tls::ConnectedTls`] |
//! | WebSocket, on some ports | [`websocket::WebSocketStream`], the session's stream is a [`stream::SmpStream`] | [`connect::Connector::connect_websocket`] |
//! | SMP handshake | [`handshake::ServerHandshake`] → [`handshake::ServerSession`] | [`handshake::ClientHandshake`] → [`handshake::ClientSession`] |
//! | blocks | [`block::BlockReader`], [`block::BlockWriter`] | the same |
//!
//! ```
//! # use std::time::Duration;
//! # use smp_protocol::version::VersionRange;
//! # use smp_transport::block::new_block;
//! # use smp_transport::handshake::ServerHandshake;
//! # use smp_transport::listener::Listener;
//! # use smp_transport::tls::TlsServer;
//! async fn serve(listener: Listener, tls: TlsServer) -> Result<(), Box<dyn std::error::Error>> {
//!     let smp = ServerHandshake { versions: VersionRange::ALL, limit: Duration::from_secs(120) };
//!     let (stream, _peer) = listener.accept().await?;
//!     let accepted = tls.accept(stream, Duration::from_secs(60)).await?;
//!     let mut session = smp.run(accepted, async |_service| None).await?;
//!     loop {
//!         session.reader.ready().await?;
//!         let mut buffer = new_block();
//!         match session.reader.read(&mut buffer).await? {
//!             Ok(content) => println!("a block with {} bytes of content", content.len()),
//!             Err(bad) => println!("{bad}"),
//!         }
//!     }
//! }
//! ```

pub mod block;
pub mod connect;
pub mod handshake;
pub mod keep_alive;
pub mod listener;
pub mod stream;
pub mod tls;
pub mod websocket;
