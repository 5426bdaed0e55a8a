//! Metrics and health over HTTP, as Prometheus and other programs on the machine ask for them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use prometheus_parse::{Sample, Scrape, Value};
use smp_client::protocol::command::Name;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::GIVE_UP;
use crate::harness::ini::IN_MEMORY;
use crate::harness::ini::Setting;
use crate::harness::party::Recipient;
use crate::harness::request::{By, SUB, ask, auth};
use crate::harness::server::Server;
use crate::harness::state::METRICS;

/// All names of the reference with their types and labels.
const NAMES: &str = include_str!("metrics.txt");

const ANY_PORT: Setting<'static> = ("STORE_LOG", "prometheus_listen", "0");

/// A server that tells its metrics, and where it does.
async fn start() -> (Server, String) {
    let server = Server::start_with(&[ANY_PORT, IN_MEMORY]).await;
    let line = server.logs(0, "metrics are told at ").await;
    let address = line.split("http://").nth(1).and_then(|rest| rest.strip_suffix("/metrics")).unwrap().to_owned();
    (server, address)
}

/// Everything that comes after these bytes, until the server closes the connection.
async fn exchange(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    timeout(GIVE_UP, stream.read_to_string(&mut response)).await.expect("the server answers and closes").unwrap();
    response
}

/// Head and body of the answer to a request.
async fn request(address: &str, method: &str, path: &str) -> (String, String) {
    let response = exchange(address, &format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\n\r\n")).await;
    let (head, body) = response.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head in {response:?}"));
    (head.to_ascii_lowercase(), body.to_owned())
}

/// The metrics of this moment.
async fn scrape(address: &str) -> (String, Vec<Sample>) {
    let (head, body) = request(address, "GET", "/metrics").await;
    assert!(head.starts_with("http/1.1 200 ok"), "{head}");
    assert!(head.contains("\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8"), "{head}");
    let scrape = Scrape::parse(body.lines().map(|line| Ok(line.to_owned()))).unwrap();
    (body, scrape.samples)
}

/// Values by the one label that samples of a metric have; those without a label by an empty one.
fn values(samples: &[Sample], name: &str) -> Vec<(String, f64)> {
    let of_name = samples.iter().filter(|sample| sample.metric == name);
    let mut values: Vec<_> = of_name
        .map(|sample| {
            let label = sample.labels.values().next().cloned().unwrap_or_default();
            match &sample.value {
                Value::Counter(value) | Value::Gauge(value) | Value::Untyped(value) => (label, *value),
                Value::Histogram(counts) => (label, counts.last().unwrap().count),
                Value::Summary(_) => panic!("{name} is a summary"),
            }
        })
        .collect();
    values.sort_by(|a, b| a.0.cmp(&b.0));
    values
}

fn numbered(kind: &str, count: usize) -> impl Iterator<Item = String> {
    (0..count).map(move |n| format!("{kind} {n}"))
}

#[tokio::test]
async fn metrics_of_the_reference_and_of_the_work() {
    let (server, address) = start().await;
    assert!(address.starts_with("127.0.0.1:"), "{address}");
    let (client, other) = (server.connect().await, server.connect().await);
    let (queue, sender) = Recipient::secured(&client, &other).await;
    for body in [b"one", b"two"] {
        sender.sends(body).await;
        queue.takes(body).await;
    }
    assert_eq!(ask(&other, queue.id(), SUB, By::WrongSignature).await, auth(queue.id()));
    client.proxied_relay(server.address(), None).await.unwrap();
    client.resolve(&Name::parse(b"alice.simplex").unwrap()).await.unwrap_err();

    let (text, samples) = scrape(&address).await;
    let types: BTreeSet<_> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    let of_reference = NAMES.lines().map(|line| line.splitn(3, ' ').take(2).collect::<Vec<_>>().join(" "));
    let missing: Vec<_> = of_reference.filter(|family| !types.contains(family.as_str())).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert_eq!(types.len(), text.lines().filter(|line| line.starts_with("# TYPE ")).count(), "each name comes once");
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let value = line.rsplit(' ').next().unwrap();
        assert!(line.ends_with(&format!("}} {value}")) || line.matches(' ').count() == 1, "there is no time: {line}");
    }
    assert!(!server.state_file(METRICS).exists());

    let commands = values(&samples, "smp_server_command_seconds");
    let commands: Vec<_> = commands.iter().map(|(command, count)| (command.as_str(), count.to_string())).collect();
    let expected = [("ACK", "2"), ("KEY", "1"), ("NEW", "1"), ("PRXY", "1"), ("RSLV", "1"), ("SEND", "2")];
    assert_eq!(commands, expected.map(|(command, count)| (command, count.to_owned())), "and no refused SUB");

    let actors = values(&samples, "smp_server_actor_up");
    let single = ["Expirer", "Notifications", "Relays", "StatsCollector", "StoreLogWriter", "Web"].map(str::to_owned);
    let mut expected: Vec<_> =
        single.into_iter().chain(numbered("Listener", 2)).chain(numbered("QueueRegistry", 2)).collect();
    expected.sort_unstable();
    assert!(actors.iter().all(|(_, up)| *up > 0.0), "{actors:?}");
    assert_eq!(actors.into_iter().map(|(actor, _)| actor).collect::<Vec<_>>(), expected);
    assert_eq!(values(&samples, "smp_server_actor_answer_seconds").len(), expected.len());
    for falls in ["smp_server_actor_panics_total", "smp_server_actor_restarts_total"] {
        let falls = values(&samples, falls);
        assert!(falls.iter().any(|(kind, _)| kind == "Session") && falls.iter().all(|(_, n)| *n < 1.0), "{falls:?}");
    }
    assert_eq!(values(&samples, "smp_server_mailbox_batches"), [("0".to_owned(), 0.0), ("1".to_owned(), 0.0)]);
    for nothing_waits in ["smp_server_store_log_changes", "smp_server_outbox_transmissions"] {
        assert_eq!(values(&samples, nothing_waits), [(String::new(), 0.0)], "{nothing_waits}");
    }
    for (resource, at_least) in [
        ("process_cpu_seconds_total", 0.0),
        ("process_start_time_seconds", 1.7e9),
        ("process_resident_memory_bytes", 1e6),
        ("process_virtual_memory_bytes", 1e6),
        ("process_threads", 4.0),
        ("process_open_fds", 10.0),
        ("process_max_fds", 10.0),
    ] {
        let values = values(&samples, resource);
        assert!(matches!(&values[..], [(_, value)] if *value >= at_least), "{resource} {values:?}");
    }
}

/// All texts under a key, anywhere.
fn texts<'a>(json: &'a serde_json::Value, key: &str, found: &mut Vec<&'a str>) {
    match json {
        serde_json::Value::Object(object) => {
            found.extend(object.get(key).and_then(|value| value.as_str()));
            object.values().for_each(|value| texts(value, key, found));
        }
        serde_json::Value::Array(array) => array.iter().for_each(|value| texts(value, key, found)),
        _ => {}
    }
}

fn dashboard(name: &str) -> serde_json::Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/grafana").join(name);
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[tokio::test]
async fn dashboards_ask_for_what_exists() {
    let (server, address) = start().await;
    // Commands are told of once they came.
    Recipient::new(&server.connect().await).await;
    let (text, _) = scrape(&address).await;
    let known: BTreeSet<_> = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split(['{', ' ']).next().unwrap())
        .collect();

    let dashboard_of_metrics = dashboard("smp-relay.json");
    let mut expressions = Vec::new();
    texts(&dashboard_of_metrics, "expr", &mut expressions);
    texts(&dashboard_of_metrics, "query", &mut expressions);
    let words = expressions.iter().flat_map(|text| text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_'));
    let asked: BTreeSet<_> =
        words.filter(|word| ["simplex_", "smp_", "process_"].iter().any(|start| word.starts_with(start))).collect();
    assert!(asked.len() > 50, "{asked:?}");
    assert_eq!(asked.difference(&known).collect::<Vec<_>>(), [&""; 0], "these are no metrics");

    let dashboard_of_days = dashboard("smp-relay-daily.json");
    let mut fields = Vec::new();
    texts(&dashboard_of_days, "name", &mut fields);
    let columns = fields.iter().filter_map(|field| field.strip_prefix("Field ")?.parse::<u8>().ok());
    let columns: BTreeSet<_> = columns.collect();
    assert!(columns.len() > 20 && columns.iter().all(|column| (1..=101).contains(column)), "{columns:?}");
}

#[tokio::test]
async fn health_and_other_requests() {
    let (_server, address) = start().await;
    let (head, body) = request(&address, "GET", "/healthz").await;
    assert!(head.starts_with("http/1.1 200 ok"), "{head}");
    assert_eq!(body, "ok\n");
    for (method, path, status) in
        [("HEAD", "/metrics", "200"), ("HEAD", "/healthz", "200"), ("GET", "/", "404"), ("POST", "/metrics", "405")]
    {
        let (head, body) = request(&address, method, path).await;
        assert_eq!(head.split(' ').nth(1), Some(status), "{method} {path}");
        assert_eq!(body.is_empty(), method == "HEAD", "{method} {path}");
    }
}

/// Whoever holds connections, or sends heads without an end, keeps nobody else from asking for long.
#[tokio::test]
async fn connections_and_requests_are_limited() {
    let (_server, address) = start().await;
    let large = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\nLarge: {}\r\n\r\n", "x".repeat(12_000));
    assert!(exchange(&address, &large).await.starts_with("HTTP/1.1 200 "), "some room is left for cookies");
    let many = format!("GET /metrics HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(100));
    assert!(exchange(&address, &many).await.starts_with("HTTP/1.1 431 "));

    let mut silent = Vec::new();
    for _ in 0..40 {
        silent.push(TcpStream::connect(&address).await.unwrap());
    }
    let (head, _) = request(&address, "GET", "/healthz").await;
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    let is_open = |stream: &TcpStream| stream.try_read(&mut [0]).is_err();
    assert!(silent.iter().all(is_open), "nobody had to leave before this was answered");
    for _ in 0..80 {
        silent.push(TcpStream::connect(&address).await.unwrap());
    }
    let (head, _) = request(&address, "GET", "/healthz").await;
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    assert!(silent[100..].iter().all(is_open), "only those who were silent longest had to leave");
    let mut endless = TcpStream::connect(&address).await.unwrap();
    let sending = async {
        let head = [b'x'; 1024];
        while endless.write_all(&head).await.is_ok() {}
    };
    timeout(GIVE_UP, sending).await.expect("an endless head is cut off");
}

#[tokio::test]
async fn nothing_is_told_unless_asked_for() {
    let mut server = Server::start().await;
    server.stop().await;
    assert!(!server.output().iter().any(|line| line.contains("metrics")));
}
