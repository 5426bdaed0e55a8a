//! Senders choose bodies. Whatever these are, and whatever is damaged, nothing in them is ever taken for a record of the journal.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::Index;
use smp_store::files::{Files, RealFiles};
use smp_store::journal::{Entry, JournalSizes, ReplayRules, Replayed, replay};
use smp_store::message_body::MessageBody;
use smp_store::message_queue::{MessageQueue, StoredContent, StoredMessage};

const SEGMENT_HEADER: usize = 64;
const HEADER: usize = 88;
const OLD_HEADER: usize = 80;
const REMOVAL: u8 = 4;
/// The queue of a message that nobody sent.
const FORGED: u8 = 0xee;

fn rules(segment: u64) -> ReplayRules {
    let sizes = JournalSizes { segment, ..JournalSizes::default() };
    ReplayRules { oldest: None, sizes, encrypt: false }
}

fn message(n: u8, body: &[u8]) -> StoredMessage {
    let content = StoredContent::Message { notify: false, body: MessageBody::from(body.to_vec()) };
    StoredMessage { id: [n; 24].into(), timestamp: 7, content }
}

/// A record of a version that checked with CRC-32, which anybody can make.
fn old_record(kind: u8, sequence: u64, (queue, message): (u8, u8), body: &[u8]) -> Vec<u8> {
    let mut record = b"SMPJ".to_vec();
    record.extend([kind, 0]);
    record.extend(u16::try_from(body.len()).unwrap().to_le_bytes());
    record.extend(sequence.to_le_bytes());
    record.extend(7_i64.to_le_bytes());
    record.extend([queue; 24]);
    record.extend([message; 24]);
    record.extend(crc32fast::hash(body).to_le_bytes());
    record.extend(crc32fast::hash(&record).to_le_bytes());
    record.extend(body);
    record
}

fn files() -> Arc<dyn Files> {
    Arc::new(RealFiles)
}

fn first_segment(directory: &Path) -> PathBuf {
    directory.join("0000000000000001.segment")
}

fn open(directory: &Path) -> Replayed {
    replay(&files(), directory, rules(64 << 20), |_| true).unwrap()
}

/// A journal with these messages, in queues 1, 2, 3 and so on in turns, as a killed process leaves it.
fn write(directory: &Path, bodies: &[Vec<u8>], segment: u64) {
    let mut journal = replay(&files(), directory, rules(segment), |_| true).unwrap().journal;
    for (n, body) in (1..).zip(bodies) {
        journal.commit(&[Entry::Put(&[queue_of(n); 24].into(), &message(n, body))], true).unwrap();
    }
}

fn queue_of(n: u8) -> u8 {
    1 + n % 3
}

/// What a forger would like to be found: a message, a removal of the last message, a great number; and all that behind the
/// beginning of a segment whose key the forger knows.
fn forged_records(victim: (u8, u8), known_segment: &[u8]) -> Vec<Vec<u8>> {
    let message = old_record(1, 5, (FORGED, FORGED), b"forged");
    let removal = old_record(REMOVAL, 6, victim, b"");
    let great = old_record(1, u64::MAX - 1, (1, FORGED), b"great");
    let all = [&message[..], &removal, &great, known_segment].concat();
    vec![message, removal, great, all]
}

/// The records of a segment that the forger has made with this program, one of them the removal of the victim.
fn known_segment(victim: (u8, u8)) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let mut journal = open(directory.path()).journal;
    let forged = message(FORGED, b"forged");
    let (queue, victim) = ([victim.0; 24].into(), [victim.1; 24].into());
    let entries = [Entry::Put(&[FORGED; 24].into(), &forged), Entry::Remove(&queue, &victim)];
    journal.commit(&entries, true).unwrap();
    drop(journal);
    fs::read(first_segment(directory.path())).unwrap()
}

/// The numbers of the messages of each queue.
fn numbers(replayed: Replayed) -> BTreeMap<u8, Vec<u8>> {
    let first = |id: &[u8]| id[0];
    let of = |messages: MessageQueue| messages.iter().map(|message| first(message.id.as_ref())).collect();
    replayed.queues.in_order().map(|(id, messages)| (first(id.as_ref()), of(messages.into()))).collect()
}

fn in_queues(numbers: impl IntoIterator<Item = u8>) -> BTreeMap<u8, Vec<u8>> {
    let mut queues = BTreeMap::<u8, Vec<u8>>::new();
    numbers.into_iter().for_each(|n| queues.entry(queue_of(n)).or_default().push(n));
    queues
}

/// More messages come, and the journal is closed in good order, twice: what was there stays, in its order.
fn goes_on(directory: &Path, mut expected: BTreeMap<u8, Vec<u8>>) {
    for n in [101, 102] {
        let Replayed { mut journal, queues, .. } = open(directory);
        let _place = journal.commit(&[Entry::Put(&[3; 24].into(), &message(n, b"later"))], true).unwrap();
        expected.entry(3).or_default().push(n);
        journal.close().unwrap();
        drop(queues);
        assert_eq!(numbers(open(directory)), expected, "after the restart in good order that follows {n}");
    }
}

fn flip(path: &Path, bit: usize) {
    let mut content = fs::read(path).unwrap();
    content[bit / 8] ^= 1 << (bit % 8);
    fs::write(path, content).unwrap();
}

/// Each bit of the header of a record whose body is a record, or many, is damaged in turn: that message is lost, and nothing else.
#[test]
fn records_in_a_body_are_not_found_when_its_header_is_damaged() {
    let victim = (queue_of(2), 2);
    for forged in forged_records(victim, &known_segment(victim)) {
        let bodies = [b"first".to_vec(), b"victim".to_vec(), forged, b"fourth".to_vec(), b"fifth".to_vec()];
        let before = SEGMENT_HEADER + 2 * HEADER + bodies[0].len() + bodies[1].len();
        for bit in (0..8 * HEADER).step_by(5) {
            let directory = tempfile::tempdir().unwrap();
            write(directory.path(), &bodies, 64 << 20);
            flip(&first_segment(directory.path()), 8 * before + bit);
            let found = open(directory.path());
            assert_eq!((found.damaged.len(), found.torn), (1, 0), "bit {bit}");
            let expected = in_queues([1, 2, 4, 5]);
            assert_eq!(numbers(found), expected, "bit {bit}");
            if bit % 100 == 0 {
                goes_on(directory.path(), expected);
            }
        }
    }
}

/// The same in a segment of a version before: there one bit is put right.
#[test]
fn records_in_a_body_of_an_old_segment_are_not_found() {
    let victim = (queue_of(2), 2);
    for forged in forged_records(victim, &known_segment(victim)) {
        let bodies = [&b"first"[..], b"victim", &forged, b"fourth"];
        let records = (1..).zip(bodies).map(|(n, body)| old_record(1, n.into(), (queue_of(n), n), body));
        let records: Vec<_> = records.collect();
        let before = records[..2].concat().len();
        let segment = records.concat();
        let with = |damage: &dyn Fn(&mut [u8])| {
            let directory = tempfile::tempdir().unwrap();
            let mut segment = segment.clone();
            damage(&mut segment);
            fs::write(first_segment(directory.path()), segment).unwrap();
            (numbers(open(directory.path())), directory)
        };
        for bit in (0..8 * OLD_HEADER).step_by(7) {
            let (found, directory) = with(&|segment| segment[before + bit / 8] ^= 1 << (bit % 8));
            assert_eq!(found, in_queues(1..=4), "bit {bit}");
            if bit % 70 == 0 {
                goes_on(directory.path(), found);
            }
        }
        // Where the next record begins cannot be told any more, and is not looked for.
        let (found, directory) = with(&|segment| segment[before + 6..before + 12].fill(0x55));
        assert_eq!(found, in_queues([1, 2]));
        goes_on(directory.path(), found);
        // A body that rots costs one message.
        let (found, _) = with(&|segment| *segment.last_mut().unwrap() ^= 1);
        assert_eq!(found, in_queues(1..=3));
        let (found, _) = with(&|segment| segment[before + OLD_HEADER + 3] ^= 1);
        assert_eq!(found, in_queues([1, 2, 4]));
    }
}

/// A forger who has reached an old version already: numbers that no server has ever given are not believed, and those that
/// follow do not wrap.
#[test]
fn great_numbers_in_old_files_are_not_believed() {
    for sequence in [u64::MAX, u64::MAX - 1, 1 << 63, 1 << 62, 1 << 50] {
        let directory = tempfile::tempdir().unwrap();
        let records: Vec<_> = (1..=3).map(|n| old_record(1, n.into(), (queue_of(n), n), b"body")).collect();
        let forged = old_record(1, sequence, (1, FORGED), b"great");
        fs::write(first_segment(directory.path()), [&records[..2].concat()[..], &forged, &records[2]].concat())
            .unwrap();
        let found = numbers(open(directory.path()));
        assert_eq!(found, in_queues(1..=3), "{sequence}");
        goes_on(directory.path(), found);
    }
}

/// Whatever is torn off the end: what is whole before it is there, and a body that is a record is none.
#[test]
fn a_torn_end_is_no_record() {
    let victim = (queue_of(1), 1);
    let forged = forged_records(victim, &known_segment(victim)).pop().unwrap();
    let whole = tempfile::tempdir().unwrap();
    write(whole.path(), &[b"first".to_vec(), forged], 64 << 20);
    let segment = fs::read(first_segment(whole.path())).unwrap();
    let first = SEGMENT_HEADER + HEADER + 5;
    for length in (first..segment.len()).step_by(13) {
        let directory = tempfile::tempdir().unwrap();
        fs::write(first_segment(directory.path()), &segment[..length]).unwrap();
        let found = open(directory.path());
        assert_eq!((found.torn, found.damaged.len()), ((length - first) as u64, 0));
        assert_eq!(numbers(found), in_queues([1]), "{length} bytes");
    }
}

/// Without its key nothing in a segment can be told from what a sender made: it is kept aside.
#[test]
fn a_segment_without_a_key_is_kept_for_whoever_can_mend_it() {
    let directory = tempfile::tempdir().unwrap();
    let victim = (queue_of(2), 2);
    write(directory.path(), &forged_records(victim, &known_segment(victim)), 64 << 20);
    let path = first_segment(directory.path());
    let mut content = fs::read(&path).unwrap();
    content[10] ^= 1;
    fs::write(&path, &content).unwrap();
    assert_eq!(numbers(open(directory.path())), in_queues(1..=4), "there is a second copy of the key");

    fs::remove_file(path.with_extension("index")).unwrap();
    content[40] ^= 1;
    fs::write(&path, &content).unwrap();
    let Replayed { mut journal, queues, damaged, .. } = open(directory.path());
    assert!(queues.is_empty());
    assert_eq!(damaged, [(path.clone(), content.len() as u64)]);
    let _place = journal.commit(&[Entry::Put(&[3; 24].into(), &message(9, b"later"))], true).unwrap();
    journal.close().unwrap();
    assert_eq!(fs::read(path.with_extension("unreadable")).unwrap(), content);
    assert_eq!(numbers(open(directory.path())), BTreeMap::from([(3, vec![9])]));
}

/// An index is that of its segment, and of no other.
#[test]
fn an_index_of_another_segment_is_not_used() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), &[b"one".to_vec(), b"two".to_vec()], 64 << 20);
    assert_eq!(numbers(open(directory.path())), in_queues([1, 2]));
    let other = tempfile::tempdir().unwrap();
    write(other.path(), &[b"one".to_vec()], 64 << 20);
    assert_eq!(numbers(open(other.path())), in_queues([1]));
    let index = |directory: &Path| first_segment(directory).with_extension("index");
    fs::copy(index(other.path()), index(directory.path())).unwrap();
    assert_eq!(numbers(open(directory.path())), in_queues([1, 2]));
}

#[derive(Debug, Clone)]
enum Damage {
    Flip(Index, u8),
    Fill(Index, Index, u8),
    Cut(Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        3 => (any::<Index>(), 1..=255_u8).prop_map(|(at, change)| Damage::Flip(at, change)),
        1 => (any::<Index>(), any::<Index>(), any::<u8>()).prop_map(|(at, length, with)| Damage::Fill(at, length, with)),
        1 => any::<Index>().prop_map(Damage::Cut),
    ]
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let victim = (queue_of(2), 2);
    let forged = forged_records(victim, &known_segment(victim));
    let records = (0..forged.len(), 0..100_usize).prop_map(move |(which, before)| {
        let mut body = vec![0x53; before];
        body.extend(&forged[which]);
        body
    });
    prop_oneof![2 => records, 1 => proptest::collection::vec(any::<u8>(), 0..400)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    /// Random damage anywhere behind the key: messages are lost whose records were hit, or cut off. All others are as they were.
    #[test]
    fn damage_costs_what_it_hits(
        bodies in proptest::collection::vec(body(), 1..12),
        damages in proptest::collection::vec(damage(), 1..4),
        segment in prop_oneof![Just(64_u64 << 20), Just(600)],
    ) {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), &bodies, segment);
        let path = first_segment(directory.path());
        // A segment that was complete has an index, which is not what is tried here.
        let _ = fs::remove_file(path.with_extension("index"));
        let whole = fs::read(&path).unwrap();
        let mut content = whole.clone();
        for damage in &damages {
            let at = |index: &Index, length: usize| SEGMENT_HEADER + index.index(length - SEGMENT_HEADER);
            if content.len() == SEGMENT_HEADER {
                break;
            }
            match damage {
                Damage::Flip(index, change) => { let at = at(index, content.len()); content[at] ^= change; }
                Damage::Fill(index, length, with) => {
                    let start = at(index, content.len());
                    let end = start + length.index(content.len() - start + 1);
                    content[start..end].fill(*with);
                }
                Damage::Cut(index) => content.truncate(at(index, content.len())),
            }
        }
        fs::write(&path, &content).unwrap();

        let (mut intact, mut start) = (Vec::new(), SEGMENT_HEADER);
        for (n, body) in (1_u8..).zip(&bodies) {
            let end = start + HEADER + body.len();
            // Those behind the first segment are not touched.
            if start >= whole.len() || content.get(start..end).is_some_and(|now| *now == whole[start..end]) {
                intact.push(n);
            }
            start = end;
        }
        let found = open(directory.path());
        let queues: BTreeMap<_, MessageQueue> =
            found.queues.in_order().map(|(id, messages)| (id.as_ref()[0], messages.into())).collect();
        for message in queues.values().flat_map(MessageQueue::iter) {
            let StoredContent::Message { body, .. } = &message.content else { panic!("there are no markers") };
            let n = usize::from(message.id.as_ref()[0]);
            prop_assert_eq!(&*body.read().unwrap(), &bodies[n - 1]);
        }
        drop(queues);
        prop_assert_eq!(numbers(open(directory.path())), in_queues(intact.clone()));
        goes_on(directory.path(), in_queues(intact));
    }
}
