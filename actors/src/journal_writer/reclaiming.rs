//! Space of the journal: segments without messages go, and messages that keep an old one alive move to the end.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use actix::{ActorFutureExt, AsyncContext, Context, Handler, Message, WrapFuture};
use actix_rt::task::spawn_blocking;
use actix_rt::time::sleep;
use slog::error;
use smp_store::error::FileError;
use smp_store::journal::{Entry, Filed, Journal, Placed, RemovedSegment};
use smp_store::message_body::MessageBody;
use smp_store::message_queue::StoredContent;

use super::JournalWriter;
use crate::directory::Directory;

/// Messages that move between two commits: commands wait no longer than for so many.
const PORTION: usize = 64;

/// Space is given back in a fifth of the time: while the file system frees something, a commit may have to wait.
const PAUSE: u32 = 4;

/// What is done for more space. One thing at a time.
pub enum Reclaiming {
    /// A segment went, and its space is given back.
    Freeing,
    /// The messages of a segment that are still to be moved.
    Moving(VecDeque<Placed>),
}

enum Found {
    Removed(RemovedSegment),
    Sparse(Vec<Placed>),
    Nothing,
}

impl JournalWriter {
    /// Removes a segment without messages; if there is none, begins to move messages if that is due.
    pub(super) fn reclaim(&mut self, context: &mut Context<Self>) {
        if self.reclaiming.is_some() {
            return;
        }
        let found = self.work(context, find);
        match self.told(found) {
            Some(Found::Removed(segment)) => self.free(segment, context),
            Some(Found::Sparse(placed)) => {
                self.reclaiming = Some(Reclaiming::Moving(placed.into()));
                context.notify(Move);
            }
            Some(Found::Nothing) | None => {}
        }
    }

    /// What came of work on the journal; the operator is told what did not work.
    fn told<T>(&self, result: Option<Result<T, FileError>>) -> Option<T> {
        let tell = |failure| error!(self.logger, "{failure}; space of delivered messages is not freed");
        result?.map_err(tell).ok()
    }

    fn free(&mut self, segment: RemovedSegment, context: &mut Context<Self>) {
        self.reclaiming = Some(Reclaiming::Freeing);
        let freed = |(), this: &mut Self, context: &mut Context<Self>| {
            this.reclaiming = None;
            this.reclaim(context);
        };
        context.spawn(free_in_pieces(segment).into_actor(self).map(freed));
    }

    fn move_portion(&mut self, context: &mut Context<Self>) {
        let is_moving = |reclaiming: &mut Reclaiming| matches!(reclaiming, Reclaiming::Moving(_));
        let Some(Reclaiming::Moving(mut rest)) = self.reclaiming.take_if(is_moving) else { return };
        let portion: Vec<_> = rest.drain(..PORTION.min(rest.len())).collect();
        let directory = Arc::clone(&self.directory);
        let moved = self.work(context, |journal| move_all(journal, &directory, &portion));
        // What did not work is tried again from the beginning with the next look.
        let Some(()) = self.told(moved) else { return };
        if !rest.is_empty() {
            self.reclaiming = Some(Reclaiming::Moving(rest));
            context.notify(Move);
            return;
        }
        drop(portion);
        let removed = self.work(context, |journal| {
            journal.moved();
            journal.reclaim()
        });
        // A damaged message stays, and its segment with it: nothing moves again before the next look.
        if let Some(Some(segment)) = self.told(removed) {
            self.free(segment, context);
        }
    }
}

fn find(journal: &mut Journal) -> Result<Found, FileError> {
    if let Some(segment) = journal.reclaim()? {
        return Ok(Found::Removed(segment));
    }
    Ok(journal.sparse_segment()?.map_or(Found::Nothing, Found::Sparse))
}

/// Gives back the space of a segment, on a thread that may block. Dropped before the end, it gives back the rest at once.
async fn free_in_pieces(mut segment: RemovedSegment) {
    loop {
        let begin = Instant::now();
        let piece = spawn_blocking(move || segment.free_piece().then_some(segment)).await;
        let Ok(Some(rest)) = piece else { return };
        segment = rest;
        sleep(begin.elapsed() * PAUSE).await;
    }
}

/// Moves those that are still in their queues.
fn move_all(journal: &mut Journal, directory: &Directory, portion: &[Placed]) -> Result<(), FileError> {
    let mut moved = Vec::new();
    for placed in portion {
        if !is_waiting(directory, placed) && !journal.is_unclaimed(placed) {
            continue;
        }
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
            journal.settle_unclaimed(placed, &place);
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
