//! The undelivered messages, to be saved (behaviour.md §8.4, §8.6).

use std::sync::Arc;

use smp_protocol::id::RecipientId;
use smp_store::message_queue::StoredMessage;

use crate::directory::Directory;
use crate::queue::Queue;

/// All undelivered messages, oldest first within a queue. They stay where they are.
pub fn undelivered(directory: &Directory) -> impl Iterator<Item = (RecipientId, StoredMessage)> {
    (0..Directory::PORTIONS).flat_map(|portion| directory.portion(portion)).flat_map(|queue| of_queue(&queue))
}

fn of_queue(queue: &Arc<Queue>) -> Vec<(RecipientId, StoredMessage)> {
    let Some(live) = queue.live_if_any() else { return Vec::new() };
    live.messages.iter().map(|message| (*queue.recipient_id(), message.clone())).collect()
}
