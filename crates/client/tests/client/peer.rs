//! The other end: a server that does what the test says.

use std::net::Ipv4Addr;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PKCS_ED25519};
use rustls::pki_types::PrivatePkcs8KeyDer;
use smp_client::protocol::address::{Host, KeyHash, ServerAddress};
use smp_client::protocol::authorization::Verifier;
use smp_client::protocol::batch::{self, BatchWriter, Pushed};
use smp_client::protocol::block::BLOCK_SIZE;
use smp_client::protocol::command::Command;
use smp_client::protocol::id::{CorrId, EntityId, ServiceId};
use smp_client::protocol::key::{AuthKey, SigningKey};
use smp_client::protocol::response::Response;
use smp_client::protocol::transmission::{Transmission, Wire};
use smp_client::protocol::version::{Version, VersionRange};
use smp_client::transport::block::{Block, Disconnected};
use smp_client::transport::handshake::{ServerHandshake, ServerSession};
use smp_client::transport::tls::{Credential, SERVER_ALPN, TlsError, TlsServer, TlsStream};
use smp_client::{Client, ClientError, Options};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::net::{TcpListener, TcpStream};

/// So long that only a hanging test reaches it.
const LIMIT: Duration = Duration::from_mins(1);

/// A chain of a leaf and an authority with Ed25519 keys.
pub(crate) fn credential() -> Credential {
    let key = SigningKey::generate_ed25519();
    let pair = |key: &SigningKey| {
        let der = PrivatePkcs8KeyDer::from(key.to_pkcs8().to_vec());
        KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_ED25519).unwrap()
    };
    let params = |name: &str| {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(4760, 1, 1);
        params
    };
    let mut authority = params("authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = pair(&SigningKey::generate_ed25519());
    let root = authority.self_signed(&authority_key).unwrap().der().clone();
    let issuer = Issuer::new(authority, authority_key);
    let leaf = params("leaf").signed_by(&pair(&key), &issuer).unwrap().der().clone();
    Credential::new(vec![leaf, root], key).unwrap()
}

/// A listening server.
pub(crate) struct Server {
    listener: TcpListener,
    tls: TlsServer,
    pub(crate) versions: VersionRange,
    pub(crate) service_id: ServiceId,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self {
            listener: TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap(),
            tls: TlsServer::new(credential(), SERVER_ALPN),
            versions: VersionRange::ALL,
            service_id: ServiceId::random(),
        }
    }

    pub(crate) async fn up_to(version: u16) -> Self {
        Self { versions: VersionRange::new(Version::MIN, Version(version)).unwrap(), ..Self::start().await }
    }

    pub(crate) fn address(&self) -> ServerAddress {
        ServerAddress {
            key_hash: KeyHash(self.tls.credential().chain().identity()),
            password: None,
            hosts: vec![Host::V4(Ipv4Addr::LOCALHOST)],
            port: Some(self.listener.local_addr().unwrap().port()),
        }
    }

    /// Accepts TCP only.
    pub(crate) async fn accept_tcp(&self) -> TcpStream {
        self.listener.accept().await.unwrap().0
    }

    /// A client with these options and the peer it is connected to.
    pub(crate) async fn session(&self, options: &Options) -> (Client, Peer) {
        let address = self.address();
        let (client, peer) = tokio::join!(Client::connect(&address, options), self.accept());
        (client.unwrap(), peer)
    }

    /// The same, over a pipe in memory that holds 64 KiB in each direction.
    pub(crate) async fn session_in_memory(&self, options: &Options) -> (Client, Peer<TlsStream<DuplexStream>>) {
        let (near, far) = tokio::io::duplex(65536);
        let address = self.address();
        let (client, peer) = tokio::join!(Client::over(near, &address, options), self.accept_on(far));
        (client.unwrap(), peer)
    }

    /// Why there is no session.
    pub(crate) async fn refusal(&self, options: &Options) -> ClientError {
        let accept = async {
            let stream = self.accept_tcp().await;
            let accepted = self.tls.accept(stream, LIMIT).await.unwrap();
            self.handshake().run(accepted, async |_| None).await.unwrap_err()
        };
        let address = self.address();
        let (client, _) = tokio::join!(Client::connect(&address, options), accept);
        client.unwrap_err()
    }

    /// Accepts a client whose TLS handshake fails.
    pub(crate) async fn failed_tls(&self) -> TlsError {
        let stream = self.accept_tcp().await;
        self.tls.accept(stream, LIMIT).await.unwrap_err()
    }

    pub(crate) async fn accept(&self) -> Peer {
        self.accept_on(self.accept_tcp().await).await
    }

    async fn accept_on<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> Peer<TlsStream<S>> {
        let accepted = self.tls.accept(stream, LIMIT).await.unwrap();
        let session = self.handshake().run(accepted, async |_| Some(self.service_id)).await.unwrap();
        Peer { session, block: Box::new([0; BLOCK_SIZE]) }
    }

    fn handshake(&self) -> ServerHandshake {
        ServerHandshake { versions: self.versions, limit: LIMIT }
    }
}

/// The server's end of one connection.
pub(crate) struct Peer<S = TlsStream> {
    pub(crate) session: ServerSession<S>,
    block: Box<Block>,
}

/// A transmission that the client sent.
#[derive(Debug, Clone)]
pub(crate) struct Incoming {
    pub(crate) corr_id: CorrId,
    pub(crate) entity: EntityId,
    pub(crate) command: Command,
    pub(crate) bytes: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    pub(crate) fn wire(&self) -> Wire<'_> {
        Wire::connection(self.session.version, &self.session.session_id)
    }

    /// The content of the next block.
    pub(crate) async fn receive_content(&mut self) -> Result<Vec<u8>, Disconnected> {
        Ok(self.session.reader.read(&mut self.block).await?.unwrap().to_vec())
    }

    /// The commands of the next block.
    pub(crate) async fn receive(&mut self) -> Vec<Incoming> {
        let content = self.receive_content().await.unwrap();
        batch::split(&content).unwrap().into_iter().map(|bytes| self.parse(bytes)).collect()
    }

    /// The only command of the next block.
    pub(crate) async fn receive_one(&mut self) -> Incoming {
        let [incoming] = self.receive().await.try_into().unwrap();
        incoming
    }

    fn parse(&self, bytes: &[u8]) -> Incoming {
        let transmission = self.wire().read(bytes).unwrap();
        let command = transmission.command(self.session.version).unwrap();
        Incoming { corr_id: transmission.corr_id, entity: transmission.entity, command, bytes: bytes.to_vec() }
    }

    /// Whether this key authorized the transmission, as the whole of `by_service` if that is given.
    pub(crate) fn verify(&self, incoming: &Incoming, key: &AuthKey, by_service: Option<&[u8; 32]>) -> bool {
        let Transmission { authorization, authorized, corr_id, .. } = self.wire().read(&incoming.bytes).unwrap();
        let authorized = match by_service {
            Some(fingerprint) => authorized.by_service(fingerprint),
            None => authorized,
        };
        Verifier { session_key: &self.session.session_key }.verify(&authorization, key, &authorized, &corr_id)
    }

    /// A response as a transmission.
    pub(crate) fn encode(&self, corr_id: &CorrId, entity: &EntityId, response: &Response) -> Vec<u8> {
        let mut out = Vec::new();
        self.wire().write(corr_id, entity, &mut out, |out| response.encode(self.session.version, out).unwrap());
        out
    }

    pub(crate) async fn answer(&mut self, incoming: &Incoming, response: Response) {
        let transmission = self.encode(&incoming.corr_id, &incoming.entity, &response);
        self.send(&[transmission]).await;
    }

    /// An event in a block of its own.
    pub(crate) async fn report(&mut self, entity: impl Into<EntityId>, response: Response) {
        let transmission = self.encode(&CorrId::EMPTY, &entity.into(), &response);
        self.send(&[transmission]).await;
    }

    /// These transmissions in one block.
    pub(crate) async fn send(&mut self, transmissions: &[Vec<u8>]) {
        let mut batch = BatchWriter::unencrypted();
        for transmission in transmissions {
            assert_eq!(batch.push(|out| out.extend_from_slice(transmission)), Pushed::Added);
        }
        self.send_content(batch.content()).await;
    }

    /// A block with this content.
    pub(crate) async fn send_content(&mut self, content: &[u8]) {
        self.session.writer.write_content(content, &mut self.block).await.unwrap();
        self.session.writer.flush().await.unwrap();
    }

    /// Receives one command and answers it.
    pub(crate) async fn serve(&mut self, answer: impl FnOnce(&Incoming) -> Response) -> Incoming {
        let incoming = self.receive_one().await;
        let response = answer(&incoming);
        self.answer(&incoming, response).await;
        incoming
    }
}
