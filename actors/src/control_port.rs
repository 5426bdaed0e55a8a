//! The control port: what the operator asks and orders, one line at a time, from the same machine (behaviour.md §10).

mod actor;
mod block_quota;
mod command;
mod connection;
mod desk;
mod line;
mod listing;

pub use actor::{ControlPort, Drain};
pub use block_quota::DailyBlocks;
pub use command::{ControlCommand, GivenPassword, InvalidCommand, QueueName, Role};
pub use desk::{ControlDesk, Passwords};
