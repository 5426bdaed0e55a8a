//! What the operator can change while the server runs: the certificate and the password for new queues. SIGHUP reads both anew.

use std::sync::Arc;

use slog::{Logger, error, warn};
use smp_config::certificates::{CertificateError, Credentials};
use smp_config::paths::Directories;
use smp_config::settings::{Settings, SettingsError};
use smp_transport::tls::{Credential, CredentialError, TlsServer};
use smp_web::https::HttpsCredential;
use thiserror::Error;
use tokio::signal::unix::Signal;

use crate::create_password::CreatePassword;
use crate::web;

/// Reads files anew, and puts what is in them in the place of what was.
pub struct Reloader {
    /// Where the files are.
    pub directories: Directories,
    /// Gets the certificate, for connections that come from then on.
    pub tls: Arc<TlsServer>,
    /// Gets the password.
    pub password: CreatePassword,
    /// The web certificate, which looks after itself, but not that fast.
    pub https: Option<Arc<HttpsCredential>>,
    /// Log of the server.
    pub logger: Logger,
}

/// Why everything stays as it is.
#[derive(Debug, Error)]
enum ReloadError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    #[error(transparent)]
    Credential(#[from] CredentialError),
    #[error("the certificate has another identity, which needs a restart, and another address for all clients")]
    Identity,
}

impl Reloader {
    /// Reloads with every signal.
    pub async fn follow(self, mut signal: Signal) {
        let this = Arc::new(self);
        while signal.recv().await.is_some() {
            let reloader = Arc::clone(&this);
            // Reading waits for the disk.
            if actix_rt::task::spawn_blocking(move || reloader.reload()).await.is_err() {
                error!(this.logger, "cannot reload; certificate and password stay as they were");
            }
        }
    }

    fn reload(&self) {
        if let Some(https) = &self.https {
            web::reload(https, &self.logger);
        }
        match self.read() {
            Ok((settings, credential)) => {
                self.tls.replace_credential(credential);
                self.password.replace(settings.auth.create_password);
                note!(self.logger, "reloaded certificate and password; other settings count from the next start");
            }
            Err(failure) => {
                error!(self.logger, "cannot reload: {failure}; certificate and password stay as they were");
            }
        }
    }

    fn read(&self) -> Result<(Settings, Credential), ReloadError> {
        let (settings, warnings) = Settings::load(&self.directories)?;
        let credential = crate::server::credential(Credentials::load(&self.directories)?)?;
        if credential.chain().identity() != self.tls.credential().chain().identity() {
            return Err(ReloadError::Identity);
        }
        for warning in warnings {
            warn!(self.logger, "{warning}");
        }
        Ok((settings, credential))
    }
}
