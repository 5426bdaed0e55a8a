//! The queue registry: executes verified commands on the queues it owns.
//!
//! Each shard owns the queues whose recipient ID falls to it. [`Shard`] is the whole logic, a plain state machine over
//! batches of commands, completed log writes and lost sessions; [`QueueRegistry`], the actor around it, only brings messages.
//! One file says what happens on one kind of command.

mod acknowledge;
mod actor;
mod batch;
mod change;
mod create;
mod delete;
mod deliver;
mod execute;
mod expire;
mod flush;
mod journal;
mod links;
mod notify;
mod operator;
mod secure;
mod services;
mod shard;
mod subscribe;
mod subscriptions;
mod unreadable;

pub use actor::{Appended, Close, ExpirePortion, Journaled, QueueRegistry, ShardPeers, TakeActivity, Unsubscribe};
pub use batch::{Answer, Batch, BatchReply, Executed};
pub use change::{AppendResult, ChangeLog};
pub use expire::Expired;
pub use flush::undelivered;
pub use journal::{JournalResult, JournalToken, MessageJournal};
pub use operator::{OperatorAnswer, OperatorCommand, OperatorJob};
pub use services::Peers;
pub use shard::{Policy, Shard, ShardParts};
pub use unreadable::Unreadable;
