//! A response. The first byte is the version.
#![no_main]

use libfuzzer_sys::fuzz_target;
use smp_protocol::response::Response;
use smp_protocol::version::Version;

fuzz_target!(|input: &[u8]| {
    let Some((&first, body)) = input.split_first() else { return };
    let version = Version(6 + u16::from(first) % 15);
    let Ok(response) = Response::decode(body, version) else { return };
    let mut again = Vec::new();
    response.encode(version, &mut again).expect("what was decoded fits");
    let response = Response::decode(&again, version).expect("what was encoded decodes");
    let mut last = Vec::new();
    response.encode(version, &mut last).expect("what was decoded fits");
    assert_eq!(last, again);
});
