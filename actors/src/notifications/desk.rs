//! The notifications as registry shards and sessions reach them.

use std::sync::Arc;

use actix::Addr;
use parking_lot::Mutex;
use smp_protocol::id::{NotifierId, ServiceId};

use super::actor::{Forget, Notifications, Notify, Unsubscribe};
use super::area::NotificationArea;
use crate::notification::{NotificationMailbox, PendingNotification};
use crate::session_handle::SessionHandle;

/// The mailbox of the actor, and the area for what must be true before a command is answered.
#[derive(Clone)]
pub struct NotificationDesk {
    /// Subscribers and waiting notifications.
    pub area: Arc<Mutex<NotificationArea>>,
    /// Works on the area from time to time.
    pub actor: Addr<Notifications>,
}

impl NotificationDesk {
    /// A session is gone.
    pub fn unsubscribe(&self, session: &Arc<SessionHandle>) {
        self.actor.do_send(Unsubscribe(Arc::clone(session)));
    }
}

impl NotificationMailbox for NotificationDesk {
    fn notify(&self, notifier: NotifierId, service: Option<ServiceId>, notification: PendingNotification) {
        self.actor.do_send(Notify(notifier, service, notification));
    }

    /// Takes effect at once: whoever is answered that it is subscribed is found to be.
    fn subscribe(&self, notifier: NotifierId, session: Arc<SessionHandle>, service: Option<ServiceId>) {
        self.area.lock().subscribe(notifier, &session, service);
    }

    fn forget(&self, notifier: NotifierId, cause: Option<u64>) {
        self.actor.do_send(Forget(notifier, cause));
    }
}
