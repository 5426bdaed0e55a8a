//! The cryptography that a delivered message costs any server, timed on the spot.

use std::hint::black_box;
use std::time::{Duration, Instant};

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use crrl::x448::{x448, x448_base};
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
const TIME: Duration = Duration::from_millis(100);

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
    /// A TLS record with a block is sealed (ChaCha20-Poly1305).
    seal_record: Duration,
    /// One is opened.
    open_record: Duration,
    /// An X25519 key is made, and agreed on with another one.
    agree: Duration,
    /// The same with X448, which is what clients do in TLS.
    agree_in_tls: Duration,
    /// An Ed25519 signature over a few bytes.
    sign: Duration,
}

impl Floor {
    /// Times them.
    pub fn measure() -> Self {
        let session_key = DhPrivateKey::generate();
        let secret = DhPrivateKey::generate().agree(&session_key.public());
        let chains = BlockChains::new(&secret, &[7; 32]);
        let (first, mut sealing) = (chains.server_to_client.clone(), chains.server_to_client);
        let mut block = Box::new([7; BLOCK_SIZE]);
        let (mut sealed, mut opened) = (block.clone(), block.clone());
        sealed[..2].copy_from_slice(&[0, 7]);
        first.clone().seal(&mut sealed);
        let mut record = Records::new();
        let mut out = Vec::with_capacity(BLOCK_SIZE);
        let (signer, share) = (SigningKey::generate_ed25519(), x448_base(&[7; 56]));
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
            seal_record: time(|| record.seal()),
            open_record: time(|| record.open()),
            agree: time(|| drop(black_box(DhPrivateKey::generate().agree(&session_key.public())))),
            agree_in_tls: time(|| {
                black_box((x448_base(black_box(&[9; 56])), x448(&share, &[9; 56])));
            }),
            sign: time(|| {
                black_box(signer.sign(&[7; 64]));
            }),
        }
    }

    /// What a delivered message costs at least: `SEND` and `ACK` in, `OK`, `MSG` and `OK` out.
    pub fn per_delivery(&self) -> Duration {
        let in_blocks = 2 * self.open_block + 3 * self.seal_block;
        let in_tls = 2 * self.open_record + 3 * self.seal_record;
        self.verify_send + self.verify_short + self.seal_message + in_blocks + in_tls
    }

    /// What a connection costs at least: X448 and a signature for TLS, a session key and its signature.
    pub fn per_handshake(&self) -> Duration {
        self.agree_in_tls + self.agree + 2 * self.sign
    }

    /// What a new queue costs at least: a signature, and the secret that messages are encrypted with.
    pub fn per_new(&self) -> Duration {
        self.verify_short + self.agree
    }

    /// What a short command costs at least.
    pub fn per_command(&self) -> Duration {
        self.verify_short
    }
}

/// TLS records with a block each.
struct Records {
    key: LessSafeKey,
    block: Vec<u8>,
    sealed: Vec<u8>,
}

impl Records {
    fn new() -> Self {
        let key = UnboundKey::new(&CHACHA20_POLY1305, &[7; 32]).expect("a key has 32 bytes");
        let mut records = Self { key: LessSafeKey::new(key), block: vec![7; BLOCK_SIZE], sealed: Vec::new() };
        records.sealed = records.block.clone();
        let (nonce, aad) = nonce_and_aad();
        records.key.seal_in_place_append_tag(nonce, aad, &mut records.sealed).expect("a block is short enough");
        records
    }

    fn seal(&mut self) {
        let (nonce, aad) = nonce_and_aad();
        let sealed = self.key.seal_in_place_separate_tag(nonce, aad, &mut self.block);
        assert!(black_box(sealed).is_ok());
    }

    fn open(&mut self) {
        let mut record = self.sealed.clone();
        let (nonce, aad) = nonce_and_aad();
        assert!(black_box(self.key.open_in_place(nonce, aad, &mut record)).is_ok());
    }
}

fn nonce_and_aad() -> (Nonce, Aad<[u8; 5]>) {
    (Nonce::assume_unique_for_key([7; NONCE_LEN]), Aad::from([23, 3, 3, 64, 17]))
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
        ("seal a TLS record", floor.seal_record),
        ("open a TLS record", floor.open_record),
        ("agree by X25519", floor.agree),
        ("agree by X448", floor.agree_in_tls),
        ("sign Ed25519", floor.sign),
        ("delivered message", floor.per_delivery()),
        ("handshake", floor.per_handshake()),
        ("NEW", floor.per_new()),
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
