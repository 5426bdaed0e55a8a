//! The new INI file: its active lines, its commented keys, and that it loads.

use std::path::Path;

use super::*;
use crate::init_options::PasswordChoice;
use crate::settings::{HostingType, Limits, Settings, Storage};

fn directories() -> Directories {
    Directories { config: "/etc/opt/simplex".into(), state: "/var/opt/simplex".into() }
}

fn text(options: &InitOptions, secrets: &InitSecrets) -> String {
    options.check().unwrap();
    ini_text(&directories(), options, secrets).to_string()
}

/// The lines without comments and empty lines.
fn active(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

fn load(text: &str) -> Settings {
    let (settings, warnings) = Settings::parse(Path::new("ini"), text).unwrap();
    assert_eq!(warnings, []);
    settings
}

#[test]
fn active_lines_are_those_of_the_reference_but_for_the_kind_of_machine() {
    let options = InitOptions { fqdn: Some("smp.example.org".into()), ..InitOptions::default() };
    let secrets = InitSecrets { create_password: Some("secret".parse().unwrap()), control_port: None };
    let expected = "\
[INFORMATION]
[STORE_LOG]
enable = on
store_queues = memory
store_messages = memory
restore_messages = on
expire_messages_days = 21
expire_messages_on_start = on
expire_messages_on_send = off
expire_ntfs_hours = 24
log_stats = off
[AUTH]
new_queues = on
create_password = secret
[TRANSPORT]
host = smp.example.org
port = 5223,443
log_tls_errors = off
websockets = off
[PROXY]
[NAMES]
enable: off
[INACTIVE_CLIENTS]
disconnect = on
ttl = 21600
check_interval = 3600
[WEB]
static_path = /var/opt/simplex/www
https = 443
cert = /etc/opt/simplex/web.crt
key = /etc/opt/simplex/web.key
[LIMITS]";
    assert_eq!(active(&text(&options, &secrets)), expected.lines().collect::<Vec<_>>());
}

#[test]
fn every_option_reaches_its_setting() {
    let options = InitOptions {
        store_log: false,
        db_connection: "postgresql://other@/db".into(),
        db_schema: "other".into(),
        db_pool_size: 5,
        daily_stats: true,
        ip: "192.0.2.7".into(),
        password: PasswordChoice::None,
        control_port: Some(5225),
        socks_proxy: Some("127.0.0.1:9050".into()),
        own_domains: vec!["a.org".into(), "b.org".into()],
        source_code: Some("https://example.org/source#1".into()),
        server_country: Some("de".parse().unwrap()),
        operator: Some("A = B: C # D".into()),
        operator_country: Some("cz".parse().unwrap()),
        website: Some("https://example.org".into()),
        hosting: Some("H".into()),
        hosting_country: Some("fr".parse().unwrap()),
        hosting_type: Some(HostingType::Owned),
        web_path: Some("/srv/www".into()),
        disable_web: true,
        ..InitOptions::default()
    };
    let control_port = Some(("admin".parse().unwrap(), "user".parse().unwrap()));
    let settings = load(&text(&options, &InitSecrets { create_password: None, control_port }));

    assert!(!settings.store_log.enable && !settings.store_log.restore_messages && settings.store_log.log_stats);
    assert_eq!(settings.store_log.storage, Storage::Memory);
    assert_eq!(settings.store_log.database.connection.expose(), "postgresql://other@/db");
    assert_eq!((settings.store_log.database.schema.as_str(), settings.store_log.database.pool_size), ("other", 5));
    assert_eq!(settings.auth.create_password, None);
    assert!(settings.auth.control_port_admin_password.unwrap().matches(b"admin"));
    assert!(settings.auth.control_port_user_password.unwrap().matches(b"user"));
    assert_eq!(settings.transport.control_port, Some(5225));
    assert_eq!(settings.transport.hosts[0].to_string(), "192.0.2.7");
    assert_eq!(settings.proxy.own_server_domains, ["a.org", "b.org"]);
    assert_eq!(settings.proxy.socks_proxy.unwrap().port, 9050);
    let information = settings.information.unwrap();
    assert_eq!(information.source_code, "https://example.org/source#1");
    assert_eq!(information.server_country.unwrap().to_string(), "DE");
    let operator = information.operator.unwrap();
    assert_eq!((operator.name.as_str(), operator.country.unwrap().to_string()), ("A = B: C # D", "CZ".into()));
    let hosting = information.hosting.unwrap();
    assert_eq!((hosting.name.as_str(), hosting.country.unwrap().to_string()), ("H", "FR".into()));
    assert_eq!(information.hosting_type, Some(HostingType::Owned));
    assert_eq!(settings.web.static_path.as_deref(), Some(Path::new("/srv/www")));
    assert_eq!((settings.web.https, settings.web.certificate), (None, None));
}

#[test]
fn scripts_find_the_shapes_they_edit() {
    let text = text(&InitOptions::default(), &InitSecrets::default());
    for line in ["https = 443", "cert = /etc/opt/simplex/web.crt", "key = /etc/opt/simplex/web.key", "port = 5223,443"]
    {
        assert_eq!(text.lines().filter(|found| *found == line).count(), 1, "{line}");
    }
    for part in ["https = ", "cert = ", "key = "] {
        assert_eq!(text.matches(part).count(), 1, "a script that comments out {part:?} finds other lines");
    }
}

/// `# key = value` and `# key: value` without the comment sign; other comments as they are.
fn uncommented(line: &str) -> &str {
    let Some(setting) = line.strip_prefix("# ") else { return line };
    let key = setting.split([' ', ':']).next().unwrap_or_default();
    let rest = &setting[key.len()..];
    let is_key = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if is_key && (rest.starts_with(" = ") || rest.starts_with(": ")) { setting } else { line }
}

#[test]
fn every_commented_setting_works_when_uncommented() {
    let text = text(&InitOptions::default(), &InitSecrets::default()).replace("enable: off", "enable: on");
    let lines: Vec<_> = text.lines().map(uncommented).collect();
    assert!(lines.len() - lines.iter().filter(|line| line.starts_with('#')).count() > 80);
    let settings = load(&lines.join("\n"));
    assert!(settings.names.unwrap().auth.is_some());
    let information = settings.information.unwrap();
    assert!(information.admin.unwrap().pgp.is_some() && information.complaints.unwrap().simplex.is_some());
    assert_eq!(settings.limits, Limits::default());
}
