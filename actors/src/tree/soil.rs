//! How each kind of actor is made.

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use actix::{Addr, AsyncContext, Supervisor as Restarting};
use actix_rt::{Arbiter, ArbiterHandle};
use parking_lot::Mutex;
use slog::{Level, Logger};
use smp_config::settings::Settings;
use smp_protocol::version::{Version, VersionRange};
use smp_store::date::Date;
use smp_store::files::Files;
use smp_store::journal::Journal;
use smp_store::store_log::StoreLog;
use smp_transport::handshake::ServerHandshake;
use smp_transport::keep_alive::KeepAlive;
use smp_transport::tls::TlsServer;

use super::seconds;
use crate::activity::Activity;
use crate::body_reader::BodyReader;
use crate::clock::Clock;
use crate::control_port::{ControlDesk, ControlPort, DailyBlocks, Passwords};
use crate::create_password::CreatePassword;
use crate::directory::Directory;
use crate::expirer::{Expirer, ExpiryTimes};
use crate::guard::Guard;
use crate::journal_writer::{JournalParts, JournalWriter, ShardJournal};
use crate::limited_log::LimitedLog;
use crate::listener::ListenerParts;
use crate::metrics::{Depths, Endpoint, EndpointParts, MetricsFile, Operation, Vitals, Watched};
use crate::names::{NameResolution, Names, Probe, Resolver};
use crate::notifications::{NotificationArea, NotificationDesk, NotificationTimes, Notifications};
use crate::registry::{ChangeLog, MessageJournal, Peers, Policy, QueueRegistry, Shard, ShardParts, ShardPeers};
use crate::relays::{Forwarding, RelayConnector, RelayTable, RelayTimes, Relays};
use crate::services::{ServiceRegistrar, Services};
use crate::session::{ErrandLimits, RegistryShards, SessionContext, Sessions, SubscriptionBooks};
use crate::sockets::Transport;
use crate::state::Place;
use crate::stats::{PortStats, Stats};
use crate::stats_collector::{CollectorParts, StatsCollector};
use crate::store_log_writer::{Removals, ShardLog, StoreLogParts, StoreLogWriter};
use crate::supervisor::{ChildReport, Tally};
use crate::time_keeper::TimeKeeper;
use crate::web::{Site, Web, WebDoor, WebParts, WebSockets};

/// What many actors are made from.
pub struct Soil {
    pub settings: Settings,
    pub password: CreatePassword,
    pub directory: Arc<Directory>,
    pub services: Arc<Services>,
    pub peers: Arc<ShardPeers>,
    pub stats: Arc<Stats>,
    pub clock: Clock,
    pub time: TimeKeeper,
    pub sessions: Arc<Sessions>,
    pub reports: Arc<dyn ChildReport>,
    pub tally: Arc<Tally>,
    pub depths: Depths,
    pub logger: Logger,
}

/// What sessions of all threads share.
pub struct Shared {
    pub shards: Arc<[Addr<QueueRegistry>]>,
    pub notifications: NotificationDesk,
    pub forwarding: Forwarding,
    pub names: NameResolution,
    pub body_reader: BodyReader,
    /// A port that is shared with the web site, and the way from it to the site.
    pub door: Option<(u16, WebDoor)>,
}

impl Soil {
    fn guard(&self, name: &str) -> Guard {
        self.tally.enter(name);
        Guard::new(name, Arc::clone(&self.reports))
    }

    pub fn notifications(&self, area: NotificationArea) -> NotificationDesk {
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

    pub fn names(&self, resolver: Option<Resolver>) -> NameResolution {
        let names = resolver.map(|resolver| {
            let (guard, logger) = (self.guard("Names"), self.logger.clone());
            let names = Restarting::start(|_| Names::new(resolver, guard, logger));
            names.do_send(Probe);
            names
        });
        NameResolution::new(names, Arc::clone(&self.stats))
    }

    /// Connections to relays are on a thread of their own: their cryptography must not hold up supervision.
    pub fn forwarding(&self, arbiter: &Arbiter) -> Forwarding {
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
            password: self.password.clone(),
            new_relays: limits.proxy_new_relays,
            own_domains: proxy.own_server_domains.clone().into(),
            table,
            actor,
            stats: Arc::clone(&self.stats),
        }
    }

    pub fn journal(&self, journal: Journal, arbiter: &ArbiterHandle) -> Addr<JournalWriter> {
        let parts = JournalParts {
            journal,
            directory: Arc::clone(&self.directory),
            sync: self.settings.store_log.sync,
            depth: Arc::clone(&self.depths.messages),
            guard: self.guard("JournalWriter"),
            logger: self.logger.clone(),
        };
        Restarting::start_in_arbiter(arbiter, move |_| JournalWriter::new(parts))
    }

    /// Threads that read messages, if they are kept in a journal.
    pub fn body_reader(&self, has_journal: bool) -> BodyReader {
        if has_journal { BodyReader::start(&self.guard("BodyReader"), &self.logger) } else { BodyReader::of_nothing() }
    }

    pub fn store_log(
        &self,
        log: StoreLog,
        journal: Option<&Addr<JournalWriter>>,
        arbiter: &ArbiterHandle,
    ) -> Addr<StoreLogWriter> {
        let removals = journal.map(|journal| Removals { shards: Arc::clone(&self.peers), journal: journal.clone() });
        let (depth, guard, logger) =
            (Arc::clone(&self.depths.changes), self.guard("StoreLogWriter"), self.logger.clone());
        let (sync, growth) = (self.settings.store_log.sync, self.settings.limits.store_log_growth);
        let parts = StoreLogParts { log, sync, growth, removals, depth, guard, logger };
        Restarting::start_in_arbiter(arbiter, move |_| StoreLogWriter::new(parts))
    }

    pub fn shard(
        &self,
        (index, arbiter): (usize, &Arbiter),
        activity: Activity,
        notifications: &NotificationDesk,
        writer: Option<Addr<StoreLogWriter>>,
        journal: Option<Addr<JournalWriter>>,
    ) -> Addr<QueueRegistry> {
        let (directory, services, stats) =
            (Arc::clone(&self.directory), Arc::clone(&self.services), Arc::clone(&self.stats));
        let peers: Arc<dyn Peers> = self.peers.clone();
        let (policy, clock, notifications) =
            (policy(&self.settings, &self.password), self.clock.clone(), notifications.clone());
        let (guard, mailbox_size) =
            (self.guard(&format!("QueueRegistry {index}")), self.settings.limits.registry_mailbox_size);
        let (depth, changes) = (Arc::clone(&self.depths.batches[index]), Arc::clone(&self.depths.changes));
        let (messages, logger) = (Arc::clone(&self.depths.messages), self.logger.clone());
        Restarting::start_in_arbiter(&arbiter.handle(), move |context| {
            let registry = context.address();
            let journal = journal.map(|writer| {
                let registry = registry.clone();
                Box::new(ShardJournal { writer, registry, depth: messages, logger }) as Box<dyn MessageJournal>
            });
            let log =
                writer.map(|writer| Box::new(ShardLog { writer, registry, depth: changes }) as Box<dyn ChangeLog>);
            let notifications = Box::new(notifications);
            let parts = ShardParts {
                index,
                directory,
                policy,
                stats,
                log,
                journal,
                notifications,
                services,
                peers,
                clock,
                activity,
            };
            QueueRegistry::new(Arc::new(Mutex::new(Shard::new(parts))), mailbox_size, depth, guard)
        })
    }

    pub fn expirer(&self, shards: &Arc<[Addr<QueueRegistry>]>) -> Addr<Expirer> {
        let expirer = Expirer {
            times: expiry_times(&self.settings),
            shards: Arc::clone(shards),
            sessions: Arc::clone(&self.sessions),
            stats: Arc::clone(&self.stats),
            clock: self.clock.clone(),
            round: Arc::default(),
            time: self.time.clone(),
            guard: self.guard("Expirer"),
            logger: self.logger.clone(),
        };
        Restarting::start(|_| expirer)
    }

    pub fn stats_collector(
        &self,
        shards: &Arc<[Addr<QueueRegistry>]>,
        from_time: Arc<Mutex<SystemTime>>,
        daily: Option<(Arc<dyn Files>, PathBuf)>,
        (metrics, watched): (Option<MetricsFile>, Watched),
    ) -> Addr<StatsCollector> {
        let parts = CollectorParts {
            stats: Arc::clone(&self.stats),
            shards: Arc::clone(shards),
            directory: Arc::clone(&self.directory),
            services: Arc::clone(&self.services),
            from_time,
            daily,
            metrics,
            watched,
            clock: self.clock.clone(),
            guard: self.guard("StatsCollector"),
            logger: self.logger.clone(),
        };
        Restarting::start(|_| StatsCollector::new(parts))
    }

    pub fn metrics_endpoint(
        &self,
        socket: TcpListener,
        collector: &Addr<StatsCollector>,
        vitals: &Vitals,
        shared: &Shared,
    ) -> Addr<Endpoint> {
        if let Ok(address) = socket.local_addr() {
            note!(self.logger, "metrics are told at http://{address}/metrics");
        }
        let operation = Operation {
            stats: Arc::clone(&self.stats),
            sessions: Arc::clone(&self.sessions),
            depths: self.depths.clone(),
            body_reader: shared.body_reader.clone(),
            tally: Arc::clone(&self.tally),
            vitals: vitals.clone(),
        };
        let (guard, logger) = (self.guard("MetricsEndpoint"), self.logger.clone());
        let parts = EndpointParts { collector: collector.clone(), operation, guard, logger };
        Restarting::start(|_| Endpoint::new(socket, parts))
    }

    /// The site has a thread of its own: browsers must not hold up anything.
    pub fn web(&self, site: Site, sockets: WebSockets, arbiter: &Arbiter) -> Addr<Web> {
        let parts = WebParts {
            site,
            sockets,
            tls_limit: self.settings.limits.tls_handshake_timeout,
            guard: self.guard("Web"),
            logger: self.logger.clone(),
        };
        Restarting::start_in_arbiter(&arbiter.handle(), |_| Web::new(parts))
    }

    pub fn control_port(
        &self,
        socket: TcpListener,
        shards: &Arc<[Addr<QueueRegistry>]>,
        watched: Watched,
        collector: Addr<StatsCollector>,
        place: Place,
        from_time: SystemTime,
    ) -> Addr<ControlPort> {
        let auth = &self.settings.auth;
        let today = Date::from_unix_seconds(self.clock.now());
        // The counter goes on from the saved one, unless that is of another day.
        let used = if Date::of(from_time) == today { self.stats.queues.blocked.get() } else { 0 };
        let used = u32::try_from(used).unwrap_or(u32::MAX);
        let desk = ControlDesk {
            passwords: Passwords {
                admin: auth.control_port_admin_password.clone(),
                user: auth.control_port_user_password.clone(),
            },
            directory: Arc::clone(&self.directory),
            services: Arc::clone(&self.services),
            watched,
            shards: Arc::clone(shards),
            collector,
            place,
            blocks: DailyBlocks::new(auth.daily_block_queue_quota, today, used),
            clock: self.clock.clone(),
            logger: self.logger.clone(),
            unauthorized: LimitedLog::new(&self.logger, Level::Error, "unauthorized control port commands"),
        };
        let guard = self.guard("ControlPort");
        Restarting::start(|_| ControlPort::new(socket, desk, guard))
    }

    pub fn session_context(&self, home: usize, shared: &Shared) -> SessionContext {
        let Shared { shards, notifications, forwarding, names, body_reader, .. } = shared;
        let names_at_a_time = self.settings.names.as_ref().map_or(1, |names| names.concurrency);
        SessionContext {
            directory: Arc::clone(&self.directory),
            registry: RegistryShards { shards: Arc::clone(shards), depths: Arc::clone(&self.depths.batches), home },
            body_reader: body_reader.clone(),
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
            messages_are_in_memory: !self.settings.store_log.storage.messages_in_journal(),
            block_timeout: self.settings.limits.block_timeout,
            write_timeout: self.settings.limits.write_timeout,
            guard: self.guard("Session"),
            logger: self.logger.clone(),
        }
    }

    pub fn listener_parts(
        &self,
        (port, transport): (u16, Transport),
        port_stats: &Arc<PortStats>,
        home: usize,
        tls: &Arc<TlsServer>,
        sessions: SessionContext,
        store_log: Option<Addr<StoreLogWriter>>,
    ) -> ListenerParts {
        let limits = &self.settings.limits;
        ListenerParts {
            port,
            transport,
            port_stats: Arc::clone(port_stats),
            door: None,
            tls: Arc::clone(tls),
            first_byte_limit: limits.first_byte_timeout,
            tls_limit: limits.tls_handshake_timeout,
            handshake: ServerHandshake { versions: versions(&self.settings), limit: limits.smp_handshake_timeout },
            concurrent_handshakes: limits.concurrent_handshakes,
            max_connections: limits.max_connections,
            keep_alive: KeepAlive { give_up: limits.write_timeout, ..KeepAlive::SERVER },
            log_tls_errors: self.settings.transport.log_tls_errors,
            services: ServiceRegistrar { services: Arc::clone(&self.services), store_log, clock: self.clock.clone() },
            sessions: Arc::new(sessions),
            guard: self.guard(&format!("Listener of port {port} on thread {home}")),
            logger: self.logger.clone(),
        }
    }
}

fn policy(settings: &Settings, password: &CreatePassword) -> Policy {
    Policy {
        new_queues: settings.auth.new_queues,
        password: password.clone(),
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
