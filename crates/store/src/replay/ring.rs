//! Something that goes around among several threads.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// What one of the threads holds of a ring.
pub(super) struct Link<T> {
    from_previous: Receiver<T>,
    to_next: SyncSender<T>,
}

/// A ring of links, the first of which receives `first`.
pub(super) fn ring<T>(links: usize, first: T) -> impl Iterator<Item = Link<T>> {
    let (mut senders, receivers): (Vec<_>, Vec<_>) = (0..links).map(|_| sync_channel(1)).unzip();
    if let Some(sender) = senders.first() {
        // There is room for one, and the receiver is here.
        let _ = sender.send(first);
    }
    senders.rotate_left(1);
    receivers.into_iter().zip(senders).map(|(from_previous, to_next)| Link { from_previous, to_next })
}

impl<T> Link<T> {
    /// Waits until it comes; `None` if it never will.
    pub(super) fn receive(&self) -> Option<T> {
        self.from_previous.recv().ok()
    }

    /// The next thread gets it. If that has ended it is lost, and so the others end as well.
    pub(super) fn pass_on(&self, what: T) {
        let _ = self.to_next.send(what);
    }
}
