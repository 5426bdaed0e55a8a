//! Hosts, addresses, names to be resolved, passwords and name records.
#![no_main]

use libfuzzer_sys::fuzz_target;
use smp_protocol::address::{Host, ServerAddress};
use smp_protocol::command::{BasicAuth, Command, Name};
use smp_protocol::response::NameRecord;
use smp_protocol::version::Version;

fuzz_target!(|input: &[u8]| {
    let _ = BasicAuth::new(input);
    let _ = NameRecord::decode(input);
    if let Ok(name) = Name::parse(input) {
        assert_eq!(Name::parse(name.as_str().as_bytes()), Ok(name));
    }
    if let Ok(length) = u8::try_from(input.len()) {
        let body = [b"PRXY \x01", &[length][..], input, b"\x00\x000"].concat();
        if let Ok(command) = Command::parse(&body, Version::MAX) {
            let mut again = Vec::new();
            command.encode(Version::MAX, &mut again);
            assert_eq!(Command::parse(&again, Version::MAX), Ok(command));
        }
    }
    let Ok(text) = str::from_utf8(input) else { return };
    if let Ok(host) = text.parse::<Host>() {
        assert_eq!(host.to_string().parse(), Ok(host));
    }
    if let Ok(address) = text.parse::<ServerAddress>() {
        assert_eq!(address.to_string().parse(), Ok(address));
    }
});
