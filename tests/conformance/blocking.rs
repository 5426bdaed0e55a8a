//! Queues that the operator blocks.

use smp_client::protocol::error::{BlockingInfo, ErrorType};
use smp_client::protocol::version::Version;
use smp_client::{Client, Event, Reply};

use crate::harness::control::{Control, with_control_port};
use crate::harness::event::{assert_quiet, next_event};
use crate::harness::party::Recipient;
use crate::harness::request::{
    By, DEL, GET, LDEL, NDEL, OFF, QUE, SUB, ack, ask, auth, ed25519, err, key, ok, send, skey,
};
use crate::harness::service::Service;
use crate::harness::state::base64url;

const CONTENT: &str = "reason=content";

fn blocked(info: &str) -> ErrorType {
    ErrorType::Blocked(BlockingInfo::decode(info.as_bytes()).unwrap())
}

async fn block(control: &mut Control, queue: &Recipient, info: &str) -> String {
    control.ask(&format!("block {} {info}", base64url(queue.queue.sender_id()))).await
}

async fn unblock(control: &mut Control, queue: &Recipient) -> String {
    control.ask(&format!("unblock {}", base64url(queue.queue.sender_id()))).await
}

/// `SUB` by another connection of this version.
async fn sub_at(client: &Client, queue: &Recipient) -> Reply {
    queue.on(client).ask(SUB).await
}

#[tokio::test]
async fn blocked_queues_refuse_everything_but_their_end() {
    let (server, port) = with_control_port(&[]).await;
    let mut control = Control::user(port).await;
    let (r, s) = (server.connect().await, server.connect().await);
    let queue = Recipient::new(&r).await;
    let (sender, k) = (queue.sender(&s), ed25519());
    let reply = block(&mut control, &queue, CONTENT).await;
    assert_eq!(reply, "ok, queue blocked: EntityBlocked (BlockingInfo {reason = BRContent, notice = Nothing})");
    assert_eq!(next_event(&r).await, Event::Error(queue.id().into(), blocked(CONTENT)), "the subscriber is told");

    let refused = |id| err(id, blocked(CONTENT));
    assert_eq!(ask(&s, sender.id, skey(k.public()), By::Key(&k)).await, err(sender.id, blocked(CONTENT)));
    for command in [SUB, GET, QUE, NDEL, LDEL, ack(b"x"), key(k.public())] {
        assert_eq!(queue.ask(command.clone()).await, refused(queue.id()));
        assert_eq!(ask(&r, queue.id(), command, By::Key(&k)).await, auth(queue.id()));
    }
    assert_eq!(sender.send(b"x").await, err(sender.id, blocked(CONTENT)));
    assert_eq!(sender.send(&[0; 16_100]).await, err(sender.id, ErrorType::LargeMessage));
    assert_eq!(ask(&s, sender.id, send(b"x"), By::Key(&k)).await, auth(sender.id));
    for version in [11, 12, 17, 18, 20] {
        let expected = if version < 12 { auth(queue.id()) } else { refused(queue.id()) };
        assert_eq!(sub_at(&server.connect_at(Version(version)).await, &queue).await, expected);
    }

    let reply = unblock(&mut control, &queue).await;
    assert_eq!(reply, "ok, queue unblocked, reason to block was: BlockingInfo {reason = BRContent, notice = Nothing}");
    assert_eq!(unblock(&mut control, &queue).await, "ok, queue was active");
    sender.sends(b"again").await;
    queue.takes(b"again").await;
    queue.does(OFF).await;
    assert_eq!(unblock(&mut control, &queue).await, "error, queue is inactive");
    assert_eq!(sender.send(b"x").await, auth(sender.id), "what its recipient decided stands");
}

#[tokio::test]
async fn status_and_repetition() {
    let (mut server, port) = with_control_port(&[]).await;
    let client = server.connect().await;
    let queue = Recipient::new(&client).await;
    let status = async |control: &mut Control| {
        let line = control.ask(&format!("status {}", base64url(queue.queue.sender_id()))).await;
        line.split_once(", updatedAt: Just (RoundedSystemTime {roundedSeconds = ").unwrap().0.to_owned()
    };
    let mut control = Control::user(port).await;
    assert_eq!(status(&mut control).await, "status: EntityActive");
    let info = "reason=spam,notice={\"ttl\":3600}";
    block(&mut control, &queue, info).await;
    let blocked_by = "EntityBlocked (BlockingInfo {reason = BRSpam, notice = Just (ClientNotice {ttl = Just 3600})})";
    assert_eq!(status(&mut control).await, format!("status: {blocked_by}"));
    let again = block(&mut control, &queue, CONTENT).await;
    assert!(again.starts_with("ok, already inactive: EntityBlocked"), "{again}");
    block(&mut control, &queue, info).await;

    // It is in the log: blocked it stays, also after a kill.
    server.kill().await;
    server.run().await;
    let client = server.connect().await;
    assert_eq!(sub_at(&client, &queue).await, err(queue.id(), blocked(info)));
    let mut control = Control::user(port).await;
    assert_eq!(status(&mut control).await, format!("status: {blocked_by}"));
    unblock(&mut control, &queue).await;
    let queue = queue.on(&client);
    queue.subscribe().await;
    queue.does(OFF).await;
    let line = control.ask(&format!("status {}", base64url(queue.queue.sender_id()))).await;
    assert!(line.starts_with("status: EntityOff, ") && line.ends_with(", queueMode: Just QMMessaging"), "{line}");
    let off = block(&mut control, &queue, CONTENT).await;
    assert!(off.starts_with("ok, already inactive: "), "{off}");
    assert_eq!(queue.ask(QUE).await, err(queue.id(), blocked(CONTENT)));
    assert_eq!(queue.ask(DEL).await, ok(queue.id()));
}

#[tokio::test]
async fn services_are_told_too() {
    let (server, port) = with_control_port(&[]).await;
    let service = Service::messaging().connect(&server).await;
    let queue = Recipient::new(&service).await;
    block(&mut Control::user(port).await, &queue, CONTENT).await;
    assert_eq!(next_event(&service).await, Event::Error(queue.id().into(), blocked(CONTENT)));
    assert_quiet(&service).await;
}

/// Only what was active counts, and what was blocked before a restart counts too.
#[tokio::test]
async fn daily_quota() {
    let (mut server, port) =
        with_control_port(&[("AUTH", "daily_block_queue_quota", "2"), ("STORE_LOG", "log_stats", "on")]).await;
    let client = server.connect().await;
    let mut control = Control::user(port).await;
    let queues = [Recipient::new(&client).await, Recipient::new(&client).await, Recipient::new(&client).await];
    block(&mut control, &queues[0], CONTENT).await;
    for _ in 0..3 {
        let again = block(&mut control, &queues[0], CONTENT).await;
        assert!(again.starts_with("ok, already inactive"), "{again}");
    }
    assert_eq!(control.ask(&format!("block {} {CONTENT}", "A".repeat(32))).await, "error: AUTH");
    server.restart().await;
    let mut control = Control::user(port).await;
    assert!(block(&mut control, &queues[1], CONTENT).await.starts_with("ok, queue blocked"));
    assert_eq!(block(&mut control, &queues[2], CONTENT).await, "error: reached limit of 2 queues blocked daily");
    assert!(unblock(&mut control, &queues[1]).await.starts_with("ok, "), "this is always possible");

    server.set(("AUTH", "daily_block_queue_quota", "-1"));
    server.restart().await;
    let mut control = Control::user(port).await;
    assert_eq!(block(&mut control, &queues[2], CONTENT).await, "error: reached limit of 0 queues blocked daily");
}
