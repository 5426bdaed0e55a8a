//! Saving: one at a time. Whoever saves later has the newer state, which an older one must not replace.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use smp_protocol::id::NotifierId;
use smp_store::error::FileError;
use smp_store::messages_log;
use smp_store::ntfs_log::{self, StoredNotification};
use smp_store::stats::StatsSnapshot;
use smp_store::stats_log;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::{MessagesKept, Place};
use crate::directory::Directory;
use crate::notification::PendingNotification;
use crate::registry::undelivered;

/// Whose turn it is.
#[derive(Default)]
pub(super) struct Saving {
    turn: Arc<Mutex<()>>,
    /// The server ends: what it saves then is the last word.
    is_ending: AtomicBool,
}

/// The right to replace the files of the state. What is saved must be found out after it was had.
pub struct Save {
    place: Place,
    _turn: OwnedMutexGuard<()>,
}

impl Place {
    /// Waits for the saves before; `None`: the server ends and saves by itself.
    pub async fn begin_save(&self) -> Option<Save> {
        let turn = Arc::clone(&self.saving.turn).lock_owned().await;
        let is_ending = self.saving.is_ending.load(Ordering::Acquire);
        (!is_ending).then(|| Save { place: self.clone(), _turn: turn })
    }

    /// The save at the end: it waits for one that is under way, and no other comes after it.
    pub async fn begin_last_save(&self) -> Save {
        self.saving.is_ending.store(true, Ordering::Release);
        Save { place: self.clone(), _turn: Arc::clone(&self.saving.turn).lock_owned().await }
    }

    /// The save of a program that does not run a server. Blocks the thread.
    pub fn save_alone(&self) -> Save {
        Save { place: self.clone(), _turn: Arc::clone(&self.saving.turn).blocking_lock_owned() }
    }
}

impl Save {
    /// Saves the undelivered messages of all queues.
    pub fn messages(&self, directory: &Directory) -> Result<(), FileError> {
        match self.place.messages {
            MessagesKept::Saved => {}
            MessagesKept::Journaled => return Ok(()),
            MessagesKept::No => {
                note!(self.place.logger, "undelivered messages are not saved");
                return Ok(());
            }
        }
        let begin = Instant::now();
        let saved = messages_log::save(Arc::clone(&self.place.files), &self.place.path, undelivered(directory))?;
        note!(self.place.logger, "messages saved: {saved} ({} ms)", begin.elapsed().as_millis());
        Ok(())
    }

    /// Saves the waiting notifications.
    pub fn notifications(&self, waiting: &[(NotifierId, PendingNotification)]) -> Result<(), FileError> {
        if !self.place.keeps_notifications {
            return Ok(());
        }
        let stored: Vec<_> = waiting.iter().map(|(id, pending)| (*id, to_stored(pending))).collect();
        let lines = stored.iter().map(|(id, notification)| (*id, notification));
        let saved = ntfs_log::save(Arc::clone(&self.place.files), &self.place.path, lines)?;
        note!(self.place.logger, "notifications saved: {saved}");
        Ok(())
    }

    /// Saves the statistics.
    pub fn stats(&self, stats: &StatsSnapshot) -> Result<(), FileError> {
        if !self.place.keeps_stats {
            return Ok(());
        }
        stats_log::save(Arc::clone(&self.place.files), &self.place.path, stats)?;
        note!(self.place.logger, "server stats saved");
        Ok(())
    }
}

fn to_stored(pending: &PendingNotification) -> StoredNotification {
    StoredNotification {
        message_id: pending.message_id,
        timestamp: pending.timestamp,
        nonce: pending.encrypted.nonce,
        metadata: pending.encrypted.meta.into(),
    }
}
