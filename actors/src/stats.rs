//! Counters of what the server did (behaviour.md §9.1). Whoever does a thing counts it; the collector reads.

mod ack_times;
mod latencies;
mod ports;
mod saved;

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use smp_protocol::command::QueueSet;

pub use ack_times::{AckTimes, CountedTimes, bucket};
pub use latencies::{Answered, Latencies};
pub use ports::{OpenConnection, PortStats};

/// A number that grows, until the collector takes it.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn count(&self) {
        self.add(1);
    }

    /// `n` more.
    pub fn add(&self, n: usize) {
        self.0.fetch_add(n as u64, Ordering::Relaxed);
    }

    /// The number.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// The number; counting starts again at zero.
    pub fn take(&self) -> u64 {
        self.0.swap(0, Ordering::Relaxed)
    }

    /// Starts from a saved number.
    pub fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }
}

/// A number that goes up and down.
#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

impl Gauge {
    /// Changes the number.
    pub fn change(&self, by: i64) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }

    /// The number.
    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Replaces the number.
    pub fn set(&self, n: i64) {
        self.0.store(n, Ordering::Relaxed);
    }
}

/// How much waits in a mailbox. It has cache lines of its own: every command passes by, on all threads.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct MailboxDepth(Gauge);

impl MailboxDepth {
    /// Something is put into the mailbox.
    pub fn enter(&self) {
        self.0.change(1);
    }

    /// So much was taken from it.
    pub fn leave(&self, taken: usize) {
        self.0.change(-i64::try_from(taken).unwrap_or(i64::MAX));
    }

    /// How much waits; what is being put in may be counted when it was taken already.
    pub fn get(&self) -> i64 {
        self.0.get().max(0)
    }
}

/// All counters of the server.
#[derive(Debug, Default)]
pub struct Stats {
    /// Queues.
    pub queues: QueueStats,
    /// `SUB`
    pub subscriptions: SubscriptionStats,
    /// Notifiers and notifications.
    pub notifications: NotificationStats,
    /// Messages.
    pub messages: MessageStats,
    /// Services that receive messages.
    pub receiving_services: ServiceStats,
    /// Services that are notified.
    pub notified_services: ServiceStats,
    /// Names.
    pub names: NameStats,
    /// Sessions with other relays.
    pub relays: RelayStats,
    /// Commands forwarded to other relays.
    pub forwards: RelayStats,
    /// Commands that other relays forwarded to this one.
    pub forwards_received: Counter,
    /// How long commands take. Not of the reference, and not saved.
    pub latencies: Latencies,
    /// Messages of the journal that were dropped because they are damaged. Not of the reference, and not saved.
    pub damaged_messages: Counter,
}

/// Queues.
#[derive(Debug, Default)]
pub struct QueueStats {
    /// `NEW` succeeded.
    pub created: Counter,
    /// `KEY`, `SKEY` or `LKEY` succeeded, repeats included.
    pub secured: Counter,
    /// Deleted.
    pub deleted: Counter,
    /// Deleted with a sender key.
    pub deleted_secured: Counter,
    /// Deleted without a sender key.
    pub deleted_new: Counter,
    /// Blocks of several commands that began with `DEL`.
    pub deleted_blocks: Counter,
    /// Blocked by the operator.
    pub blocked: Counter,
    /// Queues now.
    pub now: Gauge,
}

/// `SUB`
#[derive(Debug, Default)]
pub struct SubscriptionStats {
    /// First on its connection, with a message.
    pub with_message: Counter,
    /// Blocks of several commands that began with `SUB`.
    pub blocks: Counter,
    /// Refused by verification.
    pub unauthorized: Counter,
    /// Repeated on its connection.
    pub duplicate: Counter,
    /// After `GET`.
    pub prohibited: Counter,
    /// Ended by another connection, or by deletion.
    pub ended: Counter,
    /// Batches of such events.
    pub end_batches: Counter,
}

/// Notifiers and notifications.
#[derive(Debug, Default)]
pub struct NotificationStats {
    /// `NKEY` succeeded.
    pub created: Counter,
    /// `NEW` with a notifier succeeded.
    pub created_with_queue: Counter,
    /// `NDEL` removed a notifier.
    pub deleted: Counter,
    /// Blocks of several commands that began with `NDEL`.
    pub deleted_blocks: Counter,
    /// `NSUB`, first on its connection.
    pub subscribed: Counter,
    /// Blocks of several commands that began with `NSUB`.
    pub subscribed_blocks: Counter,
    /// `NSUB` refused by verification.
    pub unauthorized: Counter,
    /// `NSUB` repeated on its connection.
    pub duplicate: Counter,
    /// Notifications sent.
    pub sent: Counter,
    /// Batches of notifications.
    pub batches: Counter,
    /// Notifications that expired.
    pub expired: Counter,
    /// Counted by old releases of the reference; kept as saved.
    pub never_without_subscriber: Counter,
    /// Counted by old releases of the reference; kept as saved.
    pub never_lost: Counter,
    /// Notifications waiting now.
    pub waiting: Gauge,
}

/// Messages.
#[derive(Debug, Default)]
pub struct MessageStats {
    /// Stored.
    pub sent: Counter,
    /// Refused by verification, or to a suspended queue.
    pub send_unauthorized: Counter,
    /// Refused: queue full.
    pub send_over_quota: Counter,
    /// Refused: too large.
    pub send_too_large: Counter,
    /// Refused: queue blocked.
    pub send_blocked: Counter,
    /// Removed by `ACK`.
    pub received: Counter,
    /// Removed by `ACK` after `GET`.
    pub received_by_get: Counter,
    /// `GET` gave a message not given before.
    pub got: Counter,
    /// `GET` gave a message again.
    pub got_duplicate: Counter,
    /// `GET` found nothing.
    pub got_none: Counter,
    /// `GET` refused by verification.
    pub get_unauthorized: Counter,
    /// `GET` after `SUB`.
    pub get_prohibited: Counter,
    /// Expired.
    pub expired: Counter,
    /// Stored with the notification flag.
    pub sent_with_notification: Counter,
    /// Removed by `ACK`, with the notification flag.
    pub received_with_notification: Counter,
    /// How long messages waited for their `ACK`.
    pub ack_times: AckTimes,
    /// Messages stored now.
    pub now: Gauge,
}

/// Names.
#[derive(Debug, Default)]
pub struct NameStats {
    /// `RSLV`
    pub requests: Counter,
    /// Answered with a record.
    pub found: Counter,
    /// Unknown to the resolver.
    pub not_found: Counter,
    /// The resolver failed.
    pub failed: Counter,
    /// Refused: no resolver.
    pub disabled: Counter,
}

/// Requests to other relays.
#[derive(Debug, Default)]
pub struct RelayStats {
    /// All of them.
    pub all: RelayRequests,
    /// Those to the operator's own relays.
    pub own: RelayRequests,
}

/// What became of requests to other relays.
#[derive(Debug, Default)]
pub struct RelayRequests {
    /// Requests.
    pub requests: Counter,
    /// The relay answered.
    pub successes: Counter,
    /// The relay was not connected, and may be later.
    pub not_connected: Counter,
    /// The relay has no version or key that forwarding needs.
    pub incompatible: Counter,
    /// Other failures.
    pub failed: Counter,
}

impl RelayStats {
    /// One more of all, and of the own ones if it is one.
    pub(crate) fn count(&self, is_own: bool, counter: impl Fn(&RelayRequests) -> &Counter) {
        counter(&self.all).count();
        if is_own {
            counter(&self.own).count();
        }
    }
}

/// Services, in one area.
#[derive(Debug, Default)]
pub struct ServiceStats {
    /// A queue without service got one.
    pub associated: Counter,
    /// A queue changed its service.
    pub reassociated: Counter,
    /// A queue of the service was subscribed again.
    pub duplicate: Counter,
    /// A queue lost its service.
    pub dissociated: Counter,
    /// Subscriptions of a queue while nothing was counted for the connection.
    pub subscriptions: Counter,
    /// Never counted; kept as saved.
    pub never_duplicate: Counter,
    /// Queues that were counted for a connection.
    pub queues: Counter,
    /// Never counted; kept as saved.
    pub never_ended: Counter,
    /// First bulk subscriptions that expected what the server has.
    pub as_expected: Counter,
    /// The server has more queues.
    pub more: Counter,
    /// The server has fewer queues.
    pub fewer: Counter,
    /// As many, but others.
    pub different: Counter,
    /// How many more, in all.
    pub more_total: Counter,
    /// How many fewer, in all.
    pub fewer_total: Counter,
    /// Messages delivered after bulk subscriptions.
    pub walked_messages: Counter,
    /// Queues with messages that were passed over then.
    pub walked_duplicates: Counter,
}

impl ServiceStats {
    /// A queue of the service was subscribed by one of its sessions.
    pub(crate) fn subscribed_again(&self, is_counted: bool) {
        self.duplicate.count();
        if is_counted {
            self.subscriptions.count();
            self.queues.count();
        }
    }

    /// The service of a queue changed.
    pub(crate) fn associated(&self, had_one: bool, has_one: bool) {
        match (had_one, has_one) {
            (false, true) => self.associated.count(),
            (true, true) => self.reassociated.count(),
            (true, false) => self.dissociated.count(),
            (false, false) => {}
        }
        if has_one {
            self.queues.count();
        }
    }

    /// What a bulk subscription found is compared with what the service expected, if it said so.
    pub(crate) fn drifted(&self, found: &QueueSet, expected: &QueueSet) {
        // What a client expects may be any number.
        let difference = found.count.saturating_sub(expected.count);
        let by = usize::try_from(difference.unsigned_abs()).unwrap_or(usize::MAX);
        if *expected == QueueSet::UNKNOWN || found == expected {
            self.as_expected.count();
        } else if difference > 0 {
            self.more.count();
            self.more_total.add(by);
        } else if difference < 0 {
            self.fewer.count();
            self.fewer_total.add(by);
        } else {
            self.different.count();
        }
    }
}
