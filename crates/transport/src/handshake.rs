//! The SMP handshake (wire.md §3): two blocks, three for services, that turn a TLS connection into a session.
//!
//! ```text
//! client                                server
//!   <------------------------------------ server hello
//!   client hello ------------------------>
//!   <------------------------------------ service response (services only)
//! ```

mod client;
mod server;

use smp_protocol::encoding::TooLong;
use smp_protocol::error::{self, TransportError};
use smp_protocol::id::SessionId;
use smp_protocol::key::{DhPrivateKey, DhPublicKey};
use smp_protocol::seal::{BlockChain, BlockChains};
use smp_protocol::version::Version;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf};

use crate::block::{BlockReader, BlockWriter, Disconnected, WriteError, new_block};
use crate::tls::TlsStream;

pub use client::{ClientHandshake, ClientSession, OwnService};
pub use server::{AcceptedService, ServerHandshake, ServerSession, ServiceRequest};

/// The receiving half of a session over the stream `S`.
pub type Reader<S = TlsStream> = BlockReader<ReadHalf<S>>;
/// The sending half of a session over the stream `S`.
pub type Writer<S = TlsStream> = BlockWriter<WriteHalf<S>>;

/// Why there is no session.
#[derive(Debug, Error)]
pub enum HandshakeFailure {
    /// Not finished within the limit given by the caller.
    #[error("SMP handshake not finished in time")]
    Timeout,
    /// The connection ended first.
    #[error("SMP handshake interrupted: {0}")]
    Disconnected(#[from] Disconnected),
    /// A side does not accept what the other said.
    #[error("SMP handshake failed: {}", reason(*.0))]
    Refused(TransportError),
    /// Our own message does not fit a block: the certificates are too large.
    #[error("the certificates are too large for the SMP handshake")]
    CertificatesTooLarge,
}

impl HandshakeFailure {
    const MALFORMED: Self = Self::Refused(TransportError::Handshake(error::HandshakeError::Parse));
    const WRONG_IDENTITY: Self = Self::Refused(TransportError::Handshake(error::HandshakeError::Identity));
    const BAD_AUTH: Self = Self::Refused(BAD_AUTH);
    const NO_COMMON_VERSION: Self = Self::Refused(TransportError::Version);
}

const BAD_AUTH: TransportError = TransportError::Handshake(error::HandshakeError::BadAuth);
const BAD_SERVICE: TransportError = TransportError::Handshake(error::HandshakeError::BadService);

impl From<TooLong> for HandshakeFailure {
    fn from(_: TooLong) -> Self {
        Self::CertificatesTooLarge
    }
}

impl From<WriteError> for HandshakeFailure {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::TooLong(_) => Self::CertificatesTooLarge,
            WriteError::Failed(error) => Self::Disconnected(error.into()),
        }
    }
}

fn reason(error: TransportError) -> &'static str {
    use error::HandshakeError::{BadAuth, BadService, Identity, Parse};
    match error {
        TransportError::Block => "a block is malformed",
        TransportError::Version => "no common protocol version",
        TransportError::LargeMessage => "a message is too large",
        TransportError::Session => "the session IDs differ",
        TransportError::NoAuth => "there is no session key",
        TransportError::Handshake(Parse) => "a handshake message is malformed",
        TransportError::Handshake(Identity) => "the client expects a server with another identity",
        TransportError::Handshake(BadAuth) => "the session key is not proved by the certificates",
        TransportError::Handshake(BadService) => "the service is not accepted",
    }
}

/// The two halves of a stream during the handshake. Buffers exist only while a block is on its way: peers may be silent
/// for long.
struct Messages<S> {
    reader: Reader<S>,
    writer: Writer<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Messages<S> {
    fn new(stream: S) -> Self {
        let (read, write) = tokio::io::split(stream);
        Self { reader: BlockReader::new(read, None), writer: BlockWriter::new(write, None) }
    }

    async fn send(&mut self, message: &[u8]) -> Result<(), HandshakeFailure> {
        self.writer.write_content(message, &mut new_block()).await?;
        Ok(self.writer.flush().await?)
    }

    async fn receive(&mut self) -> Result<Vec<u8>, HandshakeFailure> {
        self.reader.ready().await?;
        let mut buffer = new_block();
        let content = self.reader.read(&mut buffer).await?;
        content.map(<[u8]>::to_vec).map_err(|_| HandshakeFailure::Refused(TransportError::Block))
    }

    /// The halves for the blocks that follow, sealed if there are chains.
    fn into_halves(self, receive: Option<BlockChain>, send: Option<BlockChain>) -> (Reader<S>, Writer<S>) {
        (self.reader.with_chain(receive), self.writer.with_chain(send))
    }
}

/// The chains of a session, if its blocks are sealed (wire.md §3.6).
fn block_chains(
    version: Version,
    is_proxy: bool,
    own: &DhPrivateKey,
    peer: Option<&DhPublicKey>,
    session_id: &SessionId,
) -> Option<BlockChains> {
    let peer = peer.filter(|_| version >= Version::BLOCK_ENCRYPTION && !is_proxy)?;
    Some(BlockChains::new(&own.agree(peer), session_id.as_ref()))
}
