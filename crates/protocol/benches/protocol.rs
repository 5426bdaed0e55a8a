//! What the server does with a block: take it apart, verify its commands, seal and open. `cargo bench -p smp-protocol`

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use smp_protocol::authorization::{AuthPrivateKey, SignatureClaim, Verifier, all_hold};
use smp_protocol::batch::{BatchWriter, Pushed, split};
use smp_protocol::block::BLOCK_SIZE;
use smp_protocol::command::{Command, RecipientCommand, SendMessage, SenderCommand};
use smp_protocol::id::{CorrId, EntityId, MessageId, SessionId, random_bytes};
use smp_protocol::key::{DhPrivateKey, DhSecret, SigningKey};
use smp_protocol::message::{Plain, open_message, seal_message};
use smp_protocol::seal::BlockChains;
use smp_protocol::transmission::{Credentials, Wire};
use smp_protocol::version::Version;

const VERSION: Version = Version(18);
const BODY: usize = 16_048;

/// A connection, and the key of all queues.
struct Connection {
    session_id: SessionId,
    session_key: DhPrivateKey,
    key: AuthPrivateKey,
}

impl Connection {
    fn new() -> Self {
        Self {
            session_id: SessionId::try_from(&[7; 32][..]).expect("32 bytes"),
            session_key: DhPrivateKey::generate(),
            key: AuthPrivateKey::Signing(SigningKey::generate_ed25519()),
        }
    }

    fn wire(&self) -> Wire<'_> {
        Wire::connection(VERSION, &self.session_id)
    }

    fn transmission(&self, command: &Command) -> Vec<u8> {
        let entity = EntityId::try_from(&random_bytes::<24>()[..]).expect("24 bytes");
        let credentials = Credentials { key: Some(&self.key), ..Credentials::default() };
        let mut bytes = Vec::new();
        self.wire().write_command(command, &CorrId::random(), &entity, &credentials, &mut bytes);
        bytes
    }

    /// The content of a block full of subscriptions.
    fn subscriptions(&self) -> Vec<u8> {
        let mut batch = BatchWriter::new();
        let subscribe = Command::Recipient(RecipientCommand::Subscribe);
        while batch.push(|out| out.extend(self.transmission(&subscribe))) == Pushed::Added {}
        batch.content().to_vec()
    }
}

fn send() -> Command {
    Command::Sender(SenderCommand::Send(SendMessage { notify: false, body: vec![7; BODY].into() }))
}

fn decode(criterion: &mut Criterion) {
    let connection = Connection::new();
    let (subscriptions, send) = (connection.subscriptions(), connection.transmission(&send()));
    let wire = connection.wire();
    let read =
        |bytes| wire.read(bytes).and_then(|transmission| transmission.command(VERSION)).expect("it is well-formed");
    criterion.bench_function("decode a block of SUB", |bencher| {
        bencher.iter(|| split(black_box(&subscriptions)).expect("it is a batch").into_iter().map(read).for_each(drop));
    });
    criterion.bench_function("decode SEND", |bencher| bencher.iter(|| read(black_box(&send))));
}

fn verify(criterion: &mut Criterion) {
    let connection = Connection::new();
    let (wire, public) = (connection.wire(), connection.key.public());
    let verifier = Verifier { session_key: &connection.session_key };
    let subscribe = connection.transmission(&Command::Recipient(RecipientCommand::Subscribe));
    for (name, bytes) in [("verify SEND", connection.transmission(&send())), ("verify SUB", subscribe)] {
        let t = wire.read(&bytes).expect("it is well-formed");
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| assert!(verifier.verify(&t.authorization, &public, black_box(&t.authorized), &t.corr_id)));
        });
    }
    let block = connection.subscriptions();
    let claims: Vec<_> = split(&block)
        .expect("it is a batch")
        .into_iter()
        .filter_map(|bytes| {
            let t = wire.read(bytes).expect("it is well-formed");
            SignatureClaim::new(&t.authorization, Some(&public), &t.authorized)
        })
        .collect();
    for count in [4, 16, 64] {
        criterion.bench_function(&format!("verify {count} SUB together"), |bencher| {
            bencher.iter(|| assert!(all_hold(black_box(&claims[..count]))));
        });
    }
}

fn blocks(criterion: &mut Criterion) {
    let chains = BlockChains::new(&DhSecret::from([7; 32]), &[7; 32]);
    let (mut sender, mut block) = (chains.server_to_client.clone(), Box::new([0; BLOCK_SIZE]));
    criterion.bench_function("seal a block", |bencher| bencher.iter(|| sender.seal(black_box(&mut block))));
    let mut sealed = Box::new([0; BLOCK_SIZE]);
    chains.server_to_client.clone().seal(&mut sealed);
    criterion.bench_function("open a block", |bencher| {
        bencher.iter_batched_ref(
            || (chains.server_to_client.clone(), sealed.clone()),
            |(receiver, block)| assert!(receiver.open(block).is_ok()),
            BatchSize::SmallInput,
        );
    });
}

fn messages(criterion: &mut Criterion) {
    let (secret, id, body) = (DhSecret::from([7; 32]), MessageId::random(), vec![7; BODY]);
    let plain = || Plain::Message { timestamp: 0, notify: false, body: &body };
    let mut sealed = Vec::with_capacity(BLOCK_SIZE);
    criterion.bench_function("encrypt a message", |bencher| {
        bencher.iter(|| {
            sealed.clear();
            seal_message(&secret, &id, black_box(plain()), &mut sealed);
        });
    });
    criterion.bench_function("decrypt a message", |bencher| {
        bencher.iter(|| open_message(&secret, &id, black_box(&sealed)).expect("it is for this queue"));
    });
}

criterion_group!(benches, decode, verify, blocks, messages);
criterion_main!(benches);
