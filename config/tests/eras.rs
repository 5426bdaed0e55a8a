//! INI files of the reference's versions load unchanged and mean what they meant.

use std::path::{Path, PathBuf};
use std::time::Duration;

use smp_config::paths::Directories;
use smp_config::settings::{BlockQuota, HostMode, HostingType, ResolverAuth, Settings, Storage};
use smp_protocol::address::{Host, KeyHash};

const DAY: u64 = 86_400;

fn load(path: &str) -> (Settings, Vec<String>) {
    let file: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(path);
    let text = std::fs::read_to_string(&file).unwrap();
    let (settings, warnings) = Settings::parse(&file, &text).unwrap();
    let separators_swapped = text.replace(" = ", ": ");
    let (swapped, _) = Settings::parse(&file, &separators_swapped).unwrap();
    assert_eq!(format!("{settings:?}"), format!("{swapped:?}"), "both separators mean the same");
    (settings, warnings.iter().map(ToString::to_string).collect())
}

fn address(settings: &Settings) -> String {
    settings.address(KeyHash([0; 32])).to_string().replace(&"A".repeat(43), "HASH")
}

#[test]
fn version_3_4() {
    let (settings, warnings) = load("ini/3.4.ini");
    assert_eq!(warnings, [""; 0]);
    assert!(settings.store_log.enable && settings.store_log.restore_messages && !settings.store_log.log_stats);
    assert_eq!(settings.store_log.storage, Storage::Memory);
    assert_eq!(settings.message_ttl(), Some(Duration::from_secs(21 * DAY)));
    assert!(settings.auth.new_queues && settings.auth.create_password.is_none());
    assert_eq!((settings.transport.ports.as_slice(), settings.transport.control_port), (&[5223][..], None));
    assert_eq!(settings.inactive_clients, None);
    assert_eq!((settings.web.static_path.as_deref(), settings.https()), (None, None));
    assert!(settings.information.is_none() && settings.names.is_none());
    assert_eq!(address(&settings), "smp://HASH=@<hostnames>");
}

#[test]
fn version_5_1() {
    let (settings, warnings) = load("ini/5.1.ini");
    assert_eq!(warnings, [""; 0]);
    assert!(settings.store_log.enable && settings.store_log.expire_messages_on_send);
    assert_eq!(settings.inactive_clients, None);
    assert_eq!(address(&settings), "smp://HASH=:YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXoxMjM0NTY=@smp.example.org");
}

#[test]
fn version_6_5() {
    let (settings, warnings) = load("ini/6.5.ini");
    assert_eq!(warnings, [""; 0]);
    assert_eq!(settings.transport.ports, [5223, 443]);
    assert_eq!(settings.transport.hosts.len(), 2);
    assert!(matches!(settings.transport.onion_host(), Some(Host::Onion(_))));
    assert_eq!(settings.transport.control_port, Some(5224));
    assert_eq!(settings.auth.daily_block_queue_quota, BlockQuota::PerDay(20));
    assert!(settings.auth.control_port_admin_password.unwrap().matches(b"YWJjZGVmZ2hpamtsbW5vcHFy"));
    assert!(!settings.store_log.expire_messages_on_send && settings.store_log.log_stats);
    assert_eq!(settings.store_log.prometheus_interval, Some(Duration::from_mins(1)));
    assert_eq!(settings.proxy.own_server_domains, ["example.org", "example.net"]);
    assert_eq!(settings.proxy.host_mode, HostMode::Public);
    let socks = settings.proxy.socks_proxy.unwrap();
    assert_eq!((socks.host.to_string().as_str(), socks.port), ("localhost", 9050));
    let clients = settings.inactive_clients.unwrap();
    assert_eq!((clients.ttl.as_secs(), clients.check_interval.as_secs()), (21600, 3600));

    let information = settings.information.unwrap();
    assert_eq!(information.server_country.unwrap().to_string(), "DE");
    assert_eq!(information.website.as_deref(), Some(""));
    let operator = information.operator.unwrap();
    assert_eq!((operator.name.as_str(), operator.country.unwrap().to_string()), ("Example Operators", "CZ".to_owned()));
    let admin = information.admin.unwrap();
    assert_eq!((admin.email.as_deref(), admin.pgp), (Some("admin@example.org"), None));
    assert!(information.complaints.unwrap().simplex.is_some());
    assert_eq!(information.conditions.unwrap().amendments, None);
    assert_eq!(information.hosting_type, Some(HostingType::Virtual));
}

#[test]
fn version_6_5_shares_port_443_with_the_site() {
    let (settings, _) = load("ini/6.5.ini");
    let https = settings.https().unwrap();
    assert!(https.port == 443 && https.shared);
    assert_eq!(https.certificate, Path::new("/etc/opt/simplex/web.crt"));
    assert_eq!(https.key, Path::new("/etc/opt/simplex/web.key"));
}

#[test]
fn version_7_0() {
    let (settings, warnings) = load("ini/7.0.ini");
    assert_eq!(warnings, [""; 0]);
    assert_eq!(settings.store_log.storage, Storage::Journal);
    let names = settings.names.unwrap();
    assert_eq!(names.endpoint, "https://resolver.example.org/base");
    assert_eq!(names.timeout, Duration::from_millis(2500));
    assert_eq!((names.max_response_bytes, names.concurrency), (16000, 1000));
    let Some(ResolverAuth::Basic { user, password }) = names.auth else { panic!("no credentials read") };
    assert_eq!((user.as_str(), password.expose()), ("user", "pass:word"));
    assert!(settings.web.static_path.is_some() && settings.web.https.is_none());
    assert!(settings.information.is_none(), "hosting_type alone is no information");
}

#[test]
fn a_file_the_reference_made() {
    let (settings, warnings) = load("reference-6.5.5/cfg/smp-server.ini");
    assert_eq!(warnings, [""; 0]);
    assert!(settings.auth.control_port_user_password.unwrap().matches(b"user"));
    assert_eq!(settings.transport.hosts, [Host::V4([127, 0, 0, 1].into())]);
}

#[test]
fn loading_reports_missing_unreadable_and_odd_files() {
    let parent = tempfile::tempdir().unwrap();
    let directories = Directories::below(parent.path());
    let ini = directories.ini();
    let error = |directories| Settings::load(directories).unwrap_err().to_string();
    assert_eq!(error(&directories), format!("server is not initialized ({} does not exist)", ini.display()));

    std::fs::create_dir_all(&directories.config).unwrap();
    std::fs::write(&ini, b"[AUTH]\nnew_queues = on\n# caf\xe9\n").unwrap();
    assert_eq!(error(&directories), format!("{}:3: not UTF-8 text; save the file in UTF-8", ini.display()));
    std::fs::remove_file(&ini).unwrap();
    std::fs::create_dir(&ini).unwrap();
    assert!(error(&directories).starts_with(&format!("cannot read {}: ", ini.display())));
}

#[test]
fn missing_web_credentials_are_only_a_warning() {
    let parent = tempfile::tempdir().unwrap();
    let directories = Directories::below(parent.path());
    std::fs::create_dir_all(&directories.config).unwrap();
    let (certificate, key) = (directories.web_certificate(), directories.web_key());
    let text = format!(
        "[STORE_LOG]\nenable = on\n[TRANSPORT]\nport = 5223\nwebsockets = off\n[WEB]\nhttps = 443\ncert = {}\nkey = {}\n",
        certificate.display(),
        key.display()
    );
    std::fs::write(directories.ini(), text).unwrap();
    std::fs::write(&key, "").unwrap();
    let (settings, warnings) = Settings::load(&directories).unwrap();
    assert!(settings.https().is_some_and(|https| !https.shared));
    let warnings: Vec<_> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [format!(
            "{}: [WEB] {} does not exist: no HTTPS until it does",
            directories.ini().display(),
            certificate.display()
        )]
    );
}
