//! Space of the journal: segments without messages go, and messages that keep an old one alive move to the end.

use std::collections::VecDeque;
use std::sync::Arc;

use actix::{AsyncContext, Context, Handler, Message};
use slog::error;
use smp_store::error::FileError;
use smp_store::journal::{Entry, Filed, Journal, Placed};
use smp_store::message_body::MessageBody;
use smp_store::message_queue::StoredContent;

use super::JournalWriter;
use crate::directory::Directory;

/// Messages that move between two commits: commands wait no longer than for so many.
const PORTION: usize = 64;

/// The messages of a segment that are still to be moved.
pub struct Moving(VecDeque<Placed>);

impl JournalWriter {
    /// Removes segments without messages, and begins to move if that is not enough.
    pub(super) fn reclaim(&mut self, context: &mut Context<Self>) {
        if self.moving.is_some() {
            return;
        }
        let found = self.work(context, |journal| {
            journal.reclaim()?;
            journal.sparse_segment()
        });
        match found {
            Some(Ok(Some(placed))) => {
                self.moving = Some(Moving(placed.into()));
                context.notify(Move);
            }
            Some(Ok(None)) | None => {}
            Some(Err(failure)) => error!(self.logger, "{failure}; space of delivered messages is not freed"),
        }
    }

    fn move_portion(&mut self, context: &mut Context<Self>) {
        let Some(Moving(mut rest)) = self.moving.take() else { return };
        let portion: Vec<_> = rest.drain(..PORTION.min(rest.len())).collect();
        let directory = Arc::clone(&self.directory);
        match self.work(context, |journal| move_all(journal, &directory, &portion)) {
            Some(Ok(())) if rest.is_empty() => {
                drop(portion);
                let freed = self.work(context, |journal| {
                    journal.moved();
                    journal.reclaim()
                });
                if let Some(Err(failure)) = freed {
                    error!(self.logger, "{failure}; space of delivered messages is not freed");
                }
            }
            Some(Ok(())) => {
                self.moving = Some(Moving(rest));
                context.notify(Move);
            }
            // Tried again from the beginning with the next look.
            Some(Err(failure)) => error!(self.logger, "{failure}; space of delivered messages is not freed"),
            None => {}
        }
    }
}

/// Moves those that are still in their queues.
fn move_all(journal: &mut Journal, directory: &Directory, portion: &[Placed]) -> Result<(), FileError> {
    let mut moved = Vec::new();
    for placed in portion.iter().filter(|placed| is_waiting(directory, placed)) {
        match placed.body.read_stored() {
            Ok(body) => moved.push((placed, body)),
            // It stays where it is until it is delivered, which drops it with a word to the operator.
            Err(error) if error.source.kind() == std::io::ErrorKind::InvalidData => {}
            Err(error) => return Err(error),
        }
    }
    if moved.is_empty() {
        return Ok(());
    }
    let entries: Vec<_> = moved.iter().map(|(placed, body)| Entry::Move(placed, body)).collect();
    let places = journal.commit(&entries, true)?;
    for ((placed, _), place) in moved.iter().zip(places) {
        if let Some(place) = place {
            settle(directory, placed, place);
        }
    }
    Ok(())
}

fn is_waiting(directory: &Directory, placed: &Placed) -> bool {
    let Some(queue) = directory.recipient(placed.queue()) else { return false };
    let Some(mut live) = queue.live_if_any() else { return false };
    live.messages.find_mut(placed.message()).is_some_and(|message| placed.is_place_of(message))
}

fn settle(directory: &Directory, placed: &Placed, place: Filed) {
    let Some(queue) = directory.recipient(placed.queue()) else { return };
    let Some(mut live) = queue.live_if_any() else { return };
    if let Some(message) = live.messages.find_mut(placed.message())
        && placed.is_place_of(message)
        && let StoredContent::Message { body, .. } = &mut message.content
    {
        *body = match body {
            MessageBody::Filed(from) => MessageBody::Filed(from.moved_to(place)),
            MessageBody::Held(_) => MessageBody::Filed(place),
        };
    }
}

/// Moves the next portion.
#[derive(Message)]
#[rtype(result = "()")]
struct Move;

impl Handler<Move> for JournalWriter {
    type Result = ();

    fn handle(&mut self, _: Move, context: &mut Self::Context) {
        self.move_portion(context);
    }
}
