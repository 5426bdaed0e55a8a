//! Every way a setting can be wrong, and what values mean.

use std::path::Path;
use std::time::Duration;

use super::*;

/// What is said of a file without `enable`.
const NOT_KEPT: &str =
    "ini: enable in section [STORE_LOG] is not set: queues will not survive a restart; set it to on or off";

/// The least that a file must have.
const MINIMAL: &str = "[TRANSPORT]\nport = 5223\nwebsockets = off\n";

fn parse(text: &str) -> Result<(Settings, Vec<String>), String> {
    let (settings, warnings) = Settings::parse(Path::new("ini"), text).map_err(|error| error.to_string())?;
    // Nothing is said of `enable`, which few of these files set.
    let warnings = warnings.iter().map(ToString::to_string).filter(|warning| warning != NOT_KEPT);
    Ok((settings, warnings.collect()))
}

fn settings(text: &str) -> Settings {
    parse(&format!("{MINIMAL}{text}")).unwrap().0
}

fn warnings(text: &str) -> Vec<String> {
    parse(&format!("{MINIMAL}{text}")).unwrap().1
}

/// The error for a section with one key, and where it stands (line 2).
fn error(section: &str, line: &str) -> String {
    let rest = if section == "TRANSPORT" { "" } else { MINIMAL };
    let error = parse(&format!("[{section}]\n{line}\n{rest}")).map(|_| ()).expect_err(line);
    assert!(!error.contains('\n'));
    error
}

#[test]
fn each_kind_of_value_has_its_error() {
    for (section, line, message) in [
        (
            "STORE_LOG",
            "enable = yes",
            "invalid INI setting enable: yes (ini:2, section [STORE_LOG], key enable; allowed: on, off)",
        ),
        (
            "STORE_LOG",
            "enable =",
            "invalid INI setting enable:  (ini:2, section [STORE_LOG], key enable; allowed: on, off)",
        ),
        (
            "STORE_LOG",
            "expire_messages_days = 3 weeks",
            "invalid INI setting expire_messages_days: 3 weeks (ini:2, section [STORE_LOG], key expire_messages_days; \
             allowed: a whole number of days from 1 to 10000000, or off: messages never expire)",
        ),
        (
            "STORE_LOG",
            "expire_messages_days = -1",
            "invalid INI setting expire_messages_days: -1 (ini:2, section [STORE_LOG], key expire_messages_days; \
             allowed: a whole number of days from 1 to 10000000, or off: messages never expire)",
        ),
        (
            "STORE_LOG",
            "expire_messages_days = 0",
            "invalid INI setting expire_messages_days: 0 (ini:2, section [STORE_LOG], key expire_messages_days; \
             allowed: a whole number of days from 1 to 10000000, or off: messages never expire)",
        ),
        (
            "STORE_LOG",
            "expire_ntfs_hours = 0",
            "invalid INI setting expire_ntfs_hours: 0 (ini:2, section [STORE_LOG], key expire_ntfs_hours; \
             allowed: a whole number from 1 to 10000000)",
        ),
        (
            "AUTH",
            "create_password = pass word",
            "invalid INI setting create_password: a password cannot contain ' ': use printable characters except white \
             space, '@', ':' and '/' (ini:2, section [AUTH], key create_password)",
        ),
        (
            "AUTH",
            "control_port_user_password =",
            "invalid INI setting control_port_user_password: a password cannot be empty \
             (ini:2, section [AUTH], key control_port_user_password)",
        ),
        (
            "AUTH",
            "daily_block_queue_quota = -2",
            "invalid INI setting daily_block_queue_quota: -2 (ini:2, section [AUTH], key daily_block_queue_quota; \
             allowed: a whole number from -1 to 4294967295)",
        ),
        (
            "PROXY",
            "host_mode = private",
            "invalid INI setting host_mode: private (ini:2, section [PROXY], key host_mode; allowed: public, onion)",
        ),
        (
            "PROXY",
            "socks_proxy = user:secret@host:port",
            "invalid INI setting socks_proxy: a SOCKS proxy has the form [user:password@][host][:port], \
             with a port from 1 to 65535 \
             (ini:2, section [PROXY], key socks_proxy)",
        ),
        (
            "TRANSPORT",
            "websockets = off",
            "no key port in section TRANSPORT (ini, section [TRANSPORT], key port; \
             allowed: ports from 1 to 65535 separated by commas, for example 5223,443; it cannot be off)",
        ),
        (
            "TRANSPORT",
            "port = 5223,https",
            "invalid INI setting port: 5223,https (ini:2, section [TRANSPORT], key port; \
             allowed: ports from 1 to 65535 separated by commas, for example 5223,443; it cannot be off)",
        ),
        (
            "TRANSPORT",
            "port = 5223",
            "no key websockets in section TRANSPORT (ini, section [TRANSPORT], key websockets; \
             allowed: on, off, or ports from 1 to 65535 separated by commas)",
        ),
        (
            "INACTIVE_CLIENTS",
            "disconnect = on",
            "no key ttl in section INACTIVE_CLIENTS (ini, section [INACTIVE_CLIENTS], key ttl; \
             allowed: a number of seconds)",
        ),
    ] {
        assert_eq!(error(section, line), message);
    }
}

#[test]
fn limits_have_the_errors_of_their_table() {
    for (section, line, message) in [
        (
            "LIMITS",
            "tls_handshake_timeout = 0",
            "invalid INI setting tls_handshake_timeout: 0 (ini:2, section [LIMITS], key tls_handshake_timeout; \
             allowed: 1 to 3600)",
        ),
        (
            "LIMITS",
            "message_ttl = never",
            "invalid INI setting message_ttl: never (ini:2, section [LIMITS], key message_ttl; \
             allowed: 1 to 4294967295, or off)",
        ),
        (
            "LIMITS",
            "alpn = smp/1,",
            "invalid INI setting alpn: smp/1, (ini:2, section [LIMITS], key alpn; \
             allowed: 1 to 16 names separated by commas)",
        ),
        (
            "LIMITS",
            "min_version = 20\nmax_version = 19",
            "min_version 20 is above max_version 19 (ini:2, section [LIMITS], key min_version)",
        ),
    ] {
        assert_eq!(error(section, line), message);
    }
}

#[test]
fn storage_combinations_are_those_of_the_reference() {
    let storage = |queues: &str, messages: &str| {
        parse(&format!("[STORE_LOG]\nstore_queues = {queues}\nstore_messages = {messages}\n{MINIMAL}"))
            .map(|(settings, _)| settings.store_log.storage)
    };
    assert_eq!(storage("memory", "memory"), Ok(Storage::Memory));
    assert_eq!(storage("memory", "journal"), Ok(Storage::Journal));
    assert_eq!(storage("database", "journal"), Ok(Storage::DatabaseJournal));
    assert_eq!(storage("database", "database"), Ok(Storage::Database));
    for (queues, messages) in [("memory", "database"), ("database", "memory")] {
        let error = storage(queues, messages).unwrap_err();
        assert!(error.starts_with("Database and memory storage are not compatible. (ini:3, "), "{error}");
    }
    for (queues, messages, line) in [("disk", "memory", 2), ("memory", "disk", 3), ("disk", "disk", 2)] {
        let error = storage(queues, messages).unwrap_err();
        let text =
            format!("Invalid storage settings: store_queues: {queues}, store_messages: {messages} (ini:{line}, ");
        assert!(error.starts_with(&text), "{error}");
    }
}

#[test]
fn the_store_log_is_written_as_the_storage_needs() {
    for (lines, expected) in [
        ("enable = off", false),
        ("enable = on", true),
        ("enable = off\nstore_messages = journal", true),
        ("enable = on\nstore_queues = database\nstore_messages = database", false),
        ("enable = off\nstore_queues = database\nstore_messages = journal\ndb_store_log = on", true),
    ] {
        assert_eq!(settings(&format!("[STORE_LOG]\n{lines}")).store_log.writes_store_log(), expected, "{lines}");
    }
}

#[test]
fn a_file_without_optional_keys_has_the_defaults_for_missing_keys() {
    let settings = settings("");
    let store_log = &settings.store_log;
    assert!(!store_log.enable && !store_log.restore_messages && !store_log.log_stats);
    assert!(store_log.expire_messages_on_start && store_log.expire_messages_on_send);
    assert_eq!(store_log.database.connection.expose(), "postgresql://smp@/smp_server_store");
    assert_eq!((store_log.database.schema.as_str(), store_log.database.pool_size), ("smp_server", 10));
    assert_eq!(store_log.database.deleted_ttl, Duration::from_hours(21 * 24));
    assert_eq!(settings.ntf_ttl(), Duration::from_hours(24));
    assert!(settings.auth.new_queues && settings.transport.accept_service_credentials);
    assert_eq!(settings.auth.daily_block_queue_quota, BlockQuota::PerDay(20));
    assert_eq!(settings.proxy.client_concurrency, 32);
    assert_eq!(settings.proxy.socks_mode, SocksMode::Onion);
    assert_eq!(settings.limits, Limits::default());
    assert_eq!(warnings(""), [""; 0]);
}

#[test]
fn messages_are_restored_when_queues_are_unless_set() {
    for (lines, expected) in
        [("enable = on", true), ("enable = off", false), ("enable = on\nrestore_messages = off", false)]
    {
        assert_eq!(settings(&format!("[STORE_LOG]\n{lines}")).store_log.restore_messages, expected, "{lines}");
    }
}

#[test]
fn small_numbers_of_db_deleted_ttl_are_days() {
    for (text, seconds) in [("0", 0), ("21", 21 * 86_400), ("9999", 9_999 * 86_400), ("10000", 10_000)] {
        let settings = settings(&format!("[STORE_LOG]\ndb_deleted_ttl = {text}"));
        assert_eq!(settings.store_log.database.deleted_ttl, Duration::from_secs(seconds));
    }
}

#[test]
fn limits_override_the_older_keys() {
    let old = "[STORE_LOG]\nexpire_messages_days = 1\nexpire_ntfs_hours = 2\n";
    assert_eq!(settings(old).message_ttl(), Some(Duration::from_hours(24)));
    assert_eq!(settings(old).ntf_ttl(), Duration::from_hours(2));
    let new = settings(&format!("{old}[LIMITS]\nmessage_ttl = 60\nntf_ttl = 61"));
    assert_eq!((new.message_ttl(), new.ntf_ttl()), (Some(Duration::from_mins(1)), Duration::from_secs(61)));
    assert_eq!(settings(&format!("{old}[LIMITS]\nmessage_ttl = off")).message_ttl(), None);
    assert_eq!(settings("[STORE_LOG]\nexpire_messages_days = off").message_ttl(), None);
}

#[test]
fn every_limit_can_be_set() {
    let lines: String = LIMITS
        .iter()
        .map(|limit| match &limit.allowed {
            Allowed::Number(range) | Allowed::NumberOrOff(range) => format!("{} = {}\n", limit.name, range.end()),
            Allowed::OnOff => format!("{} = off\n", limit.name),
            Allowed::Names => format!("{} = smp/1 , acme-tls/1\n", limit.name),
        })
        .collect();
    let limits = settings(&format!("[LIMITS]\n{lines}")).limits;
    assert_eq!(limits.alpn, ["smp/1", "acme-tls/1"]);
    assert_eq!((limits.min_version, limits.max_version, limits.proxy), (20, 20, false));
    assert_eq!((limits.threads, limits.max_connections), (Some(1024), Some(u32::MAX as usize)));
    assert_eq!(limits.message_ttl, Some(Some(Duration::from_secs(u32::MAX.into()))));
    assert_eq!(settings("[LIMITS]\nmessage_expire_interval = off").limits.message_expire_interval, None);
}

#[test]
fn ports_are_lists() {
    let transport = |lines: &str| parse(&format!("[TRANSPORT]\n{lines}")).unwrap().0.transport;
    assert_eq!(transport("port = 5223 , 443,5223\nwebsockets = off").ports, [5223, 443]);
    assert_eq!(transport("port:5223\nwebsockets = on").websocket_ports, [80]);
    assert_eq!(transport("port = 5223\nwebsockets = 5223,8080").websocket_ports, [8080]);
    let (_, warnings) = parse("[TRANSPORT]\nport = 443,443\nwebsockets = off\nhost = a.org,b c").unwrap();
    assert_eq!(
        warnings,
        [
            "ini:2: port in section [TRANSPORT] has 443 twice",
            "ini:4: host in section [TRANSPORT] has \"b c\", which is not a host name and left out: write names alone, \
             separated by commas"
        ]
    );
}

#[test]
fn no_port_is_zero_and_off_is_none() {
    for (section, key) in [
        ("TRANSPORT", "port"),
        ("TRANSPORT", "websockets"),
        ("TRANSPORT", "control_port"),
        ("WEB", "http"),
        ("WEB", "https"),
        ("STORE_LOG", "prometheus_listen"),
    ] {
        for zero in ["0", "00", "65536", "99999999999999999999"] {
            let rest = "[TRANSPORT]\nport = 5223\nwebsockets = off\n".replace(&format!("\n{key} = "), "\n# ");
            let text = format!("[{section}]\n{key} = {zero}\n{rest}");
            let error = parse(&text).map(|_| ()).expect_err(&text);
            let start = format!("invalid INI setting {key}: {zero} (ini:2, section [{section}], key {key}; allowed: ");
            assert!(error.starts_with(&start) && error.contains("from 1 to 65535") && error.contains("off"), "{error}");
        }
    }
    let lines = "control_port = off\n[WEB]\nhttp = off\nhttps = off\n[STORE_LOG]\nprometheus_listen = off";
    let settings = settings(lines);
    assert_eq!((settings.transport.control_port, settings.web.http, settings.web.https), (None, None, None));
    assert_eq!((settings.store_log.prometheus_listen, warnings(lines)), (None, Vec::new()));
    assert!(error("STORE_LOG", "prometheus_listen = 127.0.0.1:0").contains("off"));
}

#[test]
fn quotes_and_a_lonely_number_have_a_remedy() {
    for host in ["\"a.org\"", "'a.org'", "b.org, \u{201c}a.org\u{201d}"] {
        let error = error("TRANSPORT", &format!("host = {host}\nport = 5223\nwebsockets = off"));
        assert!(error.contains("ini:2, ") && error.contains("without quotes"), "{error}");
    }
    let error = error("PROXY", "socks_proxy = 9050");
    assert!(error.contains("write :9050 for port 9050 of this machine (ini:2, "), "{error}");
}

#[test]
fn the_address_can_be_used_as_it_is() {
    for (lines, end) in [
        ("port = 5223\nhost = a.org", "@a.org"),
        ("port = 5223,443\nhost = a.org", "@a.org"),
        ("port = 443,5223\nhost = a.org", "@a.org"),
        ("port = 443\nhost = a.org", "@a.org:443"),
        ("port = 7223,443\nhost = a.org", "@a.org:7223"),
        ("port = 444,443\nhost = a.org, abc.onion", "@a.org,abc.onion:444"),
        ("port = 5225,5226\nhost = a.org", "@a.org:5225"),
        ("port = 5223\nhost = 2001:db8::1", "@[2001:db8::1]"),
        ("port = 5223", "@<hostnames>"),
        ("port = 5223\nhost =", "@<hostnames>"),
    ] {
        let (settings, _) = parse(&format!("[TRANSPORT]\n{lines}\nwebsockets = off")).unwrap();
        let address = settings.address(KeyHash([7; 32]));
        assert!(address.to_string().ends_with(end), "{address}");
        assert_eq!(address.to_string().parse(), Ok(address));
    }
}

#[test]
fn store_log_is_synced_before_answers_unless_told_otherwise() {
    let sync =
        |line: &str| parse(&format!("[STORE_LOG]\n{line}\n{MINIMAL}")).map(|(settings, _)| settings.store_log.sync);
    for (line, expected) in [
        ("", StoreLogSync::Commit),
        ("sync = commit", StoreLogSync::Commit),
        ("sync: interval", StoreLogSync::Interval),
        ("sync = off", StoreLogSync::Off),
    ] {
        assert_eq!(sync(line).unwrap(), expected, "{line}");
    }
    assert!(sync("sync = on").unwrap_err().contains("commit, interval or off"));
}

#[test]
fn names_need_a_safe_endpoint() {
    let names =
        |lines: &str| parse(&format!("[NAMES]\nenable = on\n{lines}\n{MINIMAL}")).map(|(settings, _)| settings.names);
    for (lines, endpoint) in [
        ("resolver_endpoint = https://r.example.org///", "https://r.example.org"),
        ("resolver_endpoint = http://r.example.org:8080/v1", "http://r.example.org:8080/v1"),
        ("resolver_endpoint = http://[::1]:8080\nresolver_auth = BEARER token", "http://[::1]:8080"),
        ("resolver_endpoint = http://localhost\nresolver_auth = basic a:b", "http://localhost"),
        ("resolver_endpoint = HTTP://LocalHost\nresolver_auth = basic a:b", "HTTP://LocalHost"),
        ("resolver_endpoint = HTTPS://r.example.org", "HTTPS://r.example.org"),
        ("resolver_endpoint = http://127.0.0.1\nresolver_auth = basic a:b", "http://127.0.0.1"),
        ("resolver_endpoint = http://0.0.0.0\nresolver_auth = basic a:b", "http://0.0.0.0"),
    ] {
        assert_eq!(names(lines).unwrap().unwrap().endpoint, endpoint);
    }
    for (lines, message) in [
        ("", "no key resolver_endpoint in section NAMES"),
        ("resolver_endpoint = r.example.org", "invalid INI setting resolver_endpoint (ini:3"),
        ("resolver_endpoint = ftp://r.example.org", "invalid INI setting resolver_endpoint (ini:3"),
        ("resolver_endpoint = https://user:secret@r.example.org", "invalid INI setting resolver_endpoint (ini:3"),
        ("resolver_endpoint = https://r.example.org/?a=b", "invalid INI setting resolver_endpoint (ini:3"),
        ("resolver_endpoint = https:///path", "invalid INI setting resolver_endpoint (ini:3"),
        (
            "resolver_endpoint = http://r.example.org\nresolver_auth = bearer secret",
            "resolver_endpoint: resolver_auth would be sent without TLS to r.example.org",
        ),
        ("resolver_endpoint = https://r.example.org\nresolver_auth = secret", "invalid INI setting resolver_auth: use"),
        (
            "resolver_endpoint = https://r.example.org\nresolver_timeout_ms = 99",
            "invalid INI setting resolver_timeout_ms: 99",
        ),
        (
            "resolver_endpoint = https://r.example.org\nresolver_max_response_bytes = 16001",
            "invalid INI setting resolver_max_response_bytes: 16001",
        ),
    ] {
        let error = names(lines).unwrap_err();
        assert!(error.starts_with(message) && !error.contains("secret"), "{error}");
    }
    assert!(settings("[NAMES]\nenable = off\nresolver_timeout_ms = x").names.is_none());
}

#[test]
fn information_is_checked_once_it_counts() {
    for (line, message) in [
        ("server_country = CZE", "invalid INI setting server_country: CZE (ini:2"),
        ("operator = A\noperator_country = 1", "invalid INI setting operator_country: 1 (ini:3"),
        ("admin_simplex = admin@example.org", "invalid INI setting admin_simplex: admin@example.org (ini:2"),
        ("hosting_type = cloud", "invalid INI setting hosting_type: cloud (ini:2"),
    ] {
        assert!(error("INFORMATION", &format!("{line}\nsource_code = x")).starts_with(message));
        assert!(settings(&format!("[INFORMATION]\n{line}")).information.is_none());
        assert_eq!(warnings(&format!("[INFORMATION]\n{line}")), [""; 0]);
    }
    assert!(
        error("INFORMATION", "server_country = x\nsource_code = x")
            .contains("Use ISO3166 2-letter code for server_country")
    );
    let lonely =
        settings("[INFORMATION]\nsource_code = x\noperator_country = nonsense\nadmin_pgp = uri").information.unwrap();
    assert_eq!((lonely.operator, lonely.admin), (None, None));
}

#[test]
fn what_the_reference_ignores_is_a_warning() {
    for (text, warning) in [
        ("[WEB]\nhttp = no", "ini:5: http in section [WEB] is not a port number and is ignored; write off for none"),
        ("[WEB]\nhttps = 443", "ini:5: https in section [WEB] needs cert and key as well: no HTTPS"),
        (
            "[STORE_LOG]\nprometheus_interval = 1 minute",
            "ini:5: prometheus_interval in section [STORE_LOG] is not a number of seconds: no metrics file is written",
        ),
        (
            "[STORE_LOG]\nprometheus_listen = 0.0.0.0:9464",
            "ini:5: prometheus_listen in section [STORE_LOG] is no address of this machine alone: metrics can be read \
             from others",
        ),
        (
            "[STORE_LOG]\nstore_mesages = journal",
            "ini:5: unknown key store_mesages in section [STORE_LOG] is ignored; did you mean store_messages?",
        ),
        (
            "[STORELOG]\nenable = on",
            "ini:5: unknown key enable in section [STORELOG] is ignored; did you mean section [STORE_LOG]?",
        ),
        (
            "[INFORMATION]\nenable = on",
            "ini:5: unknown key enable in section [INFORMATION] is ignored; it belongs to section [STORE_LOG] or [NAMES]",
        ),
        ("[OTHER]\ncolour = red", "ini:5: unknown key colour in section [OTHER] is ignored"),
    ] {
        assert_eq!(warnings(text), [warning]);
    }
}

#[test]
fn metrics_are_told_on_this_machine_by_default() {
    let listen =
        |value: &str| settings(&format!("[STORE_LOG]\nprometheus_listen = {value}")).store_log.prometheus_listen;
    assert_eq!(settings("").store_log.prometheus_listen, None);
    assert_eq!(listen("9464"), Some(([127, 0, 0, 1], 9464).into()));
    assert_eq!(listen("10.1.2.3:80"), Some(([10, 1, 2, 3], 80).into()));
    assert_eq!(listen("[::1]:9464").map(|address| address.to_string()), Some("[::1]:9464".to_owned()));
    assert!(error("STORE_LOG", "prometheus_listen = somewhere").contains("127.0.0.1:9464"));
}

#[test]
fn warnings_are_in_order_of_lines() {
    let warnings = warnings("[WEB]\nzzz = 1\nhttp = no\n[NAMES]\naaa = 1");
    let lines: Vec<_> = warnings.iter().map(|warning| &warning[..6]).collect();
    assert_eq!(lines, ["ini:5:", "ini:6:", "ini:8:"]);
}

#[test]
fn debug_output_hides_every_secret() {
    let settings = settings(
        "[AUTH]\ncreate_password = secret1\ncontrol_port_admin_password = secret2\n\
         [STORE_LOG]\ndb_connection = postgresql://smp:secret3@/db\n\
         [PROXY]\nsocks_proxy = user:secret4@\n\
         [NAMES]\nenable = on\nresolver_endpoint = https://a.org\nresolver_auth = bearer secret5",
    );
    assert!(!format!("{settings:?}").contains("secret"));
}
