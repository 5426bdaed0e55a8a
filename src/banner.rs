//! The lines of a start on standard output (operations.md §5.1): scripts read some of them.

use smp_config::duration_words;
use smp_config::paths::Directories;
use smp_config::settings::Settings;
use smp_protocol::address::{KeyHash, ServerAddress};

/// Prints who the server is, what it serves and how.
pub fn print(settings: &Settings, directories: &Directories, identity: KeyHash) {
    let address = settings.auth.print_address.then(|| settings.address(identity));
    print_identity(identity, address.as_ref());
    print_source_code(settings.information.as_ref().map(|information| information.source_code.as_str()));
    if settings.store_log.writes_store_log() {
        say!("Store log: {}", directories.store_log().display());
    } else {
        say!("Store log disabled.");
    }
    for port in &settings.transport.ports {
        say!("Serving SMP protocol on port {port} (TLS)...");
        if site_port(settings) == Some(*port) {
            say!("Serving static site on port {port} (TLS)...");
        }
    }
    if !settings.transport.ports.contains(&443) {
        say!("\nWARNING: clients will use port 443 by default soon.");
        say!("Set `port` in smp-server.ini section [TRANSPORT] to `5223,443`\n");
    }
    match settings.message_ttl() {
        Some(ttl) => say!("expiring messages after {}", duration_words(ttl)),
        None => say!("not expiring messages"),
    }
    match &settings.inactive_clients {
        Some(inactive) => {
            let (ttl, interval) = (inactive.ttl.as_secs(), inactive.check_interval.as_secs());
            say!("expiring clients inactive for {ttl} seconds every {interval} seconds");
        }
        None => say!("not expiring inactive clients"),
    }
    say!("creating new queues {}", new_queues(settings));
}

/// The port of the site, if there is one and it has a certificate.
fn site_port(settings: &Settings) -> Option<u16> {
    let https = settings.https().filter(|_| settings.web.static_path.is_some())?;
    (https.certificate.exists() && https.key.exists()).then_some(https.port)
}

fn new_queues(settings: &Settings) -> &'static str {
    match (settings.auth.new_queues, &settings.auth.create_password) {
        (false, _) => "NOT allowed",
        (true, Some(_)) => "requires password",
        (true, None) => "allowed",
    }
}

/// Prints version, fingerprint and, if it may be read by whoever reads the log, the address.
pub fn print_identity(identity: KeyHash, address: Option<&ServerAddress>) {
    say!(version_line!());
    say!("Fingerprint: {identity}");
    match address {
        Some(address) => say!("Server address: {address}"),
        None => say!("Server address: as `smp-server address` prints it"),
    }
}

/// Prints where the source code is, or that the licence asks for it.
pub fn print_source_code(uri: Option<&str>) {
    match uri {
        Some(uri) => say!("Server source code: {uri}"),
        None => {
            say!("Warning: server source code is not specified.");
            say!("Add 'source_code' property to [INFORMATION] section of INI file.");
        }
    }
}
