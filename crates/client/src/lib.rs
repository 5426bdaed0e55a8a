//! A typed asynchronous client of SMP servers.
//!
//! The program below is `examples/hello.rs`; `cargo run -p smp-client --example hello -- smp://…` runs it.
#![doc = concat!("```no_run\n", include_str!("../examples/hello.rs"), "```")]
//!
//! # Floors
//!
//! * [`Client`] is a connection: commands go out with [`Client::send`], [`Client::send_batch`] or, without waiting for the
//!   answer, [`Client::submit`]; what the server sends by itself comes from [`Client::next_event`].
//! * [`Queue`], [`QueueSender`], [`Link`] and [`Notifier`] know the commands of each party and check the answers.
//! * [`ProxiedRelay`] sends the same commands through a proxy; [`Client::forward`] is what the proxy itself does.
//! * [`Client::encode`], [`Client::expect`], [`Client::send_raw`] and [`Client::send_raw_block`] send what no honest client
//!   would, for tests.
//!
//! # Flow control
//!
//! Nothing here grows with what the server sends. Events wait in a buffer of [`Options::event_capacity`] entries, at most one
//! block (16 KiB) each. While it is full, nothing more is read from the socket: the server is slowed down by TCP, and answers
//! wait too, because they come over the same connection in one order. So either take events in a task of their own, or choose
//! a capacity above the number of events that may come while the program waits for an answer: a subscribed queue has at most
//! one message that is not acknowledged. Capacity 0 throws events away. Answers to requests that nobody waits for any more
//! are thrown away as well.
//!
//! Outgoing commands are encoded and signed by the caller and wait in a short bounded line, from which they are packed into
//! as few blocks as possible; a caller waits while that line is full.
//!
//! # End of a connection
//!
//! A connection ends by [`Client::close`], when the last clone of its [`Client`] is dropped, or when the server or the network
//! ends it. Requests in flight then fail at once with [`ClientError::Disconnected`]; whether the server executed them is not
//! known. Events in the buffer are still handed out. There is no automatic reconnection: connect again and bind what
//! is to be used to the new connection ([`Queue::on`], [`Notifier::on`]).

mod client;
mod connection;
mod create;
mod error;
mod event;
mod link;
mod notifier;
mod options;
mod outgoing;
mod pending;
mod proxied;
mod proxy;
mod queue;
mod request;
mod route;
mod sender;
mod service;
mod session;

pub use smp_protocol as protocol;
pub use smp_transport as transport;

pub use client::Client;
pub use create::{NewQueueOptions, QueueKind};
pub use error::{ClientError, Disconnection};
pub use event::Event;
pub use link::{Link, LinkTarget};
pub use notifier::{Notifier, NotifierCredentials};
pub use options::Options;
pub use pending::{PendingResponse, Reply};
pub use proxied::ProxiedRelay;
pub use queue::{Queue, QueueCredentials, Received};
pub use request::Request;
pub use sender::QueueSender;
