//! A shard that hangs, and its thread with it: the server ends all the same, and keeps the messages that it has.

use rustix::process::Signal;

use crate::harness::control::{ADMIN, Control};
use crate::harness::party::Recipient;
use crate::harness::relay::free_port;
use crate::harness::server::Server;
use crate::harness::state::base64url;

#[tokio::test]
async fn the_end_does_not_wait_for_a_shard_that_hangs() {
    let port = free_port().await;
    let settings = [("TRANSPORT", "control_port", &*port.to_string()), ("AUTH", "control_port_admin_password", ADMIN)];
    let mut server = Server::new(&[], &settings);
    server.run_hanging_at("RegistryOperator").await;
    let mut queues = Vec::new();
    // Connections are spread over the threads, and queues with them.
    for number in 0..6 {
        let client = server.connect().await;
        let queue = Recipient::new(&client).await;
        let body = format!("message {number}").into_bytes();
        queue.sender(&client).sends(&body).await;
        queues.push((queue, body));
    }
    let id = base64url(queues[0].0.queue.sender_id());
    Control::admin(port).await.send(format!("delete {id}\n").as_bytes()).await;
    server.logs(0, "ControlPort: delete").await;
    let status = server.end_by(Signal::INT).await;
    assert_eq!(status.code(), Some(1));
    assert!(server.output().iter().any(|line| line.contains("QueueRegistry did not answer")));

    server.run().await;
    let client = server.connect().await;
    for (queue, body) in queues {
        queue.on(&client).gets(&body).await;
    }
}
