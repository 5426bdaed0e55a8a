//! What is found after a restart, against what is known.

use std::sync::Arc;

use fastrand::Rng;
use smp_client::protocol::error::ErrorType;
use smp_client::protocol::response::{EncryptedMessage, QueueInfo, Response};
use smp_client::{Client, Event, Notifier, NotifierCredentials};

use crate::creator::Created;
use crate::harness::event::{next_event, waiting_events};
use crate::harness::party::Recipient;
use crate::harness::request::{QUE, ack, auth};
use crate::messages::Item;
use crate::queue::TrackedQueue;
use crate::record::Record;

/// How the server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// SIGINT.
    Orderly,
    /// SIGKILL, with messages in memory.
    Killed,
    /// SIGKILL, with messages in the journal.
    KilledWithJournal,
}

/// Queues without messages that are looked for again.
const KEPT: usize = 100;

/// Checks a queue with traffic; afterwards everything about it is known.
pub async fn queue(queue: &TrackedQueue, client: &Client, end: End, rng: &mut Rng) {
    let recipient = queue.recipient(client);
    let info = info(&recipient).await;
    queue.model().record.seen(info.as_ref().map(|info| (info.secured, info.has_notifier)));
    let Some(info) = info else { return };
    let notifier = queue.model().record.notifier.clone();
    is_known(notifier, client).await;

    let size = usize::try_from(info.size).expect("a size");
    let first = subscribe(&recipient, size).await;
    let possible = possible(queue, end, size, first);
    let killed = end == End::Killed;
    assert!(
        !possible.is_empty(),
        "queue {} holds {size} from {first:?}: {:?}",
        queue.number,
        queue.model().messages.items()
    );
    let content = match &possible[..] {
        // The content is known without looking; it stays for the next round.
        [content] if !killed && rng.bool() => content.clone(),
        _ => {
            take_all(queue, &recipient, killed, possible).await;
            Vec::new()
        }
    };
    queue.model().messages.settle(content);
    probe(queue, client, &recipient).await;
}

/// `QUE`; `None`: there is no such queue.
async fn info(recipient: &Recipient) -> Option<QueueInfo> {
    let answer = recipient.ask(QUE).await;
    match answer.response {
        Response::Info(info) => Some(*info),
        _ => {
            assert_eq!(answer, auth(recipient.id()));
            None
        }
    }
}

/// The notifier may subscribe, if it is known which one there is.
async fn is_known(notifier: Option<Arc<NotifierCredentials>>, client: &Client) {
    if let Some(notifier) = notifier {
        Notifier::new(client.clone(), notifier).subscribe().await.expect("the notifier is known");
    }
}

/// `SUB`; the first item.
async fn subscribe(recipient: &Recipient, size: usize) -> Option<Item> {
    recipient.subscribe().await;
    if size == 0 {
        return None;
    }
    match next_event(&recipient.client).await {
        Event::Message(id, message) if id == recipient.id() => Some(TrackedQueue::item(&recipient.queue, &message)),
        other => panic!("the first message should have come, but there is {other:?}"),
    }
}

/// The contents that agree with size and first item; after a kill the known content itself, which is not looked at closer yet.
fn possible(queue: &TrackedQueue, end: End, size: usize, first: Option<Item>) -> Vec<Vec<Item>> {
    let model = queue.model();
    let mut possible = match end {
        End::Killed => return vec![model.messages.items()],
        End::Orderly => model.messages.after_orderly_end(),
        End::KilledWithJournal => model.messages.after_durable_kill(),
    };
    possible.retain(|items| items.len() == size && items.first().copied() == first);
    possible.sort_by_key(|items| format!("{items:?}"));
    possible.dedup();
    possible
}

/// Acknowledges everything, and compares.
async fn take_all(queue: &TrackedQueue, recipient: &Recipient, killed: bool, possible: Vec<Vec<Item>>) {
    let mut taken = Vec::new();
    recipient.subscribe().await;
    let Some(mut next) = waiting_message(recipient).await else {
        assert!(killed || possible.iter().any(Vec::is_empty), "queue {} is empty: {possible:?}", queue.number);
        return;
    };
    loop {
        taken.push(TrackedQueue::item(&recipient.queue, &next));
        next = match recipient.ask(ack(next.id)).await.response {
            Response::Message(message) => message,
            Response::Ok => break,
            other => panic!("{other:?} is no answer to ACK"),
        };
    }
    if killed {
        assert!(queue.model().messages.may_be_left_after_a_kill(&taken), "queue {}: {taken:?}", queue.number);
    } else {
        assert!(possible.contains(&taken), "queue {} held {taken:?}, not one of {possible:?}", queue.number);
    }
}

/// The message that a `SUB` just answered has brought, if there is one.
async fn waiting_message(recipient: &Recipient) -> Option<EncryptedMessage> {
    recipient.client.ping().await.expect("the server answers");
    let mut message = None;
    for event in waiting_events(&recipient.client) {
        match event {
            Event::Message(id, found) if id == recipient.id() => {
                assert!(message.replace(found).is_none(), "once per subscription");
            }
            other => panic!("{other:?} was not to be expected"),
        }
    }
    message
}

/// Sends a message: whether the queue is suspended, full or neither must be as it is known, and the key must fit.
async fn probe(queue: &TrackedQueue, client: &Client, recipient: &Recipient) {
    let (number, body) = queue.next_message();
    let answer = queue.sender(client).send(&body).await.response;
    if is_to_be_pushed(queue, number, answer) {
        // It is left for the next round.
        match next_event(client).await {
            Event::Message(id, _) => assert_eq!(id, recipient.id()),
            other => panic!("the message should have been pushed, but there is {other:?}"),
        }
    }
}

/// The probe with this number got this answer. Whether the queue was empty and holds it now.
fn is_to_be_pushed(queue: &TrackedQueue, number: u64, answer: Response) -> bool {
    let mut model = queue.model();
    model.record.seen_by_sender(answer == Response::Error(ErrorType::Auth));
    let was_empty = model.messages.items().is_empty();
    model.messages.send(number);
    let expected = model.messages.after_orderly_end().pop().expect("there is always one");
    match answer {
        Response::Ok => model.messages.sent(),
        Response::Error(ErrorType::Quota) => model.messages.refused_as_full(),
        Response::Error(ErrorType::Auth) => {
            model.messages.refused();
            return false;
        }
        other => panic!("{other:?} is no answer to SEND"),
    }
    assert_eq!(model.messages.items(), expected, "whether queue {} is full", queue.number);
    was_empty
}

/// Checks queues without messages and deletes those that exist, except for a few; returns these.
pub async fn created(all: Vec<Created>, client: &Client) -> Vec<Created> {
    let mut kept = Vec::new();
    for (number, mut created) in all.into_iter().enumerate() {
        let queue = created.queue.on(client);
        let flags = match queue.info().await {
            Ok(info) => Some((info.secured, info.has_notifier)),
            Err(error) => {
                assert_eq!(error.answered(), Some(&ErrorType::Auth));
                None
            }
        };
        created.record.seen(flags);
        is_known(created.record.notifier.clone(), client).await;
        if number % 10 != 0 && !created.record.deleted {
            queue.delete().await.expect("the queue exists");
            created.record = Record { deleted: true, ..Record::default() };
        }
        kept.push(Created { queue, ..created });
    }
    // The last ones are looked for again, those that are deleted too.
    let surplus = kept.len().saturating_sub(KEPT);
    kept.drain(..surplus);
    kept
}
