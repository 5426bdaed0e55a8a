//! The tree of actors: how it grows, and how it ends in good order.

mod soil;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use actix::{Actor, Addr, Supervisor as Restarting};
use actix_rt::Arbiter;
use futures_util::future::join_all;
use parking_lot::Mutex;
use slog::{Logger, error, info, warn};
use smp_config::paths::Directories;
use smp_config::settings::Settings;
use smp_store::files::Files;
use smp_store::journal::Journal;
use smp_store::store_log::StoreLog;
use smp_transport::listener::{Address, ListenError};
use smp_transport::tls::{ClientCertificates, Credential, TlsServer};
use smp_web::https::HttpsCredential;
use tokio::time::timeout;

use self::soil::{Shared, Soil};
use crate::activity::Activity;
use crate::clock::Clock;
use crate::control_port::{self, ControlPort};
use crate::create_password::CreatePassword;
use crate::directory::Directory;
use crate::expirer::Expirer;
use crate::journal_writer::JournalWriter;
use crate::listener::{Drain, Listener, ListenerParts, Open};
use crate::metrics::{Depths, Endpoint, MetricsFile, Vitals, Watched};
use crate::names::Resolver;
use crate::notifications::{NotificationArea, NotificationDesk};
use crate::registry::QueueRegistry;
use crate::reload::Reloader;
use crate::services::Services;
use crate::session::{Sessions, SessionsEnd};
use crate::sockets::{BoundAddress, PortSockets, Sockets, Transport};
use crate::state::Place;
use crate::stats::{PortStats, Stats};
use crate::stats_collector::StatsCollector;
use crate::store_log_writer::StoreLogWriter;
use crate::supervisor::{Root, Supervisor, Tally};
use crate::time_keeper::TimeKeeper;
use crate::watchdog::{Rest, Watchdog};
use crate::web::{Health, Site, Web, WebDoor};

/// Time for actors to answer when the server ends.
pub(crate) const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// Time for what needs no more than a moment: to close a socket, to end a thread.
const DRAIN_LIMIT: Duration = Duration::from_secs(2);

/// What the tree grows from.
pub struct Seed {
    /// Settings of the operator.
    pub settings: Settings,
    /// What the server proves itself with.
    pub credential: Credential,
    /// Resolves names, if they are to be resolved.
    pub resolver: Option<Resolver>,
    /// Queues with their messages.
    pub directory: Arc<Directory>,
    /// Services with their queues.
    pub services: Arc<Services>,
    /// Waiting notifications.
    pub notifications: NotificationArea,
    /// The open store log, if there is one.
    pub store_log: Option<StoreLog>,
    /// The open journal, if messages are kept in one.
    pub journal: Option<Journal>,
    /// Active queues, as saved.
    pub activity: Activity,
    /// When counting began.
    pub from_time: Arc<Mutex<SystemTime>>,
    /// Where the daily statistics go, if they are kept.
    pub daily_stats: Option<(Arc<dyn Files>, PathBuf)>,
    /// Where the state is saved, also when the operator asks for it.
    pub place: Place,
    /// Where the metrics go, if they are written.
    pub metrics: Option<MetricsFile>,
    /// Counters.
    pub stats: Arc<Stats>,
    /// The time.
    pub clock: Clock,
    /// Whether that is believed.
    pub time: TimeKeeper,
    /// Threads, each with a shard and with a socket of every port.
    pub threads: usize,
    /// The bound sockets.
    pub sockets: Sockets,
    /// After how much silence systemd restarts the server, if it does.
    pub watchdog_limit: Option<Duration>,
    /// The web site, if there is one.
    pub site: Option<Site>,
    /// Asked by the site.
    pub health: Health,
    /// Log of the server.
    pub logger: Logger,
}

/// The running actors.
pub struct Tree {
    /// Addresses that are listened on.
    pub listening: Vec<SocketAddr>,
    /// The sessions.
    pub sessions: Arc<Sessions>,
    pub(crate) shards: Arc<[Addr<QueueRegistry>]>,
    pub(crate) notifications: NotificationDesk,
    pub(crate) stats: Addr<StatsCollector>,
    pub(crate) store_log: Option<Addr<StoreLogWriter>>,
    pub(crate) journal: Option<Addr<JournalWriter>>,
    listeners: Vec<Addr<Listener>>,
    expirer: Addr<Expirer>,
    control_port: Option<Addr<ControlPort>>,
    metrics_endpoint: Option<Addr<Endpoint>>,
    watchdog: Option<Addr<Watchdog>>,
    web: Option<Addr<Web>>,
    https: Option<Arc<HttpsCredential>>,
    /// One per thread of sessions and shards.
    arbiters: Vec<Arbiter>,
    /// Of the connections to other relays.
    relay_arbiter: Arbiter,
    /// Of the web site.
    web_arbiter: Option<Arbiter>,
    /// Of the store log and of the journal.
    writer_arbiters: Vec<Arbiter>,
    watchdog_arbiter: Arbiter,
    tls: Arc<TlsServer>,
    password: CreatePassword,
    logger: Logger,
}

impl Tree {
    /// Starts all actors; connections are refused until the tree is opened. Must run on a thread of an actix
    /// system.
    pub fn grow(seed: Seed, root: &Addr<Supervisor>) -> Self {
        let Seed { settings, credential, directory, services, notifications, store_log, activity, .. } = seed;
        let tally = Arc::new(Tally::default());
        let tls = Arc::new(tls_server(credential, &settings));
        let password = CreatePassword::new(settings.auth.create_password.clone());
        let soil = Soil {
            password: password.clone(),
            settings,
            directory,
            services,
            peers: Arc::default(),
            stats: seed.stats,
            clock: seed.clock,
            time: seed.time,
            sessions: Arc::default(),
            reports: Arc::new(Root { supervisor: root.clone(), tally: Arc::clone(&tally) }),
            tally,
            depths: Depths::new(seed.threads),
            logger: seed.logger,
        };
        let arbiters: Vec<Arbiter> = (0..seed.threads).map(|_| Arbiter::new()).collect();
        let notifications = soil.notifications(notifications);
        let mut writer_arbiters = Vec::new();
        let mut writer_arbiter = || {
            let arbiter = Arbiter::new();
            let handle = arbiter.handle();
            writer_arbiters.push(arbiter);
            handle
        };
        let journal = seed.journal.map(|journal| soil.journal(journal, &writer_arbiter()));
        let store_log = store_log.map(|log| soil.store_log(log, journal.as_ref(), &writer_arbiter()));
        let mut activity = Some(activity);
        let shards: Arc<[_]> = arbiters
            .iter()
            .enumerate()
            .map(|(index, arbiter)| {
                // What was saved belongs to no shard in particular: sets are united when they are read.
                let activity = activity.take().unwrap_or_default();
                soil.shard((index, arbiter), activity, &notifications, store_log.clone(), journal.clone())
            })
            .collect();
        soil.peers.introduce(&shards);
        let relay_arbiter = Arbiter::new();
        let shared_port = seed.site.as_ref().and_then(|site| site.shared_port);
        let https = seed.site.as_ref().and_then(|site| site.https.clone());
        let web_arbiter = seed.site.is_some().then(Arbiter::new);
        let web = seed.site.zip(web_arbiter.as_ref()).map(|(site, arbiter)| {
            let admission = Arc::clone(&site.admission);
            (soil.web(site, seed.sockets.web, arbiter), admission)
        });
        let shared = Shared {
            shards: Arc::clone(&shards),
            notifications: notifications.clone(),
            forwarding: soil.forwarding(&relay_arbiter),
            names: soil.names(seed.resolver),
            body_reader: soil.body_reader(journal.is_some()),
            door: web.as_ref().zip(https.clone()).zip(shared_port).map(|(((web, admission), https), port)| {
                (port, WebDoor { web: web.clone(), https, admission: Arc::clone(admission) })
            }),
        };
        let ports = port_stats(&seed.sockets.ports);
        let watched = Watched {
            sessions: Arc::clone(&soil.sessions),
            notifications: notifications.clone(),
            ports: Arc::clone(&ports),
        };
        let from_time = *seed.from_time.lock();
        let stats = soil.stats_collector(&shards, seed.from_time, seed.daily_stats, (seed.metrics, watched.clone()));
        let control_port = seed
            .sockets
            .control
            .map(|socket| soil.control_port(socket, &shards, watched, stats.clone(), seed.place, from_time));
        let mut tree = Self {
            listening: Vec::new(),
            sessions: Arc::clone(&soil.sessions),
            stats,
            control_port,
            metrics_endpoint: None,
            watchdog: None,
            web: web.map(|(web, _)| web),
            https,
            expirer: soil.expirer(&shards),
            shards,
            notifications,
            store_log,
            journal,
            listeners: Vec::new(),
            arbiters,
            relay_arbiter,
            web_arbiter,
            writer_arbiters,
            watchdog_arbiter: Arbiter::new(),
            tls,
            password,
            logger: soil.logger.clone(),
        };
        tree.listen_everywhere(&soil, &shared, seed.sockets.ports, &ports);
        let vitals = tree.vitals(&shared);
        tree.metrics_endpoint =
            seed.sockets.metrics.map(|socket| soil.metrics_endpoint(socket, &tree.stats, &vitals, &shared));
        tree.watch(vitals, root, seed.watchdog_limit, &seed.health);
        tree
    }

    /// From now on actors that hang are noticed, those too that answer the operator.
    fn watch(&mut self, mut vitals: Vitals, root: &Addr<Supervisor>, limit: Option<Duration>, health: &Health) {
        health.watch(vitals.clone());
        vitals.add("Supervisor", root);
        if let Some(endpoint) = &self.metrics_endpoint {
            vitals.add("MetricsEndpoint", endpoint);
        }
        let watchdog = Watchdog::new(vitals, limit, self.logger.clone());
        self.watchdog = Some(Watchdog::start_in_arbiter(&self.watchdog_arbiter.handle(), |_| watchdog));
    }

    fn listen_everywhere(&mut self, soil: &Soil, shared: &Shared, sockets: Vec<PortSockets>, ports: &[Arc<PortStats>]) {
        let tls = Arc::clone(&self.tls);
        for (PortSockets { port, transport, bound }, stats) in sockets.into_iter().zip(ports) {
            let door =
                shared.door.as_ref().filter(|(shared_port, _)| *shared_port == port && transport == Transport::Tls);
            for BoundAddress { address, sockets } in bound {
                for (home, (socket, arbiter)) in sockets.into_iter().zip(&self.arbiters).enumerate() {
                    let sessions = soil.session_context(home, shared);
                    let parts =
                        soil.listener_parts((port, transport), stats, home, &tls, sessions, self.store_log.clone());
                    let parts = ListenerParts { door: door.map(|(_, door)| door.clone()), ..parts };
                    let listener = Restarting::start_in_arbiter(&arbiter.handle(), |_| Listener::new(socket, parts));
                    self.listeners.push(listener);
                }
                self.listening.push(address);
            }
        }
    }

    /// All actors but those that answer the operator over HTTP, who notices by himself.
    fn vitals(&self, shared: &Shared) -> Vitals {
        let mut vitals = Vitals::default();
        vitals.add_all("QueueRegistry", &*self.shards);
        vitals.add_all("Listener", &self.listeners);
        vitals.add("Notifications", &self.notifications.actor);
        vitals.add("StatsCollector", &self.stats);
        vitals.add("Expirer", &self.expirer);
        vitals.add("Relays", &shared.forwarding.actor);
        if let Some(writer) = &self.store_log {
            vitals.add("StoreLogWriter", writer);
        }
        if let Some(writer) = &self.journal {
            vitals.add("JournalWriter", writer);
        }
        if let Some(names) = shared.names.actor() {
            vitals.add("Names", names);
        }
        if let Some(web) = &self.web {
            vitals.add("Web", web);
        }
        if let Some(control_port) = &self.control_port {
            vitals.add("ControlPort", control_port);
        }
        vitals
    }

    /// What changes certificate and password while the tree lives.
    pub fn reloader(&self, directories: Directories) -> Reloader {
        let (tls, password) = (Arc::clone(&self.tls), self.password.clone());
        Reloader { directories, tls, password, https: self.https.clone(), logger: self.logger.clone() }
    }

    /// Listens on all ports and accepts connections from now on.
    pub async fn open(&self) -> Result<(), ListenError> {
        let of_port = self.arbiters.len();
        for (listeners, address) in self.listeners.chunks(of_port).zip(&self.listening) {
            for listener in listeners {
                // A listener that is gone was restarted too often: the root knows.
                let opened = listener.send(Open).await.unwrap_or(Ok(()));
                opened.map_err(|source| ListenError { address: Address::Any(address.port()), source })?;
            }
            note!(self.logger, "binding to {address}");
        }
        Ok(())
    }

    /// The actors are going to end, one after the other: who does not answer does not hang.
    pub fn expect_end(&self) {
        if let Some(watchdog) = &self.watchdog {
            watchdog.do_send(Rest);
        }
    }

    /// Accepts no more connections and lets the sessions end with what they have promised to their clients. Afterwards nobody is
    /// left who could be answered.
    pub async fn end_sessions(&self) {
        let begin = Instant::now();
        // A listener that does not answer accepts nothing either, and no session begins from now on.
        let drained = join_all(self.listeners.iter().map(|listener| listener.send(Drain)));
        let _ = timeout(DRAIN_LIMIT, drained).await;
        if let Some(control_port) = &self.control_port
            && timeout(DRAIN_LIMIT, control_port.send(control_port::Drain)).await.is_err()
        {
            error!(self.logger, "connections of the control port cannot be ended");
        }
        let SessionsEnd { sessions, cut_off, left } = self.sessions.end().await;
        if cut_off > 0 {
            warn!(self.logger, "{cut_off} clients did not take what was waiting for them");
        }
        if left > 0 {
            error!(self.logger, "{left} connections cannot be ended: a thread does not answer");
        }
        info!(self.logger, "closed {sessions} connections in {} ms", begin.elapsed().as_millis());
    }

    /// Ends all threads of the tree.
    pub fn stop_threads(self) {
        let others = [self.relay_arbiter, self.watchdog_arbiter].into_iter();
        let arbiters = self.arbiters.into_iter().chain(others).chain(self.web_arbiter).chain(self.writer_arbiters);
        let arbiters: Vec<_> = arbiters.collect();
        for arbiter in &arbiters {
            arbiter.stop();
        }
        let (done, all_done) = mpsc::channel();
        thread::spawn(move || {
            // A thread that panicked has nothing more to say.
            for arbiter in arbiters {
                drop(arbiter.join());
            }
            // Nobody waits for it any more if it took too long.
            let _ = done.send(());
        });
        if all_done.recv_timeout(DRAIN_LIMIT).is_err() {
            error!(self.logger, "a thread does not end; everything that could be saved is saved");
        }
    }
}

fn tls_server(credential: Credential, settings: &Settings) -> TlsServer {
    let alpn: Vec<&[u8]> = settings.limits.alpn.iter().map(String::as_bytes).collect();
    let services = settings.transport.accept_service_credentials;
    let clients = if services { ClientCertificates::Optional } else { ClientCertificates::Unasked };
    TlsServer::new(credential, &alpn).client_certificates(clients)
}

fn port_stats(ports: &[PortSockets]) -> Arc<[Arc<PortStats>]> {
    ports.iter().map(|port| PortStats::new(port.bound[0].address.port())).collect()
}

/// Whole seconds.
pub(crate) fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}
