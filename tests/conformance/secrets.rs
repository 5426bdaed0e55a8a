//! Passwords that were presented are not left in the memory of the server.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use futures_util::future::join_all;
use memchr::memmem;
use smp_client::protocol::address::{Host, KeyHash, ServerAddress};
use smp_client::protocol::command::BasicAuth;
use smp_client::protocol::error::ErrorType;
use smp_client::protocol::version::Version;
use smp_client::{Client, ClientError, NewQueueOptions, Options};

use crate::harness::VERSIONS;
use crate::harness::control::{Control, with_control_port};
use crate::harness::relay::free_port;
use crate::harness::server::Server;

/// Bytes looked at at a time.
const CHUNK: usize = 1 << 20;
/// Clients whose blocks are in work at the same time, and queues that each of them asks for: so many that they take turns, and that
/// there are more buffers than answers pass through.
const CLIENTS: usize = 8;
const QUEUES: usize = 20;
/// What the hash function leaves on the stacks of the two threads of sessions, until the next signature is verified there: the end of
/// a command, twice.
const ON_STACKS: usize = 4;

/// How often these bytes are in the memory that a process can write.
fn occurrences(server: &Server, secret: &str) -> usize {
    let pid = server.process().pid().as_raw_nonzero();
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).expect("the process is ours");
    let memory = File::open(format!("/proc/{pid}/mem")).expect("the process is ours");
    let mut found = 0;
    let mut bytes = vec![0; CHUNK + secret.len() - 1];
    for line in maps.lines().filter(|line| line.split(' ').nth(1).is_some_and(|mode| mode.starts_with("rw"))) {
        let (begin, end) = line.split(' ').next().and_then(|range| range.split_once('-')).expect("a range comes first");
        let address = |text| u64::from_str_radix(text, 16).expect("addresses are hexadecimal");
        let (mut begin, end) = (address(begin), address(end));
        while begin < end {
            let length = usize::try_from(end - begin).unwrap_or(usize::MAX).min(bytes.len());
            // What cannot be read is not memory of the program.
            if memory.read_exact_at(&mut bytes[..length], begin).is_ok() {
                found += memmem::find_iter(&bytes[..length], secret.as_bytes()).count();
            }
            begin += CHUNK as u64;
        }
    }
    found
}

#[tokio::test]
async fn passwords_of_the_control_port() {
    let (server, port) = with_control_port(&[]).await;
    let mut control = Control::connect(port).await;
    let wrong = "a-password-that-nobody-else-has";
    assert_eq!(control.ask(&format!("auth {wrong}")).await, "Current role is CPRNone");
    assert_eq!(control.ask("help").await.split(',').next(), Some("commands: stats"));
    assert_eq!(occurrences(&server, wrong), 0);
    // One that is not finished is still in the buffer: this is how it would be found.
    let unfinished = "a-password-that-is-still-typed";
    control.send(format!("help\nauth {unfinished}").as_bytes()).await;
    control.line().await;
    assert_eq!(occurrences(&server, unfinished), 1);
}

/// At versions that encrypt the content of blocks besides TLS.
#[tokio::test]
async fn passwords_of_clients() {
    let server = Server::start_with(&[("AUTH", "create_password", "the-right-password")]).await;
    for version in VERSIONS.into_iter().filter(|version| *version >= Version(11)) {
        let wrong = format!("a-wrong-password-of-version-{version}");
        let mut address = server.address().clone();
        address.password = Some(wrong.parse().expect("it has no forbidden characters"));
        let connect = async || {
            let client = Client::connect(&address, &Options::with_version(version)).await;
            client.expect("the server accepts clients")
        };
        let clients = join_all((0..CLIENTS).map(|_| connect())).await;
        let refused = clients
            .iter()
            .map(async |client| join_all((0..QUEUES).map(|_| client.create_queue(NewQueueOptions::default()))).await);
        for refused in join_all(refused).await.into_iter().flatten() {
            assert!(matches!(refused, Err(ClientError::Server(ErrorType::Auth))), "{refused:?}");
        }
        assert!(occurrences(&server, &wrong) <= ON_STACKS, "version {version}");
        let of_relay = proxied(&clients[0], version).await;
        assert!(occurrences(&server, &of_relay) <= ON_STACKS, "version {version}");
    }
}

/// The password of another relay, for which a client asks.
async fn proxied(client: &Client, version: Version) -> String {
    let password = format!("a-password-of-a-relay-{version}");
    let relay = ServerAddress {
        key_hash: KeyHash([7; 32]),
        password: None,
        hosts: vec![Host::V4([127, 0, 0, 1].into())],
        port: Some(free_port().await),
    };
    let given = BasicAuth::new(password.as_bytes()).expect("it has no forbidden characters");
    client.proxied_relay(&relay, Some(given)).await.expect_err("there is no relay");
    password
}
