//! A server whose actors fail one after the other, while a conversation goes on.
//!
//! The whole tree runs in this process, on loopback, in a temporary directory. Two clients exchange messages without a pause; for
//! each fault the example shows that only the command or the client that was hit notices, that the actor is restarted, and that
//! the conversation loses nothing. At the end the process sends itself SIGINT, and the undelivered message is found on disk.
//!
//! Run it with `cargo run --example supervisor`.

use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command as Process;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use slog::{Drain, Logger, OwnedKVList, Record, o};
use smp_actors::faults::{FaultPoint, arm, arm_for};
use smp_actors::{EndReason, Machine, RunningServer, Server, ServerParts, Sockets};
use smp_client::protocol::address::{Host, ServerAddress};
use smp_client::protocol::command::{Name, RecipientCommand};
use smp_client::protocol::error::{ErrorType, NameError};
use smp_client::protocol::message::Content;
use smp_client::protocol::response::Response;
use smp_client::protocol::version::Version;
use smp_client::{Client, ClientError, Event, NewQueueOptions, Options, Queue, QueueSender};
use smp_config::certificates::{Credentials, NewChain, SignAlgorithm};
use smp_config::paths::Directories;
use smp_config::settings::Settings;
use smp_store::files::RealFiles;
use smp_store::files::faulty::{Fault, Faults, FaultyFiles, Operation};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// The client that is hit speaks another version than the conversation, so that faults can be aimed at it.
const VICTIM: Version = Version(19);

/// `{state}` stands for the directory of the server.
const SETTINGS: &str = "\
[STORE_LOG]
enable = on
restore_messages = on
log_stats = on

[TRANSPORT]
port = 5223
websockets = off

[INACTIVE_CLIENTS]
disconnect = on
ttl = 3600
check_interval = 1

[PROXY]
allow_private = on

[NAMES]
enable = on
resolver_endpoint = http://127.0.0.1:9

[WEB]
static_path = {state}/www
bind = 127.0.0.1

[LIMITS]
threads = 2
ntf_delivery_interval_ms = 50
";

fn main() -> Outcome {
    let directory = tempfile::tempdir()?;
    let log = Log::default();
    let (running, is_running) = tokio::sync::oneshot::channel();
    let (files, faults) = FaultyFiles::new(Arc::new(RealFiles));
    let chain = NewChain::generate(SignAlgorithm::Ed25519, "localhost")?;
    let identity = chain.identity();

    let server = std::thread::spawn({
        let (parts, log) = (parts(directory.path(), chain.credentials(), &log)?, log.clone());
        move || -> Outcome<EndReason> {
            let sockets = Sockets::bind(&parts.settings)?;
            let server = Server::load_on(Machine { files: Arc::new(files), ..Machine::default() }, parts)?;
            let end = server.run(sockets, |server| {
                // The other side may have failed: then there is nothing to run for.
                let _ = running.send(server);
            })?;
            log.say("the tree has ended");
            Ok(end)
        }
    });

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let queue = runtime.block_on(async {
        let server = is_running.await?;
        let address = address(identity, &server);
        let metrics = log.address_after("metrics are told at http://").ok_or("metrics are not told")?;
        // The site begins beside everything else.
        let site = log.address_in("web site at ").await?;
        let shown = tokio::time::timeout(Duration::from_secs(60), show(&address, metrics, site, &log, &faults)).await;
        shown.unwrap_or_else(|_| Err("a step did not end".into()))
    })?;

    log.say("SIGINT to ourselves, and statistics that panic at the end");
    arm(FaultPoint::StatsCollector);
    Process::new("kill").args(["-INT", &std::process::id().to_string()]).status()?;
    let end = server.join().map_err(|_| "the server panicked")??;
    assert_eq!(end, EndReason::Signal("SIGINT"));

    let saved = std::fs::read_to_string(directory.path().join("smp-server-messages.log"))?;
    assert_eq!(saved.lines().count(), 1, "the undelivered message is saved");
    let statistics = std::fs::read_to_string(directory.path().join("smp-server-stats.log"))?;
    assert!(statistics.contains("\nmsgSent="), "statistics are saved");
    let stored = std::fs::read_to_string(directory.path().join("smp-server-store.log"))?;
    assert!(stored.lines().count() >= 3, "queues are stored");
    println!("orderly end: 1 undelivered message saved for a queue of {} lines of log", stored.lines().count());
    drop(queue);
    Ok(())
}

/// All steps. Returns a queue in which one message waits.
async fn show(
    address: &ServerAddress,
    metrics: SocketAddr,
    site: SocketAddr,
    log: &Log,
    faults: &Faults,
) -> Outcome<Queue> {
    let mut conversation = Conversation::start(address).await?;
    panicking_session(address, log).await?;
    conversation.goes_on().await?;
    panicking_handshake(address, log).await?;
    conversation.goes_on().await?;
    panicking_listener(address, log).await?;
    conversation.goes_on().await?;
    panicking_command(address, log).await?;
    conversation.goes_on().await?;
    panicking_store_log_writer(address, log).await?;
    conversation.goes_on().await?;
    full_disk(address, log, faults).await?;
    conversation.goes_on().await?;
    panicking_rounds(log).await?;
    conversation.goes_on().await?;
    panicking_metrics(metrics, log).await?;
    conversation.goes_on().await?;
    panicking_web(site, log).await?;
    conversation.goes_on().await?;
    panicking_relays(address, log).await?;
    conversation.goes_on().await?;
    panicking_names(address, log).await?;
    conversation.goes_on().await?;
    conversation.end().await?;

    let client = Client::connect(address, &Options::default()).await?;
    let queue = client.create_queue(NewQueueOptions { subscribe: false, ..NewQueueOptions::default() }).await?;
    client.sender(queue.sender_id()).send(&b"for later"[..]).await?;
    Ok(queue)
}

/// A session panics: its client is disconnected, and finds its queue again when it comes back.
async fn panicking_session(address: &ServerAddress, log: &Log) -> Outcome {
    log.say("a session panics");
    let client = Client::connect(address, &Options::with_version(VICTIM)).await?;
    let queue = client.create_queue(NewQueueOptions::default()).await?;
    arm_for(FaultPoint::Session, VICTIM);
    assert!(matches!(client.ping().await, Err(ClientError::Disconnected(_))), "the client is disconnected");
    log.wait_for("Session failed").await;
    let again = Client::connect(address, &Options::default()).await?;
    queue.on(&again).subscribe().await?;
    Ok(())
}

/// A handshake panics: that client is not connected, the next one is.
async fn panicking_handshake(address: &ServerAddress, log: &Log) -> Outcome {
    log.say("a handshake panics");
    arm(FaultPoint::Handshake);
    assert!(Client::connect(address, &Options::default()).await.is_err(), "the handshake failed");
    Client::connect(address, &Options::default()).await?.ping().await?;
    Ok(())
}

/// A listener panics: it is restarted on the same socket.
async fn panicking_listener(address: &ServerAddress, log: &Log) -> Outcome {
    log.say("a listener panics");
    arm(FaultPoint::Listener);
    // The connection that was just accepted is lost.
    let _ = Client::connect(address, &Options::default()).await;
    log.wait_for("Listener of port 0 on thread").await;
    log.wait_for("restarted").await;
    Client::connect(address, &Options::default()).await?.ping().await?;
    Ok(())
}

/// A command panics in the middle of a batch: it is answered with an error, the others of the batch as if nothing had happened.
async fn panicking_command(address: &ServerAddress, log: &Log) -> Outcome {
    log.say("a registry shard panics in the middle of a batch");
    let client = Client::connect(address, &Options::with_version(VICTIM)).await?;
    let queue = client.create_queue(NewQueueOptions::default()).await?;
    let info = || queue.request(RecipientCommand::QueueInfo);
    arm_for(FaultPoint::RegistryCommand, VICTIM);
    let answers = client.send_batch(&[info(), info(), info()]).await?;
    assert!(matches!(&answers[0], Err(ClientError::Server(ErrorType::Internal))), "the panicking command is answered");
    assert!(answers[1..].iter().all(|answer| matches!(answer, Ok(Response::Info(_)))), "so are the others");
    log.wait_for("QueueRegistry").await;
    log.wait_for("restarted").await;
    queue.info().await?;

    log.say("a registry shard panics outside of commands");
    arm(FaultPoint::RegistryMessage);
    Client::connect(address, &Options::default()).await?.close().await;
    log.wait_for("restarted").await;
    queue.info().await?;
    Ok(())
}

/// The store log writer panics: the change that waited for it is refused, the next one is made.
async fn panicking_store_log_writer(address: &ServerAddress, log: &Log) -> Outcome {
    log.say("the store log writer panics");
    let client = Client::connect(address, &Options::default()).await?;
    arm(FaultPoint::StoreLogWriter);
    let refused = client.create_queue(NewQueueOptions::default()).await;
    assert!(matches!(refused, Err(ClientError::Server(ErrorType::Store(_)))), "the change is refused");
    log.wait_for("StoreLogWriter restarted").await;
    client.create_queue(NewQueueOptions::default()).await?;
    Ok(())
}

/// The disk is full: changes are refused, messages go on, and everything works again when there is space.
async fn full_disk(address: &ServerAddress, log: &Log, faults: &Faults) -> Outcome {
    log.say("the disk of the store log is full");
    let client = Client::connect(address, &Options::default()).await?;
    let queue = client.create_queue(NewQueueOptions::default()).await?;
    faults.fail(Operation::Write, Fault::NoSpace);
    let refused = client.create_queue(NewQueueOptions::default()).await;
    assert!(matches!(refused, Err(ClientError::Server(ErrorType::Store(_)))), "creation is refused");
    assert!(matches!(queue.suspend().await, Err(ClientError::Server(ErrorType::Store(_)))), "change is refused");
    client.sender(queue.sender_id()).send(&b"still accepted"[..]).await?;
    faults.heal();
    queue.suspend().await?;
    log.wait_for("smp-server-store.log").await;
    queue.delete().await?;
    Ok(())
}

/// The actors that only have rounds panic in one of them.
async fn panicking_rounds(log: &Log) -> Outcome {
    log.say("notifications and expirer panic in a round");
    arm(FaultPoint::Notifications);
    log.wait_for("Notifications restarted").await;
    arm(FaultPoint::Expirer);
    log.wait_for("Expirer restarted").await;
    Ok(())
}

/// The endpoint of metrics panics: the next one who asks is told how often it was restarted.
async fn panicking_metrics(metrics: SocketAddr, log: &Log) -> Outcome {
    log.say("the endpoint of metrics panics");
    arm(FaultPoint::MetricsEndpoint);
    let mut told = String::new();
    let _ = TcpStream::connect(metrics).await?.read_to_string(&mut told).await;
    assert!(told.is_empty(), "{told}");
    log.wait_for("MetricsEndpoint restarted").await;
    let mut stream = TcpStream::connect(metrics).await?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").await?;
    stream.read_to_string(&mut told).await?;
    for told_of in ["MetricsEndpoint", "StoreLogWriter", "Listener", "Expirer"] {
        let line = format!("smp_server_actor_restarts_total{{actor=\"{told_of}\"}} 1\n");
        assert!(told.contains(&line), "{line} is not in\n{told}");
    }
    Ok(())
}

/// The web site panics, and then the connection of one browser: the next one has the page.
async fn panicking_web(site: SocketAddr, log: &Log) -> Outcome {
    for (point, says) in [(FaultPoint::Web, "Web restarted"), (FaultPoint::WebConnection, "Web failed")] {
        log.say("the web site panics");
        arm(point);
        let mut page = String::new();
        let _ = TcpStream::connect(site).await?.read_to_string(&mut page).await;
        assert!(page.is_empty(), "{page}");
        log.wait_for(says).await;
        let mut stream = TcpStream::connect(site).await?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
        stream.read_to_string(&mut page).await?;
        assert!(page.starts_with("HTTP/1.1 200 OK"), "{page}");
    }
    Ok(())
}

/// The connection to a relay panics: whoever asked for it is told, and the next one gets it.
async fn panicking_relays(address: &ServerAddress, log: &Log) -> Outcome {
    log.say("the relays panic");
    let client = Client::connect(address, &Options::default()).await?;
    arm(FaultPoint::Relays);
    let refused = client.proxied_relay(address, None).await;
    assert!(matches!(refused, Err(ClientError::Server(ErrorType::Internal))), "the request is answered");
    log.wait_for("Relays restarted").await;
    client.proxied_relay(address, None).await?;
    Ok(())
}

/// A lookup panics: it is answered, and so is the next one, as well as can be without a resolver.
async fn panicking_names(address: &ServerAddress, log: &Log) -> Outcome {
    log.say("names panic");
    let client = Client::connect(address, &Options::default()).await?;
    let name = Name::parse(b"alice.simplex")?;
    arm(FaultPoint::Names);
    for reason in ["resolver error", "transport failure"] {
        let refused = client.resolve(&name).await;
        let expected = ErrorType::Name(NameError::Resolver(reason.to_owned()));
        assert!(matches!(refused, Err(ClientError::Server(error)) if error == expected), "the lookup is answered");
        log.wait_for("Names restarted").await;
    }
    Ok(())
}

/// Two clients that exchange messages without a pause. Nothing may ever go wrong between them.
struct Conversation {
    count: watch::Receiver<u64>,
    talk: JoinHandle<Outcome>,
}

impl Conversation {
    async fn start(address: &ServerAddress) -> Outcome<Self> {
        let recipient = Client::connect(address, &Options::default()).await?;
        let queue = recipient.create_queue(NewQueueOptions::default()).await?;
        let sender = Client::connect(address, &Options::default()).await?.sender(queue.sender_id());
        let (counter, count) = watch::channel(0);
        Ok(Self { count, talk: tokio::spawn(talk(recipient, queue, sender, counter)) })
    }

    /// Twenty more messages arrive.
    async fn goes_on(&mut self) -> Outcome {
        let target = *self.count.borrow() + 20;
        if self.count.wait_for(|count| *count >= target).await.is_err() {
            return (&mut self.talk).await?;
        }
        println!("  the conversation goes on: {target} messages, all in order");
        Ok(())
    }

    /// Ends it, after the message under way.
    async fn end(self) -> Outcome {
        drop(self.count);
        self.talk.await?
    }
}

/// Talks until nobody listens to the counter.
async fn talk(recipient: Client, queue: Queue, sender: QueueSender, counter: watch::Sender<u64>) -> Outcome {
    for number in 1_u64.. {
        sender.send(number.to_be_bytes().to_vec()).await?;
        let Event::Message(_, message) = recipient.next_event().await? else { return Err("not a message".into()) };
        let message = queue.open(&message)?;
        let Content::Message { body, .. } = &message.content else { return Err("a marker".into()) };
        if body[..] != number.to_be_bytes() {
            return Err(format!("message {number} is lost").into());
        }
        queue.acknowledge(&message.id).await?;
        if counter.send(number).is_err() {
            break;
        }
    }
    Ok(())
}

fn parts(state: &Path, credentials: Credentials, log: &Log) -> Outcome<ServerParts> {
    let text = SETTINGS.replace("{state}", &state.display().to_string());
    let (mut settings, _) = Settings::parse(Path::new("smp-server.ini"), &text)?;
    // Any free ones, which no file can have.
    settings.transport.ports = vec![0];
    settings.store_log.prometheus_listen = Some(([127, 0, 0, 1], 0).into());
    settings.web.http = Some(0);
    Ok(ServerParts {
        settings,
        directories: Directories { config: state.to_owned(), state: state.to_owned() },
        credentials,
        skip_warnings: false,
        handle_signals: true,
        version: "",
        logger: Logger::root(log.clone().ignore_res(), o!()),
    })
}

fn address(identity: smp_client::protocol::address::KeyHash, server: &RunningServer) -> ServerAddress {
    let port = server.listening[0].port();
    ServerAddress { key_hash: identity, password: None, hosts: vec![Host::V4([127, 0, 0, 1].into())], port: Some(port) }
}

/// The log of the server, printed and kept.
#[derive(Clone, Default)]
struct Log(Arc<LogState>);

#[derive(Default)]
struct LogState {
    lines: Mutex<Vec<String>>,
    grown: Notify,
}

impl Log {
    /// A headline of the example; lines before it are not waited for any more.
    fn say(&self, headline: &str) {
        println!("{headline}");
        self.0.lines.lock().expect("nothing panics under this lock").clear();
    }

    /// The address that stands behind this text in a line written since the last headline.
    fn address_after(&self, text: &str) -> Option<SocketAddr> {
        let lines = self.0.lines.lock().expect("nothing panics under this lock");
        let rest = lines.iter().find_map(|line| line.split_once(text)).map(|(_, rest)| rest.split('/').next());
        rest.flatten()?.parse().ok()
    }

    /// Waits for a line that ends with an address after this text.
    async fn address_in(&self, text: &str) -> Outcome<SocketAddr> {
        self.wait_for(text).await;
        self.address_after(text).ok_or_else(|| "no address".into())
    }

    /// Waits for a line with this text, written since the last headline.
    async fn wait_for(&self, text: &str) {
        loop {
            let grown = self.0.grown.notified();
            if self.0.lines.lock().expect("nothing panics under this lock").iter().any(|line| line.contains(text)) {
                return;
            }
            grown.await;
        }
    }
}

impl Drain for Log {
    type Ok = ();
    type Err = slog::Never;

    fn log(&self, record: &Record<'_>, _: &OwnedKVList) -> Result<(), slog::Never> {
        println!("  [{}] {}", record.level().as_str(), record.msg());
        self.0.lines.lock().expect("nothing panics under this lock").push(record.msg().to_string());
        self.0.grown.notify_waiters();
        Ok(())
    }
}
