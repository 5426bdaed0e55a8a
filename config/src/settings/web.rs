//! `[WEB]`: the site with information about the server and with link pages.

use std::path::{Path, PathBuf};

use super::Bind;
use crate::ini::{Section, SettingError, Warning};

/// Settings of section `[WEB]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Web {
    /// `static_path`: where pages are generated; no site without.
    pub static_path: Option<PathBuf>,
    /// `http`: port for plain HTTP.
    pub http: Option<u16>,
    /// `https`: port for HTTPS.
    pub https: Option<u16>,
    /// `cert`: PEM file with the certificate chain.
    pub certificate: Option<PathBuf>,
    /// `key`: PEM file with the private key.
    pub key: Option<PathBuf>,
    /// `bind`, ours only: the addresses on which `http`, and `https` unless it is a port of SMP, are open.
    pub bind: Bind,
}

/// What is needed to serve HTTPS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Https<'a> {
    /// Port.
    pub port: u16,
    /// Whether SMP is served on the same port: connections with a server name (SNI) are for the site.
    pub shared: bool,
    /// PEM file with the certificate chain; it need not exist.
    pub certificate: &'a Path,
    /// PEM file with the private key; it need not exist.
    pub key: &'a Path,
}

impl Web {
    pub(super) fn read(section: &Section<'_>, warnings: &mut Vec<Warning>) -> Result<Self, SettingError> {
        let path = |key| section.text(key).filter(|text| !text.is_empty()).map(PathBuf::from);
        let web = Self {
            static_path: path("static_path"),
            http: port(section, "http", warnings)?,
            https: port(section, "https", warnings)?,
            certificate: path("cert"),
            key: path("key"),
            bind: Bind::read(section)?,
        };
        if web.https.is_some() && (web.certificate.is_none() || web.key.is_none()) {
            warnings.push(section.warning("https", "needs cert and key as well: no HTTPS"));
        }
        Ok(web)
    }

    /// The HTTPS listener, if port, certificate and key are set.
    pub(super) fn https(&self, smp_ports: &[u16]) -> Option<Https<'_>> {
        let port = self.https?;
        Some(Https {
            port,
            shared: smp_ports.contains(&port),
            certificate: self.certificate.as_deref()?,
            key: self.key.as_deref()?,
        })
    }

    /// Files that HTTPS needs and that do not exist.
    pub(super) fn missing_files(&self) -> Vec<&Path> {
        let needed = self.https(&[]).map(|https| [https.certificate, https.key]);
        needed.into_iter().flatten().filter(|path| !path.exists()).collect()
    }
}

/// The reference takes anything but a number as "not set".
fn port(section: &Section<'_>, key: &'static str, warnings: &mut Vec<Warning>) -> Result<Option<u16>, SettingError> {
    let is_number = section.text(key).is_some_and(|text| text.starts_with(|first: char| first.is_ascii_digit()));
    match section.port(key) {
        Err(_) if !is_number => {
            warnings.push(section.warning(key, "is not a port number and is ignored; write off for none"));
            Ok(None)
        }
        port => port,
    }
}
