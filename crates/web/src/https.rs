//! The web certificate (operations.md §3.6). It belongs to whoever renews it: it may be missing, come late, change and be
//! broken, and none of that concerns the messages.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::{Mutex, RwLock};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use x509_cert::Certificate;
use x509_cert::der::Decode;
use zeroize::Zeroizing;

/// Why there is no HTTPS, or the certificate from before stays in use.
#[derive(Debug, Error)]
pub enum HttpsError {
    /// A file.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file without what it should have.
    #[error("{}: no {what} in PEM form in it", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// What is missing.
        what: &'static str,
    },
    /// A certificate that is none.
    #[error("{}: invalid certificate: {reason}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// They do not fit each other, or are of a kind that cannot be used.
    #[error("{} and {} cannot be used together: {source}", certificate.display(), key.display())]
    Pair {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// What TLS says.
        source: rustls::Error,
    },
}

/// A certificate with its key, ready for use.
#[derive(Debug, Clone)]
pub struct WebCredential {
    /// For TLS.
    pub config: Arc<ServerConfig>,
    /// When it expires.
    pub not_after: SystemTime,
}

impl WebCredential {
    /// Reads a chain, leaf first, and the key of the leaf: RSA or ECDSA.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, HttpsError> {
        let chain = read_chain(certificate)?;
        let not_after = not_after(certificate, &chain[0])?;
        let private = read_key(key)?;
        let failed = |source| HttpsError::Pair { certificate: certificate.into(), key: key.into(), source };
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(failed)?
            .with_no_client_auth()
            .with_single_cert(chain, private)
            .map_err(failed)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config), not_after })
    }

    /// The TLS handshake on a connection that nobody else has read from.
    pub async fn accept(self, stream: TcpStream, limit: Duration) -> io::Result<TlsStream<TcpStream>> {
        timeout(limit, TlsAcceptor::from(self.config).accept(stream)).await?
    }
}

fn read(path: &Path) -> Result<Vec<u8>, HttpsError> {
    fs::read(path).map_err(|source| HttpsError::Read { path: path.into(), source })
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, HttpsError> {
    let chain = rustls_pemfile::certs(&mut &read(path)?[..]).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| HttpsError::Certificate { path: path.into(), reason: error.to_string() })?;
    if chain.is_empty() { Err(HttpsError::Empty { path: path.into(), what: "certificate" }) } else { Ok(chain) }
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, HttpsError> {
    let missing = || HttpsError::Empty { path: path.into(), what: "private key" };
    let text = Zeroizing::new(read(path)?);
    rustls_pemfile::private_key(&mut &text[..]).map_err(|_| missing())?.ok_or_else(missing)
}

fn not_after(path: &Path, leaf: &CertificateDer<'_>) -> Result<SystemTime, HttpsError> {
    let parsed = Certificate::from_der(leaf)
        .map_err(|error| HttpsError::Certificate { path: path.into(), reason: error.to_string() })?;
    Ok(parsed.tbs_certificate().validity().not_after.to_system_time())
}

/// What became of an attempt to load the certificate.
#[derive(Debug)]
pub enum Reloaded {
    /// The files are as they were.
    Unchanged,
    /// New connections get another certificate.
    Loaded(WebCredential),
    /// Nothing changes for new connections.
    Failed(HttpsError),
}

/// The certificate that new connections get, and the files it comes from.
#[derive(Debug)]
pub struct HttpsCredential {
    certificate: PathBuf,
    key: PathBuf,
    current: RwLock<Option<WebCredential>>,
    /// When the files were written that were tried last.
    seen: Mutex<Option<[Option<SystemTime>; 2]>>,
}

impl HttpsCredential {
    /// No certificate yet.
    pub fn new(certificate: &Path, key: &Path) -> Self {
        Self { certificate: certificate.into(), key: key.into(), current: RwLock::default(), seen: Mutex::default() }
    }

    /// The certificate in use.
    pub fn current(&self) -> Option<WebCredential> {
        self.current.read().clone()
    }

    /// Whether there is one.
    pub fn is_loaded(&self) -> bool {
        self.current.read().is_some()
    }

    /// Loads the files if they are not those that were tried last. Reads the disk.
    pub fn reload(&self) -> Reloaded {
        let written =
            [&self.certificate, &self.key].map(|path| fs::metadata(path).and_then(|data| data.modified()).ok());
        let mut seen = self.seen.lock();
        if seen.replace(written) == Some(written) {
            return Reloaded::Unchanged;
        }
        match WebCredential::load(&self.certificate, &self.key) {
            Ok(credential) => {
                *self.current.write() = Some(credential.clone());
                Reloaded::Loaded(credential)
            }
            Err(error) => Reloaded::Failed(error),
        }
    }
}
