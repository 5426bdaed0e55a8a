//! Answers that list something, in the forms of the reference (behaviour.md §10.2 to §10.4).

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use smp_protocol::command::QueueMode;
use smp_protocol::error::{BlockingInfo, BlockingReason, Notice};
use smp_store::daily_csv::StoredCounts;
use smp_store::record::{QueueRecord, QueueStatus};
use smp_store::stats::{RelayCounters, StatsSnapshot};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::command::Role;
use crate::metrics::{Census, threads as thread_count};
use crate::session_handle::SessionHandle;
use crate::stats::PortStats;

/// Lines of `name: value`.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn put(&mut self, name: &str, value: impl std::fmt::Display) {
        // Writing into memory does not fail.
        let _ = writeln!(self.0, "{name}: {value}");
    }

    fn put_all<const N: usize>(&mut self, values: [(&str, i64); N]) {
        for (name, value) in values {
            self.put(name, value);
        }
    }
}

/// `stats`
pub fn stats(snapshot: &StatsSnapshot, stored: &StoredCounts, role: Role) -> String {
    let (c, mut lines) = (&snapshot.counters, Lines::default());
    let from = OffsetDateTime::from(snapshot.from_time).format(&Rfc3339).unwrap_or_default();
    lines.put("fromTime", from);
    lines.put_all([
        ("qCreated", c.q_created),
        ("qSecured", c.q_secured),
        ("qDeletedAll", c.q_deleted_all),
        ("qDeletedAllB", c.q_deleted_all_b),
        ("qDeletedNew", c.q_deleted_new),
        ("qDeletedSecured", c.q_deleted_secured),
    ]);
    lines.put("daily active queues", snapshot.active_queues.day.as_slice().len());
    lines.put_all([
        ("qSub", c.q_sub),
        ("qSubAllB", c.q_sub_all_b),
        ("qSubEnd", c.q_sub_end),
        ("qSubEndB", c.q_sub_end_b),
    ]);
    let others = format!("({},{},{})", c.q_sub_auth, c.q_sub_duplicate, c.q_sub_prohibited);
    lines.put("other SUB events (auth, duplicate, prohibited)", others);
    lines.put_all([
        ("msgSent", c.msg_sent),
        ("msgRecv", c.msg_recv),
        ("msgRecvGet", c.msg_recv_get),
        ("msgGet", c.msg_get),
        ("msgGetNoMsg", c.msg_get_no_msg),
    ]);
    let others = format!("({},{},{})", c.msg_get_auth, c.msg_get_duplicate, c.msg_get_prohibited);
    lines.put("other GET events (auth, duplicate, prohibited)", others);
    lines.put_all([
        ("msgSentNtf", c.msg_sent_ntf),
        ("msgRecvNtf", c.msg_recv_ntf),
        ("msgNtfs", c.msg_ntfs),
        ("msgNtfsB", c.msg_ntfs_b),
        ("msgNtfExpired", c.msg_ntf_expired),
        ("qCount", c.q_count),
    ]);
    lines.put("qCount 2", stored.queues);
    lines.put("notifiers", stored.notifiers);
    lines.put_all([("msgCount", stored.messages), ("ntfCount", stored.notifications)]);
    if role == Role::Admin {
        lines.put("ntfCount 2", stored.notifications);
    }
    for (name, relays) in [
        ("pRelays", &snapshot.relays),
        ("pRelaysOwn", &snapshot.relays_own),
        ("pMsgFwds", &snapshot.forwards),
        ("pMsgFwdsOwn", &snapshot.forwards_own),
    ] {
        lines.put(name, relay_counters(relays));
    }
    lines.put("pMsgFwdsRecv", snapshot.forwards_received);
    lines.put("rcvServiceCount", stored.rcv_services);
    lines.put("ntfServiceCount", stored.ntf_services);
    lines.put("rcvServiceQueuesCount", stored.rcv_service_queues);
    lines.put("ntfServiceQueuesCount", stored.ntf_service_queues);
    lines.0
}

fn relay_counters(relays: &RelayCounters) -> String {
    let RelayCounters { requests, successes, errors_connect, errors_compat, errors_other } = relays;
    format!(
        "requests={requests}, successes={successes}, errorsConnect={errors_connect}, errorsCompat={errors_compat}, \
         errorsOther={errors_other}"
    )
}

/// `stats-rts`: what the system knows of the process.
pub fn runtime() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let wanted = ["VmPeak", "VmSize", "VmHWM", "VmRSS", "VmData", "Threads", "voluntary_ctxt_switches"];
    let lines = status.lines().filter(|line| line.split(':').next().is_some_and(|name| wanted.contains(&name)));
    let mut text: String = lines.flat_map(|line| [line, "\n"]).collect();
    if text.is_empty() {
        text.push_str("not available on this system\n");
    }
    text
}

/// `sockets`
pub fn sockets(ports: &[Arc<PortStats>]) -> String {
    let mut lines = Lines::default();
    for port in ports {
        let (closed, accepted) = (port.closed.get(), port.accepted.get());
        let _ = writeln!(lines.0, "Sockets for port {}:", port.port);
        lines.put("accepted", accepted);
        lines.put("closed", closed);
        lines.put("active", accepted.saturating_sub(closed));
        lines.put("leaked", 0);
    }
    lines.0
}

/// `socket-threads`: connections are no threads here.
pub fn socket_threads(ports: &[Arc<PortStats>]) -> String {
    let mut text = "port,socketNumber,thread,status,label\n".to_owned();
    for port in ports {
        let active = port.accepted.get().saturating_sub(port.closed.get());
        let _ = writeln!(text, "{},,,,{active} connections without a thread of their own", port.port);
    }
    text
}

/// `threads`
pub fn threads() -> String {
    let mut text = format!("Threads: {}\n", thread_count());
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return text };
    for task in tasks.flatten() {
        let name = std::fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        let _ = writeln!(text, "{} {}", task.file_name().display(), name.trim_end());
    }
    text
}

/// `clients`. Session IDs are not kept, so that column is empty.
pub fn clients(sessions: &[Arc<SessionHandle>], now: i64) -> String {
    let mut text = "clientId,sessionId,connected,createdAt,rcvActiveAt,sndActiveAt,age,subscriptions\n".to_owned();
    for session in sessions {
        let connected = if session.is_connected() { "True" } else { "False" };
        let (created, received) = (session.created_at, session.received_at.load(Ordering::Relaxed));
        let (sent, age) = (session.sent_at.load(Ordering::Relaxed), now.saturating_sub(created));
        let subscriptions = session.subscriptions();
        let number = session.number();
        let _ = writeln!(text, "{number},,{connected},{created},{received},{sent},{age},{subscriptions}");
    }
    text
}

/// `server-info`; with a census for admins.
pub fn server_info(sessions: &[Arc<SessionHandle>], census: Option<&Census>) -> String {
    let mut lines = Lines::default();
    lines.put("Threads", thread_count());
    lines.put("Clients", sessions.len());
    let Some(census) = census else { return lines.0 };
    let sum = |number: fn(&SessionHandle) -> usize| sessions.iter().map(|session| number(session)).sum::<usize>();
    let waiting = sum(|session| session.waiting.load(Ordering::Relaxed));
    lines.put("Client queues (rcvQ, sndQ, msgQ)", format!("(0,{waiting},0)"));
    let areas = [
        ("SMP", &census.messages, sum(SessionHandle::subscriptions)),
        ("Ntf", &census.notifications, sum(|session| session.notifier_subscriptions.load(Ordering::Relaxed))),
    ];
    for (area, found, via_clients) in areas {
        lines.put(&format!("{area} subscriptions (via clients)"), via_clients);
        if area == "SMP" {
            let groups = format!("({via_clients},0,0,{})", census.getters);
            lines.put("SMP subscriptions (by group: NoSub, SubPending, SubThread, ProhibitSub)", groups);
        }
        lines.put(&format!("{area} subscribed clients (via clients)"), found.sessions);
        lines.put(&format!("{area} subscribed clients queues (via clients, rcvQ, sndQ, msgQ)"), "(0,0,0)");
    }
    for (area, found, _) in areas {
        lines.put(&format!("{area} subscriptions"), found.queues);
        lines.put(&format!("{area} subscribed clients"), found.sessions);
        lines.put(&format!("{area} subscribed clients count 2"), found.sessions);
    }
    lines.0
}

/// `status`
pub fn status(record: &QueueRecord) -> String {
    let status = match &record.status {
        QueueStatus::Active => "EntityActive".to_owned(),
        QueueStatus::Off => "EntityOff".to_owned(),
        QueueStatus::Blocked(info) => blocked(info),
    };
    let updated = record.updated_at.map_or("Nothing".to_owned(), |date| {
        format!("Just (RoundedSystemTime {{roundedSeconds = {}}})", date.unix_seconds())
    });
    let mode = match record.mode {
        None => "Nothing",
        Some(QueueMode::Messaging) => "Just QMMessaging",
        Some(QueueMode::Contact) => "Just QMContact",
    };
    format!("status: {status}, updatedAt: {updated}, queueMode: {mode}\n")
}

/// The status of a blocked queue.
pub fn blocked(info: &BlockingInfo) -> String {
    format!("EntityBlocked ({})", blocking_info(info))
}

/// Why a queue is blocked.
pub fn blocking_info(info: &BlockingInfo) -> String {
    let reason = match info.reason {
        BlockingReason::Spam => "BRSpam",
        BlockingReason::Content => "BRContent",
    };
    let notice = match info.notice {
        None => "Nothing".to_owned(),
        Some(Notice { ttl_seconds: None }) => "Just (ClientNotice {ttl = Nothing})".to_owned(),
        Some(Notice { ttl_seconds: Some(ttl) }) => format!("Just (ClientNotice {{ttl = Just {ttl}}})"),
    };
    format!("BlockingInfo {{reason = {reason}, notice = {notice}}}")
}
