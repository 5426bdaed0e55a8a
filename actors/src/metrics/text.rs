//! The metrics of the reference by their names, letter by letter (behaviour.md §9.7).

use std::time::SystemTime;

use smp_store::daily_csv::{ActiveCounts, StoredCounts};
use smp_store::stats::{RelayCounters, ServiceCounters, StatsSnapshot};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::census::{AreaCensus, Census};
use super::milliseconds;
use super::page::{Labels, Page};
use crate::stats::{CountedTimes, PortStats, ServiceStats, Stats, bucket};

/// Bounds of the periods in which waiting times are told, in seconds.
const PERIODS: [(&str, std::ops::Range<i64>); 5] = [
    ("0-60", 0..60),
    ("60-300", 60..300),
    ("300-1200", 300..1200),
    ("1200-3600", 1200..3600),
    ("3600+", 3600..i64::MAX),
];

/// A bucket is closed at its lower end if the one before it is further away than this, in seconds.
const WIDEST_GAP: i64 = 60;

/// Everything that is told, at one moment.
pub struct Moment<'a> {
    /// When.
    pub now: SystemTime,
    /// Counters in the saved form.
    pub snapshot: &'a StatsSnapshot,
    /// Counters that are not saved.
    pub stats: &'a Stats,
    /// Active queues.
    pub active: ActiveCounts,
    /// Active queues with notifications.
    pub active_ntf: ActiveCounts,
    /// What is stored.
    pub stored: StoredCounts,
    /// Subscriptions.
    pub census: &'a Census,
    /// Ports.
    pub ports: &'a [std::sync::Arc<PortStats>],
    /// Connections.
    pub sessions: usize,
    /// Threads of the process.
    pub threads: usize,
}

/// The metrics without times: whoever asks for them knows the time.
pub fn told(moment: &Moment<'_>) -> String {
    let mut page = Page::timeless();
    families(&mut page, moment);
    page.into_text()
}

/// The text of the metrics file.
pub fn text(moment: &Moment<'_>) -> String {
    let mut page = Page::new(milliseconds(moment.now));
    page.comment(&format!("Recorded at: {}", iso_8601(moment.now)));
    page.comment(&format!("Stats from: {}", iso_8601(moment.snapshot.from_time)));
    families(&mut page, moment);
    page.into_text()
}

fn families(page: &mut Page, moment: &Moment<'_>) {
    queues(page, moment);
    subscriptions(page, moment);
    messages(page, moment);
    notified_messages(page, moment);
    notifications(page, moment);
    relays(page, moment.snapshot);
    services(page, moment);
    names(page, moment.snapshot);
    process(page, moment);
    acknowledgements(page, moment);
    areas(page, moment.census);
    loaded(page, &moment.stored);
}

fn iso_8601(time: SystemTime) -> String {
    OffsetDateTime::from(time).format(&Rfc3339).unwrap_or_default()
}

/// Samples that differ in the label `type`.
fn typed<const N: usize>(page: &mut Page, name: &str, help: &str, values: [(&str, i64); N]) {
    let labels = values.map(|(kind, value)| ([("type", kind)], value));
    page.counters(name, help, labels.iter().map(|(labels, value)| (&labels[..], *value)));
}

fn queues(page: &mut Page, moment: &Moment<'_>) {
    let c = &moment.snapshot.counters;
    page.section("Queues");
    page.counter("simplex_smp_queues_created", "Queues created", c.q_created);
    page.counter("simplex_smp_queues_secured", "Queues secured, repetitions included", c.q_secured);
    let deleted = [("all", c.q_deleted_all), ("new", c.q_deleted_new), ("secured", c.q_deleted_secured)];
    typed(page, "simplex_smp_queues_deleted", "Queues deleted", deleted);
    page.counter("simplex_smp_queues_blocked", "Queues blocked by the operator", c.q_blocked);
    page.counter("simplex_smp_queues_deleted_batch", "Batches of deletions", c.q_deleted_all_b);
    page.gauge("simplex_smp_queues_total1", "Queues, as counted", c.q_count);
    page.gauge("simplex_smp_queues_total2", "Queues, as stored", moment.stored.queues);
    active(page, "simplex_smp_queues", "Queues with messages", &moment.active);
    active(page, "simplex_smp_queues_notify", "Queues with messages that notify", &moment.active_ntf);
}

fn active(page: &mut Page, name: &str, help: &str, active: &ActiveCounts) {
    page.gauge(&format!("{name}_daily"), &format!("{help} this day"), active.day);
    page.gauge(&format!("{name}_weekly"), &format!("{help} this week"), active.week.unwrap_or_default());
    page.gauge(&format!("{name}_monthly"), &format!("{help} this month"), active.month.unwrap_or_default());
}

fn subscriptions(page: &mut Page, moment: &Moment<'_>) {
    let c = &moment.snapshot.counters;
    page.section("Subscriptions");
    page.counter("simplex_smp_subscribtion_successes", "Subscriptions with a waiting message", c.q_sub);
    page.counter("simplex_smp_subscribtion_successes_batch", "Batches of subscriptions", c.q_sub_all_b);
    page.counter("simplex_smp_subscribtion_end", "Subscriptions that moved or ended with their queue", c.q_sub_end);
    page.counter("simplex_smp_subscribtion_end_batch", "Batches of such events", c.q_sub_end_b);
    let errors = [("auth", c.q_sub_auth), ("duplicate", c.q_sub_duplicate), ("prohibited", c.q_sub_prohibited)];
    typed(page, "simplex_smp_subscribtion_errors", "Subscriptions refused or repeated", errors);
}

fn messages(page: &mut Page, moment: &Moment<'_>) {
    let c = &moment.snapshot.counters;
    page.section("Messages");
    page.counter("simplex_smp_messages_sent", "Messages stored", c.msg_sent);
    let errors = [
        ("auth", c.msg_sent_auth),
        ("quota", c.msg_sent_quota),
        ("large", c.msg_sent_large),
        ("block", c.msg_sent_block),
    ];
    typed(page, "simplex_smp_messages_sent_errors", "Messages refused", errors);
    page.counter("simplex_smp_messages_received", "Messages acknowledged", c.msg_recv);
    page.counter("simplex_smp_messages_expired", "Messages expired", c.msg_expired);
    page.gauge("simplex_smp_messages_total", "Messages waiting", moment.stored.messages);
}

fn notified_messages(page: &mut Page, moment: &Moment<'_>) {
    let c = &moment.snapshot.counters;
    page.section("Messages with notifications, and notifiers");
    page.counter("simplex_smp_messages_notify_sent", "Messages stored that notify", c.msg_sent_ntf);
    page.counter("simplex_smp_messages_notify_received", "Messages acknowledged that notify", c.msg_recv_ntf);
    page.counter("simplex_smp_messages_notify_get_sent", "Messages fetched by GET", c.msg_get);
    page.counter("simplex_smp_messages_notify_get_received", "Messages acknowledged after GET", c.msg_recv_get);
    let errors = [
        ("nomsg", c.msg_get_no_msg),
        ("auth", c.msg_get_auth),
        ("duplicate", c.msg_get_duplicate),
        ("prohibited", c.msg_get_prohibited),
    ];
    typed(page, "simplex_smp_messages_notify_get_errors", "GET without a new message", errors);
    page.counter("simplex_smp_queues_notify_created", "Notifiers made", c.ntf_created);
    page.counter("simplex_smp_queues_notify_new_created", "Notifiers made with their queue", c.ntf_new_created);
    page.counter("simplex_smp_queues_notify_deleted", "Notifiers deleted", c.ntf_deleted);
    page.counter("simplex_smp_queues_notify_deleted_batch", "Batches of such deletions", c.ntf_deleted_b);
    page.gauge("simplex_smp_queues_notify_total1", "Notifications waiting", moment.stored.notifications);
    page.gauge("simplex_smp_queues_notify_total2", "Notifiers, as stored", moment.stored.notifiers);
}

fn notifications(page: &mut Page, moment: &Moment<'_>) {
    let c = &moment.snapshot.counters;
    page.section("Notifications");
    page.counter("simplex_smp_messages_ntf_successes", "Notifications sent", c.msg_ntfs);
    page.counter("simplex_smp_messages_ntf_successes_batch", "Batches of notifications", c.msg_ntfs_b);
    let errors = [("nosub", c.msg_ntf_no_sub), ("lost", c.msg_ntf_lost), ("expired", c.msg_ntf_expired)];
    typed(page, "simplex_smp_messages_ntf_errors", "Notifications not sent", errors);
    page.counter("simplex_smp_subscription_ntf_requests", "Notifiers subscribed", c.ntf_sub);
    page.counter("simplex_smp_subscription_ntf_requests_batch", "Batches of such subscriptions", c.ntf_sub_b);
    let errors = [("auth", c.ntf_sub_auth), ("duplicate", c.ntf_sub_duplicate)];
    typed(page, "simplex_smp_subscribtion_ntf_errors", "Notifiers refused or repeated", errors);
}

fn relays(page: &mut Page, snapshot: &StatsSnapshot) {
    page.section("Relays");
    relay_group(page, "sessions", "Sessions with relays", &snapshot.relays, &snapshot.relays_own);
    relay_group(page, "messages", "Commands forwarded", &snapshot.forwards, &snapshot.forwards_own);
    let help = "Commands that other servers forwarded to this one";
    page.counter("simplex_smp_relay_messages_received", help, snapshot.forwards_received);
}

fn relay_group(page: &mut Page, what: &str, help: &str, all: &RelayCounters, own: &RelayCounters) {
    let sources = [("all", all), ("own", own)];
    let mut by_source = |name: &str, value: fn(&RelayCounters) -> i64| {
        let samples = sources.map(|(source, counters)| ([("source", source)], value(counters)));
        let name = format!("simplex_smp_relay_{what}_{name}");
        page.counters(&name, help, samples.iter().map(|(labels, value)| (&labels[..], *value)));
    };
    by_source("requests", |counters| counters.requests);
    by_source("successes", |counters| counters.successes);
    let errors = sources.into_iter().flat_map(|(source, counters)| {
        let errors = [
            ("connect", counters.errors_connect),
            ("compat", counters.errors_compat),
            ("other", counters.errors_other),
        ];
        errors.map(|(kind, value)| ([("source", source), ("type", kind)], value))
    });
    let errors: Vec<_> = errors.collect();
    let name = format!("simplex_smp_relay_{what}_errors");
    page.counters(&name, help, errors.iter().map(|(labels, value)| (&labels[..], *value)));
}

fn services(page: &mut Page, moment: &Moment<'_>) {
    let (stored, stats) = (&moment.stored, moment.stats);
    page.section("Services");
    page.gauge("simplex_smp_rcv_services_count", "Services that receive messages", stored.rcv_services);
    page.gauge("simplex_smp_rcv_services_queues_count", "Queues of these services", stored.rcv_service_queues);
    page.gauge("simplex_smp_ntf_services_count", "Services that are notified", stored.ntf_services);
    page.gauge("simplex_smp_ntf_services_queues_count", "Notifiers of these services", stored.ntf_service_queues);
    let walked = &stats.receiving_services;
    let help = "Messages sent after bulk subscriptions";
    page.counter("simplex_smp_rcv_services_sub_msg_count", help, walked.walked_messages.get());
    let help = "Queues passed over after bulk subscriptions";
    page.counter("simplex_smp_rcv_services_sub_duplicate_count", help, walked.walked_duplicates.get());
    service_group(page, "rcv", &moment.snapshot.rcv_services, &stats.receiving_services);
    service_group(page, "ntf", &moment.snapshot.ntf_services, &stats.notified_services);
}

fn service_group(page: &mut Page, what: &str, saved: &ServiceCounters, stats: &ServiceStats) {
    let name = |name: &str| format!("simplex_smp_{what}_services_{name}");
    for (counter, help, value) in [
        ("assoc_new", "Queues that got a service", saved.assoc_new),
        ("assoc_duplicate", "Queues of a service subscribed again", saved.assoc_duplicate),
        ("assoc_updated", "Queues that changed their service", saved.assoc_updated),
        ("assoc_removed", "Queues that lost their service", saved.assoc_removed),
        ("sub_count", "Connections that began to serve", saved.sub_count),
        ("sub_duplicate", "Never counted", saved.sub_duplicate),
    ] {
        page.counter(&name(counter), help, value);
    }
    page.gauge(&name("sub_queues"), "Queues counted for connections of services", saved.sub_queues);
    page.gauge(&name("sub_end"), "Never counted", saved.sub_end);
    for (gauge, help, value) in [
        ("sub_ok", "Bulk subscriptions as expected by the service", &stats.as_expected),
        ("sub_more", "Bulk subscriptions with more queues than expected", &stats.more),
        ("sub_fewer", "Bulk subscriptions with fewer queues than expected", &stats.fewer),
        ("sub_diff", "Bulk subscriptions with other queues than expected", &stats.different),
        ("sub_more_total", "How many more in all", &stats.more_total),
        ("sub_fewer_total", "How many fewer in all", &stats.fewer_total),
    ] {
        page.gauge(&name(gauge), help, value.get());
    }
}

fn names(page: &mut Page, snapshot: &StatsSnapshot) {
    let names = &snapshot.names;
    page.section("Names");
    page.counter("simplex_smp_names_reqs", "Names asked for", names.requests);
    page.counter("simplex_smp_names_success", "Names resolved", names.successes);
    page.counter("simplex_smp_names_not_found", "Names that do not exist", names.not_found);
    page.counter("simplex_smp_names_resolver_errs", "Failures of the resolver", names.resolver_errors);
    page.counter("simplex_smp_names_disabled", "Names asked for without a resolver", names.disabled);
}

fn process(page: &mut Page, moment: &Moment<'_>) {
    page.section("Process");
    let options = std::env::var("SMP_RTS_OPTIONS").unwrap_or_else(|_| "set SMP_RTS_OPTIONS".to_owned());
    let labels = [("version", env!("CARGO_PKG_VERSION")), ("rts_options", &options)];
    page.info("simplex_smp_info", "Version of the server", &labels);
    let ports: Vec<_> = moment.ports.iter().map(|port| (port.port.to_string(), port)).collect();
    let mut by_port = |name: &str, help: &str, value: fn(&PortStats) -> u64| {
        let samples: Vec<_> = ports.iter().map(|(name, port)| ([("port", name.as_str())], value(port))).collect();
        let samples = samples.iter().map(|(labels, value)| -> (Labels<'_>, u64) { (labels, *value) });
        if samples.len() > 0 {
            page.gauges(&format!("simplex_smp_sockets_{name}"), help, samples);
        }
    };
    by_port("accepted", "Connections accepted", |port| port.accepted.get());
    by_port("closed", "Connections closed", |port| port.closed.get());
    // Closed is read first: there are never fewer than none.
    by_port("active", "Connections open", |port| {
        let closed = port.closed.get();
        port.accepted.get().saturating_sub(closed)
    });
    by_port("leaked", "Connections closed without being counted: none", |_| 0);
    page.gauge("simplex_smp_threads_total", "Threads", moment.threads);
    page.gauge("simplex_smp_clients_total", "Clients connected", moment.sessions);
}

fn acknowledgements(page: &mut Page, moment: &Moment<'_>) {
    let (census, CountedTimes { buckets, sum }) = (moment.census, moment.stats.messages.ack_times.counted());
    let pending: Vec<_> = census.pending.ages.iter().map(|age| (bucket(*age), 1)).collect();
    page.section("Delivery");
    page.gauge("simplex_smp_delivered_total", "Messages delivered and not acknowledged", pending.len());
    page.gauge("simplex_smp_delivered_clients_total", "Clients with such messages", census.waiting_sessions);
    let help = "Seconds between delivery and acknowledgement";
    page.histogram("simplex_smp_delivery_ack_confirmed_time", help, &with_lower_ends(&buckets), sum);
    let samples = by_period(&buckets);
    let samples = samples.iter().map(|(labels, value)| (&labels[..], *value));
    page.counters("simplex_smp_delivery_ack_confirmed_count", "Messages acknowledged, by time in seconds", samples);
    let samples = by_period(&pending);
    let samples = samples.iter().map(|(labels, value)| (&labels[..], *value));
    page.gauges("simplex_smp_delivery_ack_pending_count", "Messages not acknowledged, by time in seconds", samples);
    let oldest = census.pending.ages.iter().max().copied().unwrap_or_default();
    page.gauge("simplex_smp_delivery_ack_time_max", "Longest time of those in seconds", oldest);
}

/// Buckets far from the one before get an empty one in front, so that nothing is smeared over the gap.
fn with_lower_ends(buckets: &[(i64, u64)]) -> Vec<(i64, u64)> {
    let mut all = Vec::with_capacity(buckets.len());
    let mut previous = 0;
    for (upper, count) in buckets {
        if upper - previous > WIDEST_GAP {
            all.push((upper - WIDEST_GAP, 0));
        }
        all.push((*upper, *count));
        previous = *upper;
    }
    all
}

fn by_period(buckets: &[(i64, u64)]) -> [([(&'static str, &'static str); 1], u64); 5] {
    PERIODS.map(|(name, period)| {
        let of_period = buckets.iter().filter(|(bucket, _)| period.contains(bucket));
        ([("period", name)], of_period.map(|(_, count)| count).sum())
    })
}

fn areas(page: &mut Page, census: &Census) {
    let AreaCensus { queues, sessions, services, service_queues } = census.messages;
    page.section("Subscribed now");
    page.gauge("simplex_smp_subscribtion_total", "Queues subscribed one by one", queues);
    page.gauge("simplex_smp_subscribtion_clients_total", "Clients subscribed to queues", sessions);
    page.gauge("simplex_smp_subscribtion_services_total", "Services subscribed", services);
    page.gauge("simplex_smp_subscribtion_service_subs_total", "Queues subscribed by services", service_queues);
    let AreaCensus { queues, sessions, services, service_queues } = census.notifications;
    page.gauge("simplex_smp_subscription_ntf_total", "Notifiers subscribed one by one", queues);
    page.gauge("simplex_smp_subscription_ntf_clients_total", "Clients subscribed to notifiers", sessions);
    page.gauge("simplex_smp_subscribtion_nts_services_total", "Services subscribed to notifiers", services);
    page.gauge("simplex_smp_subscription_ntf_service_subs_total", "Notifiers subscribed by services", service_queues);
}

fn loaded(page: &mut Page, stored: &StoredCounts) {
    page.section("Loaded");
    page.gauge("simplex_smp_loaded_queues_queue_count", "Queues in memory", stored.queues);
    page.gauge("simplex_smp_loaded_queues_ntf_count", "Notifiers in memory", stored.notifiers);
    page.gauge("simplex_smp_loaded_queues_open_journal_count", "Journal files open", 0_u64);
    page.gauge("simplex_smp_loaded_queues_queue_lock_count", "Locks of queues: none", 0_u64);
    page.gauge("simplex_smp_loaded_queues_ntf_lock_count", "Locks of notifiers: none", 0_u64);
}
