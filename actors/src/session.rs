//! A session: one client connection after its handshakes.
//!
//! Three parts share one thread and never block each other: the *reader* takes blocks from the socket, verifies their commands
//! and sends them to the registry; the *actor* has the mailbox in which answers and events arrive, in the order in which they
//! happened; the *writer* takes what has piled up in the [`Outbox`](outbox::Outbox) whenever the socket has room.

mod actor;
mod answers;
mod bodies;
mod endings;
mod errands;
mod forwarded;
mod held;
mod kinds;
mod outbox;
mod reader;
mod sessions;
mod sorted;
mod terms;
mod writer;

use smp_transport::handshake;
use smp_transport::stream::SmpStream;

pub use actor::{Session, SessionContext};
pub use endings::{Endings, SubscriptionBooks};
pub use errands::ErrandLimits;
pub use reader::RegistryShards;
pub use sessions::{Sessions, SessionsEnd, Stage};

/// Blocks from a client.
type BlockSource = handshake::Reader<SmpStream>;
/// Blocks to a client.
type BlockSink = handshake::Writer<SmpStream>;
