//! Finding a place in a list by an ID that stands in the list itself: 8 bytes for each instead of another copy of the ID.

use std::hash::BuildHasher;

use hashbrown::hash_table::{Entry, VacantEntry};
use hashbrown::{DefaultHashBuilder, HashTable};

/// Places by IDs, each of which has one at most.
#[derive(Debug, Default)]
pub(super) struct Places {
    table: HashTable<Slot>,
    hasher: DefaultHashBuilder,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slot {
    hash: u32,
    place: u32,
}

/// An ID that has no place yet.
pub(super) struct Vacancy<'a> {
    entry: VacantEntry<'a, Slot>,
    hash: u32,
}

impl Vacancy<'_> {
    /// Gives it one.
    pub(super) fn fill(self, place: u32) {
        self.entry.insert(Slot { hash: self.hash, place });
    }
}

impl Slot {
    /// The table takes the place of a slot from the lowest bits, and what it compares first from the highest ones.
    fn spread(self) -> u64 {
        u64::from(self.hash) << 32 | u64::from(self.hash)
    }
}

impl Places {
    /// The place of an ID. `is_id_at` tells whether it stands in a place.
    pub(super) fn find(&self, id: &[u8], mut is_id_at: impl FnMut(usize) -> bool) -> Option<usize> {
        let wanted = self.slot(id, 0);
        let is_wanted = |slot: &Slot| slot.hash == wanted.hash && is_id_at(slot.place as usize);
        self.table.find(wanted.spread(), is_wanted).map(|slot| slot.place as usize)
    }

    /// Where an ID is to be entered, if it has no place yet.
    pub(super) fn vacancy(&mut self, id: &[u8], mut is_id_at: impl FnMut(usize) -> bool) -> Option<Vacancy<'_>> {
        let wanted = self.slot(id, 0);
        let is_wanted = |slot: &Slot| slot.hash == wanted.hash && is_id_at(slot.place as usize);
        match self.table.entry(wanted.spread(), is_wanted, |slot| slot.spread()) {
            Entry::Vacant(entry) => Some(Vacancy { entry, hash: wanted.hash }),
            Entry::Occupied(_) => None,
        }
    }

    /// An ID has no place any more.
    pub(super) fn remove(&mut self, id: &[u8], place: u32) {
        let slot = self.slot(id, place);
        if let Ok(entry) = self.table.find_entry(slot.spread(), |other| *other == slot) {
            entry.remove();
        }
    }

    /// What stood in a place is in another one now.
    pub(super) fn relocate(&mut self, id: &[u8], from: u32, to: u32) {
        let slot = self.slot(id, from);
        if let Some(slot) = self.table.find_mut(slot.spread(), |other| *other == slot) {
            slot.place = to;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    fn slot(&self, id: &[u8], place: u32) -> Slot {
        let hash = self.hasher.hash_one(id);
        Slot { hash: u32::try_from(hash >> 32).unwrap_or_default(), place }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// As a map from IDs to places. Every ID stands in its place of a list from which the last one fills gaps.
        #[test]
        fn every_id_has_its_place(ids in vec(0..40_u8, 0..200)) {
            let (mut list, mut places, mut expected) = (Vec::<u8>::new(), Places::default(), HashMap::new());
            let place = |n: usize| u32::try_from(n).unwrap();
            for id in ids {
                match expected.remove(&id) {
                    None => {
                        expected.insert(id, list.len());
                        places.vacancy(&[id], |at| list[at] == id).unwrap().fill(place(list.len()));
                        list.push(id);
                    }
                    Some(at) => {
                        list.swap_remove(at);
                        places.remove(&[id], place(at));
                        if let Some(moved) = list.get(at) {
                            places.relocate(&[*moved], place(list.len()), place(at));
                            expected.insert(*moved, at);
                        }
                    }
                }
                prop_assert_eq!(places.len(), expected.len());
                for id in 0..40 {
                    prop_assert_eq!(places.vacancy(&[id], |at| list[at] == id).is_none(), expected.contains_key(&id));
                    prop_assert_eq!(places.find(&[id], |at| list[at] == id), expected.get(&id).copied());
                }
            }
        }
    }
}
