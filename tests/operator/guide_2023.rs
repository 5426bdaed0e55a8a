//! The hosting guide of June 2023, step by step, as an operator follows it: its commands, its unit, its settings in the form
//! `key: value`, its nine columns of statistics. Only directories and ports are those of the test, and there is no second user.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use slog::{Discard, Logger, o};
use smp_actors::clock::Clock;
use smp_actors::{Machine, Server, ServerParts, Sockets};
use smp_client::protocol::address::ServerAddress;
use smp_client::protocol::error::ErrorType;
use smp_client::{Client, ClientError, NewQueueOptions, Options};
use smp_config::certificates::Credentials;
use smp_config::settings::Settings;

use crate::harness::party::Recipient;
use crate::host::Host;
use crate::unit::Unit;

/// The service of the guide; `Restart=vždy` is a translation of `always`.
const UNIT: &str = r#"[Unit]
Description=SMP server
[Service]
User=smp
Group=smp
Type=simple
ExecStart=smp-server start
ExecStopPost=/usr/bin/env sh -c '[ -e "/var/opt/simplex/smp-server-store.log" ] && cp "/var/opt/simplex/smp-server-store.log" "/var/opt/simplex/smp-server-store.log.bak"'
KillSignal=SIGINT
TimeoutStopSec=infinity
Restart=always
RestartSec=10
LimitNOFILE=65535
[Install]
WantedBy=multi-user.target
"#;

#[tokio::test(flavor = "multi_thread")]
async fn the_guide_leads_to_a_server() {
    let host = Host::new();
    prepare(&host);
    commands_are_explained(&host);
    init_by_questions(&host);
    init_by_options(&host);
    in_the_form_of_the_guide(&host);

    let mut unit = Unit::install(&host, UNIT);
    unit.start().await;
    let address = address_in_journal(&unit);
    let undelivered = use_it(&address).await;
    unit.stop().await;
    assert!(unit.journal().iter().any(|line| line.ends_with("Server stopped")));
    let bak = host.path("/var/opt/simplex/smp-server-store.log.bak");
    let log = host.path("/var/opt/simplex/smp-server-store.log");
    assert_eq!(fs::read(bak).unwrap(), fs::read(log).unwrap(), "ExecStopPost copies the store log");

    unit.start().await;
    assert_eq!(address_in_journal(&unit), address);
    let client = connect(&address).await;
    let recipient = undelivered.on(&client);
    recipient.subscribe().await;
    recipient.takes(b"kept while the server was stopped").await;

    unit.stop().await;
    monitoring(&host).await;

    // Whatever ends the process, systemd starts it again, and connections are there.
    unit.start().await;
    unit.kill_process().await;
    unit.is_restarted().await;
    undelivered.on(&connect(&address).await).info().await;
    unit.stop().await;
}

/// Directories, before there is a server.
fn prepare(host: &Host) {
    host.sh("sudo mkdir -p /var/opt/simplex /etc/opt/simplex").succeeded();
    host.sh("sudo chown smp:smp /var/opt/simplex /etc/opt/simplex /etc/opt/simplex").succeeded();
}

fn commands_are_explained(host: &Host) {
    let ended = host.sh("sudo su smp -c smp-server");
    assert_eq!(ended.code, Some(1));
    for command in ["init", "start", "delete"] {
        assert!(ended.stderr.lines().any(|line| line.trim_start().starts_with(command)), "{ended:?}");
        let help = host.sh(&format!("sudo su smp -c \"smp-server {command} -h\""));
        assert!(help.succeeded().stdout.contains("Usage: "), "{help:?}");
    }
    let help = host.sh("sudo su smp -c \"smp-server init -h\"").stdout;
    for option in [
        "-l, --store-log",
        "-s, --daily-stats",
        "-a, --sign-algorithm",
        "--ip",
        "-n, --fqdn",
        "--no-password",
        "--password",
        "-y, --yes",
        "-h, --help",
    ] {
        assert!(help.contains(option), "{option}: {help}");
    }
}

fn init_by_questions(host: &Host) {
    // Enter; store log; statistics; password; name; and what later versions ask besides.
    let ended = host.answer("sudo su smp -c \"smp-server init\"", "\ny\ny\nr\nsmp.example.org\n\n\n");
    let told = &ended.succeeded().stdout;
    for question in [
        "Enable store log to restore queues and messages on server restart (Yn): ",
        "Enable logging daily statistics (yN): ",
        "Require a password to create new messaging queues?",
        "Enter server FQDN or IP address for certificate (127.0.0.1): ",
    ] {
        assert!(told.contains(question), "{question}: {told}");
    }
    assert!(told.contains("@smp.example.org\n"), "{told}");
    let ini = host.read("/etc/opt/simplex/smp-server.ini");
    assert!(ini.contains("\nlog_stats = on\n") && ini.contains("\nhost = smp.example.org\n"), "{ini}");
    host.answer("sudo su smp -c \"smp-server delete\"", "Y\n").succeeded();
    prepare(host);
}

/// The example of the guide; `--heslo` is a translation of `--password`.
fn init_by_options(host: &Host) {
    let ended = host.sh("sudo su smp -c \"smp-server init -y -l --ip 192.168.1.5 --password test\"");
    let told = &ended.succeeded().stdout;
    let fingerprint = host.read("/etc/opt/simplex/fingerprint");
    let fingerprint = fingerprint.trim();
    for line in [
        "Run `smp-server start` to start server.",
        "----------",
        &host.path("/etc/opt/simplex/ca.key").display().to_string(),
        &format!("Fingerprint: {fingerprint}"),
        &format!("Server address: smp://{fingerprint}:test@192.168.1.5"),
    ] {
        assert!(told.lines().any(|told| told.trim_start() == line), "{line}: {told}");
    }
    assert!(told.contains("/etc/opt/simplex/smp-server.ini"));
}

/// Settings as they were written then, and on free ports.
fn in_the_form_of_the_guide(host: &Host) {
    let port = TcpListener::bind("[::]:0").unwrap().local_addr().unwrap().port().to_string();
    let ini = host.read("/etc/opt/simplex/smp-server.ini");
    let mut lines: Vec<_> = ini.lines().map(|line| line.replacen(" = ", ": ", 1)).collect();
    for line in &mut lines {
        for (key, value) in
            [("port", port.as_str()), ("host", "127.0.0.1"), ("log_stats", "on"), ("control_port", "5224")]
        {
            if line.starts_with(&format!("{key}: ")) {
                *line = format!("{key}: {value}");
            }
        }
        if ["https: ", "cert: ", "key: "].iter().any(|key| line.starts_with(key)) {
            line.insert_str(0, "# ");
        }
    }
    assert!(lines.iter().any(|line| line == "create_password: test"), "{lines:#?}");
    host.write("/etc/opt/simplex/smp-server.ini", &lines.join("\n"));
}

/// The address is `smp://<fingerprint>[:<password>]@<host>`, in the journal since the start.
fn address_in_journal(unit: &Unit) -> ServerAddress {
    let journal = unit.journal();
    let line = journal.iter().rev().find(|line| line.starts_with("Server address: ")).expect("the address is told");
    let address = line.rsplit(' ').next().expect("it is the last word");
    let address: ServerAddress = address.parse().expect("it is an address");
    for line in ["Store log: ", "Serving SMP protocol on port ", "creating new queues requires password"] {
        assert!(journal.iter().any(|told| told.starts_with(line)), "{line}: {journal:#?}");
    }
    address
}

async fn connect(address: &ServerAddress) -> Client {
    Client::connect(address, &Options::default()).await.expect("the server accepts")
}

/// Only who knows the password gets a queue; everybody may send to it. One message stays undelivered.
async fn use_it(address: &ServerAddress) -> Recipient {
    let stranger = connect(&ServerAddress { password: None, ..address.clone() }).await;
    let refused = stranger.create_queue(NewQueueOptions::default()).await;
    assert!(matches!(refused, Err(ClientError::Server(ErrorType::Auth))));
    let client = connect(address).await;
    let (recipient, sender) = Recipient::secured(&client, &stranger).await;
    sender.sends(b"delivered at once").await;
    recipient.takes(b"delivered at once").await;
    client.close().await;
    sender.sends(b"kept while the server was stopped").await;
    recipient
}

/// The statistics of a day: fromTime,qCreated,qSecured,qDeleted,msgSent,msgRecv,dayMsgQueues,weekMsgQueues,monthMsgQueues.
async fn monitoring(host: &Host) {
    let directories = host.directories();
    let (settings, _) = Settings::load(&directories).unwrap();
    let credentials = Credentials::load(&directories).unwrap();
    let parts = ServerParts {
        settings,
        credentials,
        directories,
        skip_warnings: false,
        handle_signals: false,
        version: "",
        logger: Logger::root(Discard, o!()),
    };
    // Two seconds before a midnight.
    let seconds = Arc::new(AtomicI64::new(20_800 * 86_400 - 2));
    let clock = Clock::set_by(Arc::clone(&seconds));
    let (running, is_running) = tokio::sync::oneshot::channel();
    let server = std::thread::spawn(move || {
        let sockets = Sockets::bind(&parts.settings).unwrap();
        let server = Server::load_on(Machine { clock, ..Machine::default() }, parts).unwrap();
        server.run(sockets, |server| drop(running.send(server))).unwrap();
    });
    let running = is_running.await.unwrap();
    seconds.store(20_800 * 86_400, Ordering::Relaxed);
    let file = host.path("/var/opt/simplex/smp-server-stats.daily.log");
    let mut address: ServerAddress = fs::read_to_string(host.path("/etc/opt/simplex/fingerprint"))
        .map(|fingerprint| format!("smp://{}@127.0.0.1", fingerprint.trim()).parse().unwrap())
        .unwrap();
    address.port = Some(running.listening[0].port());
    let client = connect(&address).await;
    while !is_written(&file) {
        client.ping().await.unwrap();
    }
    running.stop();
    server.join().unwrap();
    let mut lines = csv::ReaderBuilder::new().has_headers(false).from_path(&file).unwrap();
    let line = lines.records().next().unwrap().unwrap();
    assert_eq!(line.len(), 101);
    assert!(line[0].starts_with("20"), "a day: {line:?}");
    // One queue, secured; two messages, both received.
    let counted: Vec<_> = line.iter().skip(1).take(8).collect();
    assert_eq!(counted[..5], ["1", "1", "0", "2", "2"], "{line:?}");
    assert_eq!(counted[5], "1", "the queue was used on this day: {line:?}");
}

fn is_written(file: &Path) -> bool {
    fs::read_to_string(file).is_ok_and(|text| text.ends_with('\n'))
}
