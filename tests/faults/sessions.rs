//! A session that panics leaves nothing behind.

use smp_actors::faults::{FaultPoint, arm};
use smp_client::Event;

use crate::place::with_server;

/// It is a panic of its actor, not of what reads and writes.
#[test]
fn nothing_is_left_of_a_session_whose_actor_panics() {
    with_server("", "", async |place, _| {
        let client = place.connect().await;
        let queue = place.queues(&client, 1).await.remove(0);
        queue.subscribe().await.expect("the queue is there");
        place.server_info("SMP subscriptions: 1").await;
        arm(FaultPoint::SessionAnswers);
        client.ping().await.expect_err("the session is gone");
        client.closed().await;
        place.server_info("SMP subscriptions: 0").await;
        place.server_info("Clients: 0").await;
        assert_eq!(place.log.count("Session failed"), 1);

        let other = place.connect().await;
        other.sender(queue.sender_id()).send(&b"message"[..]).await.expect("it is stored");
        queue.on(&other).subscribe().await.expect("the queue is there");
        assert!(matches!(other.next_event().await, Ok(Event::Message(id, _)) if id == queue.recipient_id()));
    });
}

/// The shard panics when it hears that a session has ended: its subscriptions go all the same.
#[test]
fn nothing_is_left_of_a_session_whose_shard_panics() {
    with_server("", "", async |place, _| {
        let client = place.connect().await;
        for queue in place.queues(&client, 3).await {
            queue.subscribe().await.expect("the queue is there");
        }
        place.server_info("SMP subscriptions: 3").await;
        arm(FaultPoint::RegistryMessage);
        client.close().await;
        place.log.has(1, "QueueRegistry 0 restarted").await;
        place.server_info("SMP subscriptions: 0").await;
    });
}
