//! Whether the server can be reached at the address that clients are given, and is the one that answers there.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use smp_client::transport::connect::ConnectError;
use smp_client::{Client, ClientError, Options};
use smp_config::settings::Settings;
use smp_protocol::address::{DEFAULT_PORT, Host, KeyHash, ServerAddress};
use tokio::runtime::Runtime;

use super::report::Report;

const SUBJECT: &str = "address";
const LIMIT: Duration = Duration::from_secs(10);

/// Connects to this machine.
pub fn check_local(settings: &Settings, identity: KeyHash, report: &mut Report) {
    let Some(runtime) = runtime(report) else { return };
    let transport = &settings.transport;
    let host = match transport.bind.addresses()[0] {
        Some(IpAddr::V4(ip)) => Host::V4(ip),
        Some(IpAddr::V6(ip)) => Host::V6(ip),
        None => Host::V4(Ipv4Addr::LOCALHOST),
    };
    for port in &transport.ports {
        knock_at(&runtime, &host, *port, identity, report);
    }
}

fn runtime(report: &mut Report) -> Option<Runtime> {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => Some(runtime),
        Err(error) => {
            report.problem(
                SUBJECT,
                format_args!("cannot connect to anything: {error}"),
                "check the limits of this shell",
            );
            None
        }
    }
}

/// Connects to every host as an app does that has the address of this server, and then on the other ports.
pub fn check(settings: &Settings, identity: KeyHash, runs: bool, report: &mut Report) {
    if !settings.transport.has_name() {
        report.warning(SUBJECT, "the address has no host name", "set `host` in [TRANSPORT] to the name of this server");
        return;
    }
    if !runs {
        report.skipped(SUBJECT, "the server does not run; start it, and check again");
        return;
    }
    let Some(runtime) = runtime(report) else { return };
    let ServerAddress { hosts, port, .. } = settings.address(identity);
    let port = port.unwrap_or(DEFAULT_PORT);
    for host in &hosts {
        if matches!(host, Host::Onion(_)) {
            report.skipped(SUBJECT, format_args!("{host} can be reached through Tor only"));
            continue;
        }
        knock_at(&runtime, host, port, identity, report);
        for other in settings.transport.ports.iter().filter(|other| **other != port) {
            knock_at(&runtime, host, *other, identity, report);
        }
    }
}

fn knock_at(runtime: &Runtime, host: &Host, port: u16, identity: KeyHash, report: &mut Report) {
    let address = ServerAddress { key_hash: identity, password: None, hosts: vec![host.clone()], port: Some(port) };
    match runtime.block_on(knock(&address)) {
        Ok(()) => report.fine(SUBJECT, format_args!("{host}, port {port}: this server answers")),
        Err(error) => report.problem(SUBJECT, format_args!("{host}, port {port}: {error}"), remedy(&error)),
    }
}

async fn knock(address: &ServerAddress) -> Result<(), ClientError> {
    let options = Options { connect_timeout: LIMIT, request_timeout: LIMIT, ..Options::default() };
    let client = Client::connect(address, &options).await?;
    client.ping().await?;
    client.close().await;
    Ok(())
}

fn remedy(error: &ClientError) -> &'static str {
    match error {
        ClientError::Connect(ConnectError::Tls(_) | ConnectError::Handshake(_)) => {
            "another server answers there, or a proxy that ends TLS: let the port through to this server as it is"
        }
        _ => {
            "check that `host` in [TRANSPORT] and its DNS record lead to this machine, open the port in the firewall and \
             forward it in the router; many routers cannot be reached at their public address from within: then try from \
             outside"
        }
    }
}
