//! Second block of a connection.
#![no_main]

use libfuzzer_sys::fuzz_target;
use smp_protocol::handshake::ClientHello;
use smp_protocol::key::SigningKey;
use smp_protocol::signed_key;

fuzz_target!(|content: &[u8]| {
    let Ok(hello) = ClientHello::decode(content) else { return };
    let mut again = Vec::new();
    hello.encode(&mut again).expect("what was decoded fits");
    assert_eq!(ClientHello::decode(&again).as_ref(), Ok(&hello));
    if let Some(service) = &hello.service {
        let signer = SigningKey::ed25519(&[1; 32]).verifying_key();
        let _ = signed_key::verify_service_key(&service.key.signed_key, &signer);
    }
});
