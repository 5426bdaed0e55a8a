//! INI files of the reference's versions start the server unchanged (operations.md §4.6, §4.7). Only ports and
//! directories are those of the test.

use std::fs;

use crate::support::{Place, STORE_LOG, free_port, lines};

const V3_4: &str = "\
[STORE_LOG]
enable: on
restore_messages: on
log_stats: off

[TRANSPORT]
port: {port}
websockets: off

[INACTIVE_CLIENTS]
disconnect: off
# ttl: 86400
# check_interval: 43200
";

const V5_1: &str = "\
[STORE_LOG]
enable: on
restore_messages: on
expire_messages_days: 21
log_stats: off

[AUTH]
new_queues: on
create_password: YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXoxMjM0NTY=

[TRANSPORT]
host: smp.example.org
port: {port}
log_tls_errors: off
websockets: off

[INACTIVE_CLIENTS]
disconnect: off
# ttl: 86400
# check_interval: 43200
";

const V6_5: &str = "\
[INFORMATION]
source_code = https://github.com/simplex-chat/simplexmq
operator = Example Operators
operator_country = CZ
hosting_type = virtual

[STORE_LOG]
enable = on
store_queues = memory
store_messages = memory
restore_messages = on
expire_messages_days = 21
expire_messages_on_start = on
expire_messages_on_send = off
expire_ntfs_hours = 24
log_stats = on
prometheus_interval = 60

[AUTH]
new_queues = on

[TRANSPORT]
host = smp.example.org,abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrstuvwx.onion
port = {port},{other port}
log_tls_errors = off
websockets = off
control_port = {control port}

[PROXY]
own_server_domains = example.org,example.net
socks_proxy = localhost:9050

[INACTIVE_CLIENTS]
disconnect = on
ttl = 21600
check_interval = 3600

[WEB]
static_path = {state}/www
https = 443
cert = {config}/web.crt
key = {config}/web.key
";

const V7_0: &str = "\
[INFORMATION]
hosting_type = virtual

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
create_password = YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXoxMjM0NTY=

[TRANSPORT]
host = smp.example.org
port = {port},{other port}
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
static_path = {state}/www

https = 443
cert = {config}/web.crt
key = {config}/web.key
";

const NO_SOURCE_CODE: &str = "\
Warning: server source code is not specified.
Add 'source_code' property to [INFORMATION] section of INI file.";

const NOT_443: &str = "

WARNING: clients will use port 443 by default soon.
Set `port` in smp-server.ini section [TRANSPORT] to `5223,443`
";

/// What is said after version and fingerprint.
fn said(era: &str) -> String {
    match era {
        V3_4 => format!(
            "Server address: smp://{{fingerprint}}@<hostnames>:{{port}}\n{NO_SOURCE_CODE}\nStore log: {{store log}}\n\
             Serving SMP protocol on port {{port}} (TLS)...{NOT_443}\nexpiring messages after 21 days\n\
             not expiring inactive clients\ncreating new queues allowed"
        ),
        V5_1 => format!(
            "Server address: smp://{{fingerprint}}:YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXoxMjM0NTY=@smp.example.org:{{port}}\n\
             {NO_SOURCE_CODE}\nStore log: {{store log}}\nServing SMP protocol on port {{port}} (TLS)...{NOT_443}\n\
             expiring messages after 21 days\nnot expiring inactive clients\ncreating new queues requires password"
        ),
        V6_5 => format!(
            "Server address: smp://{{fingerprint}}@smp.example.org,\
             abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrstuvwx.onion:{{port}}\n\
             Server source code: https://github.com/simplex-chat/simplexmq\nStore log: {{store log}}\n\
             Serving SMP protocol on port {{port}} (TLS)...\nServing SMP protocol on port {{other port}} (TLS)...{NOT_443}\n\
             expiring messages after 21 days\nexpiring clients inactive for 21600 seconds every 3600 seconds\n\
             creating new queues allowed\nserver stats log enabled: {{state}}/smp-server-stats.daily.log\n\
             Prometheus metrics saved every 60 seconds to {{state}}/smp-server-metrics.txt"
        ),
        _ => format!(
            "Server address: smp://{{fingerprint}}:YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXoxMjM0NTY=@smp.example.org:{{port}}\n\
             {NO_SOURCE_CODE}\nStore log: {{store log}}\nServing SMP protocol on port {{port}} (TLS)...\n\
             Serving SMP protocol on port {{other port}} (TLS)...{NOT_443}\nexpiring messages after 21 days\n\
             expiring clients inactive for 21600 seconds every 3600 seconds\ncreating new queues requires password"
        ),
    }
}

#[test]
fn every_era_starts_as_it_did() {
    for (era, algorithm) in [(V3_4, "ED448"), (V5_1, "ED448"), (V6_5, "ED25519"), (V7_0, "ED25519")] {
        let place = Place::empty();
        place.run(["init", "-y", "-a", algorithm]).succeeded();
        let fingerprint = fs::read_to_string(place.directories.fingerprint()).unwrap();
        let [port, other_port, control_port] = [(); 3].map(|()| free_port().to_string());
        let fill = |text: &str| {
            [
                ("{port}", port.as_str()),
                ("{other port}", &other_port),
                ("{control port}", &control_port),
                ("{config}", place.directories.config.to_str().unwrap()),
                ("{state}", place.directories.state.to_str().unwrap()),
                ("{store log}", place.directories.store_log().to_str().unwrap()),
                ("{fingerprint}", fingerprint.trim()),
            ]
            .into_iter()
            .fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
        };
        place.write_ini(fill(era));
        let messages = place.with_messages(3, 300);

        let ended = place.start_and_stop([]);
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        let version = place.run(["-v"]).stdout;
        let expected = format!("{version}Fingerprint: {}\n{}\n", fingerprint.trim(), fill(&said(era)));
        assert_eq!(lines(&ended.stdout), lines(&expected));
        assert_eq!(ended.logged("ERROR"), [""; 0]);
        assert_eq!(place.sorted_lines("smp-server-messages.log"), messages, "messages survive");
        assert_eq!(place.sorted_lines(STORE_LOG).len(), messages.len());
    }
}

/// Directories that the reference made, with an Ed25519 certificate of OpenSSL.
#[test]
fn certificates_of_the_reference_are_served() {
    let place = Place::empty();
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/config/tests/data/reference-6.5.5/cfg");
    fs::create_dir_all(&place.directories.config).unwrap();
    fs::create_dir_all(&place.directories.state).unwrap();
    for name in ["ca.crt", "fingerprint", "server.crt", "server.key", "smp-server.ini"] {
        fs::copy(format!("{data}/{name}"), place.directories.config.join(name)).unwrap();
    }
    place.set("port", &free_port().to_string());
    let ended = place.start_and_stop([]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let fingerprint = fs::read_to_string(place.directories.fingerprint()).unwrap();
    assert!(ended.stdout.contains(&format!("\nFingerprint: {fingerprint}")), "{ended:#?}");
}
