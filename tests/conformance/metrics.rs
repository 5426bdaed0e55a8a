//! The metrics file, as a Prometheus reads it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use prometheus_parse::{Scrape, Value};
use smp_client::protocol::command::Name;
use tokio::time::{sleep, timeout};

use crate::harness::GIVE_UP;
use crate::harness::ini::Setting;
use crate::harness::party::Recipient;
use crate::harness::request::{By, SUB, ask, auth};
use crate::harness::server::Server;
use crate::harness::service::{Service, queue_set};
use crate::harness::state::METRICS;

/// All names of the reference with their types and labels; values that differ between servers are `*` (behaviour.md §9.7).
const NAMES: &str = include_str!("metrics.txt");

const EVERY_SECOND: &[Setting<'static>] = &[("STORE_LOG", "prometheus_interval", "1")];

/// The metrics once they are as expected: the file is written anew every second.
async fn metrics_with(server: &Server, expected: impl Fn(&Scrape) -> bool) -> Scrape {
    let wait = async {
        loop {
            if let Ok(text) = fs::read_to_string(server.state_file(METRICS)) {
                let scrape = Scrape::parse(text.lines().map(|line| Ok(line.to_owned()))).expect("Prometheus reads it");
                if expected(&scrape) {
                    return scrape;
                }
            }
            // A file that another program replaces has no event that could be awaited.
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(GIVE_UP, wait).await.expect("the metrics come to be as expected")
}

/// The value of the sample with these labels.
fn value_of(scrape: &Scrape, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let mut samples = scrape.samples.iter().filter(|sample| sample.metric == name);
    let sample = samples.find(|sample| {
        sample.labels.len() == labels.len() && labels.iter().all(|(name, value)| sample.labels.get(name) == Some(value))
    })?;
    match sample.value {
        Value::Counter(value) | Value::Gauge(value) | Value::Untyped(value) => Some(value),
        Value::Histogram(_) | Value::Summary(_) => None,
    }
}

#[tokio::test]
async fn b_112_queues_of_a_subscribed_service() {
    const SUBSCRIBED: &str = "simplex_smp_subscribtion_service_subs_total";
    let server = Server::start_with(EVERY_SECOND).await;
    let service = Service::messaging();
    let client = service.connect(&server).await;
    let (a, b) = (Recipient::new(&client).await, Recipient::new(&client).await);
    client.close().await;
    metrics_with(&server, |scrape| value_of(scrape, SUBSCRIBED, &[]) == Some(0.0)).await;

    let client = service.connect(&server).await;
    client.subscribe_service_queues(queue_set([a.id(), b.id()])).await.unwrap();
    metrics_with(&server, |scrape| value_of(scrape, SUBSCRIBED, &[]) == Some(2.0)).await;
    let c = Recipient::new(&server.connect().await).await;
    c.queue.on(&client).subscribe().await.unwrap();
    client.close().await;
    let client = service.connect(&server).await;
    client.subscribe_service_queues(queue_set([a.id(), b.id(), c.id()])).await.unwrap();
    let scrape = metrics_with(&server, |scrape| value_of(scrape, SUBSCRIBED, &[]) == Some(3.0)).await;
    assert_eq!(value_of(&scrape, "simplex_smp_rcv_services_count", &[]), Some(1.0));
    assert_eq!(value_of(&scrape, "simplex_smp_rcv_services_queues_count", &[]), Some(3.0));
    assert_eq!(value_of(&scrape, "simplex_smp_subscribtion_services_total", &[]), Some(1.0));
}

/// Every sample with its labels, as [`with_labels`] has them.
fn labelled(text: &str) -> BTreeSet<String> {
    let scrape = Scrape::parse(text.lines().map(|line| Ok(line.to_owned()))).unwrap();
    // Sum and count of a histogram are samples of their own for this reader.
    let samples =
        scrape.samples.iter().filter(|sample| !sample.metric.starts_with("simplex_smp_delivery_ack_confirmed_time_"));
    let form = |sample: &prometheus_parse::Sample| {
        let labels: BTreeMap<_, _> = sample.labels.iter().collect();
        let differs = sample.metric == "simplex_smp_info" || sample.metric.starts_with("simplex_smp_sockets_");
        let labels = labels.into_iter().map(|(name, value)| format!(" {name}={}", if differs { "*" } else { value }));
        format!("{}{}", sample.metric, labels.collect::<String>())
    };
    samples.map(form).collect()
}

/// The samples of a line of the list: one for each combination of label values.
fn with_labels(line: &str) -> Vec<String> {
    let mut words = line.split(' ');
    let name = words.next().unwrap().to_owned();
    words.skip(1).fold(vec![name], |samples, label| {
        let (name, values) = label.split_once('=').unwrap();
        let with = |sample: &String| values.split('|').map(|v| format!("{sample} {name}={v}")).collect::<Vec<_>>();
        samples.iter().flat_map(with).collect()
    })
}

/// Every name of the reference with its type, and no other; all samples but one have the time of the file.
#[tokio::test]
async fn b_131_metrics_are_written() {
    let server = Server::start_with(EVERY_SECOND).await;
    metrics_with(&server, |_| true).await;
    let text = fs::read_to_string(server.state_file(METRICS)).unwrap();
    let types: BTreeMap<_, _> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    let family = |line: &'static str| line.split_once(' ').map(|(name, rest)| (name, rest.split(' ').next().unwrap()));
    let expected: BTreeMap<_, _> = NAMES.lines().filter_map(family).collect();
    assert_eq!(types, expected);
    assert_eq!(labelled(&text), NAMES.lines().flat_map(with_labels).collect());
    let mut lines = text.lines();
    assert!(lines.next().unwrap().starts_with("# Recorded at: 20"));
    assert!(lines.next().unwrap().starts_with("# Stats from: 20"));
    let samples: Vec<_> = lines.filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    let timeless: Vec<_> = samples.iter().filter(|line| line.rsplit(' ').next().unwrap().len() != 13).collect();
    assert!(matches!(&timeless[..], [info] if info.starts_with("simplex_smp_info{")), "{timeless:?}");
}

#[tokio::test]
async fn metrics_tell_what_happened() {
    let server = Server::start_with(&[EVERY_SECOND, &[("LIMITS", "message_queue_quota", "1")]].concat()).await;
    let (client, other) = (server.connect().await, server.connect().await);
    let (queue, sender) = Recipient::secured(&client, &other).await;
    let notifier = queue.notifier().await;
    notifier.on(&other).subscribe().await.unwrap();
    sender.notifies(b"acknowledged").await;
    queue.takes(b"acknowledged").await;
    sender.sends(b"not acknowledged").await;
    sender.send(b"too many").await;
    queue.receives(b"not acknowledged").await;
    assert_eq!(ask(&other, queue.id(), SUB, By::WrongSignature).await, auth(queue.id()));
    client.proxied_relay(server.address(), None).await.unwrap();
    client.resolve(&Name::parse(b"alice.simplex").unwrap()).await.unwrap_err();

    let sent = |scrape: &Scrape| value_of(scrape, "simplex_smp_names_reqs", &[]) == Some(1.0);
    let scrape = metrics_with(&server, sent).await;
    let port = server.port().to_string();
    for (name, labels, value) in [
        ("queues_created", &[][..], 1.0),
        ("queues_secured", &[], 1.0),
        ("queues_total1", &[], 1.0),
        ("queues_total2", &[], 1.0),
        ("queues_daily", &[], 1.0),
        ("queues_notify_monthly", &[], 1.0),
        ("messages_sent", &[], 2.0),
        ("messages_sent_errors", &[("type", "quota")], 1.0),
        ("messages_received", &[], 1.0),
        ("messages_notify_sent", &[], 1.0),
        ("queues_notify_created", &[], 1.0),
        ("queues_notify_total2", &[], 1.0),
        ("subscribtion_errors", &[("type", "auth")], 1.0),
        ("relay_sessions_requests", &[("source", "all")], 1.0),
        ("relay_sessions_successes", &[("source", "all")], 1.0),
        ("relay_sessions_errors", &[("source", "own"), ("type", "compat")], 0.0),
        ("names_disabled", &[], 1.0),
        ("delivered_total", &[], 1.0),
        ("delivered_clients_total", &[], 1.0),
        ("delivery_ack_pending_count", &[("period", "0-60")], 1.0),
        ("delivery_ack_confirmed_count", &[("period", "0-60")], 1.0),
        ("subscribtion_total", &[], 1.0),
        ("subscribtion_clients_total", &[], 1.0),
        ("subscription_ntf_total", &[], 1.0),
        ("subscription_ntf_clients_total", &[], 1.0),
        // The server is its own relay.
        ("clients_total", &[], 3.0),
        ("sockets_accepted", &[("port", &*port)], 3.0),
        ("sockets_active", &[("port", &*port)], 3.0),
    ] {
        let name = format!("simplex_smp_{name}");
        assert_eq!(value_of(&scrape, &name, labels), Some(value), "{name} {labels:?}");
    }
    let mut histograms = scrape.samples.iter().filter(|s| s.metric == "simplex_smp_delivery_ack_confirmed_time");
    let Some(Value::Histogram(counts)) = histograms.next().map(|sample| &sample.value) else { panic!("a histogram") };
    assert_eq!(counts.last().map(|last| (last.less_than, last.count)), Some((f64::INFINITY, 1.0)));

    client.close().await;
    other.close().await;
    let closed = |scrape: &Scrape| value_of(scrape, "simplex_smp_sockets_closed", &[("port", &port)]) == Some(2.0);
    metrics_with(&server, closed).await;
}

#[tokio::test]
async fn no_metrics_unless_asked_for() {
    let mut server = Server::start().await;
    server.stop().await;
    assert!(!server.state_file(METRICS).exists());
}
