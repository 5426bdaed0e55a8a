//! The settings of a server, typed: one file per section of `smp-server.ini` (operations.md §4.4, §4.5).
//!
//! Every value here has been checked. Defaults are those of the reference for keys that are *missing*; what `init`
//! writes differs in places and is in [`crate::ini_template`].

mod auth;
mod bind;
mod connection_string;
mod inactive_clients;
mod information;
mod limits;
mod limits_table;
mod misunderstood;
mod names;
mod proxy;
mod simplex_link;
mod store_log;
mod transport;
mod web;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use auth::{Auth, BlockQuota};
pub use bind::Bind;
pub use connection_string::ConnectionString;
pub use inactive_clients::InactiveClients;
pub use information::{Conditions, Contact, CountryCode, Entity, HostingType, Information, InvalidCountry, PgpKey};
pub use limits::Limits;
pub use limits_table::{ANSWERS_HELD, Allowed, LIMITS, Limit, limits_document};
pub use names::{Names, ResolverAuth};
pub use proxy::{HostMode, Proxy, SocksAuth, SocksMode, SocksProxy};
pub use store_log::{Database, Storage, StoreLog, StoreLogSync};
pub use transport::Transport;
pub(crate) use transport::host_name;
pub use web::{Https, Web};

use zeroize::Zeroizing;

use crate::ini::{Ini, LineError, SettingError, Warning};
use crate::paths::Directories;
use crate::remedy;
use smp_protocol::address::{DEFAULT_PORT, Host, KeyHash, ServerAddress};

/// All settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `[STORE_LOG]`
    pub store_log: StoreLog,
    /// `[AUTH]`
    pub auth: Auth,
    /// `[TRANSPORT]`
    pub transport: Transport,
    /// `[INACTIVE_CLIENTS]`, if they are to be disconnected.
    pub inactive_clients: Option<InactiveClients>,
    /// `[PROXY]`
    pub proxy: Proxy,
    /// `[NAMES]`, if names are to be resolved.
    pub names: Option<Names>,
    /// `[WEB]`
    pub web: Web,
    /// `[INFORMATION]`, if `source_code` is set.
    pub information: Option<Information>,
    /// `[LIMITS]`
    pub limits: Limits,
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file is missing: the server was not initialised.
    #[error("server is not initialized ({} does not exist)", .0.display())]
    NotInitialized(PathBuf),
    /// The file is unreadable.
    #[error("cannot read {}: {source}{}", path.display(), remedy::for_reading(source))]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file is not UTF-8 text.
    #[error("{}:{line}: not UTF-8 text; save the file in UTF-8", path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// The first line with other bytes.
        line: usize,
    },
    /// A line that nobody may start with.
    #[error(transparent)]
    Line(#[from] LineError),
    /// A setting cannot be used.
    #[error(transparent)]
    Setting(#[from] SettingError),
}

impl Settings {
    /// Reads `smp-server.ini` of the configuration directory. The warnings are for the operator, in order of lines.
    pub fn load(directories: &Directories) -> Result<(Self, Vec<Warning>), SettingsError> {
        let path = directories.ini();
        let bytes = match fs::read(&path) {
            Ok(bytes) => Zeroizing::new(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(SettingsError::NotInitialized(path)),
            Err(source) => return Err(SettingsError::Read { path, source }),
        };
        let text = str::from_utf8(&bytes).map_err(|error| {
            let line = bytes[..error.valid_up_to()].split(|byte| *byte == b'\n').count();
            SettingsError::NotUtf8 { path: path.clone(), line }
        })?;
        let (settings, mut warnings) = Self::parse(&path, text)?;
        warnings.extend(settings.web.missing_files().into_iter().map(|missing| {
            Warning::general(&path, format!("[WEB] {} does not exist: no HTTPS until it does", missing.display()))
        }));
        Ok((settings, warnings))
    }

    /// Reads settings from the text of `file`, which is named in errors and warnings.
    pub fn parse(file: &Path, text: &str) -> Result<(Self, Vec<Warning>), SettingsError> {
        let ini = Ini::parse(file, text)?;
        misunderstood::refuse(&ini)?;
        let mut warnings = Vec::new();
        let settings = Self::read(&ini, &mut warnings).map_err(|error| misunderstood::explain(&ini, error))?;
        warnings.extend(misunderstood::warnings(&ini));
        warnings.extend(ini.into_warnings());
        warnings.sort_by_key(|warning| warning.line);
        Ok((settings, warnings))
    }

    fn read(ini: &Ini, warnings: &mut Vec<Warning>) -> Result<Self, SettingError> {
        Ok(Self {
            store_log: StoreLog::read(&ini.section("STORE_LOG"), warnings)?,
            auth: Auth::read(&ini.section("AUTH"))?,
            transport: Transport::read(&ini.section("TRANSPORT"), warnings)?,
            inactive_clients: InactiveClients::read(&ini.section("INACTIVE_CLIENTS"))?,
            proxy: Proxy::read(&ini.section("PROXY"))?,
            names: Names::read(&ini.section("NAMES"))?,
            web: Web::read(&ini.section("WEB"), warnings)?,
            information: Information::read(&ini.section("INFORMATION"))?,
            limits: Limits::read(&ini.section("LIMITS"))?,
        })
    }

    /// How long messages live; `None`: for ever.
    pub fn message_ttl(&self) -> Option<Duration> {
        self.limits.message_ttl.unwrap_or(self.store_log.message_ttl)
    }

    /// How long undelivered notifications live.
    pub fn ntf_ttl(&self) -> Duration {
        self.limits.ntf_ttl.unwrap_or(self.store_log.ntf_ttl)
    }

    /// The address to give to clients, usable as it is. Without a port apps try [`DEFAULT_PORT`]; others they try only for the
    /// servers that they know from the beginning.
    ///
    /// Without a usable `host` setting the host is the placeholder `<hostnames>`.
    pub fn address(&self, identity: KeyHash) -> ServerAddress {
        let ports = &self.transport.ports;
        let port = if ports.contains(&DEFAULT_PORT) { None } else { ports.first().copied() };
        let mut hosts = self.transport.hosts.clone();
        if hosts.is_empty() {
            hosts.push(Host::Domain("<hostnames>".to_owned()));
        }
        ServerAddress { key_hash: identity, password: self.auth.create_password.clone(), hosts, port }
    }

    /// Listener for HTTPS, if all it needs is set.
    pub fn https(&self) -> Option<Https<'_>> {
        self.web.https(&self.transport.ports)
    }
}

#[cfg(test)]
mod tests;
