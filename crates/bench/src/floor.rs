//! The cryptography that a delivered message costs any server, timed on the spot.

use std::hint::black_box;
use std::time::{Duration, Instant};

use smp_client::protocol::authorization::{AuthPrivateKey, Authorized, Verifier};
use smp_client::protocol::block::BLOCK_SIZE;
use smp_client::protocol::id::{CorrId, MessageId, SessionId};
use smp_client::protocol::key::{DhPrivateKey, SigningKey};
use smp_client::protocol::message::{Plain, seal_message};
use smp_client::protocol::seal::BlockChains;

use crate::report::Report;

/// Bytes of a message body.
pub const BODY: usize = 16_048;
/// How long each primitive is timed, at least.
const TIME: Duration = Duration::from_millis(200);

/// Times of the primitives.
#[derive(Debug, Clone, Copy)]
pub struct Floor {
    /// An Ed25519 signature over a long message is verified.
    verify_send: Duration,
    /// One over a short command.
    verify_short: Duration,
    /// A block is sealed for a connection.
    seal_block: Duration,
    /// One is opened.
    open_block: Duration,
    /// A message is encrypted for its recipient.
    seal_message: Duration,
}

impl Floor {
    /// Times them.
    pub fn measure() -> Self {
        let secret = DhPrivateKey::generate().agree(&DhPrivateKey::generate().public());
        let chains = BlockChains::new(&secret, &[7; 32]);
        let (first, mut sealing) = (chains.server_to_client.clone(), chains.server_to_client);
        let mut block = Box::new([7; BLOCK_SIZE]);
        let (mut sealed, mut opened) = (block.clone(), block.clone());
        sealed[..2].copy_from_slice(&[0, 7]);
        first.clone().seal(&mut sealed);
        let mut out = Vec::with_capacity(BLOCK_SIZE);
        let (id, body) = (MessageId::random(), vec![7; BODY]);
        Self {
            verify_send: time_verification(&body),
            verify_short: time_verification(&body[..60]),
            seal_block: time(|| sealing.seal(&mut block)),
            // The same block again and again, each time by the key that it was sealed with.
            open_block: time(|| {
                opened.copy_from_slice(&sealed[..]);
                assert!(black_box(first.clone().open(&mut opened)).is_ok());
            }),
            seal_message: time(|| {
                out.clear();
                seal_message(&secret, &id, Plain::Message { timestamp: 0, notify: false, body: &body }, &mut out);
            }),
        }
    }

    /// What a delivered message costs at least: `SEND` and `ACK` in, `OK`, `MSG` and `OK` out. TLS comes on top.
    pub fn per_delivery(&self) -> Duration {
        self.verify_send + self.verify_short + 3 * self.seal_block + 2 * self.open_block + self.seal_message
    }
}

/// The figures as a report.
pub fn report() -> Report {
    let floor = Floor::measure();
    let mut report = Report::new("floor: primitives on this machine");
    for (name, time) in [
        ("verify Ed25519, 16 KB", floor.verify_send),
        ("verify Ed25519, 60 B", floor.verify_short),
        ("seal a block", floor.seal_block),
        ("open a block", floor.open_block),
        ("encrypt a message", floor.seal_message),
        ("delivered message, without TLS", floor.per_delivery()),
    ] {
        report.add(name, time.as_secs_f64() * 1e6, "µs");
    }
    report
}

fn time_verification(message: &[u8]) -> Duration {
    let key = AuthPrivateKey::Signing(SigningKey::generate_ed25519());
    let (session, corr_id) = (SessionId::try_from(&[7; 32][..]).expect("32 bytes"), CorrId::random());
    let authorized = Authorized::with_session(&session, message);
    let authorization = authorized.authorize(&key, None, &corr_id.nonce());
    let session_key = DhPrivateKey::generate();
    let (public, verifier) = (key.public(), Verifier { session_key: &session_key });
    time(|| assert!(verifier.verify(&authorization, &public, &authorized, &corr_id)))
}

/// Time of one call, over many.
fn time(mut call: impl FnMut()) -> Duration {
    let begin = Instant::now();
    let mut calls = 0;
    while begin.elapsed() < TIME {
        for _ in 0..16 {
            call();
        }
        calls += 16;
    }
    begin.elapsed() / calls
}
