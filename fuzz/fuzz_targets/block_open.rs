//! An encrypted block: as received, and one that decrypts to the input.
#![no_main]

use libfuzzer_sys::fuzz_target;
use smp_protocol::block::{BLOCK_SIZE, SEALED_CONTENT};
use smp_protocol::key::DhSecret;
use smp_protocol::seal::BlockChains;

fuzz_target!(|input: &[u8]| {
    let chains = BlockChains::new(&DhSecret::from([1; 32]), b"session");
    let (mut sender, mut receiver) = (chains.client_to_server.clone(), chains.client_to_server);
    let mut block = [b'#'; BLOCK_SIZE];
    let received = input.len().min(BLOCK_SIZE);
    block[..received].copy_from_slice(&input[..received]);
    assert!(receiver.clone().open(&mut block).is_err());

    let mut block = [b'#'; BLOCK_SIZE];
    let length = input.len().min(SEALED_CONTENT);
    block[..length].copy_from_slice(&input[..length]);
    sender.seal(&mut block);
    if let Ok(content) = receiver.open(&mut block) {
        let mut again = [0; BLOCK_SIZE];
        sender.seal_content(content, &mut again).expect("content that was opened fits");
    }
});
