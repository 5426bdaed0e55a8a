//! Where the server keeps its files (operations.md §0.2, §2).
//!
//! Two directories can be chosen, by environment variables; every file name inside them is fixed.

use std::env;
use std::path::{Path, PathBuf};

/// Environment variable naming the configuration directory; empty counts as unset.
pub const CONFIG_VARIABLE: &str = "SMP_SERVER_CFG_PATH";
/// Environment variable naming the state directory; empty counts as unset.
pub const STATE_VARIABLE: &str = "SMP_SERVER_LOG_PATH";

const DEFAULT_CONFIG: &str = "/etc/opt/simplex";
const DEFAULT_STATE: &str = "/var/opt/simplex";

/// The configuration directory (keys, certificates, INI) and the state directory (logs, messages, statistics, site).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directories {
    /// Configuration directory.
    pub config: PathBuf,
    /// State directory.
    pub state: PathBuf,
}

/// One method per fixed file name; the doc comment of each is the name inside the directory.
macro_rules! file_names {
    ($($(#[$doc:meta])* $method:ident: $directory:ident / $name:literal),* $(,)?) => {
        impl Directories {
            $($(#[$doc])* #[doc = concat!(" (`", $name, "`)")] pub fn $method(&self) -> PathBuf { self.$directory.join($name) })*
        }
    };
}

file_names! {
    /// Settings
    ini: config / "smp-server.ini",
    /// Private key of the CA; kept offline by careful operators, so often absent
    ca_key: config / "ca.key",
    /// CA certificate: the identity of the server
    ca_certificate: config / "ca.crt",
    /// Serial number of the certificate issued last
    ca_serial: config / "ca.srl",
    /// Private key of the leaf
    server_key: config / "server.key",
    /// Leaf certificate
    server_certificate: config / "server.crt",
    /// Certificate request the leaf was made from
    server_request: config / "server.csr",
    /// OpenSSL configuration for making the CA certificate by hand
    openssl_ca: config / "openssl_ca.conf",
    /// OpenSSL configuration for making the leaf certificate by hand
    openssl_server: config / "openssl_server.conf",
    /// Fingerprint of the CA certificate
    fingerprint: config / "fingerprint",
    /// Web certificate chain, by default
    web_certificate: config / "web.crt",
    /// Web private key, by default
    web_key: config / "web.key",
    /// Queue records
    store_log: state / "smp-server-store.log",
    /// Undelivered messages, written on an orderly stop
    messages_log: state / "smp-server-messages.log",
    /// Undelivered notifications, written on an orderly stop
    ntfs_log: state / "smp-server-ntfs.log",
    /// Statistics counters, written on an orderly stop
    stats_log: state / "smp-server-stats.log",
    /// Statistics, one CSV line a day
    daily_stats: state / "smp-server-stats.daily.log",
    /// Prometheus metrics
    metrics: state / "smp-server-metrics.txt",
    /// Journal of messages
    journal: state / "smp-server-journal",
    /// Journal files of the reference
    reference_journal: state / "messages",
    /// Static site, by default
    web_site: state / "www",
}

impl Directories {
    /// The directories named by the environment, or the defaults.
    pub fn from_env() -> Self {
        Self::from_variables(|name| env::var_os(name).map(PathBuf::from))
    }

    fn from_variables(variable: impl Fn(&str) -> Option<PathBuf>) -> Self {
        let directory = |name, default| {
            variable(name).filter(|path| !path.as_os_str().is_empty()).unwrap_or_else(|| PathBuf::from(default))
        };
        Self { config: directory(CONFIG_VARIABLE, DEFAULT_CONFIG), state: directory(STATE_VARIABLE, DEFAULT_STATE) }
    }

    /// Both directories below one parent, as `config` and `state`: for tests and try-outs.
    pub fn below(parent: &Path) -> Self {
        Self { config: parent.join("config"), state: parent.join("state") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unset_and_empty_variables_mean_the_defaults() {
        for value in [None, Some(PathBuf::new())] {
            let directories = Directories::from_variables(|_| value.clone());
            assert_eq!(directories.ini(), Path::new("/etc/opt/simplex/smp-server.ini"));
            assert_eq!(directories.store_log(), Path::new("/var/opt/simplex/smp-server-store.log"));
        }
    }

    #[test]
    fn each_variable_moves_its_own_directory() {
        let directories = Directories::from_variables(|name| Some(PathBuf::from("/srv").join(name)));
        assert_eq!(directories.server_key(), Path::new("/srv/SMP_SERVER_CFG_PATH/server.key"));
        assert_eq!(directories.journal(), Path::new("/srv/SMP_SERVER_LOG_PATH/smp-server-journal"));
    }
}
