//! What clients know together, and what must follow from it.

use std::collections::{BTreeMap, BTreeSet};

use smp_actors::registry::Answer;
use smp_protocol::command::QueueMode;
use smp_protocol::error::{CommandError, ErrorType};
use smp_protocol::id::{EntityId, NotifierId, RecipientId, SenderId};
use smp_protocol::response::Response;
use smp_store::message_queue::{StoredContent, StoredMessage};

use crate::commands::{Asked, Key, Recipient, new_key};
use crate::story::Tick;

/// Who sent a message, and its number among the messages of this sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Body {
    pub sender: u64,
    pub number: u64,
}

impl Body {
    pub fn to_bytes(self) -> [u8; 16] {
        (u128::from(self.sender) << 64 | u128::from(self.number)).to_be_bytes()
    }

    pub fn of(message: &StoredMessage) -> Option<Self> {
        let StoredContent::Message { body, .. } = &message.content else { return None };
        let body = body.read().expect("it is in memory or on a disk in memory");
        let (sender, number) = body.split_first_chunk().expect("16 bytes were sent");
        let number = number.try_into().expect("16 bytes were sent");
        Some(Self { sender: u64::from_be_bytes(*sender), number: u64::from_be_bytes(number) })
    }
}

/// A change that happens once.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fact {
    /// Some client has asked for it.
    pub asked: bool,
    /// It was answered with success.
    pub answered_at: Option<Tick>,
}

impl Fact {
    /// Whether it was answered before something else began.
    fn before(self, tick: Tick) -> bool {
        self.answered_at.is_some_and(|answered| answered < tick)
    }

    fn answered(&mut self, now: Tick) {
        self.answered_at.get_or_insert(now);
    }
}

/// A key that a sender may come to have.
pub struct SenderKey {
    pub key: Key,
    pub set: Fact,
}

/// A notifier.
pub struct KnownNotifier {
    pub id: NotifierId,
    pub key: Key,
}

/// A queue that was created.
pub struct KnownQueue {
    pub recipient_id: RecipientId,
    pub sender_id: SenderId,
    pub mode: QueueMode,
    /// The first one, and the one that replaces it.
    pub keys: [Key; 2],
    pub replaced: Fact,
    pub sender_keys: Vec<SenderKey>,
    pub suspended: Fact,
    pub deleted: Fact,
    pub notifiers: Vec<KnownNotifier>,
    /// Some client has asked for a change of the notifier.
    notifier_changes: bool,
    /// Messages that were accepted.
    pub accepted: BTreeSet<Body>,
    /// Messages in the order in which they came first.
    pub received: Vec<Body>,
    /// Messages that need not come: they may have expired, or the disk has lost them.
    pub excused: BTreeSet<Body>,
    /// The time when each message was sent, or before.
    sent: Vec<(Body, i64)>,
    acknowledged: BTreeMap<[u8; 24], Tick>,
}

/// All of it.
#[derive(Default)]
pub struct Ledger {
    pub queues: Vec<KnownQueue>,
    /// The log may fail.
    pub writes_may_fail: bool,
    /// Messages sent to each queue.
    sent: u64,
}

/// When a block was verified, when it was sent to be executed, and when it was answered.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    pub taken_at: Tick,
    pub sent_at: Tick,
    pub now: Tick,
}

impl Ledger {
    pub fn queue_of(&self, entity: &EntityId) -> Option<usize> {
        self.queues.iter().position(|queue| queue.recipient_id.as_ref() == entity.as_ref())
    }

    /// The next message of a sender.
    pub fn next_body(&mut self, sender: u64) -> Body {
        self.sent += 1;
        Body { sender, number: self.sent }
    }

    /// Messages from before this time may be removed from now on.
    pub fn may_expire(&mut self, oldest: i64) {
        for queue in &mut self.queues {
            let old = queue.sent.iter().filter(|(_, at)| *at < oldest);
            queue.excused.extend(old.map(|(body, _)| body));
        }
    }

    /// A client is about to ask this, at this time.
    pub fn asks(&mut self, asked: &Asked, time: i64) {
        let Some(queue) = asked.queue() else { return };
        let queue = &mut self.queues[queue];
        match asked {
            Asked::OfRecipient { what, .. } => match what {
                Recipient::Secure(key) => queue.sender_keys[*key].set.asked = true,
                Recipient::ReplaceKeys => queue.replaced.asked = true,
                Recipient::Suspend => queue.suspended.asked = true,
                Recipient::Delete => queue.deleted.asked = true,
                Recipient::SetNotifier(_) | Recipient::DeleteNotifier => queue.notifier_changes = true,
                Recipient::Subscribe | Recipient::Get | Recipient::Acknowledge(_) => {}
            },
            Asked::SecureBySender { key, .. } => queue.sender_keys[*key].set.asked = true,
            Asked::Send { body, .. } => queue.sent.push((*body, time)),
            _ => {}
        }
    }

    /// A client was answered. Panics if that cannot be right.
    pub fn answered(&mut self, asked: &Asked, answer: &Answer, times: Times) {
        if let Answer::Response(Response::Error(error)) = answer {
            assert_ne!(*error, ErrorType::Internal);
            assert!(self.writes_may_fail || !matches!(error, ErrorType::Store(_)), "the log did not fail");
        }
        if let Some(queue) = asked.queue() {
            self.queues[queue].check_refusal(asked, answer, times);
        }
        match (asked, answer) {
            (Asked::Create { mode, key, .. }, Answer::Response(Response::Ids(ids))) => {
                let mode = (*mode, ids.recipient_id, ids.sender_id);
                self.queues.push(KnownQueue::new(mode, key));
            }
            (Asked::Create { .. }, answer) => assert!(is_store_error(answer), "a queue was not created"),
            (Asked::SubscribeService, answer) => {
                assert!(matches!(answer, Answer::Response(Response::ServiceSubscribed(_))));
            }
            (asked, answer) => {
                let queue = asked.queue().expect("every other command is about a queue");
                self.queues[queue].answered(asked, answer, times.now);
            }
        }
    }
}

impl KnownQueue {
    fn new((mode, recipient_id, sender_id): (QueueMode, RecipientId, SenderId), key: &Key) -> Self {
        let sender_key = || SenderKey { key: new_key(), set: Fact::default() };
        Self {
            recipient_id,
            sender_id,
            mode,
            keys: [Key::clone(key), new_key()],
            replaced: Fact::default(),
            sender_keys: vec![sender_key(), sender_key()],
            suspended: Fact::default(),
            deleted: Fact::default(),
            notifiers: Vec::new(),
            notifier_changes: false,
            accepted: BTreeSet::new(),
            received: Vec::new(),
            excused: BTreeSet::new(),
            sent: Vec::new(),
            acknowledged: BTreeMap::new(),
        }
    }

    /// `AUTH` must come where it has to, and nowhere else.
    fn check_refusal(&self, asked: &Asked, answer: &Answer, times: Times) {
        let is_refused = matches!(answer, Answer::Response(Response::Error(ErrorType::Auth)));
        if self.must_be_refused(asked, times.sent_at) {
            assert!(is_refused, "executed on a state that was over before");
        } else if is_refused {
            assert!(self.may_be_refused(asked, times.taken_at), "refused without a reason");
        }
    }

    fn must_be_refused(&self, asked: &Asked, sent_at: Tick) -> bool {
        self.deleted.before(sent_at)
            || match asked {
                Asked::OfRecipient { key: 0, .. } => self.replaced.before(sent_at),
                Asked::Send { key, .. } => {
                    let other = |(n, sender): (usize, &SenderKey)| Some(n) != *key && sender.set.before(sent_at);
                    self.suspended.before(sent_at) || self.sender_keys.iter().enumerate().any(other)
                }
                _ => false,
            }
    }

    fn may_be_refused(&self, asked: &Asked, taken_at: Tick) -> bool {
        self.deleted.asked
            || match asked {
                Asked::OfRecipient { key, what, .. } => {
                    let replaced = if *key == 0 { self.replaced.asked } else { !self.replaced.before(taken_at) };
                    replaced || matches!(what, Recipient::Secure(key) if self.other_key_is_asked(*key))
                }
                Asked::SecureBySender { key, .. } => self.other_key_is_asked(*key),
                Asked::Send { key: None, .. } => {
                    self.suspended.asked || self.sender_keys.iter().any(|sender| sender.set.asked)
                }
                Asked::Send { key: Some(key), .. } => {
                    self.suspended.asked || !self.sender_keys[*key].set.before(taken_at)
                }
                Asked::SubscribeNotifier { .. } => self.notifier_changes,
                Asked::Create { .. } | Asked::SubscribeService => false,
            }
    }

    fn other_key_is_asked(&self, key: usize) -> bool {
        self.sender_keys.iter().enumerate().any(|(other, sender)| other != key && sender.set.asked)
    }

    fn answered(&mut self, asked: &Asked, answer: &Answer, now: Tick) {
        if matches!(answer, Answer::Response(Response::Error(ErrorType::Auth))) || is_store_error(answer) {
            return;
        }
        let is_ok = matches!(answer, Answer::Response(Response::Ok));
        match asked {
            Asked::OfRecipient { what, .. } => self.recipient_answered(what, answer, now),
            Asked::SecureBySender { key, .. } => {
                assert!(is_ok);
                self.secured(*key, now);
            }
            Asked::Send { body, .. } => {
                if is_ok {
                    self.accepted.insert(*body);
                } else {
                    assert!(matches!(answer, Answer::Response(Response::Error(ErrorType::Quota))));
                }
            }
            Asked::SubscribeNotifier { .. } => assert!(matches!(answer, Answer::Response(Response::Subscribed(_)))),
            Asked::Create { .. } | Asked::SubscribeService => unreachable!("not about a queue"),
        }
    }

    fn recipient_answered(&mut self, what: &Recipient, answer: &Answer, now: Tick) {
        let is_ok = matches!(answer, Answer::Response(Response::Ok));
        match what {
            Recipient::Subscribe => {
                assert!(matches!(answer, Answer::Response(Response::Subscribed(_))) || is_prohibited(answer));
            }
            Recipient::Get => assert!(is_ok || matches!(answer, Answer::Message(_)) || is_prohibited(answer)),
            Recipient::Acknowledge(id) => {
                if is_ok || matches!(answer, Answer::Message(_)) {
                    self.acknowledged.entry(*id.as_bytes()).or_insert(now);
                } else {
                    assert!(matches!(answer, Answer::Response(Response::Error(ErrorType::NoMessage))));
                }
            }
            Recipient::Secure(key) => {
                assert!(is_ok);
                self.secured(*key, now);
            }
            Recipient::ReplaceKeys => {
                assert!(is_ok);
                self.replaced.answered(now);
            }
            Recipient::Suspend => {
                assert!(is_ok);
                self.suspended.answered(now);
            }
            Recipient::Delete => {
                assert!(is_ok);
                self.deleted.answered(now);
            }
            Recipient::SetNotifier(key) => {
                let Answer::Response(Response::NotifierId(id, _)) = answer else { panic!("no notifier was made") };
                self.notifiers.push(KnownNotifier { id: *id, key: Key::clone(key) });
            }
            Recipient::DeleteNotifier => assert!(is_ok),
        }
    }

    fn secured(&mut self, key: usize, now: Tick) {
        self.sender_keys[key].set.answered(now);
        assert_eq!(self.sender_keys.iter().filter(|key| key.set.answered_at.is_some()).count(), 1, "two sender keys");
    }

    /// Whether a message has come, or need not come.
    pub fn has_come(&self, body: &Body) -> bool {
        self.received.contains(body) || self.excused.contains(body)
    }

    /// A client got a message that was handed out at this tick or later. Messages may be refused where the journal may fail.
    pub fn receive(&mut self, message: &StoredMessage, handed_out_at: Tick, may_be_refused: bool) {
        let acknowledged = self.acknowledged.get(message.id.as_bytes());
        assert!(acknowledged.is_none_or(|at| *at >= handed_out_at), "an acknowledged message came again");
        let Some(body) = Body::of(message) else { return };
        if self.received.contains(&body) {
            return;
        }
        let of_sender = |other: &&Body| other.sender == body.sender;
        let in_order = self.received.iter().filter(of_sender).all(|other| other.number < body.number);
        // It may have been on its way to a slow client when it expired, or when it could not be written and its sender was told so.
        let may_be_late = self.excused.contains(&body) || may_be_refused && !self.accepted.contains(&body);
        assert!(in_order || may_be_late, "out of order");
        let mut earlier = self.accepted.iter().filter(of_sender).filter(|other| other.number < body.number);
        assert!(earlier.all(|other| self.has_come(other)), "a message was skipped");
        self.received.push(body);
    }
}

fn is_store_error(answer: &Answer) -> bool {
    matches!(answer, Answer::Response(Response::Error(ErrorType::Store(_))))
}

fn is_prohibited(answer: &Answer) -> bool {
    matches!(answer, Answer::Response(Response::Error(ErrorType::Command(CommandError::Prohibited))))
}
