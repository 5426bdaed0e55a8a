//! Relays and SOCKS proxies that are not our server: such as never answer, and such as only pass on.

use std::sync::Arc;

use smp_client::protocol::address::{Host, ServerAddress};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

use super::server::Server;

/// A port on this machine that nobody listens on now.
pub async fn free_port() -> u16 {
    listener().await.1
}

async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("there are free ports");
    let port = listener.local_addr().expect("the listener is bound").port();
    (listener, port)
}

/// Accepts connections and says nothing. Dropping it closes them and frees the port.
pub struct SilentRelay {
    pub port: u16,
    accepted: mpsc::UnboundedReceiver<()>,
    left: mpsc::UnboundedReceiver<()>,
    task: JoinHandle<()>,
}

impl SilentRelay {
    pub async fn start() -> Self {
        let (listener, port) = listener().await;
        let (report, accepted) = mpsc::unbounded_channel();
        let (leaving, left) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            let mut held = JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = report.send(());
                let leaving = leaving.clone();
                held.spawn(async move {
                    let _ = stream.read_to_end(&mut Vec::new()).await;
                    let _ = leaving.send(());
                });
            }
        });
        Self { port, accepted, left, task }
    }

    /// Waits for the next connection.
    pub async fn is_tried(&mut self) {
        self.accepted.recv().await.expect("the relay accepts connections");
    }

    /// Waits until somebody gives a connection up.
    pub async fn is_left(&mut self) {
        self.left.recv().await.expect("the relay accepts connections");
    }

    /// Whether nobody has connected since.
    pub fn is_untried(&mut self) -> bool {
        self.accepted.try_recv().is_err()
    }

    /// Gives the port up.
    pub async fn end(self) -> u16 {
        self.task.abort();
        let _ = self.task.await;
        self.port
    }
}

/// A SOCKS5 proxy (RFC 1928, RFC 1929) that takes every destination to be a server under test.
pub struct Socks {
    pub port: u16,
    requests: mpsc::UnboundedReceiver<SocksRequest>,
}

/// What a SOCKS proxy was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocksRequest {
    /// The name, or the address as text.
    pub host: String,
    pub port: u16,
    /// User name and password, if any were given.
    pub credentials: Option<(String, String)>,
}

impl Socks {
    /// All connections lead to `server`.
    pub async fn to(server: &Server) -> Self {
        let (listener, port) = listener().await;
        let (report, requests) = mpsc::unbounded_channel();
        let destination = server.port();
        tokio::spawn(async move {
            let mut connections = JoinSet::new();
            let report = Arc::new(report);
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(pass_on(stream, destination, Arc::clone(&report)));
            }
        });
        Self { port, requests }
    }

    /// The next request.
    pub async fn request(&mut self) -> SocksRequest {
        self.requests.recv().await.expect("the proxy runs")
    }

    /// Whether there was none since.
    pub fn is_unused(&mut self) -> bool {
        self.requests.try_recv().is_err()
    }
}

async fn pass_on(mut stream: TcpStream, destination: u16, report: Arc<mpsc::UnboundedSender<SocksRequest>>) {
    let request = negotiate(&mut stream).await.expect("the client speaks SOCKS5");
    let _ = report.send(request);
    let mut server = TcpStream::connect(("127.0.0.1", destination)).await.expect("the server listens");
    stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.expect("the client is there");
    let _ = copy_bidirectional(&mut stream, &mut server).await;
}

async fn negotiate(stream: &mut TcpStream) -> std::io::Result<SocksRequest> {
    let [version, count] = array(stream).await?;
    assert_eq!(version, 5);
    let mut methods = vec![0; count.into()];
    stream.read_exact(&mut methods).await?;
    let credentials = if methods.contains(&2) {
        stream.write_all(&[5, 2]).await?;
        assert_eq!(stream.read_u8().await?, 1);
        let credentials = (short(stream).await?, short(stream).await?);
        stream.write_all(&[1, 0]).await?;
        Some(credentials)
    } else {
        stream.write_all(&[5, 0]).await?;
        None
    };
    let [version, command, _, kind] = array(stream).await?;
    assert_eq!((version, command), (5, 1), "CONNECT");
    let host = match kind {
        1 => std::net::Ipv4Addr::from(array::<4>(stream).await?).to_string(),
        3 => short(stream).await?,
        4 => std::net::Ipv6Addr::from(array::<16>(stream).await?).to_string(),
        other => panic!("{other} is no kind of address"),
    };
    Ok(SocksRequest { host, port: stream.read_u16().await?, credentials })
}

async fn array<const N: usize>(stream: &mut TcpStream) -> std::io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

async fn short(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut bytes = vec![0; stream.read_u8().await?.into()];
    stream.read_exact(&mut bytes).await?;
    Ok(String::from_utf8(bytes).expect("names are text"))
}

/// The address of a server with other hosts in it.
pub fn address_with(server: &Server, hosts: &[&str], port: u16) -> ServerAddress {
    let hosts = hosts.iter().map(|host| host.parse::<Host>().expect("a host")).collect();
    ServerAddress { key_hash: server.identity(), password: None, hosts, port: Some(port) }
}
