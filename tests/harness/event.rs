//! What the server sends by itself, and that it sends nothing.

use std::task::{Context, Poll, Waker};

use smp_client::protocol::id::EntityId;
use smp_client::protocol::version::Version;
use smp_client::{Client, Disconnection, Event};
use tokio::time::timeout;

use super::GIVE_UP;

/// The next event of a connection.
pub async fn next_event(client: &Client) -> Event {
    let event = timeout(GIVE_UP, client.next_event()).await.expect("an event comes");
    event.expect("the connection is open")
}

/// The events that have come and were not taken yet.
pub fn waiting_events(client: &Client) -> Vec<Event> {
    let mut events = Vec::new();
    loop {
        let mut next = Box::pin(tokio::task::unconstrained(client.next_event()));
        match next.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(event)) => events.push(event),
            Poll::Ready(Err(_)) | Poll::Pending => return events,
        }
    }
}

/// Nothing was sent to this client by itself up to now. The answer to a `PING` comes behind everything that was: a message
/// is on its way before its `SEND` is answered.
pub async fn assert_quiet(client: &Client) {
    client.ping().await.expect("the server answers");
    let events = waiting_events(client);
    assert!(events.is_empty(), "nothing should have come, but there is {events:?}");
}

/// The next event must be `END`.
pub async fn assert_end(client: &Client, entity: impl Into<EntityId>) {
    assert_eq!(next_event(client).await, Event::End(entity.into()));
}

/// The next event must be `DELD`, which is `END` before version 10.
pub async fn assert_deleted(client: &Client, entity: impl Into<EntityId>) {
    let event = if client.version() < Version::DELETED_EVENT { Event::End } else { Event::Deleted };
    assert_eq!(next_event(client).await, event(entity.into()));
}

/// Waits until the server has closed the connection; events on the way are thrown away.
pub async fn closed_by_server(client: &Client) -> Disconnection {
    let end = async {
        loop {
            if let Err(disconnection) = client.next_event().await {
                return disconnection;
            }
        }
    };
    timeout(GIVE_UP, end).await.expect("the server closes the connection")
}
