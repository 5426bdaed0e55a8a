//! The journal: what is committed is found again, whatever happens to process, power and disk.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use smp_protocol::id::RecipientId;
use smp_store::files::faulty::{Fault, FaultyFiles, Operation};
use smp_store::files::simulated::SimulatedDisk;
use smp_store::files::{Files, RealFiles};
use smp_store::journal::{
    Entry, Filed, Journal, JournalSizes, Placed, RemovedSegment, ReplayRules, Replayed, RestoredQueues, UnclaimedCount,
    read, replay,
};
use smp_store::message_body::MessageBody;
use smp_store::message_queue::{MessageQueue, StoredContent, StoredMessage};
use smp_store::replay::QueueStanding;

const RULES: ReplayRules =
    ReplayRules { oldest: None, sizes: JournalSizes { segment: 2_000, tolerated: 8_000, piece: 300 }, encrypt: false };

fn queue(n: u8) -> RecipientId {
    [n; 24].into()
}

/// Number, length and content of a message follow from `n`.
fn message(n: u8) -> StoredMessage {
    let body = MessageBody::from(vec![n; 100 + usize::from(n)]);
    StoredMessage {
        id: [n; 24].into(),
        timestamp: n.into(),
        content: StoredContent::Message { notify: n % 2 == 1, body },
    }
}

fn marker(n: u8) -> StoredMessage {
    StoredMessage { content: StoredContent::QuotaMarker, ..message(n) }
}

fn open(files: &Arc<dyn Files>, directory: &Path) -> Replayed {
    replay(files, directory, RULES, |_| true).unwrap()
}

fn made(queues: RestoredQueues) -> BTreeMap<RecipientId, MessageQueue> {
    queues.in_order().map(|(id, messages)| (id, messages.into())).collect()
}

/// Messages with their bytes, which are compared.
fn contents(queues: &BTreeMap<RecipientId, MessageQueue>) -> BTreeMap<[u8; 24], Vec<StoredMessage>> {
    let held = |message: &StoredMessage| match &message.content {
        StoredContent::QuotaMarker => message.clone(),
        StoredContent::Message { notify, body } => {
            let content = StoredContent::Message { notify: *notify, body: body.read().unwrap().to_vec().into() };
            StoredMessage { content, ..message.clone() }
        }
    };
    let of = |id: &RecipientId| id.as_ref().try_into().unwrap();
    queues.iter().map(|(id, messages)| (of(id), messages.iter().map(held).collect())).collect()
}

fn put(journal: &mut Journal, to: u8, message: &StoredMessage) -> Option<Filed> {
    journal.commit(&[Entry::Put(&queue(to), message)], true).unwrap().remove(0)
}

fn remove(journal: &mut Journal, from: u8, n: u8) {
    journal.commit(&[Entry::Remove(&queue(from), &message(n).id)], true).unwrap();
}

/// Tells how many segments went.
fn reclaim(journal: &mut Journal) -> usize {
    std::iter::from_fn(|| journal.reclaim().unwrap()).map(|removed| free(Some(removed))).count()
}

fn free(removed: Option<RemovedSegment>) {
    if let Some(mut removed) = removed {
        while removed.free_piece() {}
    }
}

fn segments(directory: &Path) -> usize {
    let names = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_str().unwrap().ends_with(".segment")).count()
}

fn real() -> (tempfile::TempDir, Arc<dyn Files>) {
    (tempfile::tempdir().unwrap(), Arc::new(RealFiles))
}

#[test]
fn what_was_put_and_not_removed_is_there() {
    let (directory, files) = real();
    for orderly in [false, true] {
        let directory = directory.path().join(format!("orderly-{orderly}"));
        let mut journal = open(&files, &directory).journal;
        let _places: Vec<_> = (1..=40).map(|n| put(&mut journal, n % 3, &message(n))).collect();
        put(&mut journal, 1, &marker(41));
        for n in [1, 2, 4, 7] {
            remove(&mut journal, n % 3, n);
        }
        if orderly {
            journal.close().unwrap();
        } else {
            drop(journal);
        }
        let Replayed { queues, stored, damaged, torn, journal, .. } = open(&files, &directory);
        let queues = made(queues);
        assert_eq!((stored, torn, damaged.len()), (36, 0, 0));
        let found = contents(&queues);
        for of in 0..3 {
            let mut expected: Vec<_> =
                (1..=40).filter(|n| n % 3 == of && ![1, 2, 4, 7].contains(n)).map(message).collect();
            if of == 1 {
                expected.push(marker(41));
                assert!(!queues[&queue(of)].can_write());
            }
            assert_eq!(found[&[of; 24]], expected);
        }
        drop(journal);
        let again = open(&files, &directory);
        assert_eq!(contents(&made(again.queues)), found, "reading changes nothing");
    }
}

#[test]
fn what_expired_or_was_deleted_is_gone_and_what_is_unknown_is_not() {
    let (directory, files) = real();
    let mut journal = open(&files, directory.path()).journal;
    for n in 1..=12 {
        put(&mut journal, n % 3, &message(n));
    }
    put(&mut journal, 2, &marker(13));
    drop(journal);
    let standing = |id: &RecipientId| match id.as_bytes()[0] {
        1 => QueueStanding::Live,
        2 => QueueStanding::Deleted,
        _ => QueueStanding::Unknown,
    };
    let rules = ReplayRules { oldest: Some(5), ..RULES };
    let unknown = UnclaimedCount { messages: 4, queues: 1 };
    for (expired, left) in [(2, [7, 10]), (0, [7, 10])] {
        let mut replayed = read(&files, directory.path(), rules).unwrap().restore(|| standing);
        assert_eq!((replayed.stored, replayed.expired, replayed.journal.unclaimed()), (2, expired, unknown));
        replayed.record_gone().unwrap();
        reclaim(&mut replayed.journal);
        assert_eq!(contents(&made(replayed.queues))[&[1; 24]], left.map(message));
    }
    // Nothing brings them back: neither a longer life, nor a store log that knows all queues.
    let found = contents(&made(open(&files, directory.path()).queues));
    assert_eq!(
        found,
        BTreeMap::from([([0; 24], [3, 6, 9, 12].map(message).into()), ([1; 24], [7, 10].map(message).into())])
    );
}

/// What is set aside neither goes with its segment nor keeps dead ones alive.
#[test]
fn messages_of_unknown_queues_are_moved_like_others() {
    let (directory, files) = real();
    let mut journal = open(&files, directory.path()).journal;
    let old: Vec<_> = [1, 2].iter().map(|n| put(&mut journal, 9, &message(*n))).collect();
    put(&mut journal, 9, &marker(3));
    for n in 10..=90 {
        put(&mut journal, 1, &message(n));
        remove(&mut journal, 1, n);
    }
    drop((old, journal));
    let mut journal = replay(&files, directory.path(), RULES, |id| *id == queue(1)).unwrap().journal;
    let length = journal.length();
    let sparse = journal.sparse_segment().unwrap().expect("more than half is dead");
    let mine: Vec<&Placed> = sparse.iter().filter(|placed| journal.is_unclaimed(placed)).collect();
    assert_eq!(mine.len(), 3);
    let bodies: Vec<_> = mine.iter().map(|placed| placed.body.read_stored().unwrap()).collect();
    let entries: Vec<_> = mine.iter().zip(&bodies).map(|(placed, body)| Entry::Move(placed, body)).collect();
    let places = journal.commit(&entries, true).unwrap();
    for (placed, place) in mine.iter().zip(places) {
        if let Some(place) = place {
            journal.settle_unclaimed(placed, &place);
        }
    }
    drop(sparse);
    journal.moved();
    assert!(reclaim(&mut journal) > 0);
    assert!(journal.length() < length / 2);
    drop(journal);
    let found = contents(&made(open(&files, directory.path()).queues));
    assert_eq!(found, BTreeMap::from([([9; 24], vec![message(1), message(2), marker(3)])]));
}

#[test]
fn segments_that_were_removed_or_emptied_are_missed() {
    let (directory, files) = real();
    let mut journal = open(&files, directory.path()).journal;
    let _places: Vec<_> = (1..=60).map(|n| put(&mut journal, 1, &message(n))).collect();
    drop(journal);
    let replayed = open(&files, directory.path());
    assert_eq!((replayed.missing.len(), replayed.emptied.len()), (0, 0));
    drop(replayed);
    let path = |n: usize| directory.path().join(format!("{n:016}.segment"));
    let last = segments(directory.path());
    assert!(last > 4);
    for removed in [1, 3, last] {
        std::fs::rename(path(removed), directory.path().join("elsewhere")).unwrap();
        let replayed = open(&files, directory.path());
        assert_eq!((replayed.missing, replayed.emptied.len()), (vec![path(removed)], 0));
        std::fs::rename(directory.path().join("elsewhere"), path(removed)).unwrap();
        let content = std::fs::read(path(removed)).unwrap();
        std::fs::write(path(removed), "").unwrap();
        let replayed = open(&files, directory.path());
        assert_eq!((replayed.missing.len(), replayed.emptied), (0, vec![path(removed)]));
        std::fs::write(path(removed), content).unwrap();
    }
    assert_eq!(open(&files, directory.path()).stored, 60, "they are put back");
}

#[test]
fn segments_without_messages_go() {
    let (directory, files) = real();
    let mut journal = open(&files, directory.path()).journal;
    let mut places = Vec::new();
    for n in 1..=60 {
        places.push(put(&mut journal, 1, &message(n)));
    }
    assert_eq!(reclaim(&mut journal), 0);
    let before = segments(directory.path());
    assert!(before > 3);
    for n in 1..=60 {
        remove(&mut journal, 1, n);
    }
    places.clear();
    assert!(reclaim(&mut journal) >= before - 1);
    assert!(segments(directory.path()) < before);
    drop(journal);
    assert!(open(&files, directory.path()).queues.is_empty());
}

#[test]
fn segments_stay_for_messages_that_are_not_made_yet() {
    let (directory, files) = real();
    let mut journal = open(&files, directory.path()).journal;
    let places: Vec<_> = (1..=60).map(|n| put(&mut journal, 1 + n % 2, &message(n))).collect();
    journal.close().unwrap();
    drop(places);

    let Replayed { mut journal, mut queues, .. } = open(&files, directory.path());
    let all = segments(directory.path());
    assert_eq!(reclaim(&mut journal), 0, "messages of both queues wait");
    let made = queues.made(queue(1));
    while let Some(first) = made.first().map(|message| message.id) {
        made.remove_first(&first);
    }
    assert_eq!(reclaim(&mut journal), 0, "those of the other one wait still");
    drop(queues);
    assert_eq!(reclaim(&mut journal), all, "that was deleted before anybody used it");
}

#[test]
fn a_marker_keeps_its_segment() {
    let (directory, files) = real();
    let mut journal = open(&files, directory.path()).journal;
    put(&mut journal, 9, &marker(99));
    for n in 1..=60 {
        put(&mut journal, 1, &message(n));
        remove(&mut journal, 1, n);
    }
    assert_eq!(reclaim(&mut journal), 0);
    drop(journal);
    let mut replayed = open(&files, directory.path());
    assert_eq!(contents(&made(replayed.queues)), BTreeMap::from([([9; 24], vec![marker(99)])]));
    remove(&mut replayed.journal, 9, 99);
    assert!(reclaim(&mut replayed.journal) > 0);
}

/// Old messages that stay do not keep a journal of dead ones alive.
#[test]
fn what_stays_is_moved_and_keeps_its_order() {
    let (directory, files) = real();
    let mut journal = open(&files, directory.path()).journal;
    let old = [message(1), message(2), marker(3)];
    let mut places: Vec<_> = old[..2].iter().map(|message| put(&mut journal, 9, message)).collect();
    put(&mut journal, 9, &old[2]);
    for n in 10..=90 {
        put(&mut journal, 1, &message(n));
        remove(&mut journal, 1, n);
    }
    places.push(put(&mut journal, 8, &message(4)));
    let length = journal.length();
    let sparse = journal.sparse_segment().unwrap().expect("more than half is dead");
    let mine: Vec<&Placed> = sparse.iter().filter(|placed| *placed.queue() == queue(9)).collect();
    assert_eq!(mine.len(), 3);
    // The first message is taken out meanwhile; the others are moved.
    remove(&mut journal, 9, 1);
    let (second, third) = (mine[1], mine[2]);
    let body = second.body.read().unwrap();
    let moved = journal.commit(&[Entry::Move(second, &body), Entry::Move(third, &[])], true).unwrap();
    drop(sparse);
    journal.moved();
    places = vec![moved.into_iter().next().unwrap(), places.pop().unwrap()];
    assert!(reclaim(&mut journal) > 0);
    assert!(journal.length() < length / 2);
    assert_eq!(places[0].as_ref().unwrap().read().unwrap(), vec![2; 102]);
    drop(journal);
    let found = contents(&made(open(&files, directory.path()).queues));
    assert_eq!(found, BTreeMap::from([([8; 24], vec![message(4)]), ([9; 24], vec![message(2), marker(3)])]));
}

#[test]
fn every_torn_tail_is_cut_and_every_damage_stays_alone() {
    let (directory, files) = real();
    let first = directory.path().join("whole");
    let rules = ReplayRules { sizes: JournalSizes::default(), ..RULES };
    let mut journal = replay(&files, &first, rules, |_| true).unwrap().journal;
    for n in 1..=3 {
        put(&mut journal, n, &message(n));
    }
    drop(journal);
    let content = std::fs::read(first.join("0000000000000001.segment")).unwrap();
    let copy = |name: String, content: &[u8]| {
        let directory = directory.path().join(name);
        std::fs::create_dir(&directory).unwrap();
        std::fs::write(directory.join("0000000000000001.segment"), content).unwrap();
        open(&files, &directory)
    };
    let last = content.len() - (88 + 103);
    for length in last..content.len() {
        let replayed = copy(format!("torn-{length}"), &content[..length]);
        assert_eq!((replayed.stored, replayed.torn, replayed.damaged.len()), (2, (length - last) as u64, 0));
    }
    for position in (64 + 88 + 1..last).step_by(7) {
        let mut damaged = content.clone();
        damaged[position] ^= 0x40;
        let replayed = copy(format!("damaged-{position}"), &damaged);
        assert_eq!((replayed.stored, replayed.torn), (2, 0), "at {position}");
        assert_eq!(replayed.damaged.len(), 1);
        assert_eq!(contents(&made(replayed.queues))[&[3; 24]], [message(3)], "what follows is found");
    }
}

#[test]
fn a_body_that_was_damaged_since_is_noticed() {
    let (directory, files) = real();
    let mut journal = open(&files, directory.path()).journal;
    let place = put(&mut journal, 1, &message(1)).unwrap();
    let path = directory.path().join("0000000000000001.segment");
    let mut content = std::fs::read(&path).unwrap();
    content[64 + 88 + 10] ^= 1;
    std::fs::write(&path, content).unwrap();
    let error = place.read().unwrap_err();
    assert_eq!(error.source.kind(), std::io::ErrorKind::InvalidData);
    assert!(error.to_string().contains("0000000000000001.segment"));
}

/// Each change of the disk is the last one before the machine stops, in turn. What was committed before is there, and what
/// was being committed is there as a whole message or not at all.
#[test]
fn no_committed_message_is_lost_when_the_machine_stops() {
    let directory = Path::new("/state/journal");
    let life = |disk: &SimulatedDisk, committed: &mut Vec<u8>, removed: &mut Vec<u8>, doomed: &mut Vec<u8>| {
        let files: Arc<dyn Files> = Arc::new(disk.clone());
        let Ok(Replayed { mut journal, .. }) = replay(&files, directory, RULES, |_| true) else { return };
        let mut places = HashMap::new();
        for n in 1..=30 {
            match journal.commit(&[Entry::Put(&queue(1), &message(n))], true) {
                Ok(mut placed) => drop(places.insert(n, placed.remove(0))),
                Err(_) => return,
            }
            committed.push(n);
            if n % 3 == 0 {
                let oldest = n / 3;
                doomed.push(oldest);
                if journal.commit(&[Entry::Remove(&queue(1), &message(oldest).id)], true).is_err() {
                    return;
                }
                removed.push(oldest);
                places.remove(&oldest);
            }
            match journal.reclaim() {
                Ok(removed) => free(removed),
                Err(_) => return,
            }
        }
        let _ = journal.close();
    };
    let whole = SimulatedDisk::new();
    life(&whole, &mut Vec::new(), &mut Vec::new(), &mut Vec::new());
    assert!(whole.operations() > 80);
    let mut images = 0;
    for stop in 0..whole.operations() {
        let disk = SimulatedDisk::new();
        disk.stop_after(stop);
        let (mut committed, mut removed, mut doomed) = (Vec::new(), Vec::new(), Vec::new());
        life(&disk, &mut committed, &mut removed, &mut doomed);
        for image in disk.after_power_loss().into_iter().chain([disk.after_kill()]) {
            images += 1;
            let files: Arc<dyn Files> = Arc::new(image);
            let found = contents(&made(open(&files, directory).queues)).remove(&[1; 24]).unwrap_or_default();
            let numbers: Vec<u8> = found.iter().map(|message| message.id.as_ref()[0]).collect();
            assert!(found.iter().all(|found| *found == message(found.id.as_ref()[0])), "bytes are intact");
            assert!(numbers.is_sorted(), "order is kept");
            assert!(!numbers.iter().any(|n| removed.contains(n)), "stop after {stop}: a removed message is back");
            let kept = committed.iter().filter(|n| !doomed.contains(n));
            assert!(kept.clone().all(|n| numbers.contains(n)), "stop after {stop}: a committed message is lost");
            assert!(numbers.len() <= kept.count() + 2, "only what was under way may be there as well");
        }
    }
    assert!(images > 200, "{images}");
}

#[test]
fn a_full_disk_refuses_messages_and_takes_removals() {
    let (directory, _) = real();
    let (files, faults) = FaultyFiles::new(Arc::new(RealFiles));
    let files: Arc<dyn Files> = Arc::new(files);
    let mut journal = open(&files, directory.path()).journal;
    journal.restore_reserve().unwrap();
    put(&mut journal, 1, &message(1));
    for (operation, fault) in [
        (Operation::Write, Fault::NoSpace),
        (Operation::Write, Fault::InputOutput),
        (Operation::Sync, Fault::InputOutput),
    ] {
        faults.fail(operation, fault);
        assert!(journal.commit(&[Entry::Put(&queue(1), &message(2))], true).is_err());
        faults.heal();
    }
    journal.release_reserve().unwrap();
    assert!(!directory.path().join("reserve").exists());
    remove(&mut journal, 1, 1);
    journal.restore_reserve().unwrap();
    put(&mut journal, 1, &message(3));
    drop(journal);
    assert_eq!(contents(&made(open(&files, directory.path()).queues))[&[1; 24]], [message(3)]);
}

/// Whether these bytes are in any file of the directory.
fn is_on_disk(directory: &Path, bytes: &[u8]) -> bool {
    let mut files = std::fs::read_dir(directory).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    files.any(|content| content.windows(bytes.len()).any(|window| window == bytes))
}

/// The keys in the key table: bytes 32 to 64 of each slot.
fn keys(directory: &Path) -> Vec<Vec<u8>> {
    let table = std::fs::read(directory.join("keys")).unwrap();
    table.chunks_exact(72).map(|slot| slot[32..64].to_vec()).filter(|key| key.iter().any(|byte| *byte != 0)).collect()
}

fn open_sealed(files: &Arc<dyn Files>, directory: &Path) -> Replayed {
    replay(files, directory, ReplayRules { encrypt: true, ..RULES }, |_| true).unwrap()
}

fn stored(n: u8, place: Option<Filed>) -> StoredMessage {
    let body = MessageBody::Filed(place.expect("a message has a place"));
    StoredMessage { content: StoredContent::Message { notify: n % 2 == 1, body }, ..message(n) }
}

#[test]
fn sealed_messages_end_with_their_keys() {
    let (directory, files) = real();
    let directory = directory.path();
    let mut journal = open_sealed(&files, directory).journal;
    let mut waiting: Vec<_> = (1..=6).map(|n| stored(n, put(&mut journal, n % 2, &message(n)))).collect();
    for n in 1..=6 {
        assert!(!is_on_disk(directory, &[n; 50]), "the body of {n} is readable on the disk");
    }
    assert_eq!(keys(directory).len(), 2, "one for each queue");
    assert!(!journal.bury_keys().unwrap(), "they are in use");
    drop(journal);

    // Another process reads them.
    let Replayed { queues, mut journal, keyless, .. } = open_sealed(&files, directory);
    let mut queues = made(queues);
    assert_eq!((contents(&queues)[&[1; 24]].clone(), keyless), (vec![message(1), message(3), message(5)], 0));
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }

    // The first queue drains: its key is destroyed, that of the other stays.
    waiting.clear();
    let before = keys(directory);
    for n in [2, 4, 6] {
        remove(&mut journal, 0, n);
    }
    queues.remove(&queue(0));
    assert!(!journal.bury_keys().unwrap(), "the removals may have been committed after the queue was drained");
    assert!(journal.bury_keys().unwrap());
    let gone: Vec<_> = before.iter().filter(|key| !is_on_disk(directory, key)).collect();
    assert_eq!((gone.len(), keys(directory).len()), (1, 1));
    drop((queues, journal));

    // Segments from before do not help whoever has no key.
    std::fs::copy(directory.join("keys"), copy.path().join("keys")).unwrap();
    let Replayed { queues, keyless, .. } = open_sealed(&files, copy.path());
    assert_eq!((queues.len(), keyless), (1, 3));

    // A queue that is used again has another key, in the place of the old one.
    let Replayed { mut journal, .. } = open_sealed(&files, directory);
    let _place = put(&mut journal, 0, &message(8));
    let now = keys(directory);
    assert!(now.len() == 2 && !now.contains(gone[0]));
    assert_eq!(std::fs::metadata(directory.join("keys")).unwrap().len(), 144);
}

#[test]
fn sealed_and_plain_messages_live_side_by_side() {
    let (directory, files) = real();
    let mut plain = open(&files, directory.path()).journal;
    put(&mut plain, 1, &message(1));
    drop(plain);
    let mut sealed = open_sealed(&files, directory.path()).journal;
    let _place = put(&mut sealed, 1, &message(2));
    drop(sealed);
    // What is sealed can be read after sealing was switched off.
    let Replayed { journal: mut plain, queues: _waiting, .. } = open(&files, directory.path());
    let _place = put(&mut plain, 1, &message(3));
    plain.close().unwrap();
    let Replayed { queues, .. } = open(&files, directory.path());
    assert_eq!(contents(&made(queues))[&[1; 24]], [message(1), message(2), message(3)]);
}

/// A key that cannot be written is no key: the message is refused, and the next one has another.
#[test]
fn keys_on_a_failing_disk() {
    let directory = tempfile::tempdir().unwrap();
    let (files, faults) = FaultyFiles::new(Arc::new(RealFiles));
    let files: Arc<dyn Files> = Arc::new(files);
    let mut journal = open_sealed(&files, directory.path()).journal;
    for operation in [Operation::Write, Operation::Sync] {
        faults.fail(operation, Fault::NoSpace);
        assert!(journal.commit(&[Entry::Put(&queue(1), &message(1))], true).is_err());
        faults.heal();
    }
    let _place = put(&mut journal, 1, &message(2));
    drop(journal);
    let Replayed { queues, mut journal, .. } = open_sealed(&files, directory.path());
    let queues = made(queues);
    assert_eq!(contents(&queues)[&[1; 24]], [message(2)]);
    journal.bury_keys().unwrap();
    journal.bury_keys().unwrap();
    assert_eq!(keys(directory.path()).len(), 1, "those of the refused messages are overwritten");
}
