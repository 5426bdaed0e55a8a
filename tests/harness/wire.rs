//! Connections below the client: blocks as they are, TLS without SMP, TCP without TLS.

use std::io;
use std::time::Duration;

use smp_client::Reply;
use smp_client::protocol::authorization::AuthPrivateKey;
use smp_client::protocol::batch::{self, BatchWriter, Pushed};
use smp_client::protocol::block::{BLOCK_SIZE, SEALED_CONTENT, pad};
use smp_client::protocol::command::Command;
use smp_client::protocol::handshake::ServerHello;
use smp_client::protocol::id::{CorrId, EntityId};
use smp_client::protocol::key::DhPublicKey;
use smp_client::protocol::response::Response;
use smp_client::protocol::seal::{BlockChain, BlockChains};
use smp_client::protocol::transmission::{Credentials, ServiceCredentials, Wire};
use smp_client::protocol::version::{Version, VersionRange};
use smp_client::transport::block::{BlockReader, Disconnected, new_block};
use smp_client::transport::connect::Connector;
use smp_client::transport::handshake::{ClientHandshake, OwnService};
use smp_client::transport::tls::{ConnectedTls, TlsClient, TlsError, TlsStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::GIVE_UP;
use super::server::Server;
use super::service::Service;

const LIMIT: Duration = GIVE_UP;

/// A connection after the handshake, on which whole blocks are sent and received.
pub struct Blocks {
    version: Version,
    session_id: smp_client::protocol::id::SessionId,
    server_key: Option<DhPublicKey>,
    reader: BlockReader<ReadHalf<TlsStream>>,
    writer: WriteHalf<TlsStream>,
    chain: Option<BlockChain>,
    service: Option<OwnService>,
}

/// A reply with its correlation ID; events have an empty one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub corr_id: CorrId,
    pub reply: Reply,
}

impl Blocks {
    /// Connects at exactly this version.
    pub async fn connect(server: &Server, version: Version) -> Self {
        Self::connect_as(server, version, None).await
    }

    /// Connects at exactly this version, as a service if there is one.
    pub async fn connect_as(server: &Server, version: Version, service: Option<&Service>) -> Self {
        let handshake = ClientHandshake {
            versions: VersionRange::single(version),
            send_key: true,
            is_proxy: false,
            service: service.map(|service| service.role),
            limit: LIMIT,
        };
        let tls = TlsClient::default();
        let tls = service.map_or(tls.clone(), |service| tls.credential(service.credential.clone()));
        let connector = Connector { tls, handshake, keep_alive: None, limit: LIMIT };
        let session = connector
            .connect("127.0.0.1", server.port(), &server.address().key_hash.0)
            .await
            .expect("the server accepts clients");
        let sealed = session.peer_key.filter(|_| version >= Version::BLOCK_ENCRYPTION);
        let chains = sealed.map(|key| BlockChains::new(&session.session_key.agree(&key), session.session_id.as_ref()));
        Self {
            version,
            session_id: session.session_id,
            server_key: session.peer_key,
            reader: session.reader,
            writer: session.writer.into_inner(),
            chain: chains.map(|chains| chains.client_to_server),
            service: session.service,
        }
    }

    /// Bytes of the padded content of a block.
    pub fn padded_size(&self) -> usize {
        if self.chain.is_some() { SEALED_CONTENT } else { BLOCK_SIZE }
    }

    /// The block with this padded content, of [`Self::padded_size`] bytes.
    pub fn block(&mut self, padded: &[u8]) -> Vec<u8> {
        let Some(chain) = &mut self.chain else { return padded.to_vec() };
        let mut block = new_block();
        block[..SEALED_CONTENT].copy_from_slice(padded);
        chain.seal(&mut block);
        block.to_vec()
    }

    /// The block with this content.
    pub fn block_of(&mut self, content: &[u8]) -> Vec<u8> {
        let padded = pad(content, self.padded_size()).expect("the content fits a block");
        self.block(&padded)
    }

    /// Sends a block with this content.
    pub async fn send(&mut self, content: &[u8]) {
        let block = self.block_of(content);
        self.send_bytes(&block).await;
    }

    /// Sends bytes that may be less or more than a block, or none.
    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        self.try_send_bytes(bytes).await.expect("the connection takes the bytes");
    }

    /// [`Self::send_bytes`] on a connection that may be closed.
    pub async fn try_send_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.writer.write_all(bytes).await?;
        self.writer.flush().await
    }

    /// A command with a fresh correlation ID, as a transmission; signed by the service, too, if this is one.
    pub fn command(
        &self,
        entity: impl Into<EntityId>,
        command: &Command,
        key: Option<&AuthPrivateKey>,
    ) -> (CorrId, Vec<u8>) {
        let (corr_id, mut out) = (CorrId::random(), Vec::new());
        let service = self
            .service
            .as_ref()
            .map(|service| ServiceCredentials { fingerprint: &service.fingerprint, session_key: &service.session_key });
        let credentials = Credentials { key, session_key: self.server_key.as_ref(), service };
        self.wire().write_command(command, &corr_id, &entity.into(), &credentials, &mut out);
        (corr_id, out)
    }

    /// What is in the next block from the server.
    pub async fn receive(&mut self) -> Vec<Answer> {
        self.try_receive().await.expect("the connection is open")
    }

    /// [`Self::receive`] on a connection that may be closed.
    pub async fn try_receive(&mut self) -> Result<Vec<Answer>, Disconnected> {
        let content = self.try_receive_content().await?;
        let transmissions = batch::split(&content).expect("the content is a batch");
        Ok(transmissions.into_iter().map(|transmission| self.answer(transmission)).collect())
    }

    /// The correlation IDs in the next block, with the bytes of the responses.
    pub async fn receive_raw(&mut self) -> Vec<(CorrId, Vec<u8>)> {
        let content = self.try_receive_content().await.expect("the connection is open");
        let transmissions = batch::split(&content).expect("the content is a batch");
        let read = |transmission| {
            let transmission = self.wire().read(transmission).expect("the transmission has the layout of the version");
            (transmission.corr_id, transmission.body.to_vec())
        };
        transmissions.into_iter().map(read).collect()
    }

    async fn try_receive_content(&mut self) -> Result<Vec<u8>, Disconnected> {
        let mut block = new_block();
        let received = timeout(GIVE_UP, self.reader.read(&mut block)).await.expect("a block comes");
        Ok(received?.expect("the block decrypts").to_vec())
    }

    fn answer(&self, transmission: &[u8]) -> Answer {
        let transmission = self.wire().read(transmission).expect("the transmission has the layout of the version");
        let response = Response::decode(transmission.body, self.version).expect("the response decodes");
        Answer { corr_id: transmission.corr_id, reply: Reply { entity: transmission.entity, response } }
    }

    /// Sends `PING` and expects `PONG` in the next block.
    pub async fn ping(&mut self) {
        let (corr_id, ping) = self.command(EntityId::EMPTY, &Command::Ping, None);
        self.send(&batch_of(&[ping])).await;
        let pong = Answer { corr_id, reply: super::request::reply(EntityId::EMPTY, Response::Pong) };
        assert_eq!(self.receive().await, [pong]);
    }

    /// The server closes the connection without another block.
    pub async fn closes(&mut self) {
        assert_closed(&timeout(GIVE_UP, self.reader.ready()).await.expect("the server closes the connection"));
    }

    fn wire(&self) -> Wire<'_> {
        Wire::connection(self.version, &self.session_id)
    }
}

fn assert_closed(ready: &Result<(), Disconnected>) {
    assert!(ready.is_err(), "a block was received instead of the end of the connection");
}

/// The content of a block with these transmissions.
pub fn batch_of(transmissions: &[Vec<u8>]) -> Vec<u8> {
    let mut batch = BatchWriter::new();
    for transmission in transmissions {
        assert_eq!(batch.push(|out| out.extend_from_slice(transmission)), Pushed::Added);
    }
    batch.content().to_vec()
}

/// TCP only.
pub async fn tcp(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", server.port())).await.expect("the server listens");
    stream.set_nodelay(true).expect("the stream is open");
    stream
}

/// TLS without SMP.
pub async fn tls(server: &Server, client: &TlsClient) -> Result<ConnectedTls<TlsStream>, TlsError> {
    client.connect(tcp(server).await, &server.address().key_hash.0, LIMIT).await
}

/// TLS, and the hello of the server.
pub async fn greeted(server: &Server, client: &TlsClient) -> (TlsStream, ServerHello) {
    let mut stream = tls(server, client).await.expect("the server accepts TLS").stream;
    let mut block = new_block();
    stream.read_exact(&mut block[..]).await.expect("the server says hello");
    let content = smp_client::protocol::block::unpad(&block[..]).expect("the hello is padded");
    let hello = ServerHello::decode(content).expect("the hello decodes");
    (stream, hello)
}

/// Waits until the server closes the stream; nothing may come before.
pub async fn assert_closes<S: tokio::io::AsyncRead + Unpin>(stream: &mut S) {
    let mut byte = [0];
    let read = timeout(GIVE_UP, stream.read(&mut byte)).await.expect("the server closes the connection");
    assert!(!matches!(read, Ok(1)), "something was received instead of the end of the connection");
}
