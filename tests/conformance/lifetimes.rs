//! How long messages live: what is gone is gone, once; and nothing is gone because of a clock that is wrong.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use smp_actors::{Clock, Machine};
use smp_client::{Client, Options};
use smp_config::certificates::{NewChain, SignAlgorithm};
use smp_store::files::RealFiles;
use smp_store::time_record::TimeRecord;

use crate::harness::ini::{IN_MEMORY, Setting};
use crate::harness::log::Log;
use crate::harness::party::{Recipient, Sender};
use crate::harness::server::Server;
use crate::harness::state::MESSAGES;
use crate::in_process;

const JOURNAL: Setting<'static> = ("STORE_LOG", "store_messages", "journal");
const YEARS: i64 = 10 * 365 * 86_400;

/// A server that was stopped with four messages of one queue, of which `which` are older by some seconds.
async fn stopped(seconds: i64, which: impl Fn(usize) -> bool) -> (Server, Recipient, Sender) {
    let mut server = Server::start_with(&[IN_MEMORY, ("STORE_LOG", "log_stats", "on")]).await;
    let client = server.connect().await;
    let (queue, sender) = Recipient::secured(&client, &client).await;
    for body in [b"1", b"2", b"3", b"4"] {
        sender.sends(body).await;
    }
    server.stop().await;
    server.age_messages(seconds, which);
    (server, queue, sender)
}

fn lives(server: &Server, seconds: &str) {
    server.set(("LIMITS", "message_ttl", seconds));
}

#[tokio::test]
async fn messages_that_expired_at_a_start_of_the_journal_are_gone_once() {
    let (mut server, queue, _) = stopped(3600, |number| number < 2).await;
    server.set(JOURNAL);
    for (seconds, line) in [
        ("86400", "messages stored: 4, expired: 0"),
        ("1800", "messages stored: 2, expired: 2"),
        ("1800", "messages stored: 2, expired: 0"),
        ("86400", "messages stored: 2, expired: 0"),
    ] {
        lives(&server, seconds);
        server.run().await;
        server.logs(0, line).await;
        server.stop().await;
    }
    assert_eq!(server.statistics()["msgExpired"], "2");
    // The same when nobody stops it.
    server.run().await;
    server.kill().await;
    server.run().await;
    server.logs(0, "messages stored: 2, expired: 0").await;
    let queue = queue.on(&server.connect().await);
    queue.subscribe().await;
    let third = queue.receives(b"3").await;
    queue.acknowledge_for(&third, b"4").await;
}

#[tokio::test]
async fn an_export_has_no_messages_that_expired() {
    for starts_before in [true, false] {
        let (mut server, ..) = stopped(3600, |number| number < 2).await;
        server.set(JOURNAL);
        lives(&server, "86400");
        server.run().await;
        server.stop().await;
        lives(&server, "1800");
        if starts_before {
            server.run().await;
            server.stop().await;
            lives(&server, "86400");
        }
        server.execute_and_confirm(&["journal", "export"]);
        assert_eq!(server.lines_of(MESSAGES).len(), 2);
    }
}

/// The state was last written ten years ago, as far as the server knows.
fn forget_ten_years(server: &Server) {
    let record = TimeRecord::new(Arc::new(RealFiles), server.state_file(".").as_path());
    let last = record.read().unwrap().expect("it was written");
    record.write(last - YEARS).unwrap();
}

#[tokio::test]
async fn a_start_with_a_clock_that_is_years_ahead_expires_nothing() {
    for kind in [IN_MEMORY, JOURNAL] {
        let (mut server, queue, _) = stopped(YEARS, |_| true).await;
        forget_ten_years(&server);
        server.set(kind);
        for _ in 0..2 {
            server.run().await;
            let line = server.logs(0, "the clock shows").await;
            assert!(line.contains("messages do not expire") && line.contains("smp-server confirm-clock"), "{line}");
            server.logs(0, "messages stored: 4, expired: 0").await;
            server.stop().await;
        }
        // It serves all the same.
        server.run().await;
        let client = server.connect().await;
        let queue = queue.on(&client);
        queue.subscribe().await;
        let first = queue.receives(b"1").await;
        queue.acknowledge_for(&first, b"2").await;
        server.restart().await;

        let client = server.connect().await;
        let queue = queue.on(&client);
        queue.subscribe().await;
        queue.receives(b"2").await;
        server.stop().await;
        if kind == JOURNAL {
            server.execute_and_confirm(&["journal", "export"]);
            assert_eq!(server.lines_of(MESSAGES).len(), 3, "an export does not believe it either");
            fs::remove_file(server.state_file(MESSAGES)).unwrap();
        }
        server.execute(&["confirm-clock"]);
        server.run().await;
        server.logs(0, "messages stored: 0, expired: 3").await;
    }
}

/// As long as the server has not run with this version, the times of files tell when the state was written.
#[tokio::test]
async fn without_a_record_of_the_time_that_of_the_files_counts() {
    let (mut server, ..) = stopped(3600, |number| number < 2).await;
    fs::remove_file(server.state_file("smp-server-time")).unwrap();
    lives(&server, "1800");
    server.run().await;
    server.logs(0, "messages stored: 2, expired: 2").await;
}

const SETTINGS: &str = "\
[STORE_LOG]
enable = on
store_messages = journal
expire_messages_on_send = on

[TRANSPORT]
port = 0
websockets = off

[LIMITS]
threads = 1
message_expire_interval = 1
";

#[test]
fn a_clock_that_jumps_while_the_server_runs_expires_nothing() {
    let state = tempfile::tempdir().unwrap();
    let chain = NewChain::generate(SignAlgorithm::Ed25519, "localhost").unwrap();
    let (log, now) = (Log::default(), Clock::system().now());
    let clock = Arc::new(AtomicI64::new(now));
    let machine = Machine { clock: Clock::set_by(Arc::clone(&clock)), ..Machine::default() };
    let record = |state: &Path| TimeRecord::new(Arc::new(RealFiles), state);
    in_process::run(SETTINGS, state.path(), &chain, machine, log.logger(), async |address| {
        let client = Client::connect(&address, &Options::default()).await.unwrap();
        let (queue, sender) = Recipient::secured(&client, &client).await;
        sender.sends(b"1").await;
        sender.sends(b"2").await;
        clock.store(now + YEARS, Ordering::Relaxed);
        log.has(1, "messages do not expire").await;
        sender.sends(b"3").await;
        let first = queue.receives(b"1").await;
        let second = queue.acknowledge_for(&first, b"2").await;

        // It comes back, and jumps again.
        let rounds = log.count("messages expired: 0");
        clock.store(now, Ordering::Relaxed);
        log.has(1, "the clock is believed again").await;
        log.has(rounds + 2, "messages expired: 0").await;
        clock.store(now + YEARS, Ordering::Relaxed);
        log.has(2, "messages do not expire").await;
        let third = queue.acknowledge_for(&second, b"3").await;
        queue.acknowledge(&third).await;

        // An old message, and then the operator says that it is right.
        clock.store(now, Ordering::Relaxed);
        log.has(2, "the clock is believed again").await;
        sender.sends(b"old").await;
        clock.store(now + YEARS, Ordering::Relaxed);
        log.has(3, "messages do not expire").await;
        assert_eq!(log.count("messages expired: 1"), 0);
        record(state.path()).write(now + YEARS).unwrap();
        log.has(1, "messages expired: 1").await;
    });
}
