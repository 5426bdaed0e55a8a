//! How often actors failed since the server started, by kind.

use std::collections::BTreeMap;

use parking_lot::Mutex;

/// Counts of every kind of actor.
#[derive(Debug, Default)]
pub struct Tally(Mutex<BTreeMap<String, Falls>>);

/// What happened to the actors of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Falls {
    /// Panics that were kept inside.
    pub panics: u64,
    /// Restarts.
    pub restarts: u64,
}

impl Tally {
    /// There is such an actor.
    pub fn enter(&self, actor: &str) {
        self.change(actor, |_| ());
    }

    /// The work of an actor panicked.
    pub fn panicked(&self, actor: &str) {
        self.change(actor, |falls| falls.panics += 1);
    }

    /// An actor was restarted.
    pub fn restarted(&self, actor: &str) {
        self.change(actor, |falls| falls.restarts += 1);
    }

    /// All kinds, in the order of their names.
    pub fn all(&self) -> Vec<(String, Falls)> {
        self.0.lock().iter().map(|(kind, falls)| (kind.clone(), *falls)).collect()
    }

    /// The kind is the first word of a name.
    fn change(&self, actor: &str, change: impl FnOnce(&mut Falls)) {
        let kind = actor.split(' ').next().unwrap_or_default();
        change(self.0.lock().entry(kind.to_owned()).or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actors_of_a_kind_are_counted_together() {
        let tally = Tally::default();
        tally.enter("Names");
        tally.panicked("QueueRegistry 0");
        tally.restarted("QueueRegistry 0");
        tally.restarted("QueueRegistry 1");
        let names = ("Names".to_owned(), Falls::default());
        let registry = ("QueueRegistry".to_owned(), Falls { panics: 1, restarts: 2 });
        assert_eq!(tally.all(), [names, registry]);
    }
}
