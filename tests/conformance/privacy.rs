//! What the log tells at its most talkative: nothing about clients, queues and messages (behaviour.md I-16).

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use smp_client::protocol::command::Name;
use smp_client::protocol::error::ErrorType;
use smp_client::transport::tls::TlsClient;
use smp_client::{Client, Options};
use tokio::io::AsyncWriteExt;

use crate::harness::party::Recipient;
use crate::harness::request::{By, DEL, NSUB, SUB, ask, ask_raw, send};
use crate::harness::resolver::{Answer, Resolver};
use crate::harness::server::Server;
use crate::harness::service::{Service, queue_set, service_id};
use crate::harness::wire::{tcp, tls};

const PASSWORD: &str = "correct-horse-battery";
const BODY: &[u8] = b"nobody but Alice may read this";

/// What must not be in any line.
#[derive(Default)]
struct Secrets(Vec<(&'static str, String)>);

impl Secrets {
    fn add(&mut self, what: &'static str, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        let hex = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        let hex = hex.filter_map(|digit| char::from_digit(digit.into(), 16)).collect();
        self.0.extend([URL_SAFE.encode(bytes), STANDARD.encode(bytes), hex].map(|text| (what, text)));
    }

    fn add_text(&mut self, what: &'static str, text: &str) {
        self.0.push((what, text.to_owned()));
    }

    fn add_queue(&mut self, queue: &Recipient) {
        self.add("recipient ID", queue.id());
        self.add("sender ID", queue.queue.sender_id());
        self.add("key", queue.key().public().to_spki());
    }
}

/// Everything a server does for its clients, and everything that goes wrong with them.
async fn traffic(server: &Server, secrets: &mut Secrets) {
    let options = Options::default();
    let mut address = server.address().clone();
    address.password = Some(PASSWORD.parse().unwrap());
    let client = Client::connect(&address, &options).await.unwrap();
    secrets.add("session ID", client.session_id());
    let (queue, sender) = Recipient::secured(&client, &client).await;
    secrets.add_queue(&queue);
    let notifier = queue.notifier().await;
    secrets.add("notifier ID", notifier.id());
    notifier.subscribe().await.unwrap();
    sender.notifies(BODY).await;
    queue.receives(BODY).await;
    for command in [SUB, DEL, send(BODY), NSUB] {
        ask(&client, queue.id(), command, By::WrongSignature).await;
    }
    ask_raw(&client, queue.id(), b"WHAT ever", By::WrongSignature).await;
    let other = server.connect().await;
    queue.on(&other).ask(SUB).await;

    let service = Service::messaging();
    let connection = Client::connect(&address, &service.options(client.version())).await.unwrap();
    secrets.add("service ID", service_id(&connection));
    let of_service = Recipient::new(&connection).await;
    secrets.add_queue(&of_service);
    connection.subscribe_service_queues(queue_set([of_service.id()])).await.unwrap();

    let through = client.proxied_relay(&address, None).await.unwrap();
    secrets.add("session ID", through.session_id());
    through.sender(of_service.queue.sender_id()).send(BODY).await.unwrap();
    let refused = client.resolve(&Name::parse(b"alice.simplex").unwrap()).await.unwrap_err();
    assert!(matches!(refused.answered(), Some(ErrorType::Name(_))));

    bad_connections(server).await;
}

/// Connections that fail in every phase.
async fn bad_connections(server: &Server) {
    let mut noise = tcp(server).await;
    noise.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    drop(tcp(server).await);
    assert!(tls(server, &TlsClient::default().alpn(&[b"unknown"])).await.is_err());
    let mut silent = tls(server, &TlsClient::default()).await.unwrap().stream;
    silent.write_all(&[0; 16384]).await.unwrap();
    let _ = silent.flush().await;
}

#[tokio::test]
async fn the_log_tells_nothing_of_clients() {
    let resolver = Resolver::start().await;
    let endpoint = resolver.endpoint();
    resolver.answers(Answer::with(500, "alice.simplex"));
    let mut server = Server::new(
        &[],
        &[
            ("AUTH", "create_password", PASSWORD),
            ("TRANSPORT", "log_tls_errors", "on"),
            ("NAMES", "enable", "on"),
            ("NAMES", "resolver_endpoint", &endpoint),
            ("NAMES", "resolver_auth", "bearer t0kent0ken"),
        ],
    );
    let mut secrets = Secrets::default();
    secrets.add_text("password", PASSWORD);
    secrets.add_text("password of the resolver", "t0kent0ken");
    secrets.add_text("body", std::str::from_utf8(BODY).unwrap());
    secrets.add("body", BODY);
    secrets.add_text("name", "alice.simplex");
    secrets.add_text("address of a client", "127.0.0.1:");
    secrets.add_text("address of a client", "::ffff:");
    server.run_with(&["--log-level", "trace"]).await;
    traffic(&server, &mut secrets).await;
    server.stop().await;

    // The start once more, with something to restore.
    server.run_with(&["--log-level", "trace"]).await;
    server.stop().await;
    // Scripts read the address from the start-up lines, with the password (operations.md §5.1); the resolver is the operator's.
    let is_of_clients =
        |line: &&String| !line.starts_with("Server address: ") && !line.contains("[NAMES] resolver http");
    let lines: Vec<_> = server.output();
    assert!(lines.iter().any(|line| line.contains("DEBUG")), "the log is talkative: {lines:#?}");
    for line in lines.iter().filter(is_of_clients) {
        for (what, secret) in &secrets.0 {
            assert!(!line.contains(secret), "{what} in the log: {line}");
        }
    }
}
