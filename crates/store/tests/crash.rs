//! The process is killed or the power fails after each operation on the disk, and nothing that was promised is lost.

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use smp_protocol::id::RecipientId;
use smp_store::files::Files;
use smp_store::files::simulated::SimulatedDisk;
use smp_store::log_record::LogRecord;
use smp_store::message_queue::{StoredContent, StoredMessage};
use smp_store::messages_log::{self, RestoreRules};
use smp_store::names::{MESSAGES_LOG, NTFS_LOG, STATS_LOG, STORE_LOG};
use smp_store::ntfs_log::{self, StoredNotification};
use smp_store::record::QueueRecord;
use smp_store::restoration::Restoration;
use smp_store::stats::StatsSnapshot;
use smp_store::stats_log;
use smp_store::store_log::{CompactionReport, StoreLog, StoreLogError};
use support::{lines, link, now, open, queue, state, try_open};

const RULES: RestoreRules = RestoreRules { oldest: None, quota: 128 };

/// Runs `action` once for every number of operations that it may do before the machine stops, on a fresh disk each time,
/// and hands every disk that may be found afterwards to `check`, with what `action` returned.
fn stop_everywhere<T>(
    disk: impl Fn() -> SimulatedDisk,
    action: impl Fn(&SimulatedDisk) -> T,
    check: impl Fn(&SimulatedDisk, &T, bool),
) {
    let whole = disk();
    action(&whole);
    let total = whole.operations();
    assert!(total > 3, "the action works on the disk");
    for operations in 0..=total {
        let stopped = disk();
        stopped.stop_after(operations);
        let result = action(&stopped);
        check(&stopped.after_kill(), &result, false);
        for found in stopped.after_power_loss() {
            check(&found, &result, true);
        }
    }
}

fn log_path() -> PathBuf {
    state().join(STORE_LOG)
}

fn disk_with(files: &[(&str, &[u8])]) -> SimulatedDisk {
    let paths: Vec<_> = files.iter().map(|(name, content)| (state().join(name), content.to_vec())).collect();
    SimulatedDisk::with_files(paths.iter().map(|(path, content)| (path.as_path(), content.clone())))
}

/// Two queues, one of them changed, and one that was deleted.
fn log() -> Vec<u8> {
    lines([
        LogRecord::Create(queue(2)),
        LogRecord::Create(queue(3)),
        LogRecord::Create(queue(1)),
        LogRecord::Link(queue(1).recipient_id, link(7, b"user")),
        LogRecord::Delete(queue(3).recipient_id),
    ])
}

fn logged_queues() -> Vec<QueueRecord> {
    vec![QueueRecord { link: Some(Box::new(link(7, b"user"))), ..queue(1) }, queue(2)]
}

#[test]
fn a_start_stopped_anywhere_loses_nothing() {
    let disk = || disk_with(&[(STORE_LOG, &log())]);
    let start = |disk: &SimulatedDisk| drop(try_open(disk));
    stop_everywhere(disk, start, |found, (), _| {
        assert_eq!(open(found).replayed.queues, logged_queues());
        assert_eq!(open(found).replayed.queues, logged_queues(), "and again");
    });
}

#[test]
fn a_start_that_recovers_may_be_stopped_anywhere() {
    let start_name = format!("{STORE_LOG}.start");
    let incomplete = lines([LogRecord::Create(queue(1))]);
    let disk = || disk_with(&[(STORE_LOG, &incomplete), (&start_name, &log())]);
    let start = |disk: &SimulatedDisk| drop(try_open(disk));
    stop_everywhere(disk, start, |found, (), _| assert_eq!(open(found).replayed.queues, logged_queues()));
    let disk = disk();
    let report = open(&disk).report;
    assert!(report.recovered);
    let kept = report.incomplete.unwrap();
    assert_eq!(kept, state().join(format!("{STORE_LOG}.bak")));
    assert_eq!(disk.content(&kept).unwrap(), incomplete);
}

#[test]
fn a_start_after_the_reference_died_before_it_wrote_the_new_log() {
    let disk = disk_with(&[(&format!("{STORE_LOG}.start"), &log())]);
    let opened = open(&disk);
    assert!(opened.report.recovered && opened.report.incomplete.is_none());
    assert_eq!(opened.replayed.queues, logged_queues());
}

/// What a session of a server promised: queues whose append returned, and those that a sync covered.
#[derive(Default)]
struct Promised {
    appended: Vec<RecipientId>,
    synced: usize,
}

fn compact(log: &mut StoreLog) -> Result<CompactionReport, StoreLogError> {
    let draft = log.plan_compaction()?.write()?;
    log.finish_compaction(draft, now())
}

/// Appends queues, syncing now and then, with a compaction in between.
fn session(disk: &SimulatedDisk) -> Promised {
    let mut promised = Promised::default();
    let Ok(opened) = try_open(disk) else { return promised };
    let mut log = opened.log;
    for n in 10..16 {
        let new = queue(n);
        if log.append(&lines([LogRecord::Create(new.clone())])).is_err() {
            return promised;
        }
        promised.appended.push(new.recipient_id);
        if n % 2 == 0 {
            if log.sync().is_err() {
                return promised;
            }
            promised.synced = promised.appended.len();
        }
        if n == 12 && compact(&mut log).is_err() {
            return promised;
        }
    }
    promised
}

#[test]
fn a_server_stopped_anywhere_keeps_its_promises() {
    let disk = || disk_with(&[(STORE_LOG, &log())]);
    stop_everywhere(disk, session, |found, promised, power_lost| {
        let replayed = open(found).replayed;
        assert_eq!(replayed.summary.rejected, 0);
        let kept: Vec<_> = replayed.queues.iter().map(|queue| queue.recipient_id).collect();
        let safe = if power_lost { promised.synced } else { promised.appended.len() };
        for id in logged_queues().iter().map(|queue| &queue.recipient_id).chain(&promised.appended[..safe]) {
            assert!(kept.contains(id));
        }
        let unanswered = kept.len() - logged_queues().len();
        assert!(unanswered <= promised.appended.len() + 1, "nothing comes from nowhere");
    });
}

/// Appends queues, each synced before it is promised.
fn synced_session(disk: &SimulatedDisk) -> Vec<RecipientId> {
    let mut promised = Vec::new();
    let Ok(opened) = try_open(disk) else { return promised };
    let mut log = opened.log;
    for n in 10..14 {
        let new = queue(n);
        if log.append_synced(&lines([LogRecord::Create(new.clone())])).is_err() {
            return promised;
        }
        promised.push(new.recipient_id);
        if n == 12 && compact(&mut log).is_err() {
            return promised;
        }
    }
    promised
}

#[test]
fn what_was_synced_before_it_was_promised_survives_everything() {
    let disk = || disk_with(&[(STORE_LOG, &log())]);
    stop_everywhere(disk, synced_session, |found, promised, _power_lost| {
        let kept: Vec<_> = open(found).replayed.queues.iter().map(|queue| queue.recipient_id).collect();
        assert!(promised.iter().all(|id| kept.contains(id)));
        assert!(kept.len() <= logged_queues().len() + promised.len() + 1, "nothing comes from nowhere");
    });
}

#[test]
fn an_append_after_a_torn_tail_begins_a_line() {
    let whole = log();
    for n in 0..=whole.len() {
        let disk = disk_with(&[(STORE_LOG, &whole[..n])]);
        let mut opened = open(&disk);
        let before = opened.replayed.queues.clone();
        opened.log.append(&lines([LogRecord::Create(queue(9))])).unwrap();
        let replayed = open(&disk).replayed;
        assert_eq!(replayed.queues.len(), before.len() + 1);
        assert_eq!((replayed.summary.rejected, replayed.summary.errors), (0, 0));
    }
}

#[test]
fn a_torn_tail_costs_its_own_line_only() {
    let whole = log();
    for n in 0..=whole.len() {
        let complete = whole[..n].iter().rposition(|&b| b == b'\n').map_or(0, |end| end + 1);
        let torn = open(&disk_with(&[(STORE_LOG, &whole[..n])]));
        let clean = open(&disk_with(&[(STORE_LOG, &whole[..complete])]));
        assert_eq!(torn.report.rejected, None);
        if torn.replayed.summary.torn {
            assert_eq!(torn.replayed.queues, clean.replayed.queues);
        }
        for queue in &clean.replayed.queues {
            let id = queue.recipient_id;
            let last_deletes = n > complete && !torn.replayed.summary.torn;
            assert!(last_deletes || torn.replayed.queues.iter().any(|q| q.recipient_id == id));
        }
    }
}

fn message(n: u8) -> StoredMessage {
    let content = StoredContent::Message { notify: true, body: [n; 100].into() };
    StoredMessage { id: [n; 24].into(), timestamp: 1, content }
}

fn notification() -> StoredNotification {
    StoredNotification { message_id: [1; 24].into(), timestamp: 1, nonce: [2; 24], metadata: [3; 144].into() }
}

fn save(disk: &SimulatedDisk, messages: u8) -> bool {
    let files: Arc<dyn Files> = Arc::new(disk.clone());
    let list = (0..messages).map(|n| (queue(1).recipient_id, message(n)));
    messages_log::save(files.clone(), state(), list).is_ok()
        && ntfs_log::save(files.clone(), state(), [([5; 24].into(), notification())]).is_ok()
        && stats_log::save(files, state(), &StatsSnapshot::new(now())).is_ok()
}

fn restored(disk: &SimulatedDisk) -> (u64, u64, bool) {
    let mut restoration = Restoration::begin(Arc::new(disk.clone()), state()).unwrap();
    let messages = restoration.messages(&RULES, |_| true).unwrap();
    let notifications = restoration.notifications(None).unwrap();
    (messages.stored, notifications.stored, restoration.statistics().unwrap().is_some())
}

#[test]
fn saving_stopped_anywhere_leaves_the_old_or_the_new_file() {
    let disk = || {
        let disk = SimulatedDisk::new();
        assert!(save(&disk, 2));
        disk
    };
    let before = disk().operations();
    let stopping = |disk: &SimulatedDisk| {
        assert!(disk.operations() >= before);
        save(disk, 3)
    };
    stop_everywhere(disk, stopping, |found, saved, _| {
        let (messages, notifications, statistics) = restored(found);
        assert!(messages == 3 || (messages == 2 && !saved), "{messages} messages");
        assert!(notifications == 1 && statistics);
    });
}

/// A start reads the three files, sets them aside and then begins to serve.
fn take_over(disk: &SimulatedDisk) -> bool {
    let start = || {
        let mut restoration = Restoration::begin(Arc::new(disk.clone()), state()).ok()?;
        restoration.messages(&RULES, |_| true).ok()?;
        restoration.notifications(None).ok()?;
        restoration.statistics().ok()?;
        restoration.finish().ok()
    };
    start().is_some()
}

#[test]
fn a_start_stopped_before_it_serves_restores_everything_the_next_time() {
    let disk = || {
        let disk = SimulatedDisk::new();
        assert!(save(&disk, 2));
        disk
    };
    stop_everywhere(disk, take_over, |found, serving, _| {
        let everything = restored(found) == (2, 1, true);
        assert!(everything || *serving || only_the_list_is_gone(found));
        if *serving {
            assert_eq!(restored(found), (0, 0, false), "what is served already is not restored again");
        }
    });
}

/// The last operation was done, only its answer is missing: all three files are set aside.
fn only_the_list_is_gone(disk: &SimulatedDisk) -> bool {
    let backup = |name: &str| disk.content(&state().join(format!("{name}.bak"))).is_some();
    restored(disk) == (0, 0, false) && [MESSAGES_LOG, NTFS_LOG, STATS_LOG].map(backup) == [true; 3]
}

#[test]
fn statistics_that_cannot_be_read_begin_anew_and_are_kept() {
    let disk = SimulatedDisk::new();
    assert!(save(&disk, 2));
    let files: Arc<dyn Files> = Arc::new(disk.clone());
    files.create(&state().join(STATS_LOG)).unwrap().write(b"nonsense\n").unwrap();
    let mut restoration = Restoration::begin(files, state()).unwrap();
    restoration.messages(&RULES, |_| true).unwrap();
    restoration.notifications(None).unwrap();
    assert_eq!(restoration.statistics().unwrap(), None);
    let [damage] = restoration.damage() else { panic!("{:?}", restoration.damage()) };
    assert!(damage.contains("smp-server-stats.log: line 1 is damaged"), "{damage}");
    restoration.finish().unwrap();
    let kept = disk.content(&state().join(format!("{STATS_LOG}.rejected")));
    assert_eq!(kept.unwrap(), b"nonsense\n");
}

#[test]
fn messages_that_the_reference_stranded_are_noticed() {
    let disk = SimulatedDisk::new();
    assert!(save(&disk, 2));
    let stranded = |disk: &SimulatedDisk| {
        Restoration::begin(Arc::new(disk.clone()), state()).unwrap().stranded_messages().unwrap()
    };
    assert_eq!(stranded(&disk), None);
    let path: &Path = &state().join(MESSAGES_LOG);
    let backup = state().join(format!("{MESSAGES_LOG}.bak"));
    disk.rename(path, &backup).unwrap();
    assert_eq!(stranded(&disk), Some(backup));
    assert_eq!(disk.content(&log_path()), None);
}

/// Files that cannot be renamed, because each is mounted by itself.
fn mounted(disk: &SimulatedDisk) {
    for name in [STORE_LOG, MESSAGES_LOG, NTFS_LOG, STATS_LOG] {
        disk.mount(&state().join(name));
    }
}

#[test]
fn a_mounted_log_is_rewritten_wherever_that_is_stopped() {
    let disk = || {
        let disk = disk_with(&[(STORE_LOG, &log())]);
        mounted(&disk);
        disk
    };
    let rewritten = disk();
    open(&rewritten);
    assert_ne!(rewritten.content(&log_path()).unwrap(), log(), "it is compacted in its place");
    stop_everywhere(disk, synced_session, |found, promised, _| {
        mounted(found);
        for _ in 0..2 {
            let kept: Vec<_> = open(found).replayed.queues.iter().map(|queue| queue.recipient_id).collect();
            let before = logged_queues().into_iter().map(|queue| queue.recipient_id);
            assert!(before.chain(promised.iter().copied()).all(|id| kept.contains(&id)));
            assert!(kept.len() <= logged_queues().len() + promised.len() + 1, "nothing comes from nowhere");
        }
    });
}

#[test]
fn mounted_files_of_a_stop_are_restored_once_wherever_the_start_is_stopped() {
    let disk = || {
        let disk = SimulatedDisk::new();
        assert!(save(&disk, 3) && take_over(&disk));
        for name in [MESSAGES_LOG, NTFS_LOG, STATS_LOG] {
            let files: &dyn Files = &disk;
            files.create(&state().join(name)).unwrap().sync().unwrap();
        }
        disk.sync_directory(state()).unwrap();
        mounted(&disk);
        assert!(save(&disk, 2));
        disk
    };
    assert_eq!(restored(&disk()), (2, 1, true));
    stop_everywhere(disk, take_over, |found, serving, _| {
        mounted(found);
        let found_again = restored(found);
        let nothing = (0, 0, false);
        assert!(found_again == (2, 1, true) || found_again == nothing && (*serving || are_set_aside(found)));
        assert!(!serving || found_again == nothing, "what is served already is not restored again");
    });
}

fn are_set_aside(disk: &SimulatedDisk) -> bool {
    let backup = disk.content(&state().join(format!("{MESSAGES_LOG}.bak"))).unwrap_or_default();
    backup.split(|byte| *byte == b'\n').count() == 3
}
