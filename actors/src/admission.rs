//! Who may be connected before anything is known about them.
//!
//! A connection costs a client nothing, so places for those that have proved nothing yet are limited, and must not be a queue in
//! which one who says nothing keeps out all others: when there is no place left, the connection that has been waiting for its
//! client longest gives way. One address has only a share of the places, so that it displaces itself first.

mod places;

use std::net::{IpAddr, Ipv6Addr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};
use tokio::task::yield_now;
use tokio::time::timeout;

use places::{Places, Taken};

/// Between two looks of one that waits for a connection that gives way.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// How many connections there may be, and how long they are left alone.
#[derive(Debug, Clone, Copy)]
pub struct AdmissionLimits {
    /// In all.
    pub places: usize,
    /// Of one address, or of one network of IPv6.
    pub of_address: usize,
    /// A connection gives way only after its client was idle for so long.
    pub idle: Duration,
}

/// A limited number of connections whose clients have proved nothing yet.
pub struct Admission {
    limits: AdmissionLimits,
    places: Mutex<Places>,
}

impl Admission {
    /// Nobody is connected.
    pub fn new(limits: AdmissionLimits) -> Arc<Self> {
        Arc::new(Self { limits, places: Mutex::default() })
    }

    /// A place for a connection from this address, at once or as soon as another gives way.
    pub async fn enter(self: &Arc<Self>, address: IpAddr) -> Place {
        let origin = Origin::of(address);
        let mut handed_over = {
            let mut places = self.places.lock();
            if let Some(taken) = places.take(origin, &self.limits) {
                return self.place(taken);
            }
            let (sender, receiver) = oneshot::channel();
            places.wait(origin, sender, &self.limits, Instant::now());
            receiver
        };
        loop {
            match timeout(LOOK_AGAIN, &mut handed_over).await {
                Ok(Ok(place)) => return place,
                // Somebody may have been idle for long enough by now.
                Ok(Err(_)) | Err(_) => self.places.lock().ask_for_waiting(&self.limits, Instant::now()),
            }
        }
    }

    /// Asks so many connections to give way, whoever wants a place.
    pub fn make_room(&self, count: usize) {
        self.places.lock().ask(count, &self.limits, Instant::now());
    }

    fn place(self: &Arc<Self>, Taken { number, wanted }: Taken) -> Place {
        Place { admission: Arc::clone(self), number, wanted }
    }

    fn leave(self: &Arc<Self>, number: u64) {
        let mut next = self.places.lock().free(number, &self.limits);
        while let Some((waiting, taken)) = next {
            // Whoever waited may have given up: then dropping the place passes it on.
            drop(waiting.send(self.place(taken)));
            next = self.places.lock().next_waiting(&self.limits);
        }
    }
}

/// Where a connection comes from: one who has a network of IPv6 has all its addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Origin(IpAddr);

impl Origin {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(ip) => {
                let network = u128::from(ip) & (u128::MAX << 64);
                Self(Ipv6Addr::from(network).into())
            }
            ip @ IpAddr::V4(_) => Self(ip),
        }
    }
}

/// A place of one connection; free again when it is dropped.
pub struct Place {
    admission: Arc<Admission>,
    number: u64,
    wanted: Arc<Notify>,
}

impl Place {
    /// Does what waits for the client again and again. `None`: the client was idle for longest when the place was needed.
    pub async fn hold<F: Future>(&self, work: F) -> Option<F::Output> {
        let woken = Arc::new(Woken::default());
        let mut watched = Watched { work: pin!(work), place: self, waker: Arc::clone(&woken).into(), woken: &woken };
        loop {
            tokio::select! {
                biased;
                output = &mut watched => return Some(output),
                () = self.wanted.notified() => {}
            }
            // What has arrived in the meantime counts.
            yield_now().await;
            if !woken.is_woken() && self.admission.places.lock().gives_way(self.number) {
                return None;
            }
        }
    }

    /// The connection does not give way while this exists: not the client is waited for, but the server.
    pub fn busy(&self) -> Busy<'_> {
        self.admission.places.lock().set_busy(self.number, true);
        Busy(self)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.admission.leave(self.number);
    }
}

/// See [`Place::busy`].
pub struct Busy<'a>(&'a Place);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.admission.places.lock().set_busy(self.0.number, false);
    }
}

/// Work that tells its place whenever the client did something.
struct Watched<'a, F> {
    work: Pin<&'a mut F>,
    place: &'a Place,
    waker: Waker,
    woken: &'a Arc<Woken>,
}

impl<F: Future> Future for Watched<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        self.woken.task.register(context.waker());
        if !self.woken.take() {
            return Poll::Pending;
        }
        let this = &mut *self;
        let poll = this.work.as_mut().poll(&mut Context::from_waker(&this.waker));
        if poll.is_pending() {
            let admission = &this.place.admission;
            admission.places.lock().wait_for_client(this.place.number, &admission.limits, Instant::now());
        }
        poll
    }
}

/// Whether work was woken since it was polled: its client did something then.
struct Woken {
    flag: AtomicBool,
    task: AtomicWaker,
}

/// It is polled once in any case.
impl Default for Woken {
    fn default() -> Self {
        Self { flag: AtomicBool::new(true), task: AtomicWaker::new() }
    }
}

impl Woken {
    fn is_woken(&self) -> bool {
        self.flag.load(Ordering::Acquire)
    }

    fn take(&self) -> bool {
        self.flag.swap(false, Ordering::AcqRel)
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.flag.store(true, Ordering::Release);
        self.task.wake();
    }
}

#[cfg(test)]
mod tests;
