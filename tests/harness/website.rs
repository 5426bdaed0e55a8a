//! Visitors of the web site of a server, and certificates for it.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::header::HOST;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::GIVE_UP;
use super::server::Server;

/// The name of the site in its certificates.
pub const NAME: &str = "localhost";

/// Writes a new certificate for [`NAME`] and its key where the server looks for them, as `openssl req -newkey` makes it.
pub fn certify(server: &Server, algorithm: &[&str]) -> CertificateDer<'static> {
    let (certificate, key) = (server.config_file("web.crt"), server.config_file("web.key"));
    let directory = tempfile::tempdir().expect("there is room for temporary files");
    let [new_certificate, new_key] = ["crt", "key"].map(|name| directory.path().join(name));
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-nodes", "-days", "30", "-subj", "/CN=localhost", "-newkey"]).args(algorithm);
    openssl.args(["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"]);
    openssl.arg("-keyout").arg(&new_key).arg("-out").arg(&new_certificate);
    let output = openssl.output().expect("openssl is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::copy(&new_key, key).expect("it can be written");
    fs::copy(&new_certificate, &certificate).expect("it can be written");
    read_certificate(&certificate)
}

/// Sets the port for HTTPS; 0 stands for that of SMP.
pub fn offer_https(server: &Server, port: &str) {
    let path = |name| server.config_file(name).display().to_string();
    for (key, value) in [("https", port.to_owned()), ("cert", path("web.crt")), ("key", path("web.key"))] {
        server.set(("WEB", key, &value));
    }
}

/// ECDSA, as Let's Encrypt issues by default.
pub const ECDSA: &[&str] = &["ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
/// RSA, as the reference demands; shorter, because it is made in a test.
pub const RSA: &[&str] = &["rsa:2048"];

fn read_certificate(path: &Path) -> CertificateDer<'static> {
    let pem = fs::read(path).expect("it was written");
    rustls_pemfile::certs(&mut &pem[..]).next().expect("it has a certificate").expect("which is one")
}

/// TLS as a browser does it, with a server name and these protocols.
pub async fn secure(
    port: u16,
    trusted: &CertificateDer<'static>,
    alpn: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).expect("it is a certificate");
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has them")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let name = ServerName::try_from(NAME).expect("it is a name");
    timeout(GIVE_UP, TlsConnector::from(Arc::new(config)).connect(name, stream)).await.expect("the server answers")
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub head: Response<()>,
    pub body: Bytes,
}

impl Answer {
    async fn of(response: Response<Incoming>) -> Self {
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("the answer comes to its end").to_bytes();
        Self { head: Response::from_parts(head, ()), body }
    }

    pub fn status(&self) -> u16 {
        self.head.status().as_u16()
    }

    /// A header; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.head.headers().get(name).map_or("", |value| value.to_str().expect("it is text"))
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("it is text")
    }
}

/// A request over HTTP/1.1 on this stream.
pub async fn over_http1<S>(stream: S, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut requests, connection) = http1::handshake(TokioIo::new(stream)).await.expect("HTTP begins");
    tokio::spawn(connection);
    let answer = requests.send_request(request(method, path, headers));
    Answer::of(timeout(GIVE_UP, answer).await.expect("the server answers").expect("well")).await
}

/// `GET` over HTTP/2 on this stream.
pub async fn over_http2(stream: TlsStream<TcpStream>, path: &str) -> Answer {
    let (mut requests, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP begins");
    tokio::spawn(connection);
    let answer = requests.send_request(request("GET", &format!("https://{NAME}{path}"), &[]));
    Answer::of(timeout(GIVE_UP, answer).await.expect("the server answers").expect("well")).await
}

fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> Request<Full<Bytes>> {
    let mut request = Request::builder().method(method).uri(path);
    if path.starts_with('/') {
        request = request.header(HOST, NAME);
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::default()).expect("it is a request")
}

/// Visits the plain HTTP port of a server.
pub struct Visitor {
    port: u16,
}

impl Visitor {
    /// The server must have an HTTP port.
    pub async fn of(server: &Server) -> Self {
        let line = server.logs(0, "Serving static site on port ").await;
        let port = line.rsplit(' ').next().and_then(|port| port.parse().ok());
        Self { port: port.expect("the line ends with the port") }
    }

    /// What its addresses begin with.
    pub fn origin(&self) -> String {
        format!("http://{NAME}:{}", self.port)
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[]).await
    }

    pub async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.expect("the site listens");
        over_http1(stream, method, path, headers).await
    }
}
