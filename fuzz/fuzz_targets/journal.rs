//! A segment of the journal and its index, whatever is in them; and bodies that shall not be taken for records when the header before
//! them is damaged.
#![no_main]

use std::path::Path;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use smp_store::files::Files;
use smp_store::files::simulated::SimulatedDisk;
use smp_store::journal::{Entry, ReplayRules, Replayed, replay};
use smp_store::message_body::MessageBody;
use smp_store::message_queue::{MessageQueue, StoredContent, StoredMessage};

const DIRECTORY: &str = "/journal";
const SEGMENT: &str = "/journal/0000000000000001.segment";
const INDEX: &str = "/journal/0000000000000001.index";
const SEGMENT_HEADER: usize = 64;
const HEADER: usize = 88;

fuzz_target!(|input: &[u8]| match input {
    [0, segment @ ..] => any_content(&[], segment),
    [1, length, rest @ ..] if rest.len() >= usize::from(*length) => {
        let (index, segment) = rest.split_at(usize::from(*length));
        any_content(index, segment);
    }
    [2, bit, high, body @ ..] if body.len() <= 16_088 =>
        damaged_header(usize::from(u16::from_le_bytes([*bit, *high])), body),
    _ => {}
});

fn open(disk: &SimulatedDisk) -> Replayed {
    let files: Arc<dyn Files> = Arc::new(disk.clone());
    replay(&files, Path::new(DIRECTORY), ReplayRules::default(), |_| true).expect("the disk works")
}

fn message(n: u8, body: &[u8]) -> StoredMessage {
    let content = StoredContent::Message { notify: false, body: MessageBody::from(body.to_vec()) };
    StoredMessage { id: [n; 24].into(), timestamp: 7, content }
}

fn any_content(index: &[u8], segment: &[u8]) {
    let files = [(Path::new(SEGMENT), segment.to_vec()), (Path::new(INDEX), index.to_vec())];
    let disk = SimulatedDisk::with_files(files.into_iter().filter(|(_, content)| !content.is_empty()));
    let Replayed { mut journal, queues, .. } = open(&disk);
    let found: Vec<(_, MessageQueue)> = queues.in_order().map(|(id, messages)| (id, messages.into())).collect();
    for message in found.iter().flat_map(|(_, messages)| messages.iter()) {
        if let StoredContent::Message { body, .. } = &message.content {
            let _ = body.read();
        }
    }
    let place =
        journal.commit(&[Entry::Put(&[0xff; 24].into(), &message(0xff, b"later"))], true).expect("the disk works");
    let number = found.iter().map(|(_, messages)| messages.len()).sum::<usize>();
    journal.close().expect("the disk works");
    drop((found, place));
    let again = open(&disk).queues.in_order().map(|(_, messages)| MessageQueue::from(messages).len()).sum::<usize>();
    assert_eq!(again, number + 1, "what was found stays");
}

fn damaged_header(bit: usize, body: &[u8]) {
    let disk = SimulatedDisk::new();
    let mut journal = open(&disk).journal;
    for (n, body) in [(1, &b"first"[..]), (2, body), (3, b"third")] {
        journal.commit(&[Entry::Put(&[1; 24].into(), &message(n, body))], true).expect("the disk works");
    }
    drop(journal);
    let mut segment = disk.content(Path::new(SEGMENT)).expect("it was written");
    let bit = 8 * (SEGMENT_HEADER + HEADER + b"first".len()) + bit % (8 * HEADER);
    segment[bit / 8] ^= 1 << (bit % 8);
    let damaged = SimulatedDisk::with_files([(Path::new(SEGMENT), segment)]);
    let queues = open(&damaged).queues.in_order();
    let found: Vec<(_, MessageQueue)> = queues.map(|(id, messages)| (id, messages.into())).collect();
    let [(queue, messages)] = &found[..] else { panic!("there is one queue") };
    assert_eq!(queue.as_ref(), [1; 24]);
    let ids: Vec<_> = messages.iter().map(|message| message.id.as_ref()[0]).collect();
    assert_eq!(ids, [1, 3]);
}
