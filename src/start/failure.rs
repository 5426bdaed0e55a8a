//! Why the server did not start, or did not end well, and how the operator is told.

use std::io;
use std::path::PathBuf;

use slog::{Logger, error};
use smp_actors::StartError;
use smp_config::certificates::CertificateError;
use smp_config::paths::Directories;
use smp_config::settings::SettingsError;

use super::state_files::Conflict;
use crate::not_initialized;

/// The first thing that went wrong.
#[derive(Debug)]
pub enum Failure {
    /// The INI file.
    Settings(SettingsError),
    /// `fingerprint` and `ca.crt` are not of the same server.
    Fingerprint(Directories),
    /// Files of the TLS certificate and its key do not exist.
    NoCredentials(Vec<PathBuf>),
    /// A certificate or key.
    Certificate(CertificateError),
    /// Files in the state directory that do not fit the settings.
    StateFiles(Conflict),
    /// The server itself: its ports, its state.
    Server(StartError),
}

impl Failure {
    /// The failure for credentials that cannot be used.
    pub fn credentials(error: CertificateError, directories: &Directories) -> Self {
        let needed = [directories.server_certificate(), directories.server_key()];
        match error {
            CertificateError::StoredFingerprint => Self::Fingerprint(directories.clone()),
            CertificateError::Read { path, source }
                if needed.contains(&path) && source.kind() == io::ErrorKind::NotFound =>
            {
                Self::NoCredentials(needed.into_iter().filter(|path| !path.exists()).collect())
            }
            error => Self::Certificate(error),
        }
    }

    /// Tells it: on standard output what the reference tells there in fixed words, the rest in the log.
    pub fn report(&self, logger: &Logger) {
        match self {
            Self::Settings(SettingsError::NotInitialized(ini)) => {
                not_initialized::refuse(ini);
            }
            Self::Fingerprint(directories) => {
                let (stored, certificate) = (directories.fingerprint(), directories.ca_certificate());
                say!("Stored fingerprint is invalid.");
                say!(
                    "{} is not that of {}: restore the one of them that was changed.",
                    stored.display(),
                    certificate.display()
                );
            }
            Self::NoCredentials(missing) => {
                let missing: Vec<_> = missing.iter().map(|path| path.display().to_string()).collect();
                say!("----------");
                say!("Error: no SMP credentials: {}", missing.join(", "));
                say!("Restore them from a backup, or put ca.key beside ca.crt and run `smp-server cert`.");
            }
            Self::StateFiles(conflict) => say!("{conflict}"),
            Self::Settings(failure) => error!(logger, "{failure}"),
            Self::Certificate(failure) => error!(logger, "{failure}"),
            Self::Server(failure) => error!(logger, "{failure}"),
        }
    }
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        Self::Settings(error)
    }
}

impl From<Conflict> for Failure {
    fn from(conflict: Conflict) -> Self {
        Self::StateFiles(conflict)
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        Self::Server(error)
    }
}
