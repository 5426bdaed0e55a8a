//! What is done from time to time goes on after a panic, and the operator hears of the panic.

use std::sync::atomic::Ordering;
use std::time::Duration;

use smp_actors::faults::{FaultPoint, arm};
use smp_client::NewQueueOptions;
use smp_store::files::faulty::Operation;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use crate::harness::GIVE_UP;
use crate::harness::control::Control;
use crate::place::with_server;

const DAY: i64 = 86400;

/// Waits until a file has so many lines.
async fn has_lines(state: &TempDir, name: &str, count: usize) -> Vec<String> {
    let path = state.path().join(name);
    let written = async {
        loop {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            if text.ends_with('\n') && text.lines().count() >= count {
                return text.lines().map(str::to_owned).collect();
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(GIVE_UP, written).await.unwrap_or_else(|_| panic!("{name} never has {count} lines"))
}

/// How many messages all rounds removed.
fn expired(lines: &[String]) -> usize {
    let counts = lines.iter().filter_map(|line| line.strip_prefix("messages expired: ")?.split(',').next());
    counts.map(|count| count.parse::<usize>().expect("a number")).sum()
}

/// The messages of a queue that panics expire in the next round, those of others in this one.
#[test]
fn messages_expire() {
    with_server("", "message_ttl = 100\nmessage_expire_interval = 1", async |place, _| {
        let client = place.connect().await;
        for queue in place.queues(&client, 5).await {
            client.sender(queue.sender_id()).send(&b"message"[..]).await.expect("it is stored");
        }
        arm(FaultPoint::ExpiryRound);
        place.log.has(1, "Expirer failed").await;
        arm(FaultPoint::RegistryExpiry);
        place.pass(1000);
        place.log.has(1, "QueueRegistry 0 failed").await;
        let expired = async {
            while expired(&place.log.lines()) < 5 {
                sleep(Duration::from_millis(20)).await;
            }
        };
        assert!(timeout(GIVE_UP, expired).await.is_ok(), "{:#?}", place.log.lines());
    });
}

/// What grows is compacted later.
#[test]
fn the_store_log_is_compacted() {
    with_server("", "store_log_growth = 2000", async |place, _| {
        let client = place.connect().await;
        let queue = place.queues(&client, 1).await.remove(0);
        arm(FaultPoint::Compaction);
        for told in ["the store log is not compacted", "compacted store log from"] {
            let grown = async {
                while place.log.count(told) == 0 {
                    queue.suspend().await.expect("it can be written");
                }
            };
            assert!(timeout(GIVE_UP, grown).await.is_ok(), "{told}: {:#?}", place.log.lines());
        }
        assert_eq!(place.log.count("StoreLogWriter failed"), 1);
    });
}

/// The clock of this server stands still a second before midnight: every second a day ends.
#[test]
fn days_end() {
    with_server("log_stats = on", "", async |place, state| {
        place.clock.store(20_000 * DAY - 1, Ordering::Relaxed);
        // It looks at the clock after a restart.
        arm(FaultPoint::StatsCollector);
        Control::admin(place.control_port).await.all_of("save").await;
        place.log.has(1, "StatsCollector restarted").await;
        let lines = has_lines(state, "smp-server-stats.daily.log", 1).await.len();
        arm(FaultPoint::EndOfDay);
        place.log.has(2, "StatsCollector failed").await;
        has_lines(state, "smp-server-stats.daily.log", lines + 2).await;
    });
}

/// The disk does not answer when the day ends: those who share a thread with the statistics do not wait for it.
#[test]
fn the_end_of_a_day_holds_up_nobody() {
    with_server("log_stats = on", "", async |place, state| {
        place.clock.store(20_000 * DAY - 1, Ordering::Relaxed);
        arm(FaultPoint::StatsCollector);
        Control::admin(place.control_port).await.all_of("save").await;
        has_lines(state, "smp-server-stats.daily.log", 1).await;
        place.faults.hold(Operation::Sync);
        let held = async {
            while !place.faults.is_holding() {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(GIVE_UP, held).await.expect("a day ends");
        assert!(Control::admin(place.control_port).await.all_of("stats").await.contains("qCreated: 0"));
        place.faults.heal();
    });
}

#[test]
fn metrics_are_written() {
    with_server("prometheus_interval = 1", "", async |place, state| {
        place.connect().await.create_queue(NewQueueOptions::default()).await.expect("a queue can be created");
        arm(FaultPoint::Metrics);
        place.log.has(1, "StatsCollector failed").await;
        has_lines(state, "smp-server-metrics.txt", 50).await;
    });
}
