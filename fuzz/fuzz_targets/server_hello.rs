//! First and third block of a connection.
#![no_main]

use libfuzzer_sys::fuzz_target;
use smp_protocol::handshake::{ServerHello, ServiceResponse};
use smp_protocol::key::SigningKey;
use smp_protocol::signed_key;

fuzz_target!(|content: &[u8]| {
    if let Ok(hello) = ServerHello::decode(content) {
        let mut again = Vec::new();
        hello.encode(&mut again).expect("what was decoded fits");
        assert_eq!(ServerHello::decode(&again).as_ref(), Ok(&hello));
        if let Some(key) = &hello.key {
            let signer = SigningKey::ed25519(&[1; 32]).verifying_key();
            let _ = signed_key::verify_dh_key(&key.signed_key, &signer);
        }
    }
    if let Ok(response) = ServiceResponse::decode(content) {
        let mut again = Vec::new();
        response.encode(&mut again);
        assert_eq!(ServiceResponse::decode(&again), Ok(response));
    }
});
