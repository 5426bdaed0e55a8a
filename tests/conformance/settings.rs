//! Every key of `smp-server.ini` has a test that shows what it changes: a key that is read and used nowhere is found here.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use smp_client::protocol::version::Version;
use smp_client::{Client, Options};
use smp_config::known_keys;

use crate::harness::ini::IN_MEMORY;
use crate::harness::party::Recipient;
use crate::harness::server::Server;
use crate::harness::state::{MESSAGES, NOTIFICATIONS};

/// Section, its keys, file and name of the test. The file, or the harness, has every one of the keys in it.
const SHOWN: &[(&str, &[&str], &str, &str)] = &[
    ("AUTH", &["new_queues"], "conformance/queues.rs", "b_045_new_queues_are_off"),
    ("AUTH", &["create_password"], "conformance/queues.rs", "b_046_password_for_new_queues"),
    ("AUTH", &["control_port_admin_password", "control_port_user_password"], "conformance/control_port.rs", "roles"),
    ("AUTH", &["daily_block_queue_quota"], "conformance/blocking.rs", "daily_quota"),
    ("AUTH", &["print_address"], "cli/address.rs", "the_start_keeps_the_address_to_itself"),
    ("TRANSPORT", &["control_port"], "conformance/control_port.rs", "roles"),
    ("TRANSPORT", &["bind"], "conformance/web.rs", "ports_are_open_only_where_they_are_bound"),
    ("TRANSPORT", &["accept_service_credentials"], "conformance/services.rs", "services_can_be_off"),
    ("TRANSPORT", &["host"], "cli/check.rs", "fault_name_that_leads_nowhere"),
    ("TRANSPORT", &["port"], "conformance/restart.rs", "a_port_in_use_costs_nothing"),
    ("TRANSPORT", &["log_tls_errors"], "conformance/sessions.rs", "b_256_clients_refuse_another_identity"),
    ("TRANSPORT", &["websockets"], "conformance/websockets.rs", "everything_is_the_same_behind_a_websocket"),
    ("STORE_LOG", &["encrypt"], "conformance/journal.rs", "what_was_acknowledged_or_deleted_cannot_be_recovered"),
    (
        "STORE_LOG",
        &["store_messages"],
        "conformance/journal.rs",
        "what_was_acknowledged_or_deleted_cannot_be_recovered",
    ),
    (
        "STORE_LOG",
        &["enable", "restore_messages"],
        "conformance/persistence.rs",
        "b_122_without_a_store_log_queues_are_gone",
    ),
    ("STORE_LOG", &["sync"], "faults/sync.rs", "changes_are_refused_after_a_failed_sync_until_the_log_is_written_anew"),
    ("STORE_LOG", &["store_queues"], "cli/start_errors.rs", "kinds_of_storage_that_are_missing_are_refused"),
    (
        "STORE_LOG",
        &["expire_messages_days", "expire_ntfs_hours"],
        "conformance/settings.rs",
        "what_waits_has_a_lifetime",
    ),
    ("STORE_LOG", &["expire_messages_on_send"], "conformance/expiry.rs", "b_160_messages_expire_when_another_is_sent"),
    (
        "STORE_LOG",
        &["log_stats"],
        "conformance/persistence.rs",
        "b_126_to_128_messages_and_statistics_outlive_the_server",
    ),
    ("STORE_LOG", &["prometheus_interval"], "conformance/metrics.rs", "b_131_metrics_are_written"),
    ("STORE_LOG", &["prometheus_listen"], "conformance/metrics_over_http.rs", "health_and_other_requests"),
    ("PROXY", &["host_mode", "required_host_mode"], "conformance/proxy/hosts.rs", "onion_only"),
    ("PROXY", &["socks_proxy", "socks_mode"], "conformance/proxy/hosts.rs", "everything_through_the_socks_proxy"),
    ("PROXY", &["client_concurrency"], "conformance/proxy/connecting.rs", "concurrency_of_a_client_is_limited"),
    ("PROXY", &["allow_private"], "conformance/proxy/hosts.rs", "relays_that_are_not_public"),
    (
        "NAMES",
        &["enable", "resolver_endpoint", "resolver_auth"],
        "conformance/names.rs",
        "b_220_221_223_226_answers_of_the_resolver",
    ),
    (
        "NAMES",
        &["resolver_timeout_ms", "resolver_max_response_bytes"],
        "conformance/names.rs",
        "b_225_resolver_that_misbehaves",
    ),
    ("NAMES", &["resolver_concurrency"], "conformance/names.rs", "concurrency_of_a_client_is_limited"),
    (
        "INACTIVE_CLIENTS",
        &["disconnect", "ttl", "check_interval"],
        "conformance/sessions.rs",
        "b_250_251_only_inactive_clients_are_disconnected",
    ),
    ("WEB", &["bind", "http"], "conformance/web.rs", "ports_are_open_only_where_they_are_bound"),
    ("WEB", &["static_path"], "conformance/web.rs", "a_site_that_cannot_be_does_not_stop_the_server"),
    ("WEB", &["https", "cert", "key"], "conformance/web_certificate.rs", "a_port_of_its_own"),
    (
        "INFORMATION",
        &[
            "source_code",
            "usage_conditions",
            "condition_amendments",
            "server_country",
            "operator",
            "operator_country",
            "website",
            "admin_simplex",
            "admin_email",
            "admin_pgp",
            "admin_pgp_fingerprint",
            "complaints_simplex",
            "complaints_email",
            "complaints_pgp",
            "complaints_pgp_fingerprint",
            "hosting",
            "hosting_country",
            "hosting_type",
        ],
        "conformance/web.rs",
        "the_page_tells_what_the_settings_say",
    ),
    ("LIMITS", &["message_queue_quota"], "conformance/quota.rs", "b_090_to_093_full_queue"),
    ("LIMITS", &["message_ttl"], "conformance/persistence.rs", "b_129_130_messages_expire_at_the_start"),
    ("LIMITS", &["message_expire_interval"], "conformance/expiry.rs", "b_161_messages_expire_from_time_to_time"),
    ("LIMITS", &["ntf_ttl"], "conformance/settings.rs", "what_waits_has_a_lifetime"),
    ("LIMITS", &["store_log_growth"], "conformance/restart.rs", "the_store_log_is_compacted_while_the_server_runs"),
    ("LIMITS", &["min_version", "max_version"], "conformance/settings.rs", "versions_are_limited"),
    ("LIMITS", &["max_connections"], "conformance/stuck_clients.rs", "stuck_clients_do_not_keep_others_out"),
    ("LIMITS", &["block_timeout"], "conformance/stuck_clients.rs", "a_block_that_is_not_finished"),
    ("LIMITS", &["write_timeout"], "conformance/stuck_clients.rs", "answers_that_are_not_read"),
    ("LIMITS", &["first_byte_timeout"], "conformance/bad_input/sockets.rs", "the_first_byte_has_a_deadline"),
    ("LIMITS", &["concurrent_handshakes"], "conformance/bad_input/sockets.rs", "floods_of_silent_connections"),
    ("LIMITS", &["proxy"], "conformance/proxy/connecting.rs", "b_200_forwarding_can_be_switched_off"),
    ("LIMITS", &["proxy_relays"], "conformance/proxy/connecting.rs", "relays_that_nobody_uses_give_way"),
    ("LIMITS", &["proxy_new_relays"], "conformance/proxy/connecting.rs", "new_relays_of_a_client_are_limited"),
    ("LIMITS", &["proxy_response_timeout"], "conformance/proxy/failures.rs", "relay_that_falls_silent"),
];

/// Keys that no client and no operator can see at work in a short time: that they are read, and in which range, is shown by the
/// tests of the settings themselves.
const UNSEEN: &[(&str, &[&str])] = &[
    // There is no PostgreSQL.
    ("STORE_LOG", &["db_connection", "db_schema", "db_pool_size", "db_store_log", "db_deleted_ttl"]),
    ("STORE_LOG", &["expire_messages_on_start"]),
    // Counted in other columns of the statistics.
    ("PROXY", &["own_server_domains"]),
    // Sizes of what waits inside, and pauses.
    ("LIMITS", &["session_queue_size", "registry_mailbox_size", "names_requests", "threads", "alpn"]),
    ("LIMITS", &["ntf_expire_interval", "ntf_delivery_interval_ms", "pending_end_interval_ms"]),
    ("LIMITS", &["tls_handshake_timeout", "smp_handshake_timeout", "proxy_connect_timeout", "proxy_error_interval"]),
    // The journal of this server has nothing to close.
    ("LIMITS", &["queue_idle_interval"]),
];

fn source(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(file)).expect(file)
}

fn pairs<'a>(section: &'a str, keys: &'a [&'a str]) -> impl Iterator<Item = (&'a str, &'a str)> {
    keys.iter().map(move |key| (section, *key))
}

#[test]
fn every_key_has_a_test() {
    let harness = ["harness/control.rs", "harness/website.rs", "harness/ini.rs"].map(source).concat();
    let mut listed = BTreeSet::new();
    for (section, keys, file, test) in SHOWN {
        let source = source(file);
        assert!(source.contains(&format!("fn {test}(")), "{file} has no test {test}");
        for (section, key) in pairs(section, keys) {
            let is_set = [&source, &harness].into_iter().any(|source| source.contains(key));
            assert!(is_set, "{file} does not set {key} of [{section}]");
            assert!(listed.insert((section, key)), "{key} of [{section}] is listed twice");
        }
    }
    for (section, key) in UNSEEN.iter().flat_map(|(section, keys)| pairs(section, keys)) {
        assert!(listed.insert((section, key)), "{key} of [{section}] is listed twice");
    }
    let known: BTreeSet<_> = known_keys().collect();
    assert_eq!(known.difference(&listed).collect::<Vec<_>>(), Vec::<&(&str, &str)>::new(), "keys without a test");
    assert_eq!(listed.difference(&known).collect::<Vec<_>>(), Vec::<&(&str, &str)>::new(), "keys that are not known");
}

#[tokio::test]
async fn versions_are_limited() {
    let server = Server::start_with(&[("LIMITS", "min_version", "8"), ("LIMITS", "max_version", "16")]).await;
    for version in [8, 16] {
        server.connect_at(Version(version)).await.ping().await.unwrap();
    }
    for version in [7, 17] {
        let refused = Client::connect(server.address(), &Options::with_version(Version(version))).await;
        assert!(refused.is_err(), "version {version}");
    }
}

/// Makes every line of a file of waiting messages or notifications older.
fn age(server: &Server, file: &str, seconds: i64) {
    let older = |field: &str| match field.parse::<i64>() {
        Ok(time) if time > 1_000_000_000 => (time - seconds).to_string(),
        _ => field.to_owned(),
    };
    let lines = server.lines_of(file);
    assert!(!lines.is_empty(), "{file} is empty");
    let aged: Vec<_> = lines.iter().map(|line| line.split(' ').map(older).collect::<Vec<_>>().join(" ")).collect();
    assert_ne!(aged, lines, "{file} has times");
    server.write_lines(file, &aged);
}

#[tokio::test]
async fn what_waits_has_a_lifetime() {
    let mut server = Server::start_with(&[IN_MEMORY, ("LIMITS", "message_expire_interval", "off")]).await;
    let client = server.connect().await;
    let (queue, sender) = Recipient::secured(&client, &client).await;
    let _notifier = queue.notifier().await;
    client.close().await;
    let client = server.connect().await;
    sender.on(&client).notifies(b"hello").await;
    server.stop().await;
    age(&server, MESSAGES, 2 * 86_400);
    age(&server, NOTIFICATIONS, 2 * 3_600);

    let starts = [
        ("LIMITS", "ntf_ttl", "10000", "notifications stored: 1, expired: 0"),
        ("STORE_LOG", "expire_messages_days", "3", "messages stored: 1, expired: 0"),
        ("LIMITS", "ntf_ttl", "5000", "notifications stored: 0, expired: 1"),
        ("STORE_LOG", "expire_messages_days", "1", "messages stored: 0, expired: 1"),
    ];
    for (section, key, value, says) in starts {
        server.set((section, key, value));
        server.run().await;
        server.logs(0, says).await;
        server.stop().await;
    }
}
