//! The `smp-server.ini` that `init` writes (operations.md §4.6).
//!
//! Provisioning scripts edit this file by regular expressions (operations.md §4.8), so sections, keys, their order and
//! the ` = ` between key and value are fixed. The comments are ours.

mod page;

use std::fmt::Display;

use page::Page;
use zeroize::Zeroizing;

use crate::init_options::{
    DEFAULT_CONTROL_PORT, DEFAULT_DB_CONNECTION, DEFAULT_DB_POOL_SIZE, DEFAULT_DB_SCHEMA, InitOptions,
};
use crate::paths::Directories;
use crate::settings::LIMITS;
use smp_protocol::password::Password;

/// The secrets that `init` generates or is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InitSecrets {
    /// For `create_password`.
    pub create_password: Option<Password>,
    /// For the control port: administrator, user.
    pub control_port: Option<(Password, Password)>,
}

/// The text of a new INI file. Options must have passed [`InitOptions::check`].
pub fn ini_text(directories: &Directories, options: &InitOptions, secrets: &InitSecrets) -> Zeroizing<String> {
    let mut page = Page::new();
    information(&mut page, options);
    store_log(&mut page, options);
    auth(&mut page, secrets);
    transport(&mut page, options);
    proxy(&mut page, options);
    names(&mut page);
    inactive_clients(&mut page);
    web(&mut page, directories, options);
    limits(&mut page);
    page.into_text()
}

fn on_off(switch: bool) -> &'static str {
    if switch { "on" } else { "off" }
}

fn information(page: &mut Page, options: &InitOptions) {
    page.section("INFORMATION");
    page.comment(
        "The licence of the server (AGPLv3) obliges you to make the source code you run available to its users.\n\
         Nothing in this section is shown to anybody until source_code is set.",
    );
    page.choice("source_code", options.source_code.as_ref(), "https://example.org/source");
    page.comment("Conditions under which the server may be used, and changes to them: any text or link.");
    page.example("usage_conditions", "https://example.org/conditions");
    page.example("condition_amendments", "https://example.org/amendments");
    page.comment("Countries are two-letter codes (ISO 3166).");
    page.choice("server_country", options.server_country.as_ref(), "CZ");
    page.choice("operator", options.operator.as_ref(), "name of the organisation or person");
    page.choice("operator_country", options.operator_country.as_ref(), "CZ");
    page.choice("website", options.website.as_ref(), "https://example.org");
    page.comment("How to reach the administrators: SimpleX contact link, e-mail, PGP key. A PGP key needs both its address and its fingerprint.");
    page.example("admin_simplex", "https://smp.example.org/a#key");
    page.example("admin_email", "admin@example.org");
    page.example("admin_pgp", "https://example.org/admin.asc");
    page.example("admin_pgp_fingerprint", "fingerprint");
    page.comment("Where to complain about content or abuse.");
    page.example("complaints_simplex", "https://smp.example.org/a#key");
    page.example("complaints_email", "abuse@example.org");
    page.example("complaints_pgp", "https://example.org/abuse.asc");
    page.example("complaints_pgp_fingerprint", "fingerprint");
    page.comment("Who provides the machine.");
    page.choice("hosting", options.hosting.as_ref(), "name of the organisation or person");
    page.choice("hosting_country", options.hosting_country.as_ref(), "CZ");
    page.comment("Kind of machine: virtual, dedicated, colocation, owned.");
    page.choice("hosting_type", options.hosting_type.as_ref(), "virtual");
}

fn store_log(page: &mut Page, options: &InitOptions) {
    page.section("STORE_LOG");
    page.comment("Write every change of a queue to a log, and restore queues from it at start.");
    page.setting("enable", on_off(options.store_log));
    page.comment("Where queue records are kept: memory (with the log above) or database (PostgreSQL).");
    page.setting("store_queues", "memory");
    page.comment("PostgreSQL connection, schema and connections per pool.");
    page.changed("db_connection", &options.db_connection, DEFAULT_DB_CONNECTION);
    page.changed("db_schema", &options.db_schema, DEFAULT_DB_SCHEMA);
    page.changed("db_pool_size", &options.db_pool_size, DEFAULT_DB_POOL_SIZE);
    page.comment("Write the queue log although queues are in the database.");
    page.example("db_store_log", "off");
    page.comment("Days to keep deleted queues in the database.");
    page.example("db_deleted_ttl", "21");
    page.comment("Where messages are kept: memory (a killed server loses them), journal (it does not) or database.");
    page.setting("store_messages", "memory");
    page.comment("Seal messages in the journal with keys that are destroyed with them.");
    page.example("encrypt", "on");
    page.comment("Save undelivered messages and notifications when the server stops, and restore them when it starts.");
    page.setting("restore_messages", on_off(options.store_log));
    page.comment(
        "How long undelivered messages (days, or off: for ever) and notifications live, and when expired messages are removed.",
    );
    page.setting("expire_messages_days", &21);
    page.setting("expire_messages_on_start", "on");
    page.setting("expire_messages_on_send", "off");
    page.setting("expire_ntfs_hours", &24);
    page.comment("Add a line of statistics to a CSV file every day.");
    page.setting("log_stats", on_off(options.daily_stats));
    page.comment("Write metrics for Prometheus to a file, every so many seconds.");
    page.example("prometheus_interval", "60");
}

fn auth(page: &mut Page, secrets: &InitSecrets) {
    page.section("AUTH");
    page.comment("Set to off to stop all creation of queues.");
    page.setting("new_queues", "on");
    page.comment(
        "Password for creating queues and for sending through this server to others; part of the server's address.\n\
         Any printable characters except white space, '@', ':' and '/'. A public server has none.",
    );
    page.choice("create_password", secrets.create_password.as_ref().map(Password::expose), "password");
    page.comment("Passwords for the control port, see [TRANSPORT].");
    let (admin, user) = secrets.control_port.as_ref().map(|(admin, user)| (admin.expose(), user.expose())).unzip();
    page.choice("control_port_admin_password", admin, "password");
    page.choice("control_port_user_password", user, "password");
    page.comment("Queues that may be blocked through the control port in a day. 0: any number, -1: none.");
    page.example("daily_block_queue_quota", "20");
    page.comment(
        "Print the address, and the password in it, at every start. `smp-server address` prints it at any time.",
    );
    page.example("print_address", "on");
}

fn transport(page: &mut Page, options: &InitOptions) {
    page.section("TRANSPORT");
    page.comment("Host names of this server, separated by commas, for its address; and the ports it serves.");
    page.setting("host", options.host());
    page.setting("port", "5223,443");
    page.comment("Addresses of this machine on which they are open, separated by commas. Default: all.");
    page.example("bind", "192.0.2.1,2001:db8::1");
    page.comment("Report every failed TLS handshake.");
    page.setting("log_tls_errors", "off");
    page.comment("Serve WebSockets: off, on (port 80), or ports separated by commas.");
    page.setting("websockets", "off");
    page.comment("Control port, open to this machine only.");
    page.choice("control_port", options.control_port.as_ref(), &DEFAULT_CONTROL_PORT.to_string());
}

fn proxy(page: &mut Page, options: &InitOptions) {
    page.section("PROXY");
    page.comment("Which host of another server is connected to, public or onion, and whether only such hosts are.");
    page.example("host_mode", "public");
    page.example("required_host_mode", "off");
    page.comment("Domains of servers to count as own in the statistics, separated by spaces.");
    let domains = (!options.own_domains.is_empty()).then(|| options.own_domains.join(" "));
    page.choice("own_server_domains", domains.as_ref(), "example.org");
    page.comment("SOCKS proxy for connecting to other servers; needed for onion hosts.");
    page.choice("socks_proxy", options.socks_proxy.as_ref(), "127.0.0.1:9050");
    page.comment("Use the SOCKS proxy for onion hosts only (onion), or for all (always).");
    page.example("socks_mode", "onion");
    page.comment("Messages of one client that are forwarded at the same time.");
    page.example("client_concurrency", "32");
    page.comment("Connect to servers in private networks and on this machine too, whoever asks for it.");
    page.example("allow_private", "off");
}

fn names(page: &mut Page) {
    page.section("NAMES");
    page.comment("Resolve names for clients with the help of a resolver.");
    page.line("enable: off");
    page.comment("Absolute URL; http with resolver_auth only to this machine.");
    page.line("# resolver_endpoint: http://localhost:8080");
    page.comment("Credentials for the resolver: bearer <token>, or basic <user>:<password>.");
    page.line("# resolver_auth: bearer token");
    page.comment("Limits of one request, and requests of one client at the same time.");
    page.line("# resolver_timeout_ms: 3000");
    page.line("# resolver_max_response_bytes: 16000");
    page.example("resolver_concurrency", "1000");
}

fn inactive_clients(page: &mut Page) {
    page.section("INACTIVE_CLIENTS");
    page.comment("Disconnect clients that have no subscriptions and were idle for ttl seconds.");
    page.setting("disconnect", "on");
    page.setting("ttl", &21_600);
    page.setting("check_interval", &3_600);
}

fn web(page: &mut Page, directories: &Directories, options: &InitOptions) {
    page.section("WEB");
    page.comment("Directory for the pages about this server and for connection links, generated at each start.");
    let site = options.web_path.clone().unwrap_or_else(|| directories.web_site());
    page.setting("static_path", &site.display());
    page.comment(
        "Port for plain HTTP, and addresses on which it and a separate port for HTTPS are open. Default: all.",
    );
    page.example("http", "8000");
    page.example("bind", "127.0.0.1");
    page.comment(
        "Port for HTTPS, and its credentials; it may be one of the SMP ports.\n\
         Without these files the server starts and serves everything but HTTPS.",
    );
    let credentials: [(&str, &dyn Display); 3] = [
        ("https", &443),
        ("cert", &directories.web_certificate().display().to_string()),
        ("key", &directories.web_key().display().to_string()),
    ];
    for (key, value) in credentials {
        if options.disable_web { page.example(key, &value.to_string()) } else { page.setting(key, value) }
    }
}

fn limits(page: &mut Page) {
    page.section("LIMITS");
    page.comment("Bounds and intervals, all optional. Units, allowed values and meanings are in docs/limits.md.");
    for limit in LIMITS.iter().filter(|limit| limit.default_value().is_some()) {
        page.example(limit.name, limit.default);
    }
}

#[cfg(test)]
mod tests;
