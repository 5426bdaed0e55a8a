//! Bodies of messages and notifications that decrypt to the input.
#![no_main]

use libfuzzer_sys::fuzz_target;
use smp_protocol::crypto::secret_box;
use smp_protocol::id::MessageId;
use smp_protocol::key::DhSecret;
use smp_protocol::message::{self, Content, Plain};

fuzz_target!(|input: &[u8]| {
    let (secret, nonce) = (DhSecret::from([1; 32]), [2; 24]);
    let id = MessageId::from(nonce);
    assert!(message::open_message(&secret, &id, input).is_err());
    let sealed = secret_box::seal(&secret, &nonce, input);
    let _ = message::open_notification(&secret, &nonce, &sealed);
    let Ok(content) = message::open_message(&secret, &id, &sealed) else { return };
    let plain = match &content {
        Content::Message { body, .. } if body.len() > message::MAX_STORED_BODY => return,
        Content::Message { timestamp, notify, body } => Plain::Message { timestamp: *timestamp, notify: *notify, body },
        Content::QuotaExceeded { timestamp } => Plain::QuotaExceeded { timestamp: *timestamp },
    };
    let mut again = Vec::new();
    message::seal_message(&secret, &id, plain, &mut again);
    assert_eq!(message::open_message(&secret, &id, &again), Ok(content));
});
