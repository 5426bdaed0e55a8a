//! Errors.
#![no_main]

use libfuzzer_sys::fuzz_target;
use smp_protocol::error::{BlockingInfo, ErrorType, TransportError};

fuzz_target!(|text: &[u8]| {
    if let Ok(error) = TransportError::decode(text) {
        let mut again = Vec::new();
        error.encode(&mut again);
        assert_eq!(again, text);
    }
    if let Ok((info, length)) = BlockingInfo::decode_prefix(text) {
        assert!(length <= text.len());
        assert_eq!(BlockingInfo::decode(info.to_string().as_bytes()), Ok(info));
    }
    let Ok(error) = ErrorType::decode(text) else { return };
    let mut again = Vec::new();
    error.encode(&mut again);
    let error = ErrorType::decode(&again).expect("what was encoded decodes");
    let mut last = Vec::new();
    error.encode(&mut last);
    assert_eq!(last, again);
});
