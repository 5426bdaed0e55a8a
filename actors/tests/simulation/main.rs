//! The registry under many interleavings.
//!
//! The shards, the notifications area and the outsides of sessions are the ones that the server runs: plain state machines. Only
//! what brings them messages is simulated: mailboxes, the disk with store log and journal (which may be slow, may fail, and may lose a
//! message), the clock, and clients that come, read slowly, and go whatever is under way.
//! A scheduler that decides by a seed picks what happens next. While it goes on, and when everything has come to rest, the
//! [`ledger`](ledger::Ledger) checks what clients must be able to rely on:
//!
//! * messages of one sender come in their order, none is skipped, and none comes again after its `ACK` was answered;
//! * a session that believes to be subscribed gets the next message, and nobody else does;
//! * a message that expired or that the disk has lost takes no other with it, and what the journal holds is what is in memory;
//! * a change that was answered is in the log, one that was refused is not, and the log replays to what is in memory;
//! * a command is judged by the state that it is executed on, not by the one that it was verified against.
//!
//! Keys and IDs are random whatever the seed is. They decide only in which order a walk over the queues of a service finds them.

mod client;
mod commands;
mod ending;
mod journal;
mod ledger;
mod outbox;
mod relay;
mod story;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use story::Story;

/// Interleavings of one run.
const SEEDS: u64 = 10_000;

/// Seeds that found a fault.
const KEPT: &[u64] = &[129, 252];

/// Runs the seeds on all cores and tells which failed first.
fn run(seeds: &(dyn Fn(u64) -> Option<u64> + Sync)) {
    let next = AtomicU64::new(0);
    let work = || {
        while let Some(seed) = seeds(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| Story::new(seed).run())) {
                next.store(u64::MAX / 2, Ordering::Relaxed);
                eprintln!("failed with seed {seed}: SMP_SIMULATION_SEED={seed} runs it alone");
                std::panic::resume_unwind(panic);
            }
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
}

#[test]
fn clients_can_rely_on_the_registry_in_every_interleaving() {
    match std::env::var("SMP_SIMULATION_SEED") {
        Ok(seed) => {
            let seed = seed.parse().expect("SMP_SIMULATION_SEED is a number");
            run(&|n| (n == 0).then_some(seed));
        }
        Err(_) => run(&|n| (n < SEEDS).then_some(n)),
    }
}

#[test]
fn seeds_that_found_a_fault_find_none_now() {
    run(&|n| KEPT.get(usize::try_from(n).ok()?).copied());
}
