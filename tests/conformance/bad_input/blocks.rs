//! Blocks that do not decrypt or do not parse (wire.md §5.4, levels 2 to 4). None of them ends the connection.

use smp_client::protocol::command::Command;
use smp_client::protocol::encoding::Encode;
use smp_client::protocol::error::ErrorType;
use smp_client::protocol::id::{CorrId, EntityId, random_bytes};
use smp_client::protocol::response::Response;
use smp_client::protocol::version::Version;

use super::Bystander;
use crate::harness::at_every_version;
use crate::harness::request::{err, reply};
use crate::harness::server::Server;
use crate::harness::wire::{Answer, Blocks, batch_of};

fn block_error() -> Answer {
    Answer { corr_id: CorrId::EMPTY, reply: err(EntityId::EMPTY, ErrorType::Block) }
}

async fn answers_with_block_error(client: &mut Blocks) {
    assert_eq!(client.receive().await, [block_error()]);
}

#[tokio::test]
async fn blocks_that_do_not_open() {
    let server = Server::start().await;
    let bystander = Bystander::new(&server).await;
    at_every_version(async |version| {
        let mut client = Blocks::connect(&server, version).await;
        for _ in 0..3 {
            // Both sides go on with the next key.
            let mut block = client.block_of(b"");
            let padded_size = client.padded_size();
            block[..2].copy_from_slice(&[0xff, 0xff]);
            client.send_bytes(&block).await;
            answers_with_block_error(&mut client).await;

            let mut bad_length = vec![b'#'; padded_size];
            let length = u16::try_from(padded_size - 1).unwrap();
            bad_length[..2].copy_from_slice(&length.to_be_bytes());
            let block = client.block(&bad_length);
            client.send_bytes(&block).await;
            answers_with_block_error(&mut client).await;
            client.ping().await;
        }
    })
    .await;
    bystander.is_served(&server).await;
}

#[tokio::test]
async fn batches_that_do_not_parse() {
    let server = Server::start().await;
    at_every_version(async |version| {
        let mut client = Blocks::connect(&server, version).await;
        let (_, ping) = client.command(EntityId::EMPTY, &Command::Ping, None);
        let mut cut = vec![1];
        cut.put_u16(100);
        cut.put(b"PING");
        let mut one_of_two = batch_of(std::slice::from_ref(&ping));
        one_of_two[0] = 2;
        let trailing = [&batch_of(&[ping])[..], b"x"].concat();
        for content in [&b""[..], b"\0", b"\x01", b"\x01\0", &cut, &one_of_two, &trailing] {
            client.send(content).await;
            answers_with_block_error(&mut client).await;
        }
        // None of those pings was executed: the next answer is that of this one.
        client.ping().await;
    })
    .await;
}

/// The good transmissions of a block are executed, the bad ones answered each.
#[tokio::test]
async fn bad_transmissions_among_good_ones() {
    let server = Server::start().await;
    at_every_version(async |version| {
        let mut client = Blocks::connect(&server, version).await;
        let (first, good) = client.command(EntityId::EMPTY, &Command::Ping, None);
        let (second, good2) = client.command(EntityId::EMPTY, &Command::Ping, None);
        client.send(&batch_of(&[good, b"\x05abc".to_vec(), good2, Vec::new()])).await;
        let mut answers = Vec::new();
        while answers.len() < 4 {
            answers.extend(client.receive().await);
        }
        let (errors, pongs): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.corr_id.is_empty());
        assert_eq!(errors, [block_error(), block_error()]);
        let pong = |corr_id| Answer { corr_id, reply: reply(EntityId::EMPTY, Response::Pong) };
        assert_eq!(pongs, [pong(first), pong(second)]);
    })
    .await;
}

/// There is no error budget.
#[tokio::test]
async fn any_number_of_bad_blocks() {
    let server = Server::start().await;
    let mut client = Blocks::connect(&server, Version::MAX).await;
    let sender = async {
        let mut blocks = Vec::new();
        for _ in 0..50 {
            let garbage = random_bytes::<100>();
            blocks.push(client.block_of(&garbage));
        }
        for block in blocks {
            client.send_bytes(&block).await;
        }
        let mut errors = 0;
        while errors < 50 {
            let answers = client.receive().await;
            errors += answers.iter().filter(|answer| answer.reply.response == block_error().reply.response).count();
        }
        client.ping().await;
    };
    sender.await;
}
