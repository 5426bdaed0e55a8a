//! Who is subscribed to what, and what is not acknowledged, at this moment.

use std::collections::HashSet;

use parking_lot::Mutex;

use crate::directory::Directory;
use crate::notifications::NotificationArea;
use crate::queue::Subscriber;
use crate::services::{AreaKind, Services};
use crate::session::Sessions;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census {
    /// Messages.
    pub messages: AreaCensus,
    /// Notifications.
    pub notifications: AreaCensus,
    /// Messages that wait for their `ACK`.
    pub pending: PendingAcks,
    /// Connections with such messages.
    pub waiting_sessions: u64,
    /// Subscriptions by `GET`.
    pub getters: u64,
}

/// Subscriptions of one area.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AreaCensus {
    /// Queues or notifiers, each subscribed by itself.
    pub queues: u64,
    /// Connections with subscriptions.
    pub sessions: u64,
    /// Services with a subscribed connection.
    pub services: u64,
    /// Queues or notifiers that these connections subscribed to.
    pub service_queues: u64,
}

/// Messages that wait for their `ACK`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PendingAcks {
    /// For how many seconds each.
    pub ages: Vec<i64>,
}

impl Census {
    /// Walks all queues, a portion at a time between other work of the thread. `now` in seconds since 1970.
    pub async fn take(
        directory: &Directory,
        services: &Services,
        sessions: &Sessions,
        notifications: &Mutex<NotificationArea>,
        now: i64,
    ) -> Self {
        let mut census = Self::default();
        let mut waiting = HashSet::new();
        for portion in 0..Directory::PORTIONS {
            for queue in directory.portion(portion) {
                let of_service = queue.record().service.is_some();
                let Some(live) = queue.live_if_any() else { continue };
                let subscriber = live.subscriber.as_ref().filter(|subscriber| subscriber.is_current());
                census.messages.queues += u64::from(subscriber.is_some() && !of_service);
                census.getters += live.getters.len() as u64;
                for of in subscriber.into_iter().chain(&live.getters) {
                    census.pending.note(of, now, &mut waiting);
                }
            }
            tokio::task::yield_now().await;
        }
        census.waiting_sessions = waiting.len() as u64;
        let subscribed = sessions.all().into_iter().filter(|session| session.subscriptions() > 0);
        let mut subscribed: HashSet<_> = subscribed.map(|session| session.number()).collect();
        let of_services = services.subscribers(AreaKind::Messages);
        subscribed.extend(of_services.iter().map(|(session, _)| session));
        census.messages.sessions = subscribed.len() as u64;
        census.messages.add_services(&of_services);

        let of_services = services.subscribers(AreaKind::Notifications);
        let (queues, sessions) = notifications.lock().subscriptions();
        census.notifications.queues = queues;
        census.notifications.sessions = sessions + of_services.len() as u64;
        census.notifications.add_services(&of_services);
        census
    }
}

impl AreaCensus {
    fn add_services(&mut self, subscribers: &[(u64, u64)]) {
        self.services = subscribers.len() as u64;
        self.service_queues = subscribers.iter().map(|(_, queues)| queues).sum();
    }
}

impl PendingAcks {
    fn note(&mut self, of: &Subscriber, now: i64, sessions: &mut HashSet<u64>) {
        if let Some(delivered) = of.delivered {
            self.ages.push(now.saturating_sub(delivered.at).max(0));
            sessions.insert(of.session.number());
        }
    }
}
