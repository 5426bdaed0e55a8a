//! What the reference server wrote we read, and what we write is what it would have written.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use sha2::{Digest, Sha256};
use smp_protocol::id::RecipientId;
use smp_protocol::key::AuthKey;
use smp_store::conversion;
use smp_store::files::{Files, RealFiles};
use smp_store::log_record::LogRecord;
use smp_store::message_queue::{MessageQueue, StoredContent, StoredMessage};
use smp_store::messages_log::{self, RestoreRules};
use smp_store::names::{MESSAGES_LOG, NTFS_LOG, STATS_LOG, STORE_LOG};
use smp_store::record::{Link, Notifier, QueueRecord, QueueStatus};
use smp_store::restoration::Restoration;
use smp_store::stats::queue_hash;
use smp_store::store_log::{Damage, StoreLog};
use smp_store::{ntfs_log, stats_log};
use support::{copy_of, now, reference};

const RULES: RestoreRules = RestoreRules { oldest: None, quota: 128 };

fn files() -> Arc<dyn Files> {
    Arc::new(RealFiles)
}

fn expected(variant: &str) -> Value {
    serde_json::from_slice(&fs::read(reference(variant).join("expected.json")).unwrap()).unwrap()
}

fn bytes<const N: usize>(value: &Value) -> [u8; N] {
    hex::decode(value.as_str().unwrap()).unwrap().try_into().unwrap()
}

fn spki(value: &Value) -> Vec<u8> {
    hex::decode(value["spki"].as_str().unwrap()).unwrap()
}

fn live_queues(expected: &Value) -> BTreeMap<RecipientId, &Value> {
    let queues = expected["queues"].as_array().unwrap().iter();
    queues.filter(|q| q["status"] != "deleted").map(|q| (bytes(&q["recipient_id"]).into(), q)).collect()
}

#[test]
fn every_line_is_written_as_it_was_read() {
    for file in ["memory/state", "memory/state-restarted", "memory-empty-body/state"] {
        let content = fs::read(reference(file).join(STORE_LOG)).unwrap();
        for line in content.split_inclusive(|&b| b == b'\n') {
            let record = LogRecord::parse(line.strip_suffix(b"\n").unwrap()).unwrap();
            let mut written = Vec::new();
            record.write(&mut written);
            assert_eq!(written, line);
        }
    }
}

#[test]
fn the_compacted_log_is_that_of_the_reference() {
    let directory = copy_of(&reference("memory/state"));
    let opened = StoreLog::open(files(), directory.path(), now(), Damage::Refuse).unwrap();
    let summary = &opened.replayed.summary;
    assert_eq!((summary.lines, summary.created, summary.queues, summary.services), (57, 28, 27, 2));
    assert_eq!((summary.errors, summary.warnings, summary.rejected), (0, 0, 0));
    assert_eq!(content(directory.path(), STORE_LOG), content(&reference("memory/state-restarted"), STORE_LOG));
    let backup = "smp-server-store.log.2026-11-23T09:46:59.654932342Z";
    assert_eq!(opened.report.backup.unwrap(), directory.path().join(backup));
    assert_eq!(content(directory.path(), backup), content(&reference("memory/state-restarted"), backup));
    let again = StoreLog::open(files(), directory.path(), now(), Damage::Refuse).unwrap();
    assert_eq!(again.report.backup, None);
    assert_eq!(again.replayed.queues, opened.replayed.queues);
}

#[test]
fn queues_are_as_the_clients_left_them() {
    for variant in ["memory", "memory-empty-body"] {
        let expected = expected(variant);
        let replayed = StoreLog::read(&RealFiles, &reference(variant).join("state")).unwrap();
        let live = live_queues(&expected);
        assert!(replayed.queues.iter().map(|q| q.recipient_id).eq(live.keys().copied()));
        for queue in &replayed.queues {
            check_queue(queue, live[&queue.recipient_id]);
        }
        for (service, expected) in replayed.services.iter().zip(expected["services"].as_array().unwrap()) {
            assert_eq!(service.id, bytes(&expected["service_id"]).into());
            assert_eq!(char::from(service.role.letter()).to_string(), expected["role"].as_str().unwrap());
            assert_eq!(service.fingerprint, bytes(&expected["fingerprint"]));
            let chain: Vec<String> = service.chain.as_slice().iter().map(hex::encode).collect();
            assert_eq!(serde_json::json!(chain), expected["chain"]);
        }
    }
}

fn check_queue(queue: &QueueRecord, expected: &Value) {
    assert_eq!(queue.sender_id, bytes(&expected["sender_id"]).into());
    assert_eq!(queue.dh_secret.as_bytes(), &bytes(&expected["dh_secret"]));
    let keys = queue.recipient_keys.as_slice().iter().map(AuthKey::to_spki);
    assert!(keys.eq(expected["recipient_keys"].as_array().unwrap().iter().map(spki)));
    assert_eq!(
        queue.sender_key.as_ref().map(AuthKey::to_spki),
        expected["sender_key"].as_object().map(|_| spki(&expected["sender_key"]))
    );
    assert_eq!(queue.mode.map(|mode| char::from(mode.letter()).to_string()).as_deref(), expected["mode"].as_str());
    match &queue.status {
        QueueStatus::Active => assert_eq!(expected["status"], "active"),
        QueueStatus::Off => assert_eq!(expected["status"], "off"),
        QueueStatus::Blocked(info) => assert_eq!(info.to_string(), expected["blocking"]),
    }
    check_link(queue.link.as_deref(), &expected["link"]);
    check_notifier(queue.notifier.as_deref(), expected);
    let service = expected.get("service_id").map(|id| bytes(id).into());
    assert_eq!(queue.service.as_deref().copied(), service);
    assert_eq!(queue.updated_at.unwrap().to_string(), "2026-11-23");
}

fn check_link(link: Option<&Link>, expected: &Value) {
    let Some(link) = link else { return assert!(expected.is_null()) };
    assert_eq!(hex::encode(link.id()), expected["link_id"]);
    for (part, expected) in [(&link.data().fixed, &expected["fixed"]), (&link.data().user, &expected["user"])] {
        assert_eq!(part.len() as u64, expected["length"]);
        assert_eq!(hex::encode(Sha256::digest(part)), expected["sha256"]);
    }
}

fn check_notifier(notifier: Option<&Notifier>, queue: &Value) {
    let expected = &queue["notifier"];
    let Some(notifier) = notifier else { return assert!(expected.is_null()) };
    assert_eq!(notifier.id, bytes(&expected["notifier_id"]).into());
    assert_eq!(notifier.key.to_spki(), spki(&expected["key"]));
    assert_eq!(notifier.secret.as_bytes(), &bytes(&expected["dh_secret"]));
    assert_eq!(notifier.service, queue.get("notifier_service_id").map(|id| bytes(id).into()));
}

#[test]
fn b_244_messages_are_restored_and_saved_byte_for_byte() {
    for (variant, stored) in [("memory", 266), ("memory-empty-body", 3)] {
        let directory = copy_of(&reference(variant).join("state"));
        let expected = expected(variant);
        let live = live_queues(&expected);
        let mut restoration = Restoration::begin(files(), directory.path()).unwrap();
        let restored = restoration.messages(&RULES, |queue| live.contains_key(queue)).unwrap();
        assert_eq!((restored.stored, restored.expired, restored.over_quota), (stored, 0, 0));
        for (id, queue) in &live {
            let empty = MessageQueue::default();
            check_messages(restored.queues.get(id).unwrap_or(&empty), queue["messages"].as_array().unwrap());
        }
        restoration.finish().unwrap();
        assert!(!directory.path().join(MESSAGES_LOG).exists());
        let queues: BTreeMap<_, _> = restored.queues.iter().collect();
        let messages = queues.iter().flat_map(|(id, queue)| queue.iter().map(|message| (**id, message)));
        messages_log::save(files(), directory.path(), messages).unwrap();
        assert_eq!(content(directory.path(), MESSAGES_LOG), content(&reference(variant).join("state"), MESSAGES_LOG));
    }
}

fn check_messages(queue: &MessageQueue, expected: &[Value]) {
    assert_eq!(queue.len(), expected.len());
    assert_eq!(queue.can_write(), !expected.last().is_some_and(|last| last["quota"] == true));
    queue.iter().zip(expected).for_each(|(message, expected)| check_message(message, expected));
}

fn check_message(message: &StoredMessage, expected: &Value) {
    if let Some(id) = expected.get("msg_id") {
        assert_eq!(message.id, bytes(id).into());
        assert_eq!(message.timestamp, expected["timestamp"]);
    }
    match &message.content {
        StoredContent::QuotaMarker => assert_eq!(expected["quota"], true),
        StoredContent::Message { notify, body } => {
            assert_eq!(*notify, expected["notify"]);
            let body = body.read().unwrap();
            assert_eq!(body.len() as u64, expected["length"]);
            assert_eq!(hex::encode(Sha256::digest(&body[..])), expected["sha256"]);
        }
    }
}

#[test]
fn notifications_are_restored_and_saved_byte_for_byte() {
    let directory = copy_of(&reference("memory/state"));
    let mut restoration = Restoration::begin(files(), directory.path()).unwrap();
    let restored = restoration.notifications(None).unwrap();
    assert_eq!((restored.stored, restored.expired, restored.notifiers.len()), (2, 0, 1));
    let expected = expected("memory");
    for queue in live_queues(&expected).values().filter(|queue| queue.get("waiting_notifications").is_some()) {
        let waiting = &restored.notifiers[&bytes(&queue["notifier"]["notifier_id"]).into()];
        assert_eq!(waiting.len() as u64, queue["waiting_notifications"]);
    }
    let notifications = restored.notifiers.iter().flat_map(|(id, list)| list.iter().map(|ntf| (*id, ntf)));
    ntfs_log::save(files(), directory.path(), notifications).unwrap();
    assert_eq!(content(directory.path(), NTFS_LOG), content(&reference("memory/state"), NTFS_LOG));
    ntfs_log::save(files(), directory.path(), Vec::<(_, ntfs_log::StoredNotification)>::new()).unwrap();
    assert_eq!(content(directory.path(), NTFS_LOG), b"");
}

#[test]
fn statistics_continue() {
    for state in ["memory/state", "memory/state-restarted"] {
        let saved = content(&reference(state), STATS_LOG);
        let stats = stats_log::parse(&saved).unwrap();
        assert_eq!((stats.counters.q_created, stats.counters.msg_sent, stats.ntf_services.assoc_new), (28, 596, 2));
        let mut written = Vec::new();
        stats_log::write(&stats, &mut written);
        let names = b"rslvStats:\nreqs=0\nsucc=0\nnotFound=0\nresolverErrs=0\ndisabled=0\n";
        assert_eq!(written, [&saved[..], names].concat(), "6.5.5 does not resolve names");
    }
}

/// Every queue with an ordinary message is in the set of the day; the reference hashed the IDs.
#[test]
fn hashes_of_queues_are_those_of_the_reference() {
    let stats = stats_log::parse(&content(&reference("memory/state"), STATS_LOG)).unwrap();
    let expected = expected("memory");
    let mut found = 0;
    for (id, queue) in live_queues(&expected) {
        if queue["messages"].as_array().unwrap().iter().any(|message| message.get("quota").is_none()) {
            assert!(stats.active_queues.day.as_slice().contains(&queue_hash(&id)), "{}", queue["name"]);
            found += 1;
        }
    }
    assert!(found > 10);
}

#[test]
fn a_finished_restoration_leaves_backups_only() {
    let directory = copy_of(&reference("memory/state"));
    let mut restoration = Restoration::begin(files(), directory.path()).unwrap();
    restoration.messages(&RULES, |_| true).unwrap();
    restoration.notifications(None).unwrap();
    assert!(restoration.statistics().unwrap().is_some());
    restoration.finish().unwrap();
    let mut names: Vec<_> =
        fs::read_dir(directory.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let backup = |name: &str| format!("{name}.bak");
    assert_eq!(names, [backup(MESSAGES_LOG), backup(NTFS_LOG), backup(STATS_LOG), STORE_LOG.to_owned()]);
    for name in [MESSAGES_LOG, NTFS_LOG, STATS_LOG] {
        assert_eq!(content(directory.path(), &backup(name)), content(&reference("memory/state"), name));
    }
}

fn content(directory: &Path, name: &str) -> Vec<u8> {
    fs::read(directory.join(name)).unwrap()
}

/// What the reference kept in its journal files is in ours afterwards, and in the messages log that the reference could import.
#[test]
fn journal_files_of_the_reference_are_adopted_and_exported() {
    let expected = expected("journal");
    let state = copy_of(&reference("journal/state"));
    let moved = conversion::import(&files(), state.path(), false).unwrap();
    assert_eq!(moved.incomplete, 0);
    assert!(!state.path().join("messages").exists() && state.path().join("messages.bak").is_dir());

    // From the journal, after a whole life of it.
    let exported = conversion::export(&files(), state.path(), None).unwrap();
    assert_eq!((exported.messages, exported.queues), (moved.messages, moved.queues));
    let restored = Restoration::begin(files(), state.path()).unwrap().messages(&RULES, |_| true).unwrap();
    let mut found = 0;
    for (id, queue) in live_queues(&expected) {
        let messages = restored.queues.get(&id);
        let wanted = queue["messages"].as_array().unwrap();
        assert_eq!(messages.map_or(0, MessageQueue::len), wanted.len(), "{}", queue["name"]);
        for (message, expected) in messages.into_iter().flatten().zip(wanted) {
            check_message(message, expected);
            found += 1;
        }
    }
    assert_eq!(found, moved.messages);
    assert!(found > 100);
    let again = conversion::import(&files(), state.path(), false).unwrap();
    assert_eq!(again.messages, 0, "what is in the journal already is not moved twice");
}
