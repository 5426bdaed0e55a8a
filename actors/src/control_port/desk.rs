//! Executes what the operator asks for.

use std::sync::Arc;

use actix::Addr;
use slog::Logger;
use smp_protocol::error::ErrorType;
use smp_protocol::password::Password;
use smp_store::date::Date;
use tokio::sync::oneshot;

use super::block_quota::DailyBlocks;
use super::command::{ControlCommand, QueueName, Role};
use super::listing;
use crate::clock::Clock;
use crate::directory::Directory;
use crate::limited_log::LimitedLog;
use crate::metrics::{Census, Watched};
use crate::notifications;
use crate::queue::Queue;
use crate::registry::{OperatorAnswer, OperatorCommand, OperatorJob, QueueRegistry};
use crate::server::StartError;
use crate::services::Services;
use crate::state::Place;
use crate::stats_collector::{Snapshot, StatsCollector, Totals};

/// What the operator proves the right to a role with. A role without a password cannot be had.
pub struct Passwords {
    /// For [`Role::Admin`].
    pub admin: Option<Password>,
    /// For [`Role::User`].
    pub user: Option<Password>,
}

/// Everything that commands need.
pub struct ControlDesk {
    /// Passwords.
    pub passwords: Passwords,
    /// Queues.
    pub directory: Arc<Directory>,
    /// Services.
    pub services: Arc<Services>,
    /// Connections, notifications, ports.
    pub watched: Watched,
    /// Executes what changes queues.
    pub shards: Arc<[Addr<QueueRegistry>]>,
    /// Counters.
    pub collector: Addr<StatsCollector>,
    /// Where the state is saved.
    pub place: Place,
    /// How many queues may be blocked.
    pub blocks: DailyBlocks,
    /// The time.
    pub clock: Clock,
    /// Log of the server.
    pub logger: Logger,
    /// How often it tells of commands without a role.
    pub(crate) unauthorized: Arc<LimitedLog>,
}

impl Passwords {
    /// The role for a password. Both are compared, so that time does not tell which one it is like.
    fn role(&self, given: &str) -> Role {
        let matches = |password: &Option<Password>| password.as_ref().is_some_and(|p| p.matches(given.as_bytes()));
        let (admin, user) = (matches(&self.admin), matches(&self.user));
        match (admin, user) {
            (true, _) => Role::Admin,
            (_, true) => Role::User,
            _ => Role::None,
        }
    }
}

impl ControlDesk {
    /// `auth`: a role is had once and for all.
    pub(super) fn log_in(&self, role: &mut Role, password: &str) -> String {
        let new = self.passwords.role(password);
        if *role == Role::None {
            *role = new;
            return format!("Current role is {}\n", role.word());
        }
        let hint = if new == *role { "" } else { ", start new session to change." };
        format!("Current role is {}{hint}\n", role.word())
    }

    /// Everything but `auth`, `help` and `quit`, for a role that may do it.
    pub(super) async fn execute(&self, command: ControlCommand, role: Role) -> String {
        match command {
            ControlCommand::Auth(_) | ControlCommand::Help | ControlCommand::Quit => String::new(),
            ControlCommand::Stats => match self.collector.send(Totals).await {
                Ok(Some((snapshot, stored))) => listing::stats(&snapshot, &stored, role),
                Ok(None) | Err(_) => "error: INTERNAL\n".to_owned(),
            },
            ControlCommand::RuntimeStats => listing::runtime(),
            ControlCommand::Sockets => listing::sockets(&self.watched.ports),
            ControlCommand::SocketThreads => listing::socket_threads(&self.watched.ports),
            ControlCommand::Threads => listing::threads(),
            ControlCommand::Clients => listing::clients(&self.watched.sessions.all(), self.clock.now()),
            ControlCommand::ServerInfo => self.server_info(role).await,
            ControlCommand::Status(name) => match self.queue(&name) {
                Some(queue) => listing::status(&queue.record()),
                None => error_line(&ErrorType::Auth),
            },
            ControlCommand::Operate(name, command) => self.operate(&name, command).await,
            ControlCommand::Save => self.save().await,
            ControlCommand::Suspend => "suspend not implemented\n".to_owned(),
            ControlCommand::Resume => "resume not implemented\n".to_owned(),
        }
    }

    /// By sender ID, or else by link ID.
    fn queue(&self, name: &QueueName) -> Option<Arc<Queue>> {
        let by_sender = name.sender_id().and_then(|id| self.directory.sender(&id));
        by_sender.or_else(|| name.link_id().and_then(|id| self.directory.link(&id)))
    }

    async fn operate(&self, name: &QueueName, command: OperatorCommand) -> String {
        let Some(queue) = self.queue(name) else { return error_line(&ErrorType::Auth) };
        let claimed = match command {
            OperatorCommand::Block(_) => {
                if let Err(limit) = self.blocks.claim(Date::from_unix_seconds(self.clock.now())) {
                    return format!("error: reached limit of {limit} queues blocked daily\n");
                }
                true
            }
            OperatorCommand::Unblock | OperatorCommand::Delete => false,
        };
        let (reply, answer) = oneshot::channel();
        let shard = &self.shards[self.directory.shard_of(queue.recipient_id())];
        shard.do_send(OperatorJob { queue, command, reply });
        // A shard that fails drops the job.
        let answer = answer.await.unwrap_or(OperatorAnswer::Failed(ErrorType::Internal));
        if claimed && answer != (OperatorAnswer::Blocked { was_active: true }) {
            self.blocks.give_back();
        }
        match (answer, command) {
            (OperatorAnswer::Blocked { was_active }, OperatorCommand::Block(info)) => {
                let how = if was_active { "queue blocked" } else { "already inactive" };
                format!("ok, {how}: {}\n", listing::blocked(&info))
            }
            (OperatorAnswer::Unblocked(info), _) => {
                format!("ok, queue unblocked, reason to block was: {}\n", listing::blocking_info(&info))
            }
            (OperatorAnswer::WasActive, _) => "ok, queue was active\n".to_owned(),
            (OperatorAnswer::IsSuspended, _) => "error, queue is inactive\n".to_owned(),
            (OperatorAnswer::Deleted(messages), _) => format!("ok, {messages} messages deleted\n"),
            (OperatorAnswer::Failed(error), _) => error_line(&error),
            (OperatorAnswer::Blocked { .. }, _) => error_line(&ErrorType::Internal),
        }
    }

    async fn server_info(&self, role: Role) -> String {
        let Watched { sessions, notifications, .. } = &self.watched;
        let census = match role {
            Role::Admin => {
                let now = self.clock.now();
                Some(Census::take(&self.directory, &self.services, sessions, &notifications.area, now).await)
            }
            Role::User | Role::None => None,
        };
        listing::server_info(&sessions.all(), census.as_ref())
    }

    /// A snapshot of what an orderly end would save. Nothing else changes.
    async fn save(&self) -> String {
        let Some(save) = self.place.begin_save().await.map(Arc::new) else {
            return "saving server state...\nerror: the server is stopping, and saves its state itself\n".to_owned();
        };
        let (of_messages, directory) = (Arc::clone(&save), Arc::clone(&self.directory));
        let messages = actix_rt::task::spawn_blocking(move || of_messages.messages(&directory)).await;
        let waiting = self.watched.notifications.actor.send(notifications::Flush).await.ok();
        let stats = self.collector.send(Snapshot).await.ok().flatten();
        let rest = actix_rt::task::spawn_blocking(move || {
            // The file of an actor that does not answer stays as it is.
            let waiting = waiting.ok_or_else(|| no_answer("Notifications"))?;
            save.notifications(&waiting).map_err(|failure| failure.to_string())?;
            let stats = stats.ok_or_else(|| no_answer("StatsCollector"))?;
            save.stats(&stats).map_err(|failure| failure.to_string())
        });
        let messages = messages.map(|result| result.map_err(|failure| failure.to_string()));
        let results = [messages, rest.await].map(|result| result.unwrap_or_else(|_| Err("INTERNAL".to_owned())));
        let end = match results.into_iter().collect::<Result<Vec<_>, _>>() {
            Ok(_) => "server state saved!".to_owned(),
            Err(failure) => format!("error: {failure}"),
        };
        format!("saving server state...\n{end}\n")
    }
}

fn no_answer(actor: &'static str) -> String {
    StartError::NoAnswer(actor).to_string()
}

fn error_line(error: &ErrorType) -> String {
    let mut text = b"error: ".to_vec();
    error.encode(&mut text);
    text.push(b'\n');
    String::from_utf8_lossy(&text).into_owned()
}
