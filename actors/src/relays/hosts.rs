//! Which host of a relay is connected to, and how: directly or through the SOCKS proxy.
//!
//! A name that ends in `.onion` is only ever given to the SOCKS proxy, never to DNS.

use smp_config::settings::{HostMode, Proxy, SocksMode, SocksProxy};
use smp_protocol::address::Host;

/// A way to a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way<'a> {
    /// Straight over TCP.
    Direct(&'a Host),
    /// Through the proxy, which resolves the name.
    Socks(&'a Host, &'a SocksProxy),
}

impl<'a> Way<'a> {
    /// The host that it leads to.
    pub fn host(self) -> &'a Host {
        match self {
            Self::Direct(host) | Self::Socks(host, _) => host,
        }
    }
}

/// The ways to a relay, the preferred kind of host first. Empty if the settings allow none.
pub(super) fn ways<'a>(hosts: &'a [Host], settings: &'a Proxy) -> Vec<Way<'a>> {
    let is_preferred = |host: &&Host| matches!(host, Host::Onion(_)) == (settings.host_mode == HostMode::Onion);
    let (preferred, others): (Vec<_>, Vec<_>) = hosts.iter().partition(is_preferred);
    let others = if settings.required_host_mode { Vec::new() } else { others };
    preferred.into_iter().chain(others).filter_map(|host| way(host, settings)).collect()
}

fn way<'a>(host: &'a Host, settings: &'a Proxy) -> Option<Way<'a>> {
    match (host, &settings.socks_proxy) {
        (Host::Onion(_), None) => None,
        (Host::Onion(_), Some(socks)) => Some(Way::Socks(host, socks)),
        (_, Some(socks)) if settings.socks_mode == SocksMode::Always => Some(Way::Socks(host, socks)),
        _ => Some(Way::Direct(host)),
    }
}

/// Whether the first host is one of these domains, or below one. Case makes no difference, nor a dot at the end.
pub(super) fn is_own(hosts: &[Host], domains: &[String]) -> bool {
    let plain = |name: &str| name.trim_end_matches('.').to_ascii_lowercase();
    let Some(first) = hosts.first().map(|host| plain(&host.to_string())) else { return false };
    let is_in =
        |domain: &String| first.strip_suffix(&plain(domain)).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    domains.iter().any(is_in)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> Host {
        text.parse().unwrap()
    }

    fn settings(host_mode: HostMode, required: bool, socks_mode: Option<SocksMode>) -> Proxy {
        Proxy {
            host_mode,
            required_host_mode: required,
            own_server_domains: Vec::new(),
            socks_proxy: socks_mode.map(|_| "127.0.0.1:9050".parse().unwrap()),
            socks_mode: socks_mode.unwrap_or(SocksMode::Onion),
            client_concurrency: 32,
            allow_private: false,
        }
    }

    #[test]
    fn onion_hosts_are_reached_through_socks_only() {
        let (public, onion) = (host("smp.example.org"), host("abc.onion"));
        let hosts = [public.clone(), onion.clone()];
        let (direct, onions) = (Some(SocksMode::Onion), Some(SocksMode::Always));

        let without = settings(HostMode::Public, false, None);
        assert_eq!(ways(&hosts, &without), [Way::Direct(&public)]);
        assert_eq!(ways(&hosts[1..], &without), [], "an onion name must not get to DNS");
        assert_eq!(ways(&hosts, &settings(HostMode::Onion, true, None)), []);

        let with = settings(HostMode::Public, false, direct);
        let socks = with.socks_proxy.as_ref().unwrap();
        assert_eq!(ways(&hosts, &with), [Way::Direct(&public), Way::Socks(&onion, socks)]);
        let onion_first = settings(HostMode::Onion, false, direct);
        assert_eq!(ways(&hosts, &onion_first), [Way::Socks(&onion, socks), Way::Direct(&public)]);
        assert_eq!(ways(&hosts, &settings(HostMode::Public, true, direct)), [Way::Direct(&public)]);
        let always = settings(HostMode::Public, false, onions);
        assert_eq!(ways(&hosts, &always), [Way::Socks(&public, socks), Way::Socks(&onion, socks)]);
    }

    #[test]
    fn own_relays_are_told_by_the_domain_of_their_first_host() {
        let domains = ["Example.org".to_owned(), "smp.example.net".to_owned()];
        let own = |hosts: &[&str]| is_own(&hosts.iter().map(|text| host(text)).collect::<Vec<_>>(), &domains);
        assert!(own(&["example.org"]) && own(&["a.b.example.org", "other.org"]) && own(&["smp.example.net"]));
        assert!(own(&["A.EXAMPLE.ORG"]) && own(&["smp.Example.net."]));
        assert!(
            !own(&["badexample.org"]) && !own(&["other.org", "example.org"]) && !own(&["example.net"]) && !own(&[])
        );
    }
}
