//! The tree of actors: how it grows, and how it ends in good order.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use actix::{Addr, AsyncContext, Supervisor as Restarting};
use actix_rt::Arbiter;
use parking_lot::Mutex;
use slog::{Logger, info, warn};
use smp_config::settings::Settings;
use smp_protocol::version::{Version, VersionRange};
use smp_store::files::Files;
use smp_store::store_log::StoreLog;
use smp_transport::handshake::ServerHandshake;
use smp_transport::tls::{Credential, TlsServer};
use tokio::time::timeout;

use crate::activity::Activity;
use crate::clock::Clock;
use crate::directory::Directory;
use crate::expirer::{Expirer, ExpiryTimes};
use crate::guard::Guard;
use crate::listener::{Drain, Listener, ListenerParts, Open};
use crate::names::{NameResolution, Names, Probe, Resolver};
use crate::notifications::{NotificationArea, NotificationDesk, NotificationTimes, Notifications};
use crate::registry::{ChangeLog, Peers, Policy, QueueRegistry, Shard, ShardParts, ShardPeers};
use crate::relays::{Forwarding, RelayConnector, RelayTable, RelayTimes, Relays};
use crate::services::{ServiceRegistrar, Services};
use crate::session::{ErrandLimits, RegistryShards, SessionContext, Sessions, SubscriptionBooks};
use crate::sockets::{PortSockets, Sockets, Transport};
use crate::stats::Stats;
use crate::stats_collector::{CollectorParts, StatsCollector};
use crate::store_log_writer::{ShardLog, StoreLogWriter};
use crate::supervisor::{ChildReport, Root, Supervisor};

/// How long the end waits for clients that do not take what was promised to them.
const SESSIONS_LIMIT: Duration = Duration::from_secs(10);

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
    /// Active queues, as saved.
    pub activity: Activity,
    /// When counting began.
    pub from_time: Arc<Mutex<SystemTime>>,
    /// Where the daily statistics go, if they are kept.
    pub daily_stats: Option<(Arc<dyn Files>, PathBuf)>,
    /// Counters.
    pub stats: Arc<Stats>,
    /// The time.
    pub clock: Clock,
    /// Threads, each with a shard and with a socket of every port.
    pub threads: usize,
    /// The bound sockets.
    pub sockets: Sockets,
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
    listeners: Vec<Addr<Listener>>,
    _expirer: Addr<Expirer>,
    /// One per thread of sessions and shards.
    arbiters: Vec<Arbiter>,
    /// Of the connections to other relays.
    relay_arbiter: Arbiter,
    /// Of the store log.
    writer_arbiter: Option<Arbiter>,
    logger: Logger,
}

/// What many actors are made from.
struct Soil {
    settings: Settings,
    directory: Arc<Directory>,
    services: Arc<Services>,
    peers: Arc<ShardPeers>,
    stats: Arc<Stats>,
    clock: Clock,
    sessions: Arc<Sessions>,
    reports: Arc<dyn ChildReport>,
    logger: Logger,
}

/// What sessions of all threads share.
struct Shared {
    shards: Arc<[Addr<QueueRegistry>]>,
    notifications: NotificationDesk,
    forwarding: Forwarding,
    names: NameResolution,
}

impl Soil {
    fn guard(&self, name: &str) -> Guard {
        Guard::new(name, Arc::clone(&self.reports))
    }

    fn notifications(&self, area: NotificationArea) -> NotificationDesk {
        let area = Arc::new(Mutex::new(area));
        let times = NotificationTimes {
            delivery_interval: self.settings.limits.ntf_delivery_interval,
            ttl: seconds(self.settings.ntf_ttl()),
            expire_interval: self.settings.limits.ntf_expire_interval,
        };
        let (clock, guard) = (self.clock.clone(), self.guard("Notifications"));
        let shared = Arc::clone(&area);
        let actor = Restarting::start(move |_| Notifications::new(shared, times, clock, guard));
        NotificationDesk { area, actor }
    }

    fn names(&self, resolver: Option<Resolver>) -> NameResolution {
        let names = resolver.map(|resolver| {
            let (guard, logger) = (self.guard("Names"), self.logger.clone());
            let names = Restarting::start(|_| Names::new(resolver, guard, logger));
            names.do_send(Probe);
            names
        });
        NameResolution::new(names, Arc::clone(&self.stats))
    }

    /// Connections to relays are on a thread of their own: their cryptography must not hold up supervision.
    fn forwarding(&self, arbiter: &Arbiter) -> Forwarding {
        let (limits, proxy) = (&self.settings.limits, &self.settings.proxy);
        let table = Arc::new(RelayTable::new(limits.proxy_relays, limits.proxy_error_interval));
        let (connect, response) = (limits.proxy_connect_timeout, limits.proxy_response_timeout);
        let connector = Arc::new(RelayConnector::new(proxy.clone(), connect, response));
        let (shared, guard, logger) = (Arc::clone(&table), self.guard("Relays"), self.logger.clone());
        let actor = Restarting::start_in_arbiter(&arbiter.handle(), |_| {
            Relays::new(shared, connector, RelayTimes::DEFAULT, guard, logger)
        });
        Forwarding {
            allowed: limits.proxy,
            password: self.settings.auth.create_password.clone(),
            own_domains: proxy.own_server_domains.clone().into(),
            table,
            actor,
            stats: Arc::clone(&self.stats),
        }
    }

    fn store_log(&self, log: StoreLog, arbiter: &Arbiter) -> Addr<StoreLogWriter> {
        let (guard, logger) = (self.guard("StoreLogWriter"), self.logger.clone());
        Restarting::start_in_arbiter(&arbiter.handle(), |_| StoreLogWriter::new(log, guard, logger))
    }

    fn shard(
        &self,
        index: usize,
        arbiter: &Arbiter,
        activity: Activity,
        notifications: &NotificationDesk,
        writer: Option<Addr<StoreLogWriter>>,
    ) -> Addr<QueueRegistry> {
        let (directory, services, stats) =
            (Arc::clone(&self.directory), Arc::clone(&self.services), Arc::clone(&self.stats));
        let peers: Arc<dyn Peers> = self.peers.clone();
        let (policy, clock, notifications) = (policy(&self.settings), self.clock.clone(), notifications.clone());
        let (guard, mailbox_size) =
            (self.guard(&format!("QueueRegistry {index}")), self.settings.limits.registry_mailbox_size);
        Restarting::start_in_arbiter(&arbiter.handle(), move |context| {
            let registry = context.address();
            let log = writer.map(|writer| Box::new(ShardLog { writer, registry }) as Box<dyn ChangeLog>);
            let notifications = Box::new(notifications);
            let parts =
                ShardParts { index, directory, policy, stats, log, notifications, services, peers, clock, activity };
            QueueRegistry::new(Arc::new(Mutex::new(Shard::new(parts))), mailbox_size, guard)
        })
    }

    fn expirer(&self, shards: &Arc<[Addr<QueueRegistry>]>) -> Addr<Expirer> {
        let expirer = Expirer {
            times: expiry_times(&self.settings),
            shards: Arc::clone(shards),
            sessions: Arc::clone(&self.sessions),
            stats: Arc::clone(&self.stats),
            clock: self.clock.clone(),
            guard: self.guard("Expirer"),
            logger: self.logger.clone(),
        };
        Restarting::start(|_| expirer)
    }

    fn stats_collector(
        &self,
        shards: &Arc<[Addr<QueueRegistry>]>,
        from_time: Arc<Mutex<SystemTime>>,
        daily: Option<(Arc<dyn Files>, PathBuf)>,
    ) -> Addr<StatsCollector> {
        let parts = CollectorParts {
            stats: Arc::clone(&self.stats),
            shards: Arc::clone(shards),
            directory: Arc::clone(&self.directory),
            services: Arc::clone(&self.services),
            from_time,
            daily,
            clock: self.clock.clone(),
            guard: self.guard("StatsCollector"),
            logger: self.logger.clone(),
        };
        Restarting::start(|_| StatsCollector::new(parts))
    }

    fn session_context(&self, home: usize, shared: &Shared) -> SessionContext {
        let Shared { shards, notifications, forwarding, names } = shared;
        let names_at_a_time = self.settings.names.as_ref().map_or(1, |names| names.concurrency);
        SessionContext {
            directory: Arc::clone(&self.directory),
            registry: RegistryShards { shards: Arc::clone(shards), home },
            notifications: notifications.clone(),
            books: SubscriptionBooks {
                directory: Arc::clone(&self.directory),
                services: Arc::clone(&self.services),
                notifications: Arc::clone(&notifications.area),
            },
            forwarding: forwarding.clone(),
            names: names.clone(),
            errand_limits: ErrandLimits {
                relays: self.settings.proxy.client_concurrency as usize,
                names: names_at_a_time as usize,
            },
            sessions: Arc::clone(&self.sessions),
            stats: Arc::clone(&self.stats),
            clock: self.clock.clone(),
            queue_size: self.settings.limits.session_queue_size,
            event_interval: self.settings.limits.pending_end_interval,
            guard: self.guard("Session"),
        }
    }

    fn listener_parts(
        &self,
        (port, transport): (u16, Transport),
        home: usize,
        tls: &Arc<TlsServer>,
        sessions: SessionContext,
        store_log: Option<Addr<StoreLogWriter>>,
    ) -> ListenerParts {
        let limits = &self.settings.limits;
        ListenerParts {
            port,
            transport,
            tls: Arc::clone(tls),
            tls_limit: limits.tls_handshake_timeout,
            handshake: ServerHandshake { versions: versions(&self.settings), limit: limits.smp_handshake_timeout },
            concurrent_handshakes: limits.concurrent_handshakes,
            max_connections: limits.max_connections,
            log_tls_errors: self.settings.transport.log_tls_errors,
            services: ServiceRegistrar { services: Arc::clone(&self.services), store_log, clock: self.clock.clone() },
            sessions: Arc::new(sessions),
            guard: self.guard(&format!("Listener of port {port} on thread {home}")),
            logger: self.logger.clone(),
        }
    }
}

impl Tree {
    /// Starts all actors and listens on all ports; connections wait until the tree is opened. Must run on a thread of an actix
    /// system.
    pub fn grow(seed: Seed, root: Addr<Supervisor>) -> Self {
        let Seed { settings, credential, directory, services, notifications, store_log, activity, .. } = seed;
        let soil = Soil {
            settings,
            directory,
            services,
            peers: Arc::default(),
            stats: seed.stats,
            clock: seed.clock,
            sessions: Arc::default(),
            reports: Arc::new(Root(root)),
            logger: seed.logger,
        };
        let arbiters: Vec<Arbiter> = (0..seed.threads).map(|_| Arbiter::new()).collect();
        let notifications = soil.notifications(notifications);
        let writer_arbiter = store_log.is_some().then(Arbiter::new);
        let store_log = store_log.zip(writer_arbiter.as_ref()).map(|(log, arbiter)| soil.store_log(log, arbiter));
        let mut activity = Some(activity);
        let shards: Arc<[_]> = arbiters
            .iter()
            .enumerate()
            .map(|(index, arbiter)| {
                // What was saved belongs to no shard in particular: sets are united when they are read.
                let activity = activity.take().unwrap_or_default();
                soil.shard(index, arbiter, activity, &notifications, store_log.clone())
            })
            .collect();
        soil.peers.introduce(&shards);
        let relay_arbiter = Arbiter::new();
        let shared = Shared {
            shards: Arc::clone(&shards),
            notifications: notifications.clone(),
            forwarding: soil.forwarding(&relay_arbiter),
            names: soil.names(seed.resolver),
        };
        let mut tree = Self {
            listening: Vec::new(),
            sessions: Arc::clone(&soil.sessions),
            stats: soil.stats_collector(&shards, seed.from_time, seed.daily_stats),
            _expirer: soil.expirer(&shards),
            shards,
            notifications,
            store_log,
            listeners: Vec::new(),
            arbiters,
            relay_arbiter,
            writer_arbiter,
            logger: soil.logger.clone(),
        };
        tree.listen_everywhere(&soil, &shared, credential, seed.sockets);
        tree
    }

    fn listen_everywhere(&mut self, soil: &Soil, shared: &Shared, credential: Credential, sockets: Sockets) {
        let alpn: Vec<&[u8]> = soil.settings.limits.alpn.iter().map(String::as_bytes).collect();
        let tls = Arc::new(TlsServer::new(credential, &alpn));
        for PortSockets { port, transport, address, sockets } in sockets.ports {
            for (home, (socket, arbiter)) in sockets.into_iter().zip(&self.arbiters).enumerate() {
                let sessions = soil.session_context(home, shared);
                let parts = soil.listener_parts((port, transport), home, &tls, sessions, self.store_log.clone());
                let listener = Restarting::start_in_arbiter(&arbiter.handle(), |_| Listener::new(socket, parts));
                self.listeners.push(listener);
            }
            note!(self.logger, "binding to {address}");
            self.listening.push(address);
        }
    }

    /// Accepts connections from now on.
    pub async fn open(&self) {
        for listener in &self.listeners {
            // A listener that is gone was restarted too often: the root knows.
            let _ = listener.send(Open).await;
        }
    }

    /// Accepts no more connections and lets the sessions end with what they have promised to their clients.
    pub async fn end_sessions(&self) {
        let begin = Instant::now();
        for listener in &self.listeners {
            let _ = listener.send(Drain).await;
        }
        let open = self.sessions.close_all();
        if timeout(SESSIONS_LIMIT, self.sessions.all_closed()).await.is_err() {
            warn!(self.logger, "{} clients did not take what was waiting for them", self.sessions.open());
        }
        info!(self.logger, "closed {open} connections in {} ms", begin.elapsed().as_millis());
    }

    /// Ends all threads of the tree.
    pub fn stop_threads(self) {
        let arbiters: Vec<_> =
            self.arbiters.into_iter().chain([self.relay_arbiter]).chain(self.writer_arbiter).collect();
        for arbiter in &arbiters {
            arbiter.stop();
        }
        for arbiter in arbiters {
            // A thread that panicked has nothing more to say.
            let _ = arbiter.join();
        }
    }
}

fn policy(settings: &Settings) -> Policy {
    Policy {
        new_queues: settings.auth.new_queues,
        password: settings.auth.create_password.clone(),
        quota: settings.limits.message_queue_quota,
        message_ttl: settings.message_ttl().map(seconds),
        expire_on_send: settings.store_log.expire_messages_on_send,
    }
}

fn expiry_times(settings: &Settings) -> ExpiryTimes {
    ExpiryTimes {
        message_interval: settings.message_ttl().and(settings.limits.message_expire_interval),
        inactive: settings.inactive_clients.as_ref().map(|inactive| (inactive.ttl, inactive.check_interval)),
    }
}

fn versions(settings: &Settings) -> VersionRange {
    let (min, max) = (Version(settings.limits.min_version), Version(settings.limits.max_version));
    VersionRange::new(min, max).unwrap_or(VersionRange::ALL)
}

/// Whole seconds.
pub(crate) fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}
