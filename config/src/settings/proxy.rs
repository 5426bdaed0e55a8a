//! `[PROXY]`: forwarding messages to other relays.

use std::net::Ipv4Addr;
use std::str::FromStr;

use crate::ini::{Section, SettingError};
use crate::secret::Secret;
use smp_protocol::address::Host;

/// Which host of a relay's address is tried first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostMode {
    /// `public`
    Public,
    /// `onion`
    Onion,
}

/// When the SOCKS proxy is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocksMode {
    /// `onion`: only for onion hosts.
    Onion,
    /// `always`
    Always,
}

/// How to log in at the SOCKS proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SocksAuth {
    /// Nothing before the address: other credentials for each destination, which keeps Tor circuits apart.
    Isolate,
    /// `@`: none.
    None,
    /// `user:password@`
    Password {
        /// User name.
        user: String,
        /// Password.
        password: Secret,
    },
}

/// A SOCKS5 proxy: `[user:password@|@][host][:port]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocksProxy {
    /// How to log in.
    pub auth: SocksAuth,
    /// Address or name; 127.0.0.1 unless given.
    pub host: Host,
    /// Port; 9050 unless given.
    pub port: u16,
}

/// A text that is not a SOCKS proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSocksProxy {
    /// It does not have the form of one.
    #[error("a SOCKS proxy has the form [user:password@][host][:port], with a port from 1 to 65535")]
    Form,
    /// It is a port that looks like a host.
    #[error("a number alone would be the name of a host; write :{0} for port {0} of this machine")]
    Number(u32),
}

impl FromStr for SocksProxy {
    type Err = InvalidSocksProxy;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (auth, location) = match text.split_once('@') {
            None => (SocksAuth::Isolate, text),
            Some(("", location)) => (SocksAuth::None, location),
            Some((credentials, location)) => {
                let (user, password) = credentials.split_once(':').ok_or(InvalidSocksProxy::Form)?;
                (SocksAuth::Password { user: user.to_owned(), password: Secret::new(password) }, location)
            }
        };
        let bare_ip_v6 = location.matches(':').count() > 1 && !location.ends_with(']') && !location.contains("]:");
        let (host, port) = match location.rsplit_once(':') {
            Some((host, port)) if !bare_ip_v6 && !location.ends_with(']') => {
                (host, port.parse().map_err(|_| InvalidSocksProxy::Form)?)
            }
            _ => (location, 9050),
        };
        if let Ok(number) = host.parse() {
            return Err(InvalidSocksProxy::Number(number));
        }
        let host = match host {
            "" => Host::V4(Ipv4Addr::LOCALHOST),
            name => name.parse().map_err(|_| InvalidSocksProxy::Form)?,
        };
        if port == 0 || matches!(host, Host::Onion(_)) {
            return Err(InvalidSocksProxy::Form);
        }
        Ok(Self { auth, host, port })
    }
}

/// Settings of section `[PROXY]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// `host_mode`
    pub host_mode: HostMode,
    /// `required_host_mode`: refuse relays that have no host of the preferred kind.
    pub required_host_mode: bool,
    /// `own_server_domains`: suffixes of relays counted as own in the statistics.
    pub own_server_domains: Vec<String>,
    /// `socks_proxy`
    pub socks_proxy: Option<SocksProxy>,
    /// `socks_mode`
    pub socks_mode: SocksMode,
    /// `client_concurrency`: proxy commands in parallel per client.
    pub client_concurrency: u32,
    /// `allow_private`, ours only: whether relays may have addresses that are not public.
    pub allow_private: bool,
}

impl Proxy {
    pub(super) fn read(section: &Section<'_>) -> Result<Self, SettingError> {
        let socks_proxy = section.text("socks_proxy").map(str::parse::<SocksProxy>).transpose();
        let domains = section.text("own_server_domains").unwrap_or_default();
        let separator = |character: char| character.is_whitespace() || character == ',';
        let host_mode = section.one_of("host_mode", &[("public", HostMode::Public), ("onion", HostMode::Onion)])?;
        let socks_mode = section.one_of("socks_mode", &[("onion", SocksMode::Onion), ("always", SocksMode::Always)])?;
        Ok(Self {
            host_mode: host_mode.unwrap_or(HostMode::Public),
            required_host_mode: section.on_off("required_host_mode")?.unwrap_or(false),
            own_server_domains: domains.split(separator).filter(|name| !name.is_empty()).map(str::to_owned).collect(),
            socks_proxy: socks_proxy
                .map_err(|error: InvalidSocksProxy| section.secret_invalid("socks_proxy", &error.to_string()))?,
            socks_mode: socks_mode.unwrap_or(SocksMode::Onion),
            client_concurrency: section.count("client_concurrency", 1..=u32::MAX)?.unwrap_or(32),
            allow_private: section.on_off("allow_private")?.unwrap_or(false),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn socks_proxies_have_defaults_for_every_part() {
        for (text, auth, host, port) in [
            ("", SocksAuth::Isolate, "127.0.0.1", 9050),
            (":9051", SocksAuth::Isolate, "127.0.0.1", 9051),
            ("192.0.2.7", SocksAuth::Isolate, "192.0.2.7", 9050),
            ("localhost:9050", SocksAuth::Isolate, "localhost", 9050),
            ("@192.0.2.7:1080", SocksAuth::None, "192.0.2.7", 1080),
            ("[::1]:1080", SocksAuth::Isolate, "[::1]", 1080),
            ("[::1]", SocksAuth::Isolate, "[::1]", 9050),
            ("@::1", SocksAuth::None, "[::1]", 9050),
        ] {
            let proxy: SocksProxy = text.parse().unwrap();
            assert_eq!((proxy.auth, proxy.host.to_string().as_str(), proxy.port), (auth, host, port), "{text}");
        }
        let SocksAuth::Password { user, password } = "tor:pass:word@:9".parse::<SocksProxy>().unwrap().auth else {
            panic!("no password read")
        };
        assert_eq!((user.as_str(), password.expose()), ("tor", "pass:word"));
    }

    #[test]
    fn other_texts_are_not_socks_proxies() {
        for text in ["host:port", "a b", "127.0.0.1:0", "127.0.0.1:65536", "user@host", "abc.onion", "socks5://host"] {
            assert_eq!(text.parse::<SocksProxy>(), Err(InvalidSocksProxy::Form), "{text}");
        }
        for text in ["9050", "@9050", "9050:9050"] {
            assert_eq!(text.parse::<SocksProxy>(), Err(InvalidSocksProxy::Number(9050)), "{text}");
        }
    }
}
