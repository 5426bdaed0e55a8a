//! Connections to other relays, for clients that send through this one (behaviour.md §3.13–3.16).
//!
//! A connection is shared by all clients and stays while it works. Sessions find it in the [`RelayTable`] and forward over it
//! on their own threads; the [`Relays`] actor opens connections and watches over them.

mod actor;
mod addresses;
mod connector;
mod forwarding;
mod hosts;
mod new_relays;
mod opening;
mod table;

pub use actor::{RelayTimes, Relays};
pub use connector::RelayConnector;
pub use forwarding::{Forwarding, Found};
pub use new_relays::NewRelays;
pub use opening::Opening;
pub use table::{ConnectFailure, Entry, FailureKind, Opener, Relay, RelayTable};
