//! What a queue must hold, by the rules of behaviour.md §3.9 and what its clients have seen.
//!
//! One sender and one recipient use the queue, each one command at a time, but both at the same time. So what the server did
//! first is not always known at once: an answer may come later than what follows from it.

use std::collections::VecDeque;

/// What a queue holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item {
    /// A message, by its number.
    Message(u64),
    /// The marker of a full queue.
    Marker,
}

/// An item and when it was known to be there.
#[derive(Debug, Clone, Copy)]
struct Held {
    item: Item,
    known_at: u64,
}

/// A `SEND` without an answer.
#[derive(Debug, Clone, Copy)]
struct Sending {
    number: u64,
    /// The queue had its marker when the command was sent: it cannot cause one.
    marker_before: bool,
    /// The queue was full when the command was sent: it may have caused a marker, whatever was acknowledged since.
    full_before: bool,
    /// What the recipient has seen of it before the answer came.
    seen: Option<Item>,
}

/// An `ACK` without an answer.
#[derive(Debug, Clone, Copy)]
struct Acknowledging {
    asked_at: u64,
    /// It was executed, as something else has shown.
    done: bool,
}

/// The content of a queue.
#[derive(Debug, Default)]
pub struct Messages {
    quota: usize,
    held: VecDeque<Held>,
    sending: Option<Sending>,
    acknowledging: Option<Acknowledging>,
    clock: u64,
}

impl Messages {
    pub fn new(quota: usize) -> Self {
        Self { quota, ..Self::default() }
    }

    fn hold(&mut self, item: Item) {
        self.clock += 1;
        self.held.push_back(Held { item, known_at: self.clock });
    }

    fn has_marker(&self) -> bool {
        self.held.iter().any(|held| held.item == Item::Marker)
    }

    pub fn is_empty(&self) -> bool {
        self.held.is_empty() && self.sending.is_none()
    }

    /// The content, as far as it is known.
    pub fn items(&self) -> Vec<Item> {
        self.held.iter().map(|held| held.item).collect()
    }

    /// `SEND` goes out.
    pub fn send(&mut self, number: u64) {
        let full_before = self.held.len() >= self.quota;
        self.sending = Some(Sending { number, marker_before: self.has_marker(), full_before, seen: None });
    }

    /// `SEND` is answered `OK`.
    pub fn sent(&mut self) {
        let sending = self.sending.take().expect("SEND was sent");
        let message = Item::Message(sending.number);
        match sending.seen {
            Some(seen) => assert_eq!(seen, message, "OK, but the recipient has seen something else"),
            None => {
                if self.has_marker() {
                    self.marker_is_acknowledged();
                }
                self.hold(message);
            }
        }
        let acknowledged_meanwhile = usize::from(self.acknowledging.is_some());
        assert!(self.held.len() <= self.quota + acknowledged_meanwhile, "OK, although the queue is full: {self:?}");
    }

    /// Something was stored: the marker is gone, although its `ACK` is not answered yet.
    fn marker_is_acknowledged(&mut self) {
        let acknowledging = self.acknowledging.as_mut().filter(|acknowledging| !acknowledging.done);
        let (Some(acknowledging), 1) = (acknowledging, self.held.len()) else {
            panic!("OK, although the marker is not acknowledged: {self:?}");
        };
        acknowledging.done = true;
        self.held.clear();
    }

    /// `SEND` is answered `ERR QUOTA`.
    pub fn refused_as_full(&mut self) {
        let sending = self.sending.take().expect("SEND was sent");
        match sending.seen {
            Some(seen) => assert_eq!(seen, Item::Marker, "QUOTA, but the recipient has seen the message"),
            None if sending.marker_before => {}
            None => self.hold(Item::Marker),
        }
    }

    /// `SEND` is answered `ERR AUTH`.
    pub fn refused(&mut self) {
        let sending = self.sending.take().expect("SEND was sent");
        assert_eq!(sending.seen, None, "AUTH, but the recipient has seen something");
    }

    /// The recipient is given an item without having asked for it: it must be the first.
    pub fn received(&mut self, item: Item) {
        if let Some(first) = self.held.front() {
            assert_eq!(first.item, item, "not the oldest message: {self:?}");
            return;
        }
        let possible = self.sending.filter(|sending| match item {
            Item::Message(number) => number == sending.number,
            Item::Marker => !sending.marker_before,
        });
        assert!(possible.is_some_and(|sending| sending.seen.is_none()), "{item:?} cannot be in the queue: {self:?}");
        if let Some(sending) = &mut self.sending {
            sending.seen = Some(item);
        }
        self.hold(item);
    }

    /// `ACK` of the first item goes out.
    pub fn acknowledge(&mut self) {
        self.clock += 1;
        self.acknowledging = Some(Acknowledging { asked_at: self.clock, done: false });
    }

    /// `ACK` is answered by the next item, or by `OK`.
    pub fn acknowledged(&mut self, next: Option<Item>) {
        let Acknowledging { asked_at, done } = self.acknowledging.take().expect("ACK was sent");
        if !done {
            self.held.pop_front().expect("only what was received is acknowledged");
        }
        match next {
            Some(item) => self.received(item),
            // What came while the answer was on its way is pushed.
            None => assert!(
                self.held.iter().all(|held| held.known_at > asked_at),
                "OK to the ACK, although there was a next message: {self:?}"
            ),
        }
    }

    /// What the queue may hold after the server has ended in good order: commands without an answer were executed or not, in
    /// any order.
    pub fn after_orderly_end(&self) -> Vec<Vec<Item>> {
        let acknowledged = |mut items: Vec<Item>| {
            if !items.is_empty() {
                items.remove(0);
            }
            items
        };
        let sending = self.sending.filter(|sending| sending.seen.is_none());
        let sent = |items: Vec<Item>| match sending {
            Some(sending) => self.with_sent(items, sending.number),
            None => items,
        };
        let nothing = self.items();
        let mut possible = vec![nothing.clone(), sent(nothing.clone())];
        if sending.is_some_and(|sending| sending.full_before) {
            possible.push(with_marker(nothing.clone()));
        }
        if self.acknowledging.is_some_and(|acknowledging| !acknowledging.done) {
            possible.push(acknowledged(nothing.clone()));
            possible.push(acknowledged(sent(nothing.clone())));
            possible.push(sent(acknowledged(nothing)));
        }
        possible.dedup();
        possible
    }

    /// What the queue may hold after a kill of a server that keeps messages in the journal: the same, and what the recipient was given
    /// before its sender was answered may be gone.
    pub fn after_durable_kill(&self) -> Vec<Vec<Item>> {
        let mut possible = self.after_orderly_end();
        if let Some(seen) = self.sending.and_then(|sending| sending.seen) {
            let without = possible.iter().map(|items| items.iter().copied().filter(|item| *item != seen).collect());
            possible.extend(without.collect::<Vec<_>>());
        }
        possible
    }

    fn with_sent(&self, mut items: Vec<Item>, number: u64) -> Vec<Item> {
        if items.len() < self.quota && !items.contains(&Item::Marker) {
            items.push(Item::Message(number));
            items
        } else {
            with_marker(items)
        }
    }

    /// What may be left after the server was killed: some of what might be there, in its order.
    pub fn may_be_left_after_a_kill(&self, items: &[Item]) -> bool {
        let mut all = self.items();
        all.extend(self.sending.filter(|sending| sending.seen.is_none()).map(|sending| Item::Message(sending.number)));
        let mut rest = all.iter();
        items.iter().all(|item| rest.any(|other| other == item))
    }

    /// The content is known: nothing is under way.
    pub fn settle(&mut self, items: Vec<Item>) {
        (self.sending, self.acknowledging) = (None, None);
        self.held.clear();
        for item in items {
            self.hold(item);
        }
    }
}

fn with_marker(mut items: Vec<Item>) -> Vec<Item> {
    if !items.contains(&Item::Marker) {
        items.push(Item::Marker);
    }
    items
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::Item::{Marker, Message};
    use super::*;

    /// A queue of two messages that holds 1 and 2.
    fn full() -> Messages {
        let mut messages = Messages::new(2);
        for number in [1, 2] {
            messages.send(number);
            messages.sent();
        }
        messages
    }

    fn is_refused(mut messages: Messages, step: impl FnOnce(&mut Messages)) -> bool {
        catch_unwind(AssertUnwindSafe(|| step(&mut messages))).is_err()
    }

    #[test]
    fn what_is_wrong_is_noticed() {
        assert!(is_refused(full(), |messages| messages.received(Message(2))), "out of order");
        let third = |messages: &mut Messages| {
            messages.send(3);
            messages.sent();
        };
        assert!(is_refused(full(), third), "beyond the quota");
        let acknowledge = |messages: &mut Messages, next| {
            messages.received(Message(1));
            messages.acknowledge();
            messages.acknowledged(next);
        };
        assert!(is_refused(full(), |messages| acknowledge(messages, None)), "a lost message");
        assert!(is_refused(full(), |messages| acknowledge(messages, Some(Message(1)))), "a doubled message");
        assert!(!is_refused(full(), |messages| acknowledge(messages, Some(Message(2)))));
        assert!(is_refused(full(), |messages| {
            messages.send(3);
            messages.refused_as_full();
            third(messages);
        }));
    }

    #[test]
    fn answers_may_come_late() {
        let mut messages = Messages::new(2);
        messages.send(1);
        messages.received(Message(1));
        messages.acknowledge();
        messages.acknowledged(None);
        messages.sent();
        assert!(messages.is_empty());

        messages.send(2);
        messages.sent();
        messages.received(Message(2));
        messages.acknowledge();
        messages.send(3);
        messages.sent();
        messages.acknowledged(None);
        messages.received(Message(3));
    }

    #[test]
    fn commands_under_way_may_have_been_executed_in_any_order() {
        let mut messages = full();
        messages.send(3);
        messages.received(Message(1));
        messages.acknowledge();
        let possible = messages.after_orderly_end();
        let expected: [&[Item]; 5] = [
            &[Message(1), Message(2)],
            &[Message(1), Message(2), Marker],
            &[Message(2)],
            &[Message(2), Marker],
            &[Message(2), Message(3)],
        ];
        assert_eq!(possible, expected);
        // The answer to the ACK may come before that to a SEND which was executed first.
        messages.acknowledged(Some(Message(2)));
        assert!(messages.after_orderly_end().contains(&vec![Message(2), Marker]));
        assert!(messages.may_be_left_after_a_kill(&[]));
        assert!(messages.may_be_left_after_a_kill(&[Message(2), Message(3)]));
        assert!(!messages.may_be_left_after_a_kill(&[Message(2), Message(1)]));
    }
}
