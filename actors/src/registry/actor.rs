//! The actor around a shard.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix::{Actor, ActorContext, Addr, AsyncContext, Context, Handler, Message, MessageResult, Supervised};
use parking_lot::Mutex;

use super::batch::Batch;
use super::change::AppendResult;
use super::expire::Expired;
use super::journal::{JournalResult, JournalToken};
use super::operator::OperatorJob;
use super::services::Peers;
use super::shard::Shard;
use super::unreadable::Unreadable;
use crate::activity::{Activity, PeriodEnds};
use crate::guard::Guard;
use crate::queue::ChangeToken;
use crate::services::ServiceWalk;
use crate::session_handle::{Delivery, SessionHandle};
use crate::stats::MailboxDepth;

/// After this time messages are tried again that the disk did not give.
const READ_AGAIN: Duration = Duration::from_secs(5);

/// Executes commands for the queues of one shard.
///
/// The shard lives outside the actor: when a handler panics the actor is restarted with its mailbox and goes on with the same
/// shard, which is consistent because every command is validated before it changes anything.
pub struct QueueRegistry {
    shard: Arc<Mutex<Shard>>,
    mailbox_size: usize,
    depth: Arc<MailboxDepth>,
    guard: Guard,
}

impl QueueRegistry {
    /// An actor for a shard; up to `mailbox_size` batches wait before senders are held back, and `depth` tells how many do.
    pub fn new(shard: Arc<Mutex<Shard>>, mailbox_size: usize, depth: Arc<MailboxDepth>, guard: Guard) -> Self {
        Self { shard, mailbox_size, depth, guard }
    }

    /// Works on the shard. A panic stops the actor, so that it is restarted; the shard confines it to the command, queue or session
    /// that it was about, so that the rest of the message is done all the same.
    fn work<T: Default>(&mut self, context: &mut Context<Self>, work: impl FnOnce(&mut Shard) -> T) -> T {
        let shard = Arc::clone(&self.shard);
        let result = self.guard.run(|| {
            let mut shard = shard.lock();
            let result = work(&mut shard);
            (result, shard.take_panicked())
        });
        match result {
            Some((result, false)) => result,
            Some((result, true)) => {
                self.guard.panicked();
                context.stop();
                result
            }
            None => {
                context.stop();
                T::default()
            }
        }
    }
}

impl Actor for QueueRegistry {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(self.mailbox_size);
        context.run_interval(READ_AGAIN, |this, context| this.work(context, Shard::deliver_unread));
    }
}

impl Supervised for QueueRegistry {
    fn restarting(&mut self, _: &mut Self::Context) {
        self.guard.restarted();
    }
}

impl Message for Batch {
    type Result = ();
}

impl Handler<Batch> for QueueRegistry {
    type Result = ();

    fn handle(&mut self, batch: Batch, context: &mut Self::Context) {
        self.depth.leave(1);
        self.work(context, |shard| shard.execute_batch(batch));
    }
}

/// Lines are in the store log, or cannot be written.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Appended {
    /// The changes they belong to.
    pub tokens: Vec<ChangeToken>,
    /// Whether they were written.
    pub result: AppendResult,
}

impl Handler<Appended> for QueueRegistry {
    type Result = ();

    fn handle(&mut self, appended: Appended, context: &mut Self::Context) {
        self.work(context, |shard| {
            for token in appended.tokens {
                shard.appended(token, appended.result);
            }
        });
    }
}

/// Entries are in the journal, or cannot be written.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Journaled(pub Vec<(JournalToken, JournalResult)>);

impl Handler<Journaled> for QueueRegistry {
    type Result = ();

    fn handle(&mut self, Journaled(results): Journaled, context: &mut Self::Context) {
        self.work(context, |shard| {
            for (token, result) in results {
                shard.journaled(token, result);
            }
        });
    }
}

impl Message for Unreadable {
    type Result = Option<Delivery>;
}

impl Handler<Unreadable> for QueueRegistry {
    type Result = MessageResult<Unreadable>;

    fn handle(&mut self, unreadable: Unreadable, context: &mut Self::Context) -> Self::Result {
        MessageResult(self.work(context, |shard| shard.unreadable(&unreadable)))
    }
}

impl Handler<OperatorJob> for QueueRegistry {
    type Result = ();

    fn handle(&mut self, job: OperatorJob, context: &mut Self::Context) {
        self.work(context, |shard| shard.operate(job));
    }
}

/// A session is gone.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Unsubscribe(pub Arc<SessionHandle>);

impl Handler<Unsubscribe> for QueueRegistry {
    type Result = ();

    fn handle(&mut self, Unsubscribe(session): Unsubscribe, context: &mut Self::Context) {
        self.work(context, |shard| shard.unsubscribe(&session));
    }
}

/// Answered when everything that came before is done.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Settle;

impl Handler<Settle> for QueueRegistry {
    type Result = ();

    fn handle(&mut self, _: Settle, _: &mut Self::Context) {}
}

/// Removes expired messages of one portion of the queues.
#[derive(Message)]
#[rtype(result = "Expired")]
pub struct ExpirePortion(pub usize);

impl Handler<ExpirePortion> for QueueRegistry {
    type Result = MessageResult<ExpirePortion>;

    fn handle(&mut self, ExpirePortion(portion): ExpirePortion, context: &mut Self::Context) -> Self::Result {
        MessageResult(self.work(context, |shard| shard.expire_portion(portion)))
    }
}

/// Delivers what waits in the queues of a service, a portion of the directory at a time.
#[derive(Message)]
#[rtype(result = "()")]
struct Walk {
    walk: Arc<ServiceWalk>,
    portion: usize,
}

impl Handler<Walk> for QueueRegistry {
    type Result = ();

    fn handle(&mut self, Walk { walk, portion }: Walk, context: &mut Self::Context) {
        self.work(context, |shard| shard.walk_portion(&walk, portion));
        if portion + 1 < Shard::PORTIONS {
            context.address().do_send(Walk { walk, portion: portion + 1 });
        } else {
            walk.shard_is_done();
        }
    }
}

/// The addresses of all shards, known once all are started.
#[derive(Default)]
pub struct ShardPeers(OnceLock<Arc<[Addr<QueueRegistry>]>>);

impl ShardPeers {
    /// All shards are started.
    pub fn introduce(&self, shards: &Arc<[Addr<QueueRegistry>]>) {
        // Set once, by the one who starts them.
        let _ = self.0.set(Arc::clone(shards));
    }

    /// Returns when all shards have done what they were asked before; whether they have.
    pub async fn settle(&self) -> bool {
        for shard in self.0.get().into_iter().flat_map(|shards| shards.iter()) {
            if shard.send(Settle).await.is_err() {
                return false;
            }
        }
        true
    }
}

impl Peers for ShardPeers {
    fn shards(&self) -> usize {
        self.0.get().map_or(0, |shards| shards.len())
    }

    fn walk(&self, walk: Arc<ServiceWalk>) {
        for shard in self.0.get().into_iter().flat_map(|shards| shards.iter()) {
            shard.do_send(Walk { walk: Arc::clone(&walk), portion: 0 });
        }
    }
}

/// Asks for the active queues; the periods that are over are forgotten.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Activity")]
pub struct TakeActivity(pub PeriodEnds);

impl Handler<TakeActivity> for QueueRegistry {
    type Result = MessageResult<TakeActivity>;

    fn handle(&mut self, TakeActivity(ends): TakeActivity, context: &mut Self::Context) -> Self::Result {
        MessageResult(self.work(context, |shard| shard.take_activity(ends)))
    }
}

/// What came before is executed, and nothing that comes later: the queues of the shard can be saved.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Close;

impl Handler<Close> for QueueRegistry {
    type Result = ();

    fn handle(&mut self, _: Close, context: &mut Self::Context) {
        self.work(context, Shard::close);
    }
}
