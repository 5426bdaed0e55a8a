//! Clients that leave early, dawdle, do not read, or only knock.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use rustix::process::{Resource, Rlimit, getrlimit, prlimit};
use smp_client::protocol::batch::MAX_TRANSMISSIONS;
use smp_client::protocol::command::Command;
use smp_client::protocol::id::EntityId;
use smp_client::protocol::version::Version;
use smp_client::transport::tls::TlsClient;
use smp_client::{Client, Options};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Bystander;
use crate::harness::GIVE_UP;
use crate::harness::ini::Setting;
use crate::harness::party::Recipient;
use crate::harness::request::QUE;
use crate::harness::server::Server;
use crate::harness::wire::{Blocks, batch_of, greeted, tcp, tls};

/// The first bytes of a TLS record that announces 512 bytes of handshake.
const BEGIN_OF_HELLO: &[u8] = &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc];

#[tokio::test]
async fn clients_that_leave_in_every_phase() {
    let server = Server::start().await;
    let bystander = Bystander::new(&server).await;
    for round in 0..10 {
        let abort = |stream: &TcpStream| {
            if round % 2 == 1 {
                stream.set_zero_linger().expect("the stream is open");
            }
        };
        let silent = tcp(&server).await;
        abort(&silent);
        drop(silent);

        let mut hesitant = tcp(&server).await;
        hesitant.write_all(BEGIN_OF_HELLO).await.unwrap();
        abort(&hesitant);
        drop(hesitant);

        drop(tls(&server, &TlsClient::default()).await.unwrap());
        let (mut greeted, _) = greeted(&server, &TlsClient::default()).await;
        greeted.write_all(&[0; 1000]).await.unwrap();
        drop(greeted);

        drop(Blocks::connect(&server, Version::MAX).await);
        let mut in_a_block = Blocks::connect(&server, Version::MAX).await;
        let block = in_a_block.block_of(b"half of this");
        in_a_block.send_bytes(&block[..round * 1000]).await;
        drop(in_a_block);

        let mut without_answer = Blocks::connect(&server, Version::MAX).await;
        let (_, command) = without_answer.command(bystander.queue.id(), &QUE, Some(bystander.queue.key()));
        without_answer.send(&batch_of(&[command])).await;
        drop(without_answer);
    }
    bystander.is_served(&server).await;
}

/// A stream that sends one byte at a time.
struct Dribble(TcpStream);

impl AsyncRead for Dribble {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Dribble {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, &bytes[..bytes.len().min(1)])
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[tokio::test]
async fn clients_that_write_byte_by_byte() {
    let server = Server::start().await;
    let bystander = Bystander::new(&server).await;
    let stream = Dribble(tcp(&server).await);
    let client = Client::over(stream, server.address(), &Options::default()).await.unwrap();
    let (queue, sender) = Recipient::secured(&client, &client).await;
    sender.sends(b"slow but sure").await;
    queue.takes(b"slow but sure").await;
    bystander.is_served(&server).await;
}

/// A client that asks and asks and never reads is no longer read from, and in the end closed; nobody else notices.
#[tokio::test]
async fn clients_that_do_not_read() {
    let server = Server::start_with(&[("LIMITS", "write_timeout", "2")]).await;
    let bystander = Bystander::new(&server).await;
    let mut client = Blocks::connect(&server, Version::MAX).await;
    let mut block = || {
        let pings = (0..MAX_TRANSMISSIONS).map(|_| client.command(EntityId::EMPTY, &Command::Ping, None).1);
        let content = batch_of(&pings.collect::<Vec<_>>());
        client.block_of(&content)
    };
    let blocks: Vec<_> = (0..2000).map(|_| block()).collect();
    let writing = tokio::spawn(async move {
        for block in blocks {
            if client.try_send_bytes(&block).await.is_err() {
                return true;
            }
        }
        false
    });
    // 2000 blocks are 32 MB: more than all buffers on the way hold.
    for _ in 0..50 {
        bystander.exchanges_messages(&bystander.client).await;
    }
    let closed = timeout(GIVE_UP, writing).await.expect("the server closes the connection").unwrap();
    assert!(closed, "the server would have to hold 2000 blocks of answers");
    bystander.is_served(&server).await;
}

/// Half-open connections that would be left alone for an hour: a hundred times as many as there are places for handshakes.
const FEW_HANDSHAKES: &[Setting<'static>] = &[
    ("LIMITS", "concurrent_handshakes", "4"),
    ("LIMITS", "first_byte_timeout", "3600"),
    ("LIMITS", "tls_handshake_timeout", "3600"),
    ("LIMITS", "smp_handshake_timeout", "3600"),
];

#[tokio::test]
async fn floods_of_silent_connections() {
    let server = Server::start_with(FEW_HANDSHAKES).await;
    let bystander = Bystander::new(&server).await;
    let mut silent = Vec::new();
    for _ in 0..400 {
        silent.push(tcp(&server).await);
    }
    bystander.is_served(&server).await;
    // Whoever was silent longest has given way, and the rest stays.
    is_closed(&mut silent[0]).await;
    let last = silent.last().expect("there are 400");
    assert!(matches!(last.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock));
    bystander.is_served(&server).await;
}

async fn is_closed(stream: &mut TcpStream) {
    let end = timeout(GIVE_UP, stream.read_u8()).await.expect("the server closes the connection");
    assert!(end.is_err(), "nothing is sent to who said nothing");
}

/// The same with clients that have begun to speak.
#[tokio::test]
async fn floods_of_half_open_handshakes() {
    let server = Server::start_with(FEW_HANDSHAKES).await;
    let bystander = Bystander::new(&server).await;
    let mut half_open = Vec::new();
    for _ in 0..40 {
        let mut stream = tcp(&server).await;
        stream.write_all(BEGIN_OF_HELLO).await.unwrap();
        half_open.push(stream);
    }
    let address = server.address().clone();
    let new_client = tokio::spawn(async move { Client::connect(&address, &Options::default()).await });
    while !new_client.is_finished() {
        bystander.exchanges_messages(&bystander.client).await;
    }
    bystander.exchanges_messages(&new_client.await.unwrap().unwrap()).await;
    drop(half_open);
    bystander.is_served(&server).await;
}

/// The same one phase later: TLS is done, the SMP handshake never comes.
#[tokio::test]
async fn floods_of_silent_tls_clients() {
    let server = Server::start_with(FEW_HANDSHAKES).await;
    let bystander = Bystander::new(&server).await;
    let mut silent = Vec::new();
    for _ in 0..12 {
        silent.push(greeted(&server, &TlsClient::default()).await);
        bystander.exchanges_messages(&bystander.client).await;
    }
    let client = server.connect().await;
    bystander.exchanges_messages(&client).await;
    drop(silent);
    bystander.is_served(&server).await;
}

/// Whoever says nothing at all has little time; whoever has begun has more.
#[tokio::test]
async fn the_first_byte_has_a_deadline() {
    let server =
        Server::start_with(&[("LIMITS", "first_byte_timeout", "1"), ("LIMITS", "tls_handshake_timeout", "3600")]).await;
    let (mut silent, mut begun) = (tcp(&server).await, tcp(&server).await);
    begun.write_all(BEGIN_OF_HELLO).await.unwrap();
    is_closed(&mut silent).await;
    assert!(matches!(begun.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock));
}

/// More connections than the server may have files: they wait, and those that are there are served on.
#[tokio::test]
async fn no_descriptors_left() {
    let server = Server::start().await;
    let bystander = Bystander::new(&server).await;
    let limit_files = |most: Option<u64>| {
        let maximum = getrlimit(Resource::Nofile).maximum;
        let limit = Rlimit { current: most.or(maximum), maximum };
        prlimit(Some(server.process().pid()), Resource::Nofile, limit).expect("the limit of an own process can be set");
    };
    // As many as it has: descriptors are numbered from zero.
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.process().pid())).unwrap().count();
    let logged = server.process().output().len();
    limit_files(Some(open as u64));
    let waiting = [tcp(&server).await, tcp(&server).await, tcp(&server).await];
    server.logs(logged, "no resources for another connection").await;
    bystander.exchanges_messages(&bystander.client).await;
    limit_files(None);
    bystander.is_served(&server).await;
    drop(waiting);
    bystander.is_served(&server).await;
}
