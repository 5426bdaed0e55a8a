//! Recorded encrypted blocks, in `crypto.json` and in the sessions.

use serde::Deserialize;
use smp_protocol::block::{self, BLOCK_SIZE, SEALED_CONTENT};
use smp_protocol::crypto::hkdf::hkdf_sha512;
use smp_protocol::crypto::secret_box;
use smp_protocol::key::DhSecret;
use smp_protocol::seal::{BlockChain, BlockChains};

use crate::vectors::{Hex, Long};

/// First keys of the chains.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChainKeys {
    pub(crate) s2c: Hex,
    pub(crate) c2s: Hex,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Direction {
    S2c,
    C2s,
}

/// One encrypted block of a chain.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SealedBlock {
    direction: Direction,
    index: usize,
    key: Hex,
    nonce: Hex,
    chain_key_after: Hex,
    content: Hex,
    block: Long,
}

/// Both ends of both chains, with the chain keys beside them: those of the crate are private.
pub(crate) struct RecordedChains {
    server_to_client: RecordedChain,
    client_to_server: RecordedChain,
}

struct RecordedChain {
    chain_key: [u8; 32],
    blocks: usize,
    sender: BlockChain,
    receiver: BlockChain,
}

/// What is recorded of one step of a chain.
pub(crate) struct Step<'a> {
    pub(crate) index: usize,
    pub(crate) key: &'a Hex,
    pub(crate) nonce: &'a Hex,
    pub(crate) chain_key_after: &'a Hex,
}

impl RecordedChains {
    pub(crate) fn new(secret: &DhSecret, session_id: &[u8], keys: &ChainKeys) -> Self {
        let mut derived = [0; 64];
        hkdf_sha512(session_id, secret.as_bytes(), b"SimpleXSbChainInit", &mut derived);
        assert_eq!([&keys.s2c[..], &keys.c2s].concat(), derived);
        let chains = BlockChains::new(secret, session_id);
        Self {
            server_to_client: RecordedChain::new(&keys.s2c, &chains.server_to_client),
            client_to_server: RecordedChain::new(&keys.c2s, &chains.client_to_server),
        }
    }

    pub(crate) fn check(&mut self, block: &SealedBlock) {
        let SealedBlock { direction, index, key, nonce, chain_key_after, content, block } = block;
        self.step(*direction, &Step { index: *index, key, nonce, chain_key_after }, content, block);
    }

    /// Checks the keys of the next step of a chain and the block that it makes of `content`.
    pub(crate) fn step(&mut self, direction: Direction, step: &Step<'_>, content: &[u8], block: &Long) {
        let chain = match direction {
            Direction::S2c => &mut self.server_to_client,
            Direction::C2s => &mut self.client_to_server,
        };
        chain.check_keys(step);
        chain.check_block(step, content, block);
    }
}

impl RecordedChain {
    fn new(chain_key: &Hex, chain: &BlockChain) -> Self {
        Self { chain_key: chain_key.array(), blocks: 0, sender: chain.clone(), receiver: chain.clone() }
    }

    fn check_keys(&mut self, step: &Step<'_>) {
        assert_eq!(step.index, self.blocks);
        let mut derived = [0; 88];
        hkdf_sha512(b"", &self.chain_key, b"SimpleXSbChain", &mut derived);
        assert_eq!([&step.chain_key_after[..], step.key, step.nonce].concat(), derived);
        self.chain_key = step.chain_key_after.array();
        self.blocks += 1;
    }

    fn check_block(&mut self, step: &Step<'_>, content: &[u8], recorded: &Long) {
        let padded = block::pad(content, SEALED_CONTENT).unwrap();
        let expected = secret_box::seal(&step.key.secret(), &step.nonce.array(), &padded);
        let mut sealed = [0; BLOCK_SIZE];
        self.sender.seal_content(content, &mut sealed).unwrap();
        assert_eq!(sealed, expected[..]);
        recorded.check(&sealed);
        let mut received = recorded.bytes().map_or(sealed, |bytes| bytes.try_into().expect("a block"));
        assert_eq!(self.receiver.open(&mut received), Ok(content));
    }
}
