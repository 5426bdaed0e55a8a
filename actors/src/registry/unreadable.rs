//! Messages whose bodies cannot be read. Shards hand out references; who reads the body is the first to know.

use std::io;
use std::sync::Arc;

use smp_protocol::id::{MessageId, RecipientId};
use smp_store::error::FileError;

use super::shard::Shard;
use crate::queue::{LiveGuard, Queue};
use crate::session_handle::{Delivery, SessionHandle};

/// The body of a message that was handed out cannot be read.
pub struct Unreadable {
    /// Whom it was handed out to.
    pub session: Arc<SessionHandle>,
    /// The queue.
    pub queue: RecipientId,
    /// The message.
    pub message: MessageId,
    /// Why. Of kind [`io::ErrorKind::InvalidData`]: it is damaged, and cannot be had again.
    pub error: FileError,
}

impl Shard {
    /// What goes to the session instead. A damaged message is dropped, so that those behind it are delivered; one that the disk
    /// does not give is tried again in a while.
    pub fn unreadable(&mut self, Unreadable { session, queue, message, error }: &Unreadable) -> Option<Delivery> {
        let queue = self.directory.recipient(queue)?;
        let mut live = queue.live_if_any()?;
        // It may have expired, or have been reported by another session.
        let waits = live.messages.first().is_some_and(|first| first.id == *message);
        let is_damaged = error.source.kind() == io::ErrorKind::InvalidData;
        if waits && is_damaged {
            self.drop_damaged(&queue, &mut live, message, error);
        }
        let stays = waits && !is_damaged;
        if stays && self.unread.insert(*queue.recipient_id(), *message) != Some(*message) {
            self.tell_unreadable(error);
        }
        let (subscriber, _) = live.of_session(session)?;
        subscriber.delivered.take_if(|delivered| delivered.id == *message)?;
        if stays { None } else { self.first_message(&queue, &mut live, session) }
    }

    fn drop_damaged(&self, queue: &Queue, live: &mut LiveGuard<'_>, message: &MessageId, error: &FileError) {
        live.messages.remove_first(message);
        self.stats.messages.now.change(-1);
        self.stats.damaged_messages.count();
        self.tell_unreadable(error);
        if let Some(journal) = &self.journal {
            journal.remove(*queue.recipient_id(), *message, None);
        }
    }

    fn tell_unreadable(&self, error: &FileError) {
        if let Some(journal) = &self.journal {
            journal.unreadable(error);
        }
    }

    /// Pushes what the disk did not give before.
    pub fn deliver_unread(&mut self) {
        for (queue, message) in std::mem::take(&mut self.unread) {
            self.confine(|shard| shard.deliver_again(queue, message));
        }
    }

    fn deliver_again(&mut self, id: RecipientId, message: MessageId) {
        let Some(queue) = self.directory.recipient(&id) else { return };
        let Some(mut live) = queue.live_if_any() else { return };
        // It may be gone meanwhile: then the next one is pushed. Who subscribes later is given it anyway.
        let now = self.now();
        self.push(&queue, &mut live, now);
        if live.subscriber.is_some() && live.messages.first().is_some_and(|first| first.id == message) {
            self.unread.insert(id, message);
        }
    }
}
