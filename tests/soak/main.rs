//! A soak test: random live traffic, an end of the server at a random moment, a start, and a comparison with a model of what the
//! clients were promised. Again and again.
//!
//! ```text
//! cargo test --release --test soak -- --nocapture
//! SMP_SOAK_ROUNDS=1000 cargo test --release --test soak -- --nocapture
//! SMP_SOAK_SEED=42 SMP_SOAK_ROUNDS=100 cargo test --release --test soak -- --nocapture
//! ```
//!
//! `SMP_SOAK_ROUNDS`: how often, 15 by default; with messages in memory the server is killed (SIGKILL) every third time, with
//! messages in the journal two times of three, otherwise it ends in good order (SIGINT). `SMP_SOAK_SEED`: what the clients do; the
//! default is printed. The moments at which things happen are real, so the same seed plays the same game, not the same moves.
//!
//! | After | must hold |
//! |---|---|
//! | an orderly end, and a kill with messages in the journal | every message that was answered `OK` and not acknowledged comes, in order, once per subscription; none comes after its `ACK` was answered; full queues are full |
//! | a kill with messages in memory | no message comes after its `ACK` was answered, those that come are in order |
//! | all | every queue whose `IDS` came exists with its keys, notifier and status; deleted ones are gone |
//!
//! A command that was under way at the end may have been executed or not, and both are right.
//!
//! [`stuck`] has many clients that stop in the middle of something. [`stops`] looks at the orderly end alone: clients complete their blocks at random moments of it.

#[allow(dead_code, reason = "shared with other test programs, each of which needs its part")]
#[path = "../harness/mod.rs"]
mod harness;

mod check;
mod creator;
mod messages;
mod queue;
mod record;
mod stops;
mod stuck;
mod traffic;

use std::env;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use check::End;
use harness::server::Server;
use queue::TrackedQueue;
use traffic::Traffic;

/// Queues with live traffic.
const QUEUES: usize = 10;
/// Messages that a queue holds.
const QUOTA: usize = 4;
const DEFAULT_ROUNDS: u64 = 15;

fn rounds_or(default: u64) -> u64 {
    number_or("SMP_SOAK_ROUNDS", default)
}

fn number_or(name: &str, default: u64) -> u64 {
    let text = env::var(name).ok();
    text.map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_in_memory() {
    soak("memory", |round| if round % 3 == 0 { End::Killed } else { End::Orderly }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_in_the_journal() {
    soak("journal", |round| if round % 3 == 0 { End::Orderly } else { End::KilledWithJournal }).await;
}

async fn soak(storage: &str, end_of: impl Fn(u64) -> End) {
    let mut rng = harness::seed::random();
    // Small enough to be compacted again and again while clients are at work.
    let growth = ("LIMITS", "store_log_growth", "4000");
    let mut server = Server::start_with(&[("STORE_LOG", "store_messages", storage), growth]).await;
    let mut queues: Vec<Arc<TrackedQueue>> = Vec::new();
    let (mut created, mut next_number) = (Vec::new(), 0);
    for round in 1..=rounds_or(DEFAULT_ROUNDS) {
        let client = server.connect().await;
        while queues.len() < QUEUES {
            queues.push(Arc::new(TrackedQueue::create(&client, next_number).await));
            next_number += 1;
        }
        let traffic = Traffic::start(&server, &queues, &mut rng).await;
        sleep(Duration::from_millis(rng.u64(20..400))).await;
        if rng.u8(..5) == 0 {
            traffic.drain().await;
        }
        let end = end_of(round);
        if end == End::Orderly {
            server.stop().await;
        } else {
            server.kill().await;
        }
        created.extend(traffic.end().await);
        let told: Vec<_> = queues.iter().map(|queue| queue.describe()).collect();
        server.run().await;
        println!("round {round}: {storage} {end:?} {}", told.join(" "));

        let client = server.connect().await;
        for queue in &queues {
            check::queue(queue, &client, end, &mut rng).await;
        }
        queues.retain(|queue| !(queue.is_deleted() || queue.is_suspended() && rng.bool()));
        created = check::created(created, &client).await;
    }
    server.stop().await;
}
