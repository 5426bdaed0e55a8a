//! The journal writer: makes messages durable, many at a time.
//!
//! It runs on a thread of its own, which its writes may block. What has piled up in its mailbox while one commit was under
//! way goes into the next one. A message that is taken out before its turn came is not written at all.

mod reclaiming;

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorContext, Addr, AsyncContext, Context, Handler, Message, MessageResult, Supervised};
use parking_lot::Mutex;
use slog::{Logger, error, info};
use smp_config::settings::StoreLogSync;
use smp_protocol::id::{MessageId, RecipientId};
use smp_store::error::FileError;
use smp_store::journal::{Entry, Filed, Journal};
use smp_store::message_queue::StoredMessage;

use self::reclaiming::Reclaiming;
use crate::directory::Directory;
use crate::faults::{self, FaultPoint};
use crate::guard::Guard;
use crate::registry::{JournalResult, JournalToken, Journaled, MessageJournal, QueueRegistry};
use crate::stats::MailboxDepth;

/// Time between two looks for space to be freed, and after a failure between two attempts.
const INTERVAL: Duration = Duration::from_secs(1);
/// Entries of one commit: bounds its memory to about 4 MiB.
const COMMIT_ENTRIES: usize = 256;
/// Text of `ERR STORE` when a message cannot be written: clients need not know why.
const WRITE_FAILED: &str = "write failed";

/// Writes the journal. It lives outside the actor, which may be restarted.
pub struct JournalWriter {
    journal: Arc<Mutex<Option<Journal>>>,
    directory: Arc<Directory>,
    pending: Vec<Write>,
    /// Removals that were answered and could not be written yet.
    owed: Vec<(RecipientId, MessageId)>,
    /// Messages are refused until there is space again.
    refusing: bool,
    reclaiming: Option<Reclaiming>,
    sync: StoreLogSync,
    sync_due: bool,
    depth: Arc<MailboxDepth>,
    guard: Guard,
    logger: Logger,
}

/// What a writer is made from.
pub struct JournalParts {
    /// The open journal.
    pub journal: Journal,
    /// The queues whose messages are in it.
    pub directory: Arc<Directory>,
    /// When messages are safe from a loss of power.
    pub sync: StoreLogSync,
    /// Tells how many entries wait.
    pub depth: Arc<MailboxDepth>,
    /// Keeps panics inside.
    pub guard: Guard,
    /// Log of the server.
    pub logger: Logger,
}

/// An entry for the journal.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Write {
    change: Change,
    waiting: Option<(Addr<QueueRegistry>, JournalToken)>,
}

enum Change {
    Put(RecipientId, StoredMessage),
    Remove(RecipientId, MessageId),
    /// A message that was taken out before it was written, and its removal.
    Nothing,
}

type Written = Result<Vec<Option<Filed>>, FileError>;
type Results = Vec<(JournalToken, JournalResult)>;

impl JournalWriter {
    /// A writer of an open journal.
    pub fn new(parts: JournalParts) -> Self {
        let JournalParts { journal, directory, sync, depth, guard, logger } = parts;
        Self {
            journal: Arc::new(Mutex::new(Some(journal))),
            directory,
            pending: Vec::new(),
            owed: Vec::new(),
            refusing: false,
            reclaiming: None,
            sync,
            sync_due: false,
            depth,
            guard,
            logger,
        }
    }

    /// Works on the journal; `None`: it is closed, or the work panicked.
    fn work<T>(&mut self, context: &mut Context<Self>, work: impl FnOnce(&mut Journal) -> T) -> Option<T> {
        let journal = Arc::clone(&self.journal);
        let result = self.guard.run(|| journal.lock().as_mut().map(work));
        if result.is_none() {
            context.stop();
        }
        result.flatten()
    }

    /// Writes what is pending and tells those who wait.
    fn commit(&mut self, context: &mut Context<Self>) {
        let pending = std::mem::take(&mut self.pending);
        self.depth.leave(pending.len());
        let sync = self.sync == StoreLogSync::Commit;
        let written = if self.refusing {
            None
        } else {
            self.work(context, |journal| {
                faults::pass(FaultPoint::JournalWriter, None);
                write(journal, &pending, sync)
            })
        };
        match written {
            Some(Ok(places)) => {
                self.sync_soon(context);
                answer(pending.into_iter().zip(places.into_iter().map(Ok)));
            }
            Some(Err(failure)) => {
                error!(self.logger, "{failure}; messages are refused until it works again");
                self.refusing = true;
                self.refuse(context, pending);
            }
            None => self.refuse(context, pending),
        }
    }

    /// Refuses messages. Removals are accepted: a recipient must be able to take out what it has.
    fn refuse(&mut self, context: &mut Context<Self>, pending: Vec<Write>) {
        let results: Vec<JournalResult> = pending
            .iter()
            .map(|write| match write.change {
                Change::Put(..) => Err(WRITE_FAILED),
                Change::Remove(queue, message) => {
                    self.owed.push((queue, message));
                    Ok(None)
                }
                Change::Nothing => Ok(None),
            })
            .collect();
        self.write_owed(context);
        answer(pending.into_iter().zip(results));
    }

    /// Writes the removals that are owed, if need be on the space of the reserve.
    fn write_owed(&mut self, context: &mut Context<Self>) {
        let owed = std::mem::take(&mut self.owed);
        let written = self.work(context, |journal| {
            let entries: Vec<_> = owed.iter().map(|(queue, message)| Entry::Remove(queue, message)).collect();
            if entries.is_empty() || journal.commit(&entries, true).is_ok() {
                return true;
            }
            journal.release_reserve().is_ok() && journal.commit(&entries, true).is_ok()
        });
        if written != Some(true) {
            self.owed = owed;
        }
    }

    /// In an interval, if entries are not synced as they come.
    fn sync_soon(&mut self, context: &mut Context<Self>) {
        if self.sync != StoreLogSync::Interval || std::mem::replace(&mut self.sync_due, true) {
            return;
        }
        context.run_later(INTERVAL, |this, context| {
            this.sync_due = false;
            if let Some(Err(failure)) = this.work(context, Journal::sync) {
                error!(this.logger, "{failure}; messages of the last second are not safe from a loss of power");
            }
        });
    }

    /// After a failure looks whether it is over; frees space otherwise.
    fn tend(&mut self, context: &mut Context<Self>) {
        if self.refusing {
            self.write_owed(context);
            if self.owed.is_empty() && matches!(self.work(context, |journal| journal.restore_reserve()), Some(Ok(()))) {
                self.refusing = false;
                info!(self.logger, "messages can be written again");
            }
            return;
        }
        if let Some(Err(failure)) = self.work(context, Journal::bury_keys) {
            error!(self.logger, "{failure}; keys of delivered messages are not destroyed yet");
        }
        self.reclaim(context);
    }

    /// A removal of a message that was not written yet makes both needless.
    fn cancel(&mut self, message: &MessageId) -> bool {
        let is_put = |write: &&mut Write| matches!(&write.change, Change::Put(_, stored) if stored.id == *message);
        let put = self.pending.iter_mut().rev().find(is_put);
        put.map(|put| put.change = Change::Nothing).is_some()
    }
}

/// One commit of all that is to be written.
fn write(journal: &mut Journal, pending: &[Write], sync: bool) -> Written {
    let entries: Vec<_> = pending
        .iter()
        .filter_map(|write| match &write.change {
            Change::Put(queue, message) => Some(Entry::Put(queue, message)),
            Change::Remove(queue, message) => Some(Entry::Remove(queue, message)),
            Change::Nothing => None,
        })
        .collect();
    let mut places = if entries.is_empty() { Vec::new() } else { journal.commit(&entries, sync)? }.into_iter();
    Ok(pending
        .iter()
        .map(|write| match write.change {
            Change::Nothing => None,
            Change::Put(..) | Change::Remove(..) => places.next().flatten(),
        })
        .collect())
}

/// One message to each shard.
fn answer(results: impl Iterator<Item = (Write, JournalResult)>) {
    let mut waiting: Vec<(Addr<QueueRegistry>, Results)> = Vec::new();
    for (write, result) in results {
        let Some((registry, token)) = write.waiting else { continue };
        match waiting.iter_mut().find(|(known, _)| *known == registry) {
            Some((_, results)) => results.push((token, result)),
            None => waiting.push((registry, vec![(token, result)])),
        }
    }
    for (registry, results) in waiting {
        registry.do_send(Journaled(results));
    }
}

impl Actor for JournalWriter {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        if let Some(Err(failure)) =
            self.work(context, |journal| journal.restore_reserve().and_then(|()| journal.prepare()))
        {
            error!(self.logger, "{failure}; messages are refused until it works");
            self.refusing = true;
        }
        context.run_interval(INTERVAL, Self::tend);
    }
}

impl Supervised for JournalWriter {
    fn restarting(&mut self, context: &mut Self::Context) {
        self.guard.restarted();
        // What worked on it went with the context.
        self.reclaiming = None;
        if !self.pending.is_empty() {
            context.notify(Commit);
        }
    }
}

impl Handler<Write> for JournalWriter {
    type Result = ();

    fn handle(&mut self, mut write: Write, context: &mut Self::Context) {
        if self.pending.is_empty() {
            // Handled when the mailbox is empty: by then everything that waits with this entry is pending too.
            context.notify(Commit);
        }
        if let Change::Remove(_, message) = &write.change
            && self.cancel(message)
        {
            write.change = Change::Nothing;
        }
        self.pending.push(write);
        if self.pending.len() >= COMMIT_ENTRIES {
            self.commit(context);
        }
    }
}

/// Writes what is pending.
#[derive(Message)]
#[rtype(result = "()")]
struct Commit;

impl Handler<Commit> for JournalWriter {
    type Result = ();

    fn handle(&mut self, _: Commit, context: &mut Self::Context) {
        if !self.pending.is_empty() {
            self.commit(context);
        }
    }
}

/// Tells whether everything that was given to the writer before, removals above all, is on disk now.
#[derive(Message)]
#[rtype(result = "bool")]
pub struct SyncJournal;

impl Handler<SyncJournal> for JournalWriter {
    type Result = bool;

    fn handle(&mut self, _: SyncJournal, context: &mut Self::Context) -> bool {
        if !self.pending.is_empty() {
            self.commit(context);
        }
        self.write_owed(context);
        matches!(self.work(context, Journal::sync), Some(Ok(()))) && self.owed.is_empty()
    }
}

/// Writes what is pending, and closes the journal with everything on disk.
#[derive(Message)]
#[rtype(result = "Result<(), FileError>")]
pub struct CloseJournal;

impl Handler<CloseJournal> for JournalWriter {
    type Result = MessageResult<CloseJournal>;

    fn handle(&mut self, _: CloseJournal, context: &mut Self::Context) -> Self::Result {
        if !self.pending.is_empty() {
            self.commit(context);
        }
        self.write_owed(context);
        self.reclaiming = None;
        let journal = self.journal.lock().take();
        MessageResult(journal.map_or(Ok(()), Journal::close))
    }
}

/// The journal as one shard sees it.
pub struct ShardJournal {
    /// The writer.
    pub writer: Addr<JournalWriter>,
    /// The shard that waits.
    pub registry: Addr<QueueRegistry>,
    /// How many entries wait for the writer.
    pub depth: Arc<MailboxDepth>,
    /// Log of the server.
    pub logger: Logger,
}

impl ShardJournal {
    fn write(&self, change: Change, token: Option<JournalToken>) {
        self.depth.enter();
        self.writer.do_send(Write { change, waiting: token.map(|token| (self.registry.clone(), token)) });
    }
}

impl MessageJournal for ShardJournal {
    fn put(&self, queue: RecipientId, message: StoredMessage, token: JournalToken) {
        self.write(Change::Put(queue, message), Some(token));
    }

    fn remove(&self, queue: RecipientId, message: MessageId, token: Option<JournalToken>) {
        self.write(Change::Remove(queue, message), token);
    }

    fn unreadable(&self, failure: &FileError) {
        error!(self.logger, "a message is not delivered: {failure}");
    }
}
