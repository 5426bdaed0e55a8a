//! Waiting for a connection that somebody makes.

use std::convert::Infallible;
use std::sync::{Arc, Weak};

use futures_util::FutureExt;
use futures_util::future::Shared;
use tokio::sync::oneshot;

use super::table::Outcome;

/// Nothing is ever sent: it is what is left of the interest that counts.
type Interest = oneshot::Sender<Infallible>;

/// A wait for a connection. When the last wait is dropped the attempt is given up.
pub struct Opening {
    outcome: Shared<oneshot::Receiver<Outcome>>,
    interest: Arc<Interest>,
}

/// A connection that is being made, to be waited for as long as anybody else waits for it.
pub(super) struct Attempt {
    outcome: Shared<oneshot::Receiver<Outcome>>,
    interest: Weak<Interest>,
}

/// The other side of all waits for a connection.
pub(super) struct Waiters {
    outcome: oneshot::Sender<Outcome>,
    interest: oneshot::Receiver<Infallible>,
}

impl Opening {
    /// The first wait.
    pub(super) fn begin() -> (Waiters, Self) {
        let (sender, outcome) = oneshot::channel();
        let (interest, interested) = oneshot::channel();
        let waiters = Waiters { outcome: sender, interest: interested };
        (waiters, Self { outcome: outcome.shared(), interest: Arc::new(interest) })
    }

    pub(super) fn attempt(&self) -> Attempt {
        Attempt { outcome: self.outcome.clone(), interest: Arc::downgrade(&self.interest) }
    }

    /// Waits for the outcome; `None` if whoever made the connection gave up.
    pub async fn outcome(self) -> Option<Outcome> {
        let Self { outcome, interest } = self;
        let outcome = outcome.await.ok();
        drop(interest);
        outcome
    }
}

impl Attempt {
    /// One more wait, unless nobody waits any more.
    pub fn join(&self) -> Option<Opening> {
        Some(Opening { outcome: self.outcome.clone(), interest: self.interest.upgrade()? })
    }
}

impl Waiters {
    /// Tells all who wait.
    pub fn tell(self, outcome: Outcome) {
        // Nobody may be waiting any more.
        let _ = self.outcome.send(outcome);
    }

    /// Waits until nobody waits.
    pub async fn are_gone(&mut self) {
        let _ = (&mut self.interest).await;
    }
}
