//! HTTPS: on a port that is shared with SMP, and on one of its own (operations.md §11.4, §3.6).

use std::fs;
use std::io;

use rustix::process::Signal;
use smp_client::transport::tls::TlsClient;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::harness::party::Recipient;
use crate::harness::server::Server;
use crate::harness::website::{ECDSA, RSA, certify, offer_https, over_http1, over_http2, secure};
use crate::harness::wire::greeted;

fn server_with_https(port: &str) -> Server {
    let server = Server::new(&[], &[]);
    offer_https(&server, port);
    server
}

/// The port of an HTTPS site of its own.
async fn own_port(server: &Server) -> u16 {
    let line = server.logs(0, "Serving static site on port ").await;
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn the_server_name_decides_who_answers_on_a_shared_port() {
    let mut server = server_with_https("0");
    let certificate = certify(&server, ECDSA);
    server.run().await;
    for (alpn, chosen) in [(&["h2", "http/1.1"][..], Some("h2")), (&["http/1.1"], Some("http/1.1")), (&[], None)] {
        let stream = secure(server.port(), &certificate, alpn).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec), chosen.map(Into::into));
        let page = match chosen {
            Some("h2") => over_http2(stream, "/").await,
            _ => over_http1(stream, "GET", "/", &[]).await,
        };
        assert_eq!(page.status(), 200);
        assert!(page.text().contains("<h1>SMP server localhost</h1>"));
    }
    // Whoever names no server speaks SMP, with whatever protocol.
    let client = server.connect().await;
    let (queue, sender) = Recipient::secured(&client, &client).await;
    sender.sends(b"on the same port").await;
    queue.takes(b"on the same port").await;
    let refused = secure(server.port(), &certificate, &["smp/1"]).await;
    assert!(refused.is_err(), "SMP with a server name");
}

#[tokio::test]
async fn the_certificate_may_come_change_and_be_broken() {
    let mut server = server_with_https("0");
    server.run().await;
    server.logs(0, "web.crt does not exist: no HTTPS until it does").await;
    // Meanwhile everybody on this port speaks SMP.
    greeted(&server, &TlsClient::default()).await;

    let first = certify(&server, ECDSA);
    server.logs(0, "loaded the web certificate").await;
    let stream = secure(server.port(), &first, &["http/1.1"]).await.unwrap();

    let seen = server.process().output().len();
    let second = certify(&server, RSA);
    server.logs(seen, "loaded the web certificate").await;
    let error = secure(server.port(), &first, &[]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData, "the old certificate is not served any more: {error}");
    secure(server.port(), &second, &[]).await.unwrap();
    // Who was there before is there still.
    assert_eq!(over_http1(stream, "GET", "/", &[]).await.status(), 200);

    for (broken, complaint) in [("", "no private key in PEM form"), ("-----BEGIN PRIVATE KEY-----\n-", "PEM form")] {
        let seen = server.process().output().len();
        fs::write(server.config_file("web.key"), broken).unwrap();
        server.process().signal(Signal::HUP);
        let line = server.logs(seen, "the web certificate stays as it was").await;
        assert!(line.contains(complaint), "{line}");
        secure(server.port(), &second, &[]).await.unwrap();
    }
    Recipient::secured(&server.connect().await, &server.connect().await).await;
}

#[tokio::test]
async fn a_port_of_its_own() {
    let free = std::net::TcpListener::bind("[::]:0").unwrap().local_addr().unwrap().port().to_string();
    let mut server = server_with_https(&free);
    server.run().await;
    let port = own_port(&server).await;
    // Without a certificate there is nothing to say.
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
    let certificate = certify(&server, RSA);
    server.logs(0, "loaded the web certificate").await;
    let page = over_http2(secure(port, &certificate, &["h2"]).await.unwrap(), "/info.json").await;
    assert_eq!(page.status(), 200);
}

/// Far more browsers than the site takes: the last one is served, as are clients.
#[tokio::test]
async fn browsers_do_not_crowd_out_clients() {
    let mut server = server_with_https("0");
    let certificate = certify(&server, ECDSA);
    server.run().await;
    let mut inside = Vec::new();
    for _ in 0..600 {
        inside.push(secure(server.port(), &certificate, &["http/1.1"]).await.expect("an idle browser gives way"));
    }
    let client = server.connect().await;
    let (queue, sender) = Recipient::secured(&client, &client).await;
    sender.sends(b"all the same").await;
    queue.takes(b"all the same").await;
}
