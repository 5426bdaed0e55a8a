//! The whole server: loaded from disk, run until it is told to end, saved.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use actix::{Addr, MailboxError};
use actix_rt::System;
use futures_util::future::try_join_all;
use slog::{Logger, error, warn};
use smp_config::certificates::{Credentials, PrivateKey};
use smp_config::paths::Directories;
use smp_config::settings::Settings;
use smp_protocol::key::SigningKey;
use smp_store::error::FileError;
use smp_store::files::RehearsedFiles;
use smp_store::store_log::StoreLogError;
use smp_transport::listener::ListenError;
use smp_transport::tls::{Credential, CredentialError};
use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::clock::Clock;
use crate::directory::Directory;
use crate::journal_writer::CloseJournal;
use crate::machine::Machine;
use crate::names::{InvalidResolver, Resolver};
use crate::notifications;
use crate::registry;
use crate::sockets::{Sockets, threads};
use crate::state::{Loading, Place, Save, State, StateError};
use crate::stats_collector::Snapshot;
use crate::store_log_writer::CloseLog;
use crate::supervisor::{EndReason, Shutdown, Supervisor};
use crate::systemd;
use crate::tree::{ANSWER_LIMIT, Seed, Tree};
use crate::web::{self, Health};

/// Time for what waits to be written when the server ends.
const DISK_LIMIT: Duration = Duration::from_secs(60);

/// What a server is started with.
pub struct ServerParts {
    /// Settings of the operator.
    pub settings: Settings,
    /// Where things are.
    pub directories: Directories,
    /// Certificates and the key of the first.
    pub credentials: Credentials,
    /// Start although some saved messages cannot be restored.
    pub skip_warnings: bool,
    /// End on SIGINT and SIGTERM.
    pub handle_signals: bool,
    /// Version of the program, as its page shows it.
    pub version: &'static str,
    /// Log of the server.
    pub logger: Logger,
}

/// Why the server does not run, or did not end well. Each is one line that names what failed and what to do.
#[derive(Debug, Error)]
pub enum StartError {
    /// The state on disk.
    #[error(transparent)]
    State(#[from] StateError),
    /// The certificates.
    #[error("the certificates cannot be used: {0}")]
    Credential(#[from] CredentialError),
    /// A port.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The resolver of names.
    #[error(transparent)]
    Resolver(#[from] InvalidResolver),
    /// Saving.
    #[error(transparent)]
    Save(#[from] FileError),
    /// Closing the store log.
    #[error(transparent)]
    StoreLog(#[from] StoreLogError),
    /// Setting aside what was restored.
    #[error(transparent)]
    SetAside(#[from] smp_store::restoration::RestoreError),
    /// A shard did not answer when the messages were to be saved.
    #[error("QueueRegistry did not answer: the messages are saved as they are")]
    ShardHangs,
    /// An actor did not answer when its state was to be saved.
    #[error("{0} did not answer: its part of the state is not saved")]
    NoAnswer(&'static str),
}

/// A loaded server.
pub struct Server {
    settings: Settings,
    directories: Directories,
    credential: Credential,
    resolver: Option<Resolver>,
    state: State,
    threads: usize,
    clock: Clock,
    handle_signals: bool,
    version: &'static str,
    logger: Logger,
}

/// A server that accepts connections.
pub struct RunningServer {
    /// Addresses that it listens on, one per configured port.
    pub listening: Vec<SocketAddr>,
    root: Addr<Supervisor>,
}

impl RunningServer {
    /// Tells the server to end in good order. Does not wait.
    pub fn stop(&self) {
        self.root.do_send(Shutdown(EndReason::Requested));
    }
}

impl Server {
    /// Locks the state directory and loads everything from it.
    pub fn load(parts: ServerParts) -> Result<Self, StartError> {
        Self::load_on(Machine::default(), parts)
    }

    /// The same on another machine.
    pub fn load_on(machine: Machine, parts: ServerParts) -> Result<Self, StartError> {
        let ServerParts { settings, directories, credentials, skip_warnings, handle_signals, version, logger } = parts;
        let credential = credential(credentials)?;
        let resolver = settings
            .names
            .as_ref()
            .map(|names| Resolver::new(names, settings.limits.names_requests, &logger))
            .transpose()?;
        let threads = threads(&settings);
        let state = State::load(&Loading {
            settings: &settings,
            path: &directories.state,
            skip_warnings,
            shards: threads,
            machine: &machine,
            logger: &logger,
        })?;
        let clock = machine.clock;
        Ok(Self { settings, directories, credential, resolver, state, threads, clock, handle_signals, version, logger })
    }

    /// Loads everything and changes nothing. Returns how many queues and messages there are.
    pub fn rehearse(parts: ServerParts) -> Result<(i64, i64), StartError> {
        let machine = Machine { files: Arc::new(RehearsedFiles::default()), rehearses: true, ..Machine::default() };
        let stats = Self::load_on(machine, parts)?.state.stats;
        Ok((stats.queues.now.get(), stats.messages.now.get()))
    }

    /// Saves what was loaded, without running.
    pub fn save(self) -> Result<(), StartError> {
        let State {
            directory,
            notifications,
            activity,
            from_time,
            stats,
            restoration,
            place,
            time,
            store_log,
            journal,
            ..
        } = self.state;
        if let Some(restoration) = restoration {
            restoration.finish()?;
        }
        time.record_now();
        let save = place.save_alone();
        save.messages(&directory)?;
        let waiting: Vec<_> = notifications.waiting().map(|(id, pending)| (id, pending.clone())).collect();
        save.notifications(&waiting)?;
        save.stats(&smp_store::stats::StatsSnapshot {
            active_queues: activity.all.to_saved(),
            active_queues_ntf: activity.with_notification.to_saved(),
            ..stats.snapshot(*from_time.lock())
        })?;
        if let Some(journal) = journal {
            journal.close()?;
        }
        if let Some(mut log) = store_log {
            log.sync()?;
        }
        Ok(())
    }

    /// Runs on sockets that were bound with the same settings, until the server is told to end, and saves everything. Blocks the
    /// thread; `ready` is called on it once all ports accept connections.
    pub fn run(self, sockets: Sockets, ready: impl FnOnce(RunningServer)) -> Result<EndReason, StartError> {
        System::new().block_on(self.live(sockets, ready))
    }

    #[expect(clippy::disallowed_methods, reason = "what may panic is on another thread, whose end is looked at")]
    async fn live(self, sockets: Sockets, ready: impl FnOnce(RunningServer)) -> Result<EndReason, StartError> {
        let Self {
            settings,
            directories,
            credential,
            resolver,
            state,
            threads,
            clock,
            handle_signals,
            version,
            logger,
        } = self;
        let State {
            directory,
            services,
            notifications,
            store_log,
            journal,
            activity,
            from_time,
            stats,
            restoration,
            place,
            time,
        } = state;
        let (end, ended) = oneshot::channel();
        let root = Supervisor::start_root(logger.clone(), handle_signals, end);
        let hangups = handle_signals.then(|| signal(SignalKind::hangup()));
        let metrics = place.metrics(settings.store_log.prometheus_interval);
        let health = Health::default();
        let site = web::prepare(&settings, version, &health, &logger);
        let seed = Seed {
            watchdog_limit: handle_signals.then(systemd::watchdog_limit).flatten(),
            site,
            health,
            settings,
            credential,
            resolver,
            directory: Arc::clone(&directory),
            services,
            notifications,
            store_log,
            journal,
            activity,
            from_time,
            daily_stats: place.daily_stats(),
            place: place.clone(),
            metrics,
            stats,
            clock,
            time: time.clone(),
            threads,
            sockets,
            logger: logger.clone(),
        };
        let tree = Tree::grow(seed, &root);
        if let Some(restoration) = restoration {
            restoration.finish()?;
        }
        time.record_now();
        match hangups {
            Some(Ok(hangups)) => drop(actix_rt::spawn(tree.reloader(directories).follow(hangups))),
            Some(Err(error)) => warn!(logger, "cannot handle SIGHUP: {error}; certificates are read at the next start"),
            None => {}
        }
        let opened = tree.open().await;
        let reason = if opened.is_ok() {
            ready(RunningServer { listening: tree.listening.clone(), root });
            if handle_signals {
                systemd::ready(&logger);
            }
            // The root ends only with the server, so that there is always a reason.
            ended.await.unwrap_or(EndReason::Requested)
        } else {
            EndReason::Requested
        };

        if handle_signals {
            systemd::stopping(&logger);
        }
        note!(logger, "Saving server state...");
        tree.expect_end();
        tree.end_sessions().await;
        let saved = save(&tree, &directory, &place, &logger).await;
        time.record_now();
        tree.stop_threads();
        saved?;
        opened?;
        note!(logger, "Server stopped");
        Ok(reason)
    }
}

/// Saves each part of the state, whatever happens to the others. Messages first: they are what cannot be had again.
async fn save(tree: &Tree, directory: &Arc<Directory>, place: &Place, logger: &Logger) -> Result<(), StartError> {
    let save = Arc::new(place.begin_last_save().await);
    let messages = save_messages(tree, directory, &save).await;
    let journal = match &tree.journal {
        None => Ok(()),
        Some(writer) => written("JournalWriter", writer.send(CloseJournal)).await.and_then(|closed| Ok(closed?)),
    };
    let waiting = answer("Notifications", tree.notifications.actor.send(notifications::Flush)).await;
    let notifications = waiting.and_then(|waiting| Ok(save.notifications(&waiting)?));
    let stats = answer("StatsCollector", tree.stats.send(Snapshot)).await;
    let stats = stats.and_then(|stats| stats.ok_or(StartError::NoAnswer("StatsCollector")));
    let stats = stats.and_then(|stats| Ok(save.stats(&stats)?));
    let closed = match &tree.store_log {
        None => Ok(()),
        Some(writer) => written("StoreLogWriter", writer.send(CloseLog)).await.and_then(|closed| Ok(closed?)),
    };
    let parts = [messages, journal, notifications, stats, closed];
    for failure in parts.iter().filter_map(|part| part.as_ref().err()) {
        error!(logger, "{failure}");
    }
    parts.into_iter().collect()
}

/// Saves the messages when every shard has finished what it was asked before. A shard that does not answer must not cost more than what
/// it has in work: the messages are saved as they are, unless it holds one of its queues.
async fn save_messages(tree: &Tree, directory: &Arc<Directory>, save: &Arc<Save>) -> Result<(), StartError> {
    let closed =
        answer("QueueRegistry", try_join_all(tree.shards.iter().map(|shard| shard.send(registry::Close)))).await;
    let Err(failure) = closed else { return Ok(save.messages(directory)?) };
    let (directory, save) = (Arc::clone(directory), Arc::clone(save));
    let (done, saved) = oneshot::channel();
    thread::spawn(move || done.send(save.messages(&directory)));
    match timeout(ANSWER_LIMIT, saved).await {
        Ok(Ok(Ok(()))) => Err(StartError::ShardHangs),
        Ok(Ok(Err(failure))) => Err(failure.into()),
        Ok(Err(_)) | Err(_) => Err(failure),
    }
}

/// What an actor answers, if it does.
async fn answer<T>(
    name: &'static str,
    request: impl Future<Output = Result<T, MailboxError>>,
) -> Result<T, StartError> {
    answer_within(ANSWER_LIMIT, name, request).await
}

/// The same for one who may wait for the disk.
async fn written<T>(
    name: &'static str,
    request: impl Future<Output = Result<T, MailboxError>>,
) -> Result<T, StartError> {
    answer_within(DISK_LIMIT, name, request).await
}

async fn answer_within<T>(
    limit: Duration,
    name: &'static str,
    request: impl Future<Output = Result<T, MailboxError>>,
) -> Result<T, StartError> {
    match timeout(limit, request).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_)) | Err(_) => Err(StartError::NoAnswer(name)),
    }
}

pub(crate) fn credential(credentials: Credentials) -> Result<Credential, CredentialError> {
    let key = match &credentials.key {
        PrivateKey::Ed25519(seed) => SigningKey::ed25519(seed),
        PrivateKey::Ed448(seed) => SigningKey::ed448(seed),
    };
    Credential::new(credentials.chain.into_iter().map(Into::into).collect(), key)
}
