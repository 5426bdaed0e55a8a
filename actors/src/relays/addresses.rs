//! Addresses that may be connected to for a client: whoever asks for a relay must not reach what only this machine, or the network
//! it is in, can reach.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use smp_client::transport::keep_alive::KeepAlive;
use smp_protocol::address::Host;
use thiserror::Error;
use tokio::net::{TcpStream, lookup_host};

/// Why there is no connection.
#[derive(Debug, Error)]
pub(super) enum Unreachable {
    /// The host has only addresses that are not for everybody.
    #[error("its address is not public ([PROXY] allow_private = on allows such relays)")]
    NotPublic,
    /// It has no address, or does not answer at any of them.
    #[error(transparent)]
    Tcp(#[from] io::Error),
}

/// Connects to a host. The addresses that a name has at this moment are judged, and no others are connected to.
pub(super) async fn connect(host: &Host, port: u16, allow_private: bool) -> Result<TcpStream, Unreachable> {
    let addresses: Vec<SocketAddr> = match host {
        Host::V4(ip) => vec![(*ip, port).into()],
        Host::V6(ip) => vec![(*ip, port).into()],
        Host::Onion(name) | Host::Domain(name) => lookup_host((name.as_str(), port)).await?.collect(),
    };
    let mut failure = None;
    for address in addresses {
        if !allow_private && !is_public(address.ip()) {
            failure.get_or_insert(Unreachable::NotPublic);
            continue;
        }
        match TcpStream::connect(address).await {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                KeepAlive::PROXY.apply(&stream)?;
                return Ok(stream);
            }
            Err(error) => failure = Some(error.into()),
        }
    }
    Err(failure.unwrap_or_else(|| io::Error::from(io::ErrorKind::AddrNotAvailable).into()))
}

/// Whether a host may be given to the SOCKS proxy, which looks names up by itself.
pub(super) fn is_public_host(host: &Host) -> bool {
    match host {
        Host::V4(ip) => is_public((*ip).into()),
        Host::V6(ip) => is_public((*ip).into()),
        Host::Onion(_) => true,
        Host::Domain(name) => {
            let name = name.trim_end_matches('.');
            name != "localhost" && !name.ends_with(".localhost")
        }
    }
}

/// Whether everybody can reach the address: it is in none of the ranges that IANA has for special purposes.
pub(super) fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    // This network, private networks, loopback, link-local, multicast, reserved and broadcast; carriers' NAT, protocol assignments,
    // relays of 6to4, benchmarks; documentation.
    let special = matches!(
        ip.octets(),
        [0 | 10 | 127 | 224.., ..]
            | [172, 16..=31, ..]
            | [192, 168, ..]
            | [169, 254, ..]
            | [100, 64..=127, ..]
            | [192, 0, 0 | 2, _]
            | [192, 88, 99, _]
            | [198, 18 | 19, ..]
            | [198, 51, 100, _]
            | [203, 0, 113, _]
    );
    !special
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match ip.segments() {
        // What leads to an IPv4 address is as public as that: NAT64, 6to4.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => embedded(high, low),
        // Protocol assignments, Teredo among them; documentation.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
        // All other global unicast addresses; the rest is local, multicast or reserved.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn public(text: &str) -> bool {
        is_public(text.parse().unwrap())
    }

    #[test]
    fn addresses_of_everybody() {
        for text in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:200::1",
            "2a00::1",
            "64:ff9b::1.1.1.1",
            "2002:101:101::1",
            "::ffff:1.1.1.1",
        ] {
            assert!(public(text), "{text}");
        }
    }

    #[test]
    fn addresses_of_somebody() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::1.1.1.1",
            "100::1",
            "2001::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:a00:1::1",
            "2002:7f00:1::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!public(text), "{text}");
        }
    }

    #[test]
    fn names_of_this_machine_are_not_for_the_socks_proxy() {
        let public = |text: &str| is_public_host(&text.parse().unwrap());
        assert!(public("smp.example.org") && public("abc.onion") && public("1.1.1.1"));
        assert!(!public("LocalHost") && !public("a.localhost.") && !public("10.0.0.1") && !public("[::1]"));
    }
}
