//! Many changes, messages and removals are told to a shard at once: a panic in one of them leaves the others.

use smp_actors::faults::{FaultPoint, arm};
use smp_client::protocol::command::RecipientCommand;
use smp_client::protocol::error::ErrorType;
use smp_client::protocol::response::Response;
use smp_client::{ClientError, Queue, Request};

use crate::harness::control::Control;
use crate::harness::request::{ed25519, send};
use crate::harness::state::base64url;
use crate::place::with_server;

const MANY: usize = 40;

/// How many were answered `OK`, and how many `ERR INTERNAL`. There is nothing else.
fn counted(answers: &[Result<Response, ClientError>]) -> (usize, usize) {
    let ok = answers.iter().filter(|answer| matches!(answer, Ok(Response::Ok))).count();
    let internal =
        answers.iter().filter(|answer| matches!(answer, Err(ClientError::Server(ErrorType::Internal)))).count();
    assert_eq!(ok + internal, answers.len(), "{answers:?}");
    (ok, internal)
}

fn suspending(queues: &[Queue]) -> Vec<Request<'_>> {
    queues.iter().map(|queue| queue.request(RecipientCommand::Suspend)).collect()
}

/// The first line is written while the others gather for the next write: the second panic hits one of many.
#[test]
fn one_change_of_many() {
    with_server("", "", async |place, _| {
        let client = place.connect().await;
        let queues = place.queues(&client, MANY).await;
        arm(FaultPoint::RegistryAppended);
        arm(FaultPoint::RegistryAppended);
        let answers = client.send_batch(&suspending(&queues)).await.expect("the connection lasts");
        assert_eq!(counted(&answers), (MANY - 2, 2));
        let again = client.send_batch(&suspending(&queues)).await.expect("the connection lasts");
        assert_eq!(counted(&again), (MANY, 0), "no queue waits for a change that was lost");
        client.close().await;
        place.server_info("Clients: 0").await;
    });
}

#[test]
fn one_message_of_many() {
    with_server("store_messages = journal", "", async |place, _| {
        let client = place.connect().await;
        let queues = place.queues(&client, MANY).await;
        let sending = |queue: &Queue| Request::new(queue.sender_id(), send(b"message"), None);
        let sending: Vec<_> = queues.iter().map(sending).collect();
        arm(FaultPoint::RegistryJournaled);
        arm(FaultPoint::RegistryJournaled);
        let answers = client.send_batch(&sending).await.expect("the connection lasts");
        assert_eq!(counted(&answers), (MANY - 2, 2));
        client.close().await;
        place.server_info("Clients: 0").await;
    });
}

/// Its removal is written, so that it does not come again, and the next message comes.
#[test]
fn an_acknowledgement() {
    with_server("store_messages = journal", "", async |place, _| {
        let client = place.connect().await;
        let queue = place.queues(&client, 1).await.remove(0);
        let sender = client.sender(queue.sender_id());
        sender.send(&b"1"[..]).await.expect("it is stored");
        let first = queue.get().await.expect("the queue is there").expect("it waits");
        arm(FaultPoint::RegistryJournaled);
        let answer = queue.acknowledge(&first.id).await;
        assert!(matches!(answer, Err(ClientError::Server(ErrorType::Internal))), "{answer:?}");
        sender.send(&b"2"[..]).await.expect("it is stored");
        let second = queue.get().await.expect("the queue is there").expect("it waits");
        assert_ne!(second.id, first.id);
        assert!(queue.acknowledge(&second.id).await.expect("it was delivered").is_none());
    });
}

/// What is lost on the way to the log is not waited for.
#[test]
fn a_change_that_never_comes_to_the_log() {
    with_server("", "", async |place, _| {
        let client = place.connect().await;
        let queue = place.queues(&client, 1).await.remove(0);
        arm(FaultPoint::RegistryChange);
        let key = ed25519();
        let answer = queue.secure(&key.public()).await;
        assert!(matches!(answer, Err(ClientError::Server(ErrorType::Internal))), "{answer:?}");
        assert!(!queue.info().await.expect("the queue can be used").secured);
        queue.secure(&key.public()).await.expect("it can be changed");
        let mut control = Control::admin(place.control_port).await;
        let name = base64url(queue.sender_id());
        arm(FaultPoint::RegistryChange);
        assert_eq!(control.ask(&format!("block {name} reason=spam")).await, "error: INTERNAL");
        assert!(control.ask(&format!("block {name} reason=spam")).await.starts_with("ok, queue blocked: "));
    });
}

#[test]
fn a_command_of_the_operator() {
    with_server("", "", async |place, _| {
        let client = place.connect().await;
        let queue = place.queues(&client, 1).await.remove(0);
        let mut control = Control::admin(place.control_port).await;
        let delete = format!("delete {}", base64url(queue.sender_id()));
        arm(FaultPoint::RegistryOperator);
        assert_eq!(control.ask(&delete).await, "error: INTERNAL");
        arm(FaultPoint::RegistryAppended);
        assert_eq!(control.ask(&delete).await, "error: INTERNAL");
        assert!(control.ask(&delete).await.starts_with("ok, "));
    });
}
