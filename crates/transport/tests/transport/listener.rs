//! Listening and accepting (behaviour.md §1.1).

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use smp_transport::keep_alive::KeepAlive;
use smp_transport::listener::{AcceptError, Address, Listener};
use socket2::SockRef;
use tokio::net::TcpStream;

#[tokio::test]
async fn any_address_means_both_families() {
    let listener = Listener::bind(Address::Any(0), false).unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut families: Vec<std::net::IpAddr> = vec![Ipv4Addr::LOCALHOST.into()];
    if std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
        families.push(Ipv6Addr::LOCALHOST.into());
    }
    for family in families {
        let (client, accepted) = tokio::join!(TcpStream::connect((family, port)), listener.accept());
        let (stream, peer) = accepted.unwrap();
        assert!(stream.nodelay().unwrap());
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().unwrap(), "a peer that vanished is noticed");
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(KeepAlive::SERVER.give_up));
        assert_eq!(peer.port(), client.unwrap().local_addr().unwrap().port());
    }
}

#[tokio::test]
async fn failures_name_the_address_and_the_remedy() {
    let local: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
    let first = Listener::bind(Address::Only(local), false).unwrap();
    let taken = first.local_addr().unwrap();
    let error = Listener::bind(Address::Only(taken), false).unwrap_err().to_string();
    let (address, port) = (taken.to_string(), taken.port());
    assert!(error.starts_with(&format!("cannot listen on {address}: ")), "{error}");
    assert!(
        error.ends_with(&format!("; stop the program that uses port {port}, or configure another port")),
        "{error}"
    );

    // 192.0.2.0/24 is for documentation: no machine has it.
    let absent = SocketAddr::from(([192, 0, 2, 1], port));
    let error = Listener::bind(Address::Only(absent), false).unwrap_err().to_string();
    assert!(error.contains("192.0.2.1") && error.ends_with("; configure an address of this machine"), "{error}");
}

#[tokio::test]
async fn shared_port_is_listened_on_by_several_sockets() {
    let first = Listener::bind(Address::Any(0), true).unwrap();
    let port = first.local_addr().unwrap().port();
    let second = Listener::bind(Address::Any(port), true).unwrap();
    assert!(Listener::bind(Address::Any(port), false).is_err());
    let client = TcpStream::connect((Ipv4Addr::LOCALHOST, port));
    let accepted = async {
        tokio::select! { accepted = first.accept() => accepted, accepted = second.accept() => accepted }
    };
    let (client, accepted) = tokio::join!(client, accepted);
    assert!(client.is_ok() && accepted.is_ok());
}

#[test]
fn failures_to_accept_are_classified() {
    let pause = |code| AcceptError::from(io::Error::from_raw_os_error(code)).pause();
    for code in [libc::ECONNABORTED, libc::EPROTO, libc::ENONET, libc::EHOSTDOWN, libc::EOPNOTSUPP, libc::ENETUNREACH] {
        assert_eq!(pause(code), Some(Duration::ZERO));
    }
    for code in [libc::EMFILE, libc::ENFILE] {
        assert!(pause(code).unwrap() > Duration::ZERO);
    }
    for code in [libc::EBADF, libc::EINVAL, libc::ENOTSOCK] {
        assert_eq!(pause(code), None);
    }
}
