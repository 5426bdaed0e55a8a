//! A transmission with a command. The first byte is the version, its highest bit tells a forwarded transmission.
#![no_main]

use libfuzzer_sys::fuzz_target;
use smp_protocol::authorization::Verifier;
use smp_protocol::command::Command;
use smp_protocol::id::SessionId;
use smp_protocol::key::{AuthKey, DhPrivateKey};
use smp_protocol::transmission::Wire;
use smp_protocol::version::Version;

fuzz_target!(|input: &[u8]| {
    let Some((&first, transmission)) = input.split_first() else { return };
    let version = Version(6 + u16::from(first & 0x7f) % 15);
    let session_id = SessionId::EMPTY;
    let wire = match first & 0x80 {
        0 => Wire::connection(version, &session_id),
        _ => Wire::forwarded(version, &session_id),
    };
    let Ok(read) = wire.read(transmission) else { return };
    let session_key = DhPrivateKey::from_bytes(&[1; 32]);
    let verifier = Verifier { session_key: &session_key };
    verifier.verify(&read.authorization, &AuthKey::Ed25519([1; 32]), &read.authorized, &read.corr_id);
    let Ok(command) = Command::parse(read.body, version) else { return };
    let _ = read.command(version);
    let mut again = Vec::new();
    command.encode(version, &mut again);
    assert_eq!(Command::parse(&again, version), Ok(command));
});
