//! Moving messages between the messages log and the journal, without a server (operations.md §1.7).

use std::path::Path;
use std::sync::Arc;

use smp_protocol::id::RecipientId;
use thiserror::Error;

use crate::error::FileError;
use crate::files::Files;
use crate::journal::{self, ReplayRules, Replayed, UnclaimedCount};
use crate::message_queue::MessageQueue;
use crate::messages_log::{self, RestoreRules};
use crate::names::JOURNAL;
use crate::reference_journal::ReferenceJournal;
use crate::replay::{self, QueueStanding};
use crate::restoration::{Restoration, RestoreError};
use crate::state_lock::{LockError, StateLock};
use crate::store_log::{StoreLog, StoreLogError};

/// Why messages were not moved. What there was is still in its place.
#[derive(Debug, Error)]
pub enum ConversionError {
    /// A server runs.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The store log cannot be read.
    #[error(transparent)]
    StoreLog(#[from] StoreLogError),
    /// The messages cannot be read.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// A file operation failed.
    #[error(transparent)]
    File(#[from] FileError),
}

/// What came from the journal files of the reference.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Adopted {
    /// Messages, markers included.
    pub messages: u64,
    /// Messages that were too old.
    pub expired: u64,
    /// Queues of which something is missing.
    pub incomplete: u64,
    /// Queues that the store log does not know. Their messages wait in the journal until it does.
    pub unknown: u64,
}

/// What was moved.
#[derive(Debug, PartialEq, Eq)]
pub struct Moved {
    /// Messages, markers included.
    pub messages: u64,
    /// Queues that had some of them.
    pub queues: usize,
    /// Queues of the reference's journal of which something is missing.
    pub incomplete: u64,
    /// Messages of queues that the store log does not know, which stay in the journal.
    pub unclaimed: UnclaimedCount,
    /// What could not be read, a line for the operator each.
    pub damage: Vec<String>,
}

/// Moves the messages of the messages log, and of the journal files of the reference, to the journal, where they are sealed if it
/// encrypts. Both are set aside.
pub fn import(files: &Arc<dyn Files>, state: &Path, encrypt: bool) -> Result<Moved, ConversionError> {
    let _lock = StateLock::acquire(state)?;
    let rules = ReplayRules { encrypt, ..ReplayRules::default() };
    let (mut replayed, log) = open(files, state, rules)?;
    replayed.record_gone()?;
    let mut restoration = Restoration::begin(Arc::clone(files), state)?;
    let rules = RestoreRules { oldest: None, quota: usize::MAX };
    let saved = restoration.messages(&rules, |id| log.standing(id) == QueueStanding::Live)?;
    let mut moved =
        Moved { messages: 0, queues: 0, incomplete: 0, unclaimed: UnclaimedCount::default(), damage: Vec::new() };
    for (queue, messages) in saved.queues {
        moved.messages += replayed.import(queue, messages)?;
    }
    for (queue, message) in saved.unknown {
        if log.standing(&queue) == QueueStanding::Unknown {
            replayed.import_unclaimed(queue, [message])?;
        }
    }
    if let Some(tree) = restoration.reference_journal()? {
        let adopted = adopt(&mut replayed, &tree, None, |id| log.standing(id))?;
        moved.messages += adopted.messages;
        moved.incomplete = adopted.incomplete;
    }
    moved.queues = replayed.queues.len();
    moved.unclaimed = replayed.journal.unclaimed();
    moved.damage = restoration.damage().to_vec();
    replayed.journal.close()?;
    restoration.finish()?;
    Ok(moved)
}

/// Copies the messages of the journal to a new messages log, but those that are older than `oldest` (seconds since 1970). The
/// journal stays.
pub fn export(files: &Arc<dyn Files>, state: &Path, oldest: Option<i64>) -> Result<Moved, ConversionError> {
    let _lock = StateLock::acquire(state)?;
    let (Replayed { queues, journal, .. }, _) = open(files, state, ReplayRules { oldest, ..ReplayRules::default() })?;
    let queues: Vec<(RecipientId, MessageQueue)> =
        queues.in_order().map(|(id, messages)| (id, messages.into())).collect();
    let lines = queues.iter().flat_map(|(id, messages)| messages.iter().map(|message| (*id, message)));
    let messages = messages_log::save(Arc::clone(files), state, lines)?;
    Ok(Moved { messages, queues: queues.len(), incomplete: 0, unclaimed: journal.unclaimed(), damage: Vec::new() })
}

/// Adds what the journal files of the reference hold behind what is in ours.
pub fn adopt(
    replayed: &mut Replayed,
    tree: &ReferenceJournal,
    oldest: Option<i64>,
    mut standing: impl FnMut(&RecipientId) -> QueueStanding,
) -> Result<Adopted, FileError> {
    let mut adopted = Adopted::default();
    for queue in tree.queues()? {
        let standing = standing(&queue.id);
        if standing == QueueStanding::Deleted {
            continue;
        }
        let found = tree.messages(&queue)?;
        adopted.incomplete += u64::from(found.incomplete);
        if standing == QueueStanding::Unknown {
            adopted.unknown += u64::from(!found.messages.is_empty());
            replayed.import_unclaimed(queue.id, found.messages)?;
            continue;
        }
        let (all, expired) = (found.messages.len(), oldest.unwrap_or(i64::MIN));
        let kept: Vec<_> =
            found.messages.into_iter().filter(|message| message.is_marker() || message.timestamp >= expired).collect();
        adopted.expired += (all - kept.len()) as u64;
        adopted.messages += replayed.import(queue.id, kept)?;
    }
    Ok(adopted)
}

/// The journal, and what the store log says.
fn open(
    files: &Arc<dyn Files>,
    state: &Path,
    rules: ReplayRules,
) -> Result<(Replayed, replay::Replayed), ConversionError> {
    let log = StoreLog::read(files.as_ref(), state)?;
    let found = journal::read(files, &state.join(JOURNAL), rules)?;
    let replayed = found.restore(|| |id: &RecipientId| log.standing(id));
    Ok((replayed, log))
}
