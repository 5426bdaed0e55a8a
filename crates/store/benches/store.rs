//! What a change of a queue and a message cost on disk, and reading them at start. `cargo bench -p smp-store`
//!
//! On the disk that holds the directory of temporary files: `TMPDIR` names another one.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use smp_protocol::id::{MessageId, RecipientId};
use smp_protocol::key::{AuthKey, DhSecret};
use smp_store::files::{Files, RealFiles};
use smp_store::journal::{Entry, Journal, JournalSizes, ReplayRules, replay};
use smp_store::log_record::LogRecord;
use smp_store::message_queue::{StoredContent, StoredMessage};
use smp_store::record::{QueueRecord, QueueStatus};
use smp_store::store_log::{Damage, StoreLog};

const QUEUES: u32 = 10_000;
fn files() -> Arc<dyn Files> {
    Arc::new(RealFiles)
}

fn queue(number: u32) -> QueueRecord {
    let mut id = [0; 24];
    id[..4].copy_from_slice(&number.to_be_bytes());
    QueueRecord {
        recipient_id: id.into(),
        recipient_keys: AuthKey::Ed25519([7; 32]).into(),
        dh_secret: DhSecret::from([7; 32]),
        sender_id: id.into(),
        sender_key: Some(AuthKey::Ed25519([8; 32])),
        mode: None,
        link: None,
        notifier: None,
        status: QueueStatus::Active,
        updated_at: None,
        service: None,
    }
}

fn line(number: u32) -> Vec<u8> {
    let mut line = Vec::new();
    LogRecord::Create(queue(number)).write(&mut line);
    line
}

fn open_log(directory: &Path) -> StoreLog {
    StoreLog::open(files(), directory, SystemTime::now(), Damage::Refuse).expect("the log can be opened").log
}

fn store_log(criterion: &mut Criterion) {
    let place = tempfile::tempdir().expect("there is room");
    let mut log = open_log(place.path());
    criterion.bench_function("write a queue as a line", |bencher| bencher.iter(|| line(7)));
    criterion.bench_function("append a queue", |bencher| {
        bencher.iter_batched(|| line(7), |line| log.append(&line).expect("there is room"), BatchSize::SmallInput);
    });
    criterion.bench_function("append a queue and sync", |bencher| {
        bencher.iter_batched(
            || line(7),
            |line| log.append_synced(&line).expect("there is room"),
            BatchSize::SmallInput,
        );
    });

    let place = tempfile::tempdir().expect("there is room");
    let lines: Vec<u8> = (0..QUEUES).flat_map(line).collect();
    open_log(place.path()).append(&lines).expect("there is room");
    let mut group = criterion.benchmark_group("start");
    group.throughput(Throughput::Elements(QUEUES.into())).sample_size(20);
    group.bench_function("read the store log", |bencher| {
        bencher.iter(|| StoreLog::read(&*files(), place.path()).expect("it is sound").queues.len());
    });
    group.finish();
}

fn open_journal(directory: &Path) -> Journal {
    let rules = ReplayRules { oldest: None, sizes: JournalSizes::default(), encrypt: false };
    replay(&files(), directory, rules, |_| true).expect("it is sound").journal
}

fn journal(criterion: &mut Criterion) {
    let place = tempfile::tempdir().expect("there is room");
    let mut journal = open_journal(place.path());
    let id = RecipientId::from([7; 24]);
    let message = || StoredMessage {
        id: MessageId::random(),
        timestamp: 1,
        content: StoredContent::Message { notify: false, body: vec![7; 16_048].into() },
    };
    for (name, count, sync) in
        [("put a message", 1, false), ("put a message and sync", 1, true), ("put 16 messages and sync", 16, true)]
    {
        criterion.bench_function(name, |bencher| {
            bencher.iter_batched(
                || (0..count).map(|_| message()).collect::<Vec<_>>(),
                |messages| {
                    let puts: Vec<_> = messages.iter().map(|message| Entry::Put(&id, message)).collect();
                    journal.commit(&puts, sync).expect("there is room");
                    let removes: Vec<_> = messages.iter().map(|message| Entry::Remove(&id, &message.id)).collect();
                    journal.commit(&removes, false).expect("there is room");
                    journal.reclaim().expect("files can be removed");
                },
                BatchSize::SmallInput,
            );
        });
    }
}

criterion_group!(benches, store_log, journal);
criterion_main!(benches);
