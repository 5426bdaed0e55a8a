//! `[TRANSPORT]`: names and ports.

use super::Bind;
use crate::ini::{Section, SettingError, Warning};
use smp_protocol::address::Host;

/// Settings of section `[TRANSPORT]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transport {
    /// `host`: names of this server, used only in its address and on its page.
    pub hosts: Vec<Host>,
    /// `port`: ports for SMP over TLS; at least one. 0 means any free port.
    pub ports: Vec<u16>,
    /// `log_tls_errors`
    pub log_tls_errors: bool,
    /// `websockets`: ports for SMP over WebSockets, none of them among `ports`, except for 0.
    pub websocket_ports: Vec<u16>,
    /// `control_port`: TCP port on 127.0.0.1.
    pub control_port: Option<u16>,
    /// `bind`, ours only: the addresses on which `ports` and `websocket_ports` are open.
    pub bind: Bind,
    /// `accept_service_credentials`: whether clients may prove to be services.
    pub accept_service_credentials: bool,
}

impl Transport {
    pub(super) fn read(section: &Section<'_>, warnings: &mut Vec<Warning>) -> Result<Self, SettingError> {
        let ports = ports(section, "port", warnings)?;
        let websocket_ports = match section.required("websockets", "on, off or ports separated by commas")? {
            "off" => Vec::new(),
            "on" => vec![80],
            _ => self::ports(section, "websockets", warnings)?,
        };
        Ok(Self {
            hosts: hosts(section, warnings),
            websocket_ports: websocket_ports.into_iter().filter(|port| *port == 0 || !ports.contains(port)).collect(),
            ports,
            log_tls_errors: section.on_off("log_tls_errors")?.unwrap_or(false),
            control_port: section.port("control_port")?,
            bind: Bind::read(section)?,
            accept_service_credentials: section.on_off("accept_service_credentials")?.unwrap_or(true),
        })
    }

    /// The first onion host.
    pub fn onion_host(&self) -> Option<&Host> {
        self.hosts.iter().find(|host| matches!(host, Host::Onion(_)))
    }
}

/// A list of ports separated by commas; spaces around them are ignored, and so is a port that is there already.
fn ports(section: &Section<'_>, key: &'static str, warnings: &mut Vec<Warning>) -> Result<Vec<u16>, SettingError> {
    const ALLOWED: &str = "ports from 0 to 65535 separated by commas, for example 5223,443";
    let mut ports = Vec::new();
    for text in section.required(key, ALLOWED)?.split(',') {
        let port = text.trim().parse().map_err(|_| section.invalid(key, ALLOWED))?;
        if ports.contains(&port) {
            warnings.push(section.warning(key, &format!("has {port} twice")));
        } else {
            ports.push(port);
        }
    }
    Ok(ports)
}

/// The reference only prints the text, so what is not a host is left out with a warning.
fn hosts(section: &Section<'_>, warnings: &mut Vec<Warning>) -> Vec<Host> {
    let mut hosts = Vec::new();
    for text in section.text("host").unwrap_or("<hostnames>").split(',').map(str::trim) {
        match text.parse() {
            Ok(host) => hosts.push(host),
            Err(_) => warnings.push(section.warning("host", &format!("has {text:?}, which is not a host name"))),
        }
    }
    hosts
}
