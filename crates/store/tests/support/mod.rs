//! What several crate tests need. Each of them uses a part of it.
#![allow(dead_code, missing_docs, unreachable_pub)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use smp_protocol::command::LinkData;
use smp_protocol::id::{LinkId, RecipientId, SenderId};
use smp_protocol::key::{AuthKey, DhSecret};
use smp_store::files::Files;
use smp_store::files::simulated::SimulatedDisk;
use smp_store::log_record::LogRecord;
use smp_store::record::{Link, Notifier, QueueRecord, QueueStatus};
use smp_store::store_log::{Damage, Opened, StoreLog};

/// A directory of what the reference server wrote.
pub fn reference(variant: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/reference-6.5.5").join(variant)
}

/// A copy of such a directory that may be changed.
pub fn copy_of(directory: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    copy_tree(directory, copy.path());
    copy
}

fn copy_tree(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let copy = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&copy).unwrap();
            copy_tree(&entry.path(), &copy);
        } else {
            fs::copy(entry.path(), copy).unwrap();
        }
    }
}

/// When the reference compacted the log.
pub fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::new(1_795_427_219, 654_932_342)
}

/// The simulated disks have this directory.
pub fn state() -> &'static Path {
    Path::new("/state")
}

pub fn open(disk: &SimulatedDisk) -> Opened {
    try_open(disk).unwrap_or_else(|error| panic!("{error}"))
}

pub fn try_open(disk: &SimulatedDisk) -> Result<Opened, smp_store::store_log::StoreLogError> {
    let files: Arc<dyn Files> = Arc::new(disk.clone());
    StoreLog::open(files, state(), now(), Damage::SetAside)
}

pub fn queue(n: u8) -> QueueRecord {
    QueueRecord {
        recipient_id: RecipientId::from([n; 24]),
        recipient_keys: AuthKey::Ed25519([n; 32]).into(),
        dh_secret: DhSecret::from([n; 32]),
        sender_id: SenderId::from([n ^ 0x80; 24]),
        sender_key: None,
        mode: None,
        link: None,
        notifier: None,
        status: QueueStatus::Active,
        updated_at: None,
        service: None,
    }
}

pub fn link(n: u8, user: &[u8]) -> Link {
    let data = LinkData { fixed: b"fixed"[..].into(), user: user.into() };
    Link::new(LinkId::try_from(&[n; 24][..]).unwrap(), data).unwrap()
}

pub fn notifier(n: u8) -> Notifier {
    Notifier { id: [n; 24].into(), key: AuthKey::Ed25519([n; 32]), secret: DhSecret::from([n; 32]), service: None }
}

pub fn lines(records: impl IntoIterator<Item = LogRecord>) -> Vec<u8> {
    let mut lines = Vec::new();
    records.into_iter().for_each(|record| record.write(&mut lines));
    lines
}
