//! SIGHUP: certificate and password are read anew, and nobody is dropped.

use std::fs;

use rustix::process::Signal;
use smp_client::protocol::error::ErrorType;
use smp_client::transport::tls::TlsClient;
use smp_client::{Client, ClientError, NewQueueOptions, Options};

use crate::harness::party::Recipient;
use crate::harness::server::Server;
use crate::harness::wire::greeted;

/// Sends SIGHUP and waits for what the server says about it.
async fn reloads(server: &Server, says: &str) {
    let before = server.process().output().len();
    server.process().signal(Signal::HUP);
    server.logs(before, says).await;
}

/// The certificates that a new connection gets, leaf first.
async fn chain(server: &Server) -> Vec<Vec<u8>> {
    let (_, hello) = greeted(server, &TlsClient::default()).await;
    hello.key.expect("new clients are sent the certificates").chain
}

#[tokio::test]
async fn new_connections_get_the_new_certificate() {
    let server = Server::start().await;
    let client = server.connect().await;
    let (queue, sender) = Recipient::secured(&client, &client).await;
    let old = chain(&server).await;
    for _ in 0..2 {
        server.execute(&["cert"]);
        reloads(&server, "reloaded certificate and password").await;
        let new = chain(&server).await;
        assert_ne!(new[0], old[0], "another leaf");
        assert_eq!(new[1..], old[1..], "the same identity");
        // The address is that of before, and who was there is there still.
        let other = server.connect().await;
        sender.on(&other).sends(b"by a new connection").await;
        queue.takes(b"by a new connection").await;
    }
}

#[tokio::test]
async fn the_password_changes() {
    let server = Server::start().await;
    let client = server.connect().await;
    let create = async |password: Option<&str>| {
        let mut address = server.address().clone();
        address.password = password.map(|password| password.parse().unwrap());
        let client = Client::connect(&address, &Options::default()).await.unwrap();
        client.create_queue(NewQueueOptions::default()).await.map(drop)
    };
    let is_refused = |result: Result<(), ClientError>| {
        assert!(matches!(result, Err(ClientError::Server(ErrorType::Auth))), "{result:?}");
    };
    create(None).await.unwrap();
    for password in ["first", "second"] {
        server.set(("AUTH", "create_password", password));
        reloads(&server, "reloaded certificate and password").await;
        create(Some(password)).await.unwrap();
        is_refused(create(None).await);
        is_refused(create(Some("other")).await);
        // The proxy asks for the same one.
        assert!(client.proxied_relay(server.address(), None).await.is_err());
    }
    client.ping().await.unwrap();
}

/// A slip in the file must not open a server that runs.
#[tokio::test]
async fn a_setting_that_is_not_understood_opens_nothing() {
    let server = Server::start_with(&[("AUTH", "create_password", "first")]).await;
    let client = server.connect().await;
    let file = server.config_file("smp-server.ini");
    let good = fs::read_to_string(&file).unwrap();
    let refuses = async || {
        let refused = client.create_queue(NewQueueOptions::default()).await.map(drop);
        assert!(matches!(refused, Err(ClientError::Server(ErrorType::Auth))), "{refused:?}");
    };
    for (right, wrong) in [
        ("[AUTH]", "[auth]"),
        ("[AUTH]", "[AUHT]"),
        ("create_password", "CREATE_PASSWORD"),
        ("create_password", "create-password"),
        ("create_password = first", "create_password first"),
        ("create_password = first", "create_password = first\ncreate_password = second"),
        ("[AUTH]", "[AUTH"),
    ] {
        fs::write(&file, good.replace(right, wrong)).unwrap();
        reloads(&server, "cannot reload: ").await;
        refuses().await;
    }
    fs::write(&file, good + "\n[AUTH]\ndaily_block_queue_quota = 5\n").unwrap();
    reloads(&server, "reloaded certificate and password").await;
    refuses().await;
}

#[tokio::test]
async fn what_cannot_be_read_changes_nothing() {
    let server = Server::start().await;
    let other = Server::new(&[], &[]);
    let client = server.connect().await;
    let before = chain(&server).await;
    let files = ["server.crt", "server.key", "ca.crt", "fingerprint"];
    let own = files.map(|name| fs::read(server.config_file(name)).unwrap());
    let restore = || {
        for (name, content) in files.iter().zip(&own) {
            fs::write(server.config_file(name), content).unwrap();
        }
    };

    fs::write(server.config_file("server.crt"), "not a certificate").unwrap();
    reloads(&server, "cannot reload: ").await;
    restore();
    fs::copy(other.config_file("server.key"), server.config_file("server.key")).unwrap();
    reloads(&server, "cannot reload: ").await;
    for name in files {
        fs::copy(other.config_file(name), server.config_file(name)).unwrap();
    }
    reloads(&server, "cannot reload: the certificate has another identity").await;
    restore();
    server.set(("AUTH", "create_password", "with space"));
    reloads(&server, "cannot reload: ").await;

    assert_eq!(chain(&server).await, before);
    client.create_queue(NewQueueOptions::default()).await.unwrap();
    assert!(!server.output().iter().any(|line| line.contains("with space")), "passwords are not logged");
    server.set(("AUTH", "create_password", "correct"));
    reloads(&server, "reloaded certificate and password").await;
}
