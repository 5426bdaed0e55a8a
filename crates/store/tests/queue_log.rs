//! Records of the queue log and what remains of them after compactions.

mod support;

use smp_protocol::error::{BlockingInfo, BlockingReason, Notice};
use smp_protocol::handshake::ServiceRole;
use smp_protocol::id::ServiceId;
use smp_protocol::key::AuthKey;
use smp_store::date::Date;
use smp_store::files::simulated::SimulatedDisk;
use smp_store::log_record::{LogRecord, ServiceParty};
use smp_store::names::STORE_LOG;
use smp_store::record::{CertificateChain, QueueRecord, QueueStatus, RecipientKeys, ServiceRecord};
use support::{lines, link, notifier, open, queue, state};

fn service(n: u8) -> ServiceRecord {
    ServiceRecord {
        id: [n; 24].into(),
        role: ServiceRole::Notifier,
        chain: CertificateChain::new([vec![n; 200], vec![n; 300]]).unwrap(),
        fingerprint: [n; 32],
        created_at: Date::from_unix_seconds(86400),
    }
}

/// Loads and compacts the log of `records` three times; it must describe `queues` and `services` each time, and stay as it
/// is from the first time on.
fn survives(records: Vec<LogRecord>, queues: &[QueueRecord], services: &[ServiceRecord]) {
    let path = state().join(STORE_LOG);
    let disk = SimulatedDisk::with_files([(path.as_path(), lines(records))]);
    let mut compacted = None;
    for _ in 0..3 {
        let opened = open(&disk);
        assert_eq!(opened.replayed.queues, queues);
        assert_eq!(opened.replayed.services, services);
        assert_eq!((opened.replayed.summary.errors, opened.replayed.summary.rejected), (0, 0));
        let content = disk.content(&path).unwrap();
        assert_eq!(*compacted.get_or_insert_with(|| content.clone()), content);
    }
    let mut expected = Vec::new();
    for service in services {
        service.write_line(&mut expected);
    }
    for queue in queues {
        queue.write_compacted(&mut expected);
    }
    assert_eq!(compacted.unwrap(), expected);
}

#[test]
fn b_245_every_change_survives_three_compactions() {
    let create = || LogRecord::Create(queue(1));
    let id = queue(1).recipient_id;
    let linked = QueueRecord { link: Some(Box::new(link(7, b"user"))), ..queue(1) };
    let key = AuthKey::Ed25519([5; 32]);
    let keys = RecipientKeys::try_from(vec![key.clone(), AuthKey::Ed448(Box::new([6; 57]))]).unwrap();
    let date = Date::from_unix_seconds(1_795_392_000);
    let with_notifier = QueueRecord { notifier: Some(Box::new(notifier(4))), ..queue(1) };
    let mut served = with_notifier.clone();
    served.notifier.as_mut().unwrap().service = Some(service(3).id);
    let notify = || LogRecord::Notifier(id, notifier(4));
    let associate = || LogRecord::QueueService(id, ServiceParty::Notifier, Some(service(3).id));

    survives(vec![create()], &[queue(1)], &[]);
    survives(vec![LogRecord::Create(linked.clone())], std::slice::from_ref(&linked), &[]);
    survives(vec![create(), LogRecord::Link(id, link(7, b"user"))], std::slice::from_ref(&linked), &[]);
    survives(vec![LogRecord::Create(linked), LogRecord::DeleteLink(id)], &[queue(1)], &[]);
    let secured = QueueRecord { sender_key: Some(key.clone()), ..queue(1) };
    survives(vec![create(), LogRecord::Secure(id, key)], &[secured], &[]);
    survives(vec![create(), LogRecord::Delete(id)], &[], &[]);
    survives(vec![create(), notify()], std::slice::from_ref(&with_notifier), &[]);
    let new_service = || LogRecord::NewService(service(3));
    survives(vec![new_service(), create(), notify(), associate()], std::slice::from_ref(&served), &[service(3)]);
    let undone = vec![new_service(), create(), notify(), associate(), LogRecord::DeleteNotifier(id)];
    survives(undone, &[queue(1)], &[service(3)]);
    let dated = QueueRecord { updated_at: Some(date), ..queue(1) };
    survives(vec![create(), LogRecord::Time(id, date)], &[dated], &[]);
    let rekeyed = QueueRecord { recipient_keys: keys.clone(), ..queue(1) };
    survives(vec![create(), LogRecord::Keys(id, keys)], &[rekeyed], &[]);
}

#[test]
fn services_and_notices_survive_together() {
    let notice = Some(Notice { ttl_seconds: Some(3600) });
    let info = BlockingInfo { reason: BlockingReason::Content, notice };
    let blocked = QueueRecord {
        status: QueueStatus::Blocked(Box::new(info)),
        service: Some(Box::new(service(3).id)),
        ..queue(1)
    };
    let records = |queue: &QueueRecord| vec![LogRecord::NewService(service(3)), LogRecord::Create(queue.clone())];
    survives(records(&blocked), std::slice::from_ref(&blocked), &[service(3)]);
    let id = blocked.recipient_id;
    let mut removed = records(&blocked);
    removed.extend([LogRecord::QueueService(id, ServiceParty::Recipient, None), LogRecord::Unblock(id)]);
    survives(removed, &[queue(1)], &[service(3)]);
}

#[test]
fn a_service_of_a_queue_is_kept_though_its_own_line_is_missing() {
    let unknown = ServiceId::from([9; 24]);
    let queue = QueueRecord { service: Some(Box::new(unknown)), ..queue(1) };
    survives(vec![LogRecord::Create(queue.clone())], &[queue], &[]);
}
