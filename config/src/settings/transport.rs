//! `[TRANSPORT]`: names and ports.

use super::Bind;
use crate::ini::{Section, SettingError, Warning};
use smp_protocol::address::Host;

const PORTS: &str = "ports from 1 to 65535 separated by commas, for example 5223,443; it cannot be off";
const WEBSOCKETS: &str = "on, off, or ports from 1 to 65535 separated by commas";
/// Characters that people put around values; an INI file has no quotes.
const QUOTES: [char; 9] = ['"', '\'', '`', '\u{201c}', '\u{201d}', '\u{201e}', '\u{2018}', '\u{2019}', '\u{ab}'];

/// Settings of section `[TRANSPORT]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transport {
    /// `host`: names of this server, used only in its address and on its page.
    pub hosts: Vec<Host>,
    /// `port`: ports for SMP over TLS; at least one. 0, which no file can have, is any free port.
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
        let ports = ports(section, "port", PORTS, warnings)?;
        let websocket_ports = match section.required("websockets", WEBSOCKETS)? {
            "off" => Vec::new(),
            "on" => vec![80],
            _ => self::ports(section, "websockets", WEBSOCKETS, warnings)?,
        };
        Ok(Self {
            hosts: hosts(section, warnings)?,
            websocket_ports: websocket_ports.into_iter().filter(|port| *port == 0 || !ports.contains(port)).collect(),
            ports,
            log_tls_errors: section.on_off("log_tls_errors")?.unwrap_or(false),
            control_port: section.port("control_port")?,
            bind: Bind::read(section)?,
            accept_service_credentials: section.on_off("accept_service_credentials")?.unwrap_or(true),
        })
    }

    /// Whether there is a name to be found by, and not only the placeholder for it.
    pub fn has_name(&self) -> bool {
        let is_placeholder = |host: &Host| matches!(host, Host::Domain(name) if name.starts_with('<'));
        !self.hosts.is_empty() && !self.hosts.iter().any(is_placeholder)
    }

    /// The first onion host.
    pub fn onion_host(&self) -> Option<&Host> {
        self.hosts.iter().find(|host| matches!(host, Host::Onion(_)))
    }
}

/// A list of ports separated by commas; spaces around them are ignored, and so is a port that is there already.
fn ports(
    section: &Section<'_>,
    key: &'static str,
    allowed: &str,
    warnings: &mut Vec<Warning>,
) -> Result<Vec<u16>, SettingError> {
    let mut ports = Vec::new();
    for text in section.required(key, allowed)?.split(',') {
        let port = text.trim().parse().ok().filter(|port| *port > 0).ok_or_else(|| section.invalid(key, allowed))?;
        if ports.contains(&port) {
            warnings.push(section.warning(key, &format!("has {port} twice")));
        } else {
            ports.push(port);
        }
    }
    Ok(ports)
}

/// The reference only prints the text, so what is not a host is left out with a warning.
fn hosts(section: &Section<'_>, warnings: &mut Vec<Warning>) -> Result<Vec<Host>, SettingError> {
    let mut hosts = Vec::new();
    for text in section.text("host").unwrap_or("<hostnames>").split(',').map(str::trim) {
        match host_name(text) {
            Some(host) => hosts.push(host),
            None if text.contains(QUOTES) => {
                return Err(section.invalid("host", "names and addresses separated by commas, without quotes"));
            }
            None => warnings.push(section.warning(
                "host",
                &format!("has {text:?}, which is not a host name and left out: write names alone, separated by commas"),
            )),
        }
    }
    Ok(hosts)
}

/// A name or address that can be part of the address of a server. An INI file has no quotes.
pub(crate) fn host_name(text: &str) -> Option<Host> {
    text.parse().ok().filter(|_| !text.contains(QUOTES))
}
