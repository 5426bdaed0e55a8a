//! How a story ends: everything comes to rest, and who believes to be subscribed is put to the test.

use std::collections::BTreeMap;
use std::sync::Arc;

use smp_actors::registry::undelivered;
use smp_protocol::id::{EntityId, MessageId, RecipientId};
use smp_store::record::{QueueRecord, QueueStatus};

use crate::commands::{Asked, Recipient};
use crate::ledger::Body;
use crate::story::Story;

impl Story {
    /// Checks everything that must hold at last.
    pub fn end(&mut self) {
        self.rest();
        self.relay.write_failures = 0;
        self.read_failures = 0;
        self.let_the_service_take_everything();
        self.drain();
        self.check_that_nothing_waits_for_a_subscriber();
        self.probe();
        self.drain();
        self.let_a_new_client_take_the_rest();
        self.check_the_log();
        self.check_the_journal();
    }

    /// Whoever serves asks once more for all that waits; it may have got only the messages that came since.
    fn let_the_service_take_everything(&mut self) {
        if let Some(n) = self.clients.iter().position(|client| client.serves) {
            self.ask(n, vec![Asked::SubscribeService]);
            self.rest();
        }
    }

    /// Clients acknowledge what they have until nothing more comes.
    fn drain(&mut self) {
        loop {
            let mut asked_any = false;
            for n in 0..self.clients.len() {
                let held = self.clients[n].holding.iter();
                let acknowledge = |(queue, id): &_| self.of_recipient(*queue, Recipient::Acknowledge(*id));
                let commands: Vec<_> = held.map(acknowledge).collect();
                if !commands.is_empty() {
                    self.ask(n, commands);
                    asked_any = true;
                }
            }
            if !asked_any {
                return;
            }
            self.rest();
        }
    }

    fn of_recipient(&self, queue: usize, what: Recipient) -> Asked {
        let second = self.ledger.queues[queue].keys[1].public();
        let key = self.record(queue).is_some_and(|record| record.recipient_keys.as_slice().contains(&second));
        Asked::OfRecipient { queue, key: key.into(), what }
    }

    fn record(&self, queue: usize) -> Option<QueueRecord> {
        let queue = self.relay.directory.recipient(&self.ledger.queues[queue].recipient_id)?;
        let record = queue.record().clone();
        Some(record)
    }

    /// Who believes to get the messages of a queue. Everything is at rest: it can be one at most.
    fn believer(&self, queue: usize) -> Option<usize> {
        let record = self.record(queue)?;
        let mut believers = self.clients.iter().enumerate().filter(|(_, client)| match &record.service {
            Some(_) => client.serves,
            None => client.subscribed.contains(&queue),
        });
        let believer = believers.next().map(|(n, _)| n);
        assert!(believers.next().is_none(), "two clients believe to be subscribed");
        believer
    }

    /// Every message came to the one who believes to be subscribed, without asking again.
    fn check_that_nothing_waits_for_a_subscriber(&self) {
        for queue in 0..self.ledger.queues.len() {
            if self.believer(queue).is_some() {
                self.check_that_all_came(queue);
            }
        }
    }

    fn check_that_all_came(&self, queue: usize) {
        let known = &self.ledger.queues[queue];
        assert!(
            known.accepted.iter().all(|body| known.has_come(body)),
            "a message waits for ever queue {queue} accepted {:?} received {:?} {}",
            known.accepted,
            known.received,
            self.describe(queue)
        );
    }

    /// Sends a message to each queue: exactly the believers get it.
    fn probe(&mut self) {
        let mut probes: BTreeMap<usize, Body> = BTreeMap::new();
        let sender = self.new_client();
        let mut commands = Vec::new();
        for queue in 0..self.ledger.queues.len() {
            let Some(record) = self.record(queue).filter(|record| record.status == QueueStatus::Active) else {
                continue;
            };
            let known = &self.ledger.queues[queue];
            let key = known.sender_keys.iter().position(|sender| record.sender_key == Some(sender.key.public()));
            assert_eq!(key.is_some(), record.sender_key.is_some(), "a key that nobody has");
            let body = self.ledger.next_body(self.clients[sender].handle.number());
            probes.insert(queue, body);
            commands.push(Asked::Send { queue, key, body });
        }
        self.clients.iter_mut().for_each(|client| client.notifications.clear());
        self.ask(sender, commands);
        self.rest();
        for (queue, probe) in probes {
            let believer = self.believer(queue);
            for (n, client) in self.clients.iter().enumerate() {
                let has_it = client.messages.contains(&(queue, probe));
                assert_eq!(
                    has_it,
                    believer == Some(n),
                    "client {n} of queue {queue}; believer: {believer:?} {}",
                    self.describe(queue)
                );
            }
            if self.ledger.queues[queue].accepted.contains(&probe) {
                self.check_notifications(queue);
            }
        }
    }

    fn describe(&self, queue: usize) -> String {
        format!(
            "record {:?} waiting {:?} subscribers {:?} holding {:?} issub {:?}",
            self.record(queue),
            undelivered(&self.relay.directory)
                .filter(|(r, _)| *r == self.ledger.queues[queue].recipient_id)
                .map(|(_, m)| Body::of(&m))
                .collect::<Vec<_>>(),
            self.clients
                .iter()
                .map(|c| (
                    c.handle.number(),
                    c.serves,
                    self.relay.books.has(&c.handle, &self.ledger.queues[queue].recipient_id.into())
                ))
                .collect::<Vec<_>>(),
            self.clients.iter().map(|c| c.holding.iter().map(|h| h.0).collect::<Vec<_>>()).collect::<Vec<_>>(),
            self.clients
                .iter()
                .map(|c| self
                    .relay
                    .directory
                    .recipient(&self.ledger.queues[queue].recipient_id)
                    .unwrap()
                    .is_subscriber(&c.handle))
                .collect::<Vec<_>>()
        )
    }

    fn check_notifications(&self, queue: usize) {
        let Some(notifier) = self.record(queue).and_then(|record| record.notifier) else { return };
        let id = EntityId::from(notifier.id);
        let believers = self.clients.iter().filter(|client| client.notified.contains(&id)).count();
        assert!(believers <= 1, "two clients believe to be notified");
        for client in &self.clients {
            assert_eq!(client.notifications.contains(&id), client.notified.contains(&id), "a notification went astray");
        }
    }

    /// Nothing that was accepted is lost.
    fn let_a_new_client_take_the_rest(&mut self) {
        let reader = self.new_client();
        let existing: Vec<_> = (0..self.ledger.queues.len()).filter(|queue| self.record(*queue).is_some()).collect();
        let commands = existing.iter().map(|queue| self.of_recipient(*queue, Recipient::Subscribe)).collect();
        self.ask(reader, commands);
        self.rest();
        self.drain();
        for queue in 0..self.ledger.queues.len() {
            match self.record(queue) {
                Some(_) => self.check_that_all_came(queue),
                None => assert!(self.ledger.queues[queue].deleted.asked, "a queue is lost"),
            }
        }
    }

    /// A start would find what is in memory.
    fn check_the_log(&self) {
        let replayed = self.relay.replay();
        assert_eq!(replayed.len(), self.relay.directory.len());
        for record in replayed {
            let queue = self.relay.directory.recipient(&record.recipient_id).expect("in memory");
            assert_eq!(*queue.record(), record);
        }
    }
    /// A start would find the messages that are in memory.
    fn check_the_journal(&self) {
        let Some(journal) = &self.relay.journal else { return };
        let mut expected: BTreeMap<RecipientId, Vec<MessageId>> = BTreeMap::new();
        for (queue, message) in undelivered(&self.relay.directory).filter(|(_, message)| !message.is_marker()) {
            expected.entry(queue).or_default().push(message.id);
        }
        let directory = Arc::clone(&self.relay.directory);
        let found = journal.replay(|queue| directory.recipient(queue).is_some());
        assert_eq!(found, expected, "the journal and the queues differ");
    }
}
