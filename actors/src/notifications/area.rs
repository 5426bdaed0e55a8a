//! The notifications area: subscribers of notifiers and their waiting notifications.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use smp_protocol::id::{NotifierId, ServiceId};

use crate::notification::PendingNotification;
use crate::services::{AreaKind, Services};
use crate::session_handle::{Event, NotifierEvent, SessionHandle};
use crate::stats::Stats;

/// Transmissions of at most this many notifications fit a block; counts of batches are based on it.
const NOTIFICATIONS_IN_A_BLOCK: usize = 80;

/// Subscribers and waiting notifications. An entry exists while there is either.
#[derive(Default)]
pub struct NotificationArea {
    stats: Arc<Stats>,
    services: Arc<Services>,
    /// A session with more transmissions waiting than this gets no notifications until the next cycle.
    session_limit: usize,
    /// Notifications that wait for a notifier; the oldest go beyond that. A queue holds no more messages than this, so those that
    /// go are about messages that were taken out.
    quota: usize,
    notifiers: HashMap<NotifierId, Notifier>,
    /// Notifiers with a subscriber and something that waits for it.
    deliverable: HashSet<NotifierId>,
    sessions: HashMap<u64, HashSet<NotifierId>>,
}

#[derive(Default)]
struct Notifier {
    /// The service that the notifier belongs to: its notifications go to whoever is subscribed for the service.
    service: Option<ServiceId>,
    subscriber: Option<Arc<SessionHandle>>,
    waiting: VecDeque<PendingNotification>,
}

impl NotificationArea {
    /// An area in which nothing waits.
    pub fn new(stats: Arc<Stats>, services: Arc<Services>, session_limit: usize, quota: usize) -> Self {
        Self { stats, services, session_limit, quota, ..Self::default() }
    }

    /// Makes a session the one that notifications go to. Another one is told that its subscription ended.
    pub fn subscribe(&mut self, id: NotifierId, session: &Arc<SessionHandle>, service: Option<ServiceId>) {
        if !session.is_connected() {
            return;
        }
        let notifier = self.notifiers.entry(id).or_default();
        notifier.service = service;
        if !notifier.waiting.is_empty() {
            self.deliverable.insert(id);
        }
        if service.is_some() {
            if let Some(old) = notifier.subscriber.take() {
                self.end(&old, id, Event::Ended);
            }
            return;
        }
        match notifier.subscriber.replace(Arc::clone(session)) {
            Some(old) if old.is(session) => return self.stats.notifications.duplicate.count(),
            Some(old) => self.end(&old, id, Event::Ended),
            None => {}
        }
        self.stats.notifications.subscribed.count();
        let listed = self.sessions.entry(session.number()).or_default();
        listed.insert(id);
        session.notifier_subscriptions.store(listed.len(), Ordering::Relaxed);
    }

    /// Whether the notifications of a notifier go to this session, by itself.
    pub fn is_subscriber(&self, id: &NotifierId, session: &SessionHandle) -> bool {
        let subscriber = self.notifiers.get(id).and_then(|notifier| notifier.subscriber.as_ref());
        subscriber.is_some_and(|subscriber| subscriber.is(session))
    }

    /// Number of notifiers that are subscribed one by one, and of sessions that are subscribed to any.
    pub fn subscriptions(&self) -> (u64, u64) {
        (self.sessions.values().map(|notifiers| notifiers.len() as u64).sum(), self.sessions.len() as u64)
    }

    /// Takes a subscription away from a session and tells it why.
    fn end(&mut self, session: &SessionHandle, id: NotifierId, event: Event) {
        self.unlist(session, &id);
        if session.is_connected() {
            session.mailbox().notice(id.into(), event);
        }
    }

    fn unlist(&mut self, session: &SessionHandle, id: &NotifierId) {
        if let Entry::Occupied(mut listed) = self.sessions.entry(session.number()) {
            listed.get_mut().remove(id);
            session.notifier_subscriptions.store(listed.get().len(), Ordering::Relaxed);
            if listed.get().is_empty() {
                listed.remove();
            }
        }
    }

    /// A notification is to be delivered in the next cycle.
    pub fn notify(&mut self, id: NotifierId, service: Option<ServiceId>, notification: PendingNotification) {
        let notifier = self.notifiers.entry(id).or_default();
        notifier.service = service;
        notifier.waiting.push_back(notification);
        let is_too_many = notifier.waiting.len() > self.quota && notifier.waiting.pop_front().is_some();
        if notifier.subscriber.is_some() || service.is_some() {
            self.deliverable.insert(id);
        }
        if !is_too_many {
            self.stats.notifications.waiting.change(1);
        }
    }

    /// The notifier is gone, and all that waits for it. Its subscriber is told, unless it is the session that caused this.
    pub fn forget(&mut self, id: NotifierId, cause: Option<u64>) {
        let Some(Notifier { subscriber, waiting, .. }) = self.notifiers.remove(&id) else { return };
        self.deliverable.remove(&id);
        self.count_gone(waiting.len());
        match subscriber {
            Some(session) if Some(session.number()) == cause => self.unlist(&session, &id),
            Some(session) => self.end(&session, id, Event::Deleted),
            None => {}
        }
    }

    /// A session is not connected any more. What waits for its notifiers goes on waiting.
    pub fn unsubscribe(&mut self, session: &SessionHandle) {
        for id in self.sessions.remove(&session.number()).unwrap_or_default() {
            self.deliverable.remove(&id);
            if let Entry::Occupied(mut notifier) = self.notifiers.entry(id) {
                notifier.get_mut().subscriber.take_if(|subscriber| subscriber.is(session));
                if notifier.get().waiting.is_empty() {
                    notifier.remove();
                }
            }
        }
    }

    /// Gives all that waits to the subscribed sessions, at most once each.
    pub fn deliver(&mut self) {
        let mut batches: HashMap<u64, (Arc<SessionHandle>, Vec<NotifierEvent>)> = HashMap::new();
        let (notifiers, services, limit) = (&mut self.notifiers, &self.services, self.session_limit);
        self.deliverable.retain(|id| {
            let Some(notifier) = notifiers.get_mut(id) else { return false };
            let session = match notifier.service {
                Some(service) => {
                    services.find(&service).and_then(|service| service.area(AreaKind::Notifications).subscriber())
                }
                None => notifier.subscriber.clone(),
            };
            // Without a session now, a service may have one in the next cycle.
            let Some(session) = session else { return notifier.service.is_some() };
            if session.waiting.load(Ordering::Relaxed) > limit || !session.is_connected() {
                return true;
            }
            let (_, batch) = batches.entry(session.number()).or_insert_with(|| (session, Vec::new()));
            batch.extend(std::mem::take(&mut notifier.waiting).into_iter().map(|n| ((*id).into(), n.encrypted)));
            false
        });
        for (session, batch) in batches.into_values() {
            self.count_gone(batch.len());
            self.stats.notifications.sent.add(batch.len());
            self.stats.notifications.batches.add(batch.len() / NOTIFICATIONS_IN_A_BLOCK + 1);
            session.mailbox().notify(batch);
        }
    }

    /// Removes notifications older than `before`, seconds since 1970.
    pub fn expire(&mut self, before: i64) {
        let mut expired = 0;
        self.notifiers.retain(|_, notifier| {
            let size = notifier.waiting.len();
            notifier.waiting.retain(|notification| notification.timestamp >= before);
            expired += size - notifier.waiting.len();
            notifier.subscriber.is_some() || !notifier.waiting.is_empty()
        });
        self.count_gone(expired);
        self.stats.notifications.expired.add(expired);
    }

    /// All that waits, oldest first within one notifier.
    pub fn waiting(&self) -> impl Iterator<Item = (NotifierId, &PendingNotification)> {
        self.notifiers.iter().flat_map(|(id, notifier)| notifier.waiting.iter().map(|n| (*id, n)))
    }

    /// Number of notifiers with a subscriber.
    pub fn subscribed(&self) -> usize {
        self.notifiers.values().filter(|notifier| notifier.subscriber.is_some()).count()
    }

    fn count_gone(&self, n: usize) {
        self.stats.notifications.waiting.change(-i64::try_from(n).unwrap_or(i64::MAX));
    }
}
