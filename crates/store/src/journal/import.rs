//! Messages that come to the journal from elsewhere.

use std::collections::HashSet;

use smp_protocol::id::RecipientId;

use super::{Entry, Filed, Replayed};
use crate::error::FileError;
use crate::message_body::MessageBody;
use crate::message_queue::{StoredContent, StoredMessage};

/// Entries of one commit: bounds its memory to about 4 MiB.
const COMMIT_ENTRIES: usize = 256;

impl Replayed {
    /// Adds messages of a queue behind those that it has, and tells how many, markers included. Those that are in the journal
    /// already are left out: an import that was interrupted is simply repeated. They are on disk once the journal is synced.
    pub fn import(
        &mut self,
        queue: RecipientId,
        messages: impl IntoIterator<Item = StoredMessage>,
    ) -> Result<u64, FileError> {
        let known: HashSet<_> = self.queues.made(queue).iter().map(|message| message.id).collect();
        let new: Vec<_> = messages.into_iter().filter(|message| !known.contains(&message.id)).collect();
        for portion in new.chunks(COMMIT_ENTRIES) {
            let entries: Vec<_> = portion.iter().map(|message| Entry::Put(&queue, message)).collect();
            let places = self.journal.commit(&entries, false)?;
            let messages = self.queues.made(queue);
            for (message, place) in portion.iter().zip(places) {
                self.stored += u64::from(place.is_some());
                messages.add_restored(at(message, place));
            }
        }
        Ok(new.len() as u64)
    }

    /// The same for a queue that the store log does not know: its messages wait in the journal until it does.
    pub fn import_unclaimed(
        &mut self,
        queue: RecipientId,
        messages: impl IntoIterator<Item = StoredMessage>,
    ) -> Result<u64, FileError> {
        let unclaimed = &mut self.journal.unclaimed;
        let new: Vec<_> = messages.into_iter().filter(|message| !unclaimed.contains(&queue, &message.id)).collect();
        for portion in new.chunks(COMMIT_ENTRIES) {
            let entries: Vec<_> = portion.iter().map(|message| Entry::Put(&queue, message)).collect();
            let places = self.journal.commit(&entries, false)?;
            for (message, place) in portion.iter().zip(places) {
                self.journal.unclaimed.push(queue, at(message, place));
            }
        }
        Ok(new.len() as u64)
    }
}

/// The message, read from where it is now.
fn at(message: &StoredMessage, place: Option<Filed>) -> StoredMessage {
    let mut message = message.clone();
    if let (StoredContent::Message { body, .. }, Some(place)) = (&mut message.content, place) {
        *body = MessageBody::Filed(place);
    }
    message
}
