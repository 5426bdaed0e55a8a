//! A panic costs the command, the message or the round in which it happens. Everything else that waits with it is answered, sessions
//! end, and what is done from time to time goes on.

#[allow(dead_code, reason = "shared with other test programs, each of which needs its part")]
#[path = "../harness/mod.rs"]
mod harness;
#[allow(dead_code, reason = "shared with other test programs, each of which needs its part")]
#[path = "../harness/in_process.rs"]
mod in_process;

mod changes;
mod periodic;
mod place;
mod sessions;
