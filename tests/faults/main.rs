//! What fails inside a server costs only what it hits. A panic costs the command, the message or the round in which it happens:
//! everything else that waits with it is answered, sessions end, and what is done from time to time goes on. A sync that fails costs
//! changes until it works again, as the operator is told.

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
mod sync;
