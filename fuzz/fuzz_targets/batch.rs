//! Content of a block: what splits is packed as the same again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use smp_protocol::batch::{self, BatchWriter, Pushed};

fuzz_target!(|content: &[u8]| {
    let _ = batch::single(content);
    let Ok(items) = batch::split(content) else { return };
    let mut writer = BatchWriter::unencrypted();
    let packed = items.iter().all(|item| writer.push(|out| out.extend_from_slice(item)) == Pushed::Added);
    assert!(!packed || writer.content() == content);
});
