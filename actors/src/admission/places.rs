//! The places that are taken, and who waits for one.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};

use super::{AdmissionLimits, Origin, Place};

/// How often it is looked for connections that give way, at most; and for how many of those who wait.
const LOOKS: (Duration, usize) = (Duration::from_millis(10), 16);

/// A place that was taken.
pub(super) struct Taken {
    pub number: u64,
    /// Tells its owner that another wants it.
    pub wanted: Arc<Notify>,
}

/// Gets the place that is free next.
type Sender = oneshot::Sender<Place>;

/// What the owner of a place does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Doing {
    /// It has something to do.
    Working,
    /// It waits for its client, since it was given this number of the order.
    Idle(u64),
    /// It was asked to give way.
    Asked,
    /// It does not give way.
    Busy,
}

struct Held {
    origin: Origin,
    doing: Doing,
    wanted: Arc<Notify>,
}

/// See [`super::Admission`].
#[derive(Default)]
pub(super) struct Places {
    held: HashMap<u64, Held>,
    of_origin: HashMap<Origin, usize>,
    /// Places whose owners wait for their clients, and since when; longest first.
    idle: BTreeMap<u64, (u64, Instant)>,
    /// How many were asked to give way.
    asked: usize,
    waiting: VecDeque<(Origin, Sender)>,
    looked: Option<Instant>,
    /// For the next place, and the next in the order.
    next: u64,
}

impl Places {
    /// A place, if one is free for this origin.
    pub fn take(&mut self, origin: Origin, limits: &AdmissionLimits) -> Option<Taken> {
        if self.held.len() >= limits.places || self.has_its_share(origin, limits) {
            return None;
        }
        *self.of_origin.entry(origin).or_default() += 1;
        let (number, wanted) = (self.number(), Arc::new(Notify::new()));
        self.held.insert(number, Held { origin, doing: Doing::Working, wanted: Arc::clone(&wanted) });
        Some(Taken { number, wanted })
    }

    fn has_its_share(&self, origin: Origin, limits: &AdmissionLimits) -> bool {
        self.of_origin.get(&origin).is_some_and(|count| *count >= limits.of_address)
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// The next free place is for this one, and another is asked to give way for it.
    pub fn wait(&mut self, origin: Origin, sender: Sender, limits: &AdmissionLimits, now: Instant) {
        self.waiting.push_back((origin, sender));
        if self.asked < self.waiting.len() {
            self.ask_one(Some(origin), limits, now);
        }
    }

    /// Asks connections to give way for those who wait and have nobody to do so yet.
    pub fn ask_for_waiting(&mut self, limits: &AdmissionLimits, now: Instant) {
        let (interval, most) = LOOKS;
        if self.looked.is_some_and(|looked| now.duration_since(looked) < interval) {
            return;
        }
        self.looked = Some(now);
        self.waiting.retain(|(_, sender)| !sender.is_closed());
        let unserved: Vec<_> = self.waiting.iter().skip(self.asked).take(most).map(|(origin, _)| *origin).collect();
        for origin in unserved {
            self.ask_one(Some(origin), limits, now);
        }
    }

    /// Asks so many connections to give way.
    pub fn ask(&mut self, count: usize, limits: &AdmissionLimits, now: Instant) {
        for _ in 0..count {
            self.ask_one(None, limits, now);
        }
    }

    /// Asks the connection that has been idle longest: of this origin, if that has its share.
    fn ask_one(&mut self, origin: Option<Origin>, limits: &AdmissionLimits, now: Instant) {
        let crowded = origin.filter(|origin| self.has_its_share(*origin, limits));
        let gives_way = |number: &u64| crowded.is_none_or(|origin| self.held[number].origin == origin);
        let mut for_long = self.idle.iter().take_while(|(_, (_, since))| now.duration_since(*since) >= limits.idle);
        let found = for_long.find(|(_, (number, _))| gives_way(number)).map(|(order, (number, _))| (*order, *number));
        let Some((order, number)) = found else { return };
        self.idle.remove(&order);
        self.asked += 1;
        if let Some(held) = self.held.get_mut(&number) {
            held.doing = Doing::Asked;
            held.wanted.notify_one();
        }
    }

    /// Whether whoever was asked still gives way.
    pub fn gives_way(&self, number: u64) -> bool {
        self.held.get(&number).is_some_and(|held| held.doing == Doing::Asked)
    }

    /// The owner of a place has done what it could, and waits for its client.
    pub fn wait_for_client(&mut self, number: u64, limits: &AdmissionLimits, now: Instant) {
        if self.held.get(&number).is_none_or(|held| held.doing == Doing::Busy) {
            return;
        }
        let order = self.number();
        self.set(number, Doing::Idle(order));
        self.idle.insert(order, (number, now));
        if !self.waiting.is_empty() {
            self.ask_for_waiting(limits, now);
        }
    }

    /// The owner of a place does not give way, or may do so again.
    pub fn set_busy(&mut self, number: u64, busy: bool) {
        self.set(number, if busy { Doing::Busy } else { Doing::Working });
    }

    fn set(&mut self, number: u64, doing: Doing) {
        let Some(held) = self.held.get_mut(&number) else { return };
        match std::mem::replace(&mut held.doing, doing) {
            Doing::Idle(order) => drop(self.idle.remove(&order)),
            Doing::Asked => self.asked -= 1,
            Doing::Working | Doing::Busy => {}
        }
    }

    /// A place is free, and goes to who waits.
    pub fn free(&mut self, number: u64, limits: &AdmissionLimits) -> Option<(Sender, Taken)> {
        self.set(number, Doing::Working);
        if let Some(Held { origin, .. }) = self.held.remove(&number)
            && let Some(count) = self.of_origin.get_mut(&origin)
        {
            *count -= 1;
            if *count == 0 {
                self.of_origin.remove(&origin);
            }
        }
        self.next_waiting(limits)
    }

    /// The first of those who wait for whom there is a place.
    pub fn next_waiting(&mut self, limits: &AdmissionLimits) -> Option<(Sender, Taken)> {
        if self.waiting.is_empty() || self.held.len() >= limits.places {
            return None;
        }
        let may_enter =
            |(origin, sender): &(Origin, Sender)| !sender.is_closed() && !self.has_its_share(*origin, limits);
        let index = self.waiting.iter().position(may_enter)?;
        let (origin, sender) = self.waiting.remove(index)?;
        let taken = self.take(origin, limits)?;
        Some((sender, taken))
    }
}
