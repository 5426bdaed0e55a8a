//! The lines of a start on standard output (operations.md §5.1): scripts read some of them.

use smp_config::duration_words;
use smp_config::paths::Directories;
use smp_config::settings::Settings;
use smp_protocol::address::KeyHash;

/// Prints who the server is, what it serves and how.
pub fn print(settings: &Settings, directories: &Directories, identity: KeyHash) {
    println!("{}", crate::version::version_line());
    println!("Fingerprint: {identity}");
    println!("Server address: {}", settings.address(identity));
    print_source_code(settings.information.as_ref().map(|information| information.source_code.as_str()));
    if settings.store_log.writes_store_log() {
        println!("Store log: {}", directories.store_log().display());
    } else {
        println!("Store log disabled.");
    }
    for port in &settings.transport.ports {
        println!("Serving SMP protocol on port {port} (TLS)...");
    }
    if !settings.transport.ports.contains(&443) {
        println!("\nWarning: the clients will use port 443 by default soon.");
        println!("Set `port` in smp-server.ini section [TRANSPORT] to `5223,443`\n");
    }
    match settings.message_ttl() {
        Some(ttl) => println!("expiring messages after {}", duration_words(ttl)),
        None => println!("not expiring messages"),
    }
    match &settings.inactive_clients {
        Some(inactive) => println!(
            "expiring clients inactive for {} seconds every {} seconds",
            inactive.ttl.as_secs(),
            inactive.check_interval.as_secs()
        ),
        None => println!("not expiring inactive clients"),
    }
    println!("creating new queues {}", new_queues(settings));
}

fn new_queues(settings: &Settings) -> &'static str {
    match (settings.auth.new_queues, &settings.auth.create_password) {
        (false, _) => "NOT allowed",
        (true, Some(_)) => "requires password",
        (true, None) => "allowed",
    }
}

/// Prints where the source code is, or that the licence asks for it.
pub fn print_source_code(uri: Option<&str>) {
    match uri {
        Some(uri) => println!("Server source code: {uri}"),
        None => {
            println!("Warning: server source code is not specified.");
            println!("Add 'source_code' property to [INFORMATION] section of INI file.");
        }
    }
}
