//! Ends of all kinds, and what a server finds when it starts again.

use std::fs;
use std::time::Duration;

use rustix::process::Signal;
use smp_client::protocol::error::ErrorType;
use smp_client::{Client, Notifier};

use crate::harness::ini::{ANY_PORT, IN_MEMORY};
use crate::harness::party::{Recipient, Sender, notified};
use crate::harness::request::{DEL, OFF, QUE, auth, ed25519, err, key, ok};
use crate::harness::server::Server;
use crate::harness::state::{MESSAGES, NOTIFICATIONS, STORE_LOG};

/// Queues whose keys and status a server must know after every kind of end.
struct Queues {
    secured: Vec<(Recipient, Sender)>,
    suspended: (Recipient, Sender),
    deleted: (Recipient, Sender),
}

impl Queues {
    async fn new(client: &Client) -> Self {
        let mut secured = Vec::new();
        for _ in 0..10 {
            secured.push(Recipient::secured(client, client).await);
        }
        let suspended = Recipient::secured(client, client).await;
        suspended.0.does(OFF).await;
        let deleted = Recipient::secured(client, client).await;
        deleted.0.does(DEL).await;
        Self { secured, suspended, deleted }
    }

    async fn are_known_to(&self, server: &Server) {
        let (r, s) = (server.connect().await, server.connect().await);
        for (queue, sender) in &self.secured {
            let (queue, sender) = (queue.on(&r), sender.on(&s));
            assert_eq!(sender.unsigned().send(b"x").await, auth(sender.id));
            queue.subscribe().await;
            sender.sends(b"hello").await;
            queue.takes(b"hello").await;
        }
        let suspended = self.suspended.1.on(&s);
        assert_eq!(suspended.send(b"x").await, auth(suspended.id));
        self.suspended.0.on(&r).info().await;
        let deleted = self.deleted.1.on(&s);
        assert_eq!(deleted.send(b"x").await, auth(deleted.id));
        assert_eq!(self.deleted.0.on(&r).ask(QUE).await, auth(self.deleted.0.id()));
    }
}

/// What a service supervisor such as systemd does.
#[tokio::test]
async fn killed_and_started_again() {
    let mut server = Server::start().await;
    let queues = Queues::new(&server.connect().await).await;
    for _ in 0..3 {
        server.kill().await;
        server.run().await;
        queues.are_known_to(&server).await;
    }
}

#[tokio::test]
async fn killed_in_the_middle_of_a_line() {
    let mut server = Server::start().await;
    let client = server.connect().await;
    let queues = Queues::new(&client).await;
    for torn in ["S", "SECURE torn", "CREATE rid="] {
        server.kill().await;
        server.append(STORE_LOG, torn);
        server.run().await;
        queues.are_known_to(&server).await;
        let new = Recipient::new(&server.connect().await).await;
        server.kill().await;
        server.run().await;
        new.on(&server.connect().await).info().await;
    }
}

/// While the log is compacted it has another name; a start that died then has left both.
#[tokio::test]
async fn killed_while_the_log_was_compacted() {
    let mut server = Server::start().await;
    let queues = Queues::new(&server.connect().await).await;
    server.kill().await;
    let start = format!("{STORE_LOG}.start");
    std::fs::rename(server.state_file(STORE_LOG), server.state_file(&start)).unwrap();
    let lines = server.lines_of(&start);
    server.write_lines(STORE_LOG, &lines[..3]);
    server.run().await;
    server.logs(0, "interrupted while compacting").await;
    queues.are_known_to(&server).await;
    server.restart().await;
    queues.are_known_to(&server).await;
}

/// A full queue, a queue with a delivered message, a notification: everything that waits for somebody.
struct Waiting {
    full: (Recipient, Sender),
    delivered: Recipient,
    notifier: Notifier,
}

impl Waiting {
    async fn new(server: &Server) -> Self {
        let client = server.connect().await;
        let full = Recipient::secured(&client, &client).await;
        for body in [&b"1"[..], b"2", b"", b"4"] {
            full.1.sends(body).await;
        }
        assert_eq!(full.1.send(b"5").await, err(full.1.id, ErrorType::Quota));
        let (delivered, sender) = Recipient::secured(&client, &client).await;
        let notifier = delivered.notifier().await;
        sender.notifies(b"delivered").await;
        crate::harness::event::next_event(&client).await;
        Self { full, delivered, notifier }
    }

    async fn is_back(&self, server: &Server) {
        let (r, n) = (server.connect().await, server.connect().await);
        let (queue, sender) = (self.full.0.on(&r), self.full.1.on(&r));
        assert_eq!(sender.send(b"5").await, err(sender.id, ErrorType::Quota));
        queue.subscribe().await;
        let mut message = queue.receives(b"1").await;
        for body in [&b"2"[..], b"", b"4"] {
            message = queue.acknowledge_for(&message, body).await;
        }
        let marker = queue.acknowledge_for_marker(&message).await;
        queue.acknowledge(&marker).await;
        sender.sends(b"room again").await;
        queue.takes(b"room again").await;

        self.notifier.on(&n).subscribe().await.unwrap();
        let queue = self.delivered.on(&r);
        queue.subscribe().await;
        let id = queue.takes(b"delivered").await;
        assert_eq!(notified(&n, &self.notifier).await, id);
    }
}

#[tokio::test]
async fn orderly_ends_keep_what_waits() {
    for signal in [Signal::INT, Signal::TERM] {
        let mut server = Server::start().await;
        let waiting = Waiting::new(&server).await;
        server.stop_by(signal).await;
        server.run().await;
        // Stopped at once, before anything was delivered.
        server.stop_by(signal).await;
        server.run().await;
        waiting.is_back(&server).await;
        server.stop().await;
        assert_eq!((server.lines_of(MESSAGES).len(), server.lines_of(NOTIFICATIONS).len()), (0, 0));
    }
}

/// Whenever the signal comes: before anything is loaded, while the files of the last end are set aside, or after.
#[tokio::test]
async fn interrupted_starts_lose_nothing() {
    // In the background of a shell SIGINT is ignored until the server handles it.
    let signals = if ignores_interrupts() { &[Signal::TERM][..] } else { &[Signal::INT, Signal::TERM] };
    for signal in signals.iter().copied() {
        let mut server = Server::start().await;
        let waiting = Waiting::new(&server).await;
        server.stop().await;
        for delay in 0..24 {
            server.run_interrupted(signal, Duration::from_micros(delay * 500)).await;
        }
        server.run().await;
        waiting.is_back(&server).await;
    }
}

/// Whether this process, and with it every program that it starts, ignores SIGINT: see proc_pid_status(5).
fn ignores_interrupts() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    let mask = u64::from_str_radix(ignored.trim(), 16).unwrap();
    mask & (1 << (Signal::INT.as_raw() - 1)) != 0
}

/// A second signal does not cut the saving short.
#[tokio::test]
async fn impatient_operators_lose_nothing() {
    let mut server = Server::start().await;
    let waiting = Waiting::new(&server).await;
    let pid = server.process().pid();
    for signal in [Signal::INT, Signal::TERM, Signal::INT] {
        rustix::process::kill_process(pid, signal).unwrap();
    }
    server.stop().await;
    server.run().await;
    waiting.is_back(&server).await;
}

#[tokio::test]
async fn two_servers_do_not_share_a_directory() {
    let mut server = Server::start().await;
    let waiting = Waiting::new(&server).await;
    // It is not its port that keeps the other one from starting.
    server.set(("TRANSPORT", "port", ANY_PORT));
    let (status, output) = server.run_to_failure().await;
    assert_eq!(status.code(), Some(1));
    assert!(output.iter().any(|line| line.contains("another server runs in")), "{output:?}");
    server.restart().await;
    waiting.is_back(&server).await;
}

/// A port that another program uses is noticed before the state is touched.
#[tokio::test]
async fn a_port_in_use_costs_nothing() {
    let other = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let mut server = Server::start().await;
    let waiting = Waiting::new(&server).await;
    server.stop().await;
    let saved = (server.lines_of(MESSAGES), server.store_log());
    server.set(("TRANSPORT", "port", &other.local_addr().unwrap().port().to_string()));
    let (status, output) = server.run_to_failure().await;
    assert_eq!(status.code(), Some(1));
    assert!(output.iter().any(|line| line.contains("cannot listen on")), "{output:?}");
    assert_eq!((server.lines_of(MESSAGES), server.store_log()), saved);
    server.set(("TRANSPORT", "port", ANY_PORT));
    server.run().await;
    waiting.is_back(&server).await;
}

/// Saved messages that cannot be read are never thrown away without being asked to.
#[tokio::test]
async fn damaged_messages_are_not_thrown_away() {
    let mut server = Server::start_with(&[IN_MEMORY]).await;
    let waiting = Waiting::new(&server).await;
    server.stop().await;
    let saved = server.lines_of(MESSAGES);
    let rejected = format!("{MESSAGES}.rejected");
    let damaged = ["v3 garbage".to_owned(), "v3 torn".to_owned()];
    let cases = [[&damaged[..1], &saved].concat(), [&saved[..], &damaged[1..]].concat()];
    for (number, case) in cases.into_iter().enumerate() {
        server.write_lines(MESSAGES, &case);
        server.run().await;
        server.stop().await;
        assert_eq!(sorted(server.lines_of(MESSAGES)), sorted(saved.clone()), "the others are served");
        assert_eq!(server.lines_of(&rejected), damaged[..=number]);
    }
    server.run().await;
    waiting.is_back(&server).await;
}

/// Queues are saved in any order.
fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

/// Clients of a server that ends are told by the end of their connection, after what they were promised.
#[tokio::test]
async fn clients_see_the_end_of_the_server() {
    let mut server = Server::start().await;
    let client = server.connect().await;
    let queue = Recipient::new(&client).await;
    queue.does(key(ed25519().public())).await;
    server.stop().await;
    let end = crate::harness::event::closed_by_server(&client).await;
    assert!(matches!(end, smp_client::Disconnection::Server), "{end}");
}

/// The store log is compacted while clients change queues, again and again; whatever ends the process then, all of it holds.
#[tokio::test]
async fn the_store_log_is_compacted_while_the_server_runs() {
    let mut server = Server::start_with(&[("LIMITS", "store_log_growth", "1000")]).await;
    let client = server.connect().await;
    let (kept, sender) = Recipient::secured(&client, &client).await;
    let mut compactions = 0;
    let mut seen = 0;
    while compactions < 3 {
        let (queue, _) = Recipient::secured(&client, &client).await;
        assert_eq!(queue.ask(DEL).await, ok(queue.id()));
        let output = server.process().output().lines();
        compactions += output[seen..].iter().filter(|line| line.contains("compacted store log from")).count();
        seen = output.len();
    }
    let (last, _) = Recipient::secured(&client, &client).await;
    let backups = fs::read_dir(server.state_file(".")).unwrap().map(|entry| entry.unwrap().file_name());
    let backups = backups.filter(|name| name.to_str().unwrap().starts_with("smp-server-store.log.")).count();
    assert!(backups <= 2, "{backups} backups; one of them may be removed just now");
    server.kill().await;
    server.run().await;
    let client = server.connect().await;
    for queue in [&kept, &last] {
        assert!(queue.on(&client).info().await.secured);
    }
    sender.on(&client).sends(b"as before").await;
    let lines = fs::read_to_string(server.state_file("smp-server-store.log")).unwrap();
    assert_eq!(
        lines.lines().filter(|line| line.starts_with("CREATE ")).count(),
        2,
        "deleted queues are not in the compacted log"
    );
}
