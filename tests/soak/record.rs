//! What the record of a queue must say.

use std::sync::Arc;

use smp_client::NotifierCredentials;
use smp_client::protocol::authorization::AuthPrivateKey;

/// A change of a record.
#[derive(Clone)]
pub enum Change {
    /// `KEY`
    Secure(Arc<AuthPrivateKey>),
    /// `OFF`
    Suspend,
    /// `DEL`
    Delete,
    /// `NKEY`; the notifier is not known before the answer.
    AddNotifier,
    /// `NDEL`
    RemoveNotifier,
}

/// A record, and the change that is under way.
#[derive(Default)]
pub struct Record {
    pub sender_key: Option<Arc<AuthPrivateKey>>,
    pub suspended: bool,
    pub deleted: bool,
    pub has_notifier: bool,
    /// Known only if this connection made it.
    pub notifier: Option<Arc<NotifierCredentials>>,
    pub under_way: Option<Change>,
    /// Grows with every change.
    pub version: u64,
}

impl Record {
    /// A change goes out.
    pub fn begin(&mut self, change: Change) {
        self.under_way = Some(change);
        self.version += 1;
    }

    /// The change is answered.
    pub fn finish(&mut self, notifier: Option<Arc<NotifierCredentials>>) {
        self.version += 1;
        match self.under_way.take().expect("a change was sent") {
            Change::Secure(key) => self.sender_key = Some(key),
            Change::Suspend => self.suspended = true,
            Change::Delete => (self.deleted, self.notifier) = (true, None),
            Change::AddNotifier => (self.has_notifier, self.notifier) = (true, notifier),
            Change::RemoveNotifier => (self.has_notifier, self.notifier) = (false, None),
        }
    }

    /// What is seen of the record after a restart; `None`: there is no such queue. Must agree with what is known, except for
    /// the change that was under way.
    pub fn seen(&mut self, flags: Option<(bool, bool)>) {
        let under_way = self.under_way.take();
        let Some((secured, has_notifier)) = flags else {
            assert!(self.deleted || matches!(under_way, Some(Change::Delete)), "a queue is lost");
            (self.deleted, self.notifier) = (true, None);
            return;
        };
        assert!(!self.deleted, "a deleted queue is back");
        if let (Some(Change::Secure(key)), true) = (&under_way, secured) {
            self.sender_key = Some(Arc::clone(key));
        }
        assert_eq!(secured, self.sender_key.is_some(), "whether the queue is secured");
        if matches!(under_way, Some(Change::AddNotifier | Change::RemoveNotifier)) {
            (self.has_notifier, self.notifier) = (has_notifier, None);
        }
        assert_eq!(has_notifier, self.has_notifier, "whether there is a notifier");
        // Shows only when something is sent.
        self.under_way = under_way.filter(|change| matches!(change, Change::Suspend));
    }

    /// After a restart a `SEND` shows whether the queue is suspended.
    pub fn seen_by_sender(&mut self, refused: bool) {
        match self.under_way.take() {
            Some(Change::Suspend) => self.suspended = refused,
            _ => assert_eq!(refused, self.suspended, "whether the queue is suspended"),
        }
    }
}
