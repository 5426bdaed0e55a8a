//! Block encryption from version 11 (wire.md §3.6): each direction of a connection has a chain of keys, one step per block.

use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::block::{self, BLOCK_SIZE, ContentTooLong, SEALED_CONTENT};
use crate::crypto::hkdf::hkdf_sha512;
use crate::crypto::secret_box::{self, Nonce};
use crate::key::DhSecret;

/// A received block that does not decrypt, or whose content length is impossible. The chain has advanced all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("block does not decrypt")]
pub struct BadBlock;

/// The key chain of one direction.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct BlockChain {
    chain_key: [u8; 32],
}

/// The chains of both directions of a connection.
#[derive(Clone)]
pub struct BlockChains {
    /// Server to client.
    pub server_to_client: BlockChain,
    /// Client to server.
    pub client_to_server: BlockChain,
}

impl BlockChains {
    /// Both chains, from the secret of the session keys of both sides and the session ID.
    pub fn new(secret: &DhSecret, session_id: &[u8]) -> Self {
        let mut keys = Zeroizing::new([0; 64]);
        hkdf_sha512(session_id, secret.as_bytes(), b"SimpleXSbChainInit", &mut *keys);
        let mut chains = Self {
            server_to_client: BlockChain { chain_key: [0; 32] },
            client_to_server: BlockChain { chain_key: [0; 32] },
        };
        chains.server_to_client.chain_key.copy_from_slice(&keys[..32]);
        chains.client_to_server.chain_key.copy_from_slice(&keys[32..]);
        chains
    }
}

impl BlockChain {
    /// The next key and nonce.
    fn step(&mut self) -> (DhSecret, Nonce) {
        let mut okm = Zeroizing::new([0; 88]);
        hkdf_sha512(b"", &self.chain_key, b"SimpleXSbChain", &mut *okm);
        let (mut key, mut nonce) = (Zeroizing::new([0; 32]), [0; 24]);
        self.chain_key.copy_from_slice(&okm[..32]);
        key.copy_from_slice(&okm[32..64]);
        nonce.copy_from_slice(&okm[64..]);
        (DhSecret::from(*key), nonce)
    }

    /// Encrypts the padded content in the first [`SEALED_CONTENT`] bytes of `block` into the next block.
    pub fn seal(&mut self, block: &mut [u8; BLOCK_SIZE]) {
        let (key, nonce) = self.step();
        secret_box::seal_in_place(&key, &nonce, block);
    }

    /// Pads `content` (at most 16366 bytes) and encrypts it into the next block. The chain advances only on success.
    pub fn seal_content(&mut self, content: &[u8], block: &mut [u8; BLOCK_SIZE]) -> Result<(), ContentTooLong> {
        block::pad_into(content, &mut block[..SEALED_CONTENT])?;
        self.seal(block);
        Ok(())
    }

    /// Decrypts the next block in place and returns the content. The chain advances even on failure.
    pub fn open<'p>(&mut self, block: &'p mut [u8; BLOCK_SIZE]) -> Result<&'p [u8], BadBlock> {
        let (key, nonce) = self.step();
        let padded = secret_box::open_in_place(&key, &nonce, block).map_err(|_| BadBlock)?;
        block::unpad(padded).map_err(|_| BadBlock)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_advances_past_a_bad_block() {
        let chains = BlockChains::new(&DhSecret::from([5; 32]), b"session");
        let (mut sender, mut receiver) = (chains.client_to_server.clone(), chains.client_to_server);
        let mut block = [0; BLOCK_SIZE];
        sender.seal_content(b"first", &mut block).unwrap();
        block[100] ^= 1;
        assert_eq!(receiver.open(&mut block), Err(BadBlock));
        sender.seal_content(b"second", &mut block).unwrap();
        assert_eq!(receiver.open(&mut block), Ok(&b"second"[..]));
    }
}
