//! The actor around the notifications area.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message, MessageResult, Supervised};
use parking_lot::Mutex;
use smp_protocol::id::{NotifierId, ServiceId};

use super::area::NotificationArea;
use crate::clock::Clock;
use crate::faults::{self, FaultPoint};
use crate::guard::Guard;
use crate::notification::PendingNotification;
use crate::session_handle::SessionHandle;

/// When notifications are delivered and when they expire.
#[derive(Debug, Clone, Copy)]
pub struct NotificationTimes {
    /// Between two deliveries.
    pub delivery_interval: Duration,
    /// Age in seconds at which a notification expires.
    pub ttl: i64,
    /// Between two looks for expired ones.
    pub expire_interval: Duration,
}

/// Collects notifications and delivers them from time to time, many at once. The area lives outside the actor, which may be
/// restarted.
pub struct Notifications {
    area: Arc<Mutex<NotificationArea>>,
    times: NotificationTimes,
    clock: Clock,
    guard: Guard,
}

impl Notifications {
    /// An actor for an area.
    pub fn new(area: Arc<Mutex<NotificationArea>>, times: NotificationTimes, clock: Clock, guard: Guard) -> Self {
        Self { area, times, clock, guard }
    }

    fn work<T: Default>(&mut self, context: &mut Context<Self>, work: impl FnOnce(&mut NotificationArea) -> T) -> T {
        let area = Arc::clone(&self.area);
        self.guard.run(|| work(&mut area.lock())).unwrap_or_else(|| {
            context.stop();
            T::default()
        })
    }
}

impl Actor for Notifications {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.run_interval(self.times.delivery_interval, |this, context| {
            this.work(context, |area| {
                faults::pass(FaultPoint::Notifications, None);
                area.deliver();
            });
        });
        context.run_interval(self.times.expire_interval, |this, context| {
            let Some(now) = this.clock.trusted_now() else { return };
            let before = now.saturating_sub(this.times.ttl);
            this.work(context, |area| area.expire(before));
        });
    }
}

impl Supervised for Notifications {
    fn restarting(&mut self, _: &mut Self::Context) {
        self.guard.restarted();
    }
}

/// A message with the notification flag was stored.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Notify(pub NotifierId, pub Option<ServiceId>, pub PendingNotification);

impl Handler<Notify> for Notifications {
    type Result = ();

    fn handle(&mut self, Notify(id, service, notification): Notify, context: &mut Self::Context) {
        self.work(context, |area| area.notify(id, service, notification));
    }
}

/// A notifier is gone.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Forget(pub NotifierId, pub Option<u64>);

impl Handler<Forget> for Notifications {
    type Result = ();

    fn handle(&mut self, Forget(id, cause): Forget, context: &mut Self::Context) {
        self.work(context, |area| area.forget(id, cause));
    }
}

/// A session is gone.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Unsubscribe(pub Arc<SessionHandle>);

impl Handler<Unsubscribe> for Notifications {
    type Result = ();

    fn handle(&mut self, Unsubscribe(session): Unsubscribe, context: &mut Self::Context) {
        self.work(context, |area| area.unsubscribe(&session));
    }
}

/// Asks for all that waits. It goes on waiting.
#[derive(Message)]
#[rtype(result = "Vec<(NotifierId, PendingNotification)>")]
pub struct Flush;

impl Handler<Flush> for Notifications {
    type Result = MessageResult<Flush>;

    fn handle(&mut self, _: Flush, context: &mut Self::Context) -> Self::Result {
        MessageResult(self.work(context, |area| area.waiting().map(|(id, n)| (id, n.clone())).collect()))
    }
}
