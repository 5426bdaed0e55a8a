//! What the operator is told, and by whom the control port may be used.

use std::net::TcpStream;

use futures_util::future::join_all;
use smp_client::protocol::response::Response;
use smp_client::{Event, NewQueueOptions, QueueKind};

use crate::harness::control::{ADMIN, Control, USER, with_control_port};
use crate::harness::event::{assert_deleted, next_event};
use crate::harness::ini::IN_MEMORY;
use crate::harness::party::{Recipient, notified};
use crate::harness::request::{By, LGET, QUE, ask, auth};
use crate::harness::server::Server;
use crate::harness::service::{Service, service_id};
use crate::harness::state::{MESSAGES, NOTIFICATIONS, STATISTICS, base64url};

#[tokio::test]
async fn roles() {
    let (server, port) = with_control_port(&[]).await;
    let mut control = Control::connect(port).await;
    for command in
        ["stats", "stats-rts", "sockets", "server-info", "status AQI", "unblock AQI", "block AQI reason=spam"]
    {
        assert_eq!(control.ask(command).await, "AUTH", "{command}");
    }
    for wrong in ["wrong", "admin-passwor", "admin-password2", " admin-password"] {
        assert_eq!(control.ask(&format!("auth {wrong}")).await, "Current role is CPRNone");
    }
    assert_eq!(control.ask(&format!("auth {USER}")).await, "Current role is CPRUser");
    assert_eq!(control.ask(&format!("auth {USER}")).await, "Current role is CPRUser");
    assert_eq!(control.ask(&format!("auth {ADMIN}")).await, "Current role is CPRUser, start new session to change.");
    for command in ["threads", "clients", "socket-threads", "delete AQI", "save", "suspend", "resume"] {
        assert_eq!(control.ask(command).await, "AUTH", "{command}");
    }
    assert_eq!(control.ask("status AQI").await, "error: AUTH");
    let mut control = Control::admin(port).await;
    assert_eq!(control.ask("suspend").await, "suspend not implemented");
    assert_eq!(control.ask("resume").await, "resume not implemented");
    server.logs(0, "Unauthorized control port command").await;
    server.logs(0, "ControlPort: suspend").await;
    assert!(!server.output().iter().any(|line| line.contains("-password")), "passwords are not logged");
}

/// Without passwords nobody gets a role.
#[tokio::test]
async fn no_passwords() {
    let port = crate::harness::relay::free_port().await;
    let _server = Server::start_with(&[("TRANSPORT", "control_port", &port.to_string())]).await;
    let mut control = Control::connect(port).await;
    assert_eq!(control.ask("auth").await, "error: this command is followed by a password");
    assert_eq!(control.ask("auth anything").await, "Current role is CPRNone");
    assert_eq!(control.ask("stats").await, "AUTH");
}

/// On this machine only: other addresses of it do not answer.
#[tokio::test]
async fn loopback_only() {
    let (_server, port) = with_control_port(&[]).await;
    assert!(TcpStream::connect(("::1", port)).is_err());
    assert!(TcpStream::connect(("127.0.0.2", port)).is_err());
    assert!(TcpStream::connect(("127.0.0.1", port)).is_ok());
}

#[tokio::test]
async fn lines_of_all_kinds() {
    let (server, port) = with_control_port(&[]).await;
    let mut control = Control::user(port).await;
    control.send(b"\n\r\n   \nhelp\r\n").await;
    assert!(control.line().await.starts_with("commands: stats, "), "empty lines are not answered");
    assert_eq!(control.ask("what").await, "error: unknown command; try help");
    assert_eq!(control.ask("\u{7f}\u{0}\u{fffd}").await, "error: unknown command; try help");
    control.send(b"\xff\xfe\n").await;
    assert_eq!(control.line().await, "error: unknown command; try help");
    // Two lines at once, and one in two pieces.
    control.send(b"suspend\nresu").await;
    assert_eq!(control.line().await, "AUTH");
    control.send(b"me\n").await;
    assert_eq!(control.line().await, "AUTH");
    assert_eq!(control.all_of("").await, "");

    let mut endless = Control::user(port).await;
    endless.send(&[b'x'; 4096]).await;
    assert_eq!(endless.rest().await, "error: a line has at most 4096 bytes\n");
    server.connect().await.ping().await.unwrap();
}

/// More than it serves at a time: whoever has no role gives way, and nobody who has one.
#[tokio::test]
async fn idle_connections_keep_nobody_out() {
    let (_server, port) = with_control_port(&[]).await;
    let user = Control::user(port).await;
    let mut idle = Vec::new();
    for _ in 0..40 {
        idle.push(Control::connect(port).await);
    }
    assert_eq!(idle.remove(0).rest().await, "", "it was idle longest");
    Control::admin(port).await.all_of("help").await;
    user.all_of("help").await;
}

#[tokio::test]
async fn figures() {
    let (server, port) = with_control_port(&[]).await;
    let (client, other) = (server.connect().await, server.connect().await);
    let (queue, sender) = Recipient::secured(&client, &other).await;
    let notifier = queue.notifier().await;
    notifier.on(&other).subscribe().await.unwrap();
    sender.notifies(b"acknowledged").await;
    queue.takes(b"acknowledged").await;
    sender.sends(b"waits").await;
    queue.receives(b"waits").await;

    let stats = Control::user(port).await.all_of("stats").await;
    for line in [
        "qCreated: 1",
        "qSecured: 1",
        "daily active queues: 1",
        "other SUB events (auth, duplicate, prohibited): (0,0,0)",
        "msgSent: 2",
        "msgRecv: 1",
        "msgSentNtf: 1",
        "qCount: 1",
        "qCount 2: 1",
        "notifiers: 1",
        "msgCount: 1",
        "pRelays: requests=0, successes=0, errorsConnect=0, errorsCompat=0, errorsOther=0",
        "ntfServiceQueuesCount: 0",
    ] {
        assert!(stats.lines().any(|found| found == line), "{line}: {stats}");
    }
    assert!(stats.starts_with("fromTime: 20") && !stats.contains("ntfCount 2"));
    assert!(Control::admin(port).await.all_of("stats").await.contains("\nntfCount 2: "));

    let sockets = Control::user(port).await.all_of("sockets").await;
    let expected = format!("Sockets for port {}:\naccepted: 2\nclosed: 0\nactive: 2\nleaked: 0\n", server.port());
    assert_eq!(sockets, expected);
    assert!(Control::admin(port).await.all_of("socket-threads").await.starts_with("port,socketNumber,thread"));
    assert!(Control::admin(port).await.all_of("threads").await.starts_with("Threads: "));
    assert!(Control::user(port).await.all_of("stats-rts").await.contains("VmRSS"));

    let info = Control::user(port).await.all_of("server-info").await;
    assert!(info.contains("\nClients: 2\n") && !info.contains("SMP"), "{info}");
    let info = Control::admin(port).await.all_of("server-info").await;
    for line in ["SMP subscriptions: 1", "SMP subscribed clients: 1", "Ntf subscriptions: 1"] {
        assert!(info.lines().any(|found| found == line), "{line}: {info}");
    }
    let clients = Control::admin(port).await.all_of("clients").await;
    let lines: Vec<_> = clients.lines().collect();
    assert_eq!(lines[0], "clientId,sessionId,connected,createdAt,rcvActiveAt,sndActiveAt,age,subscriptions");
    assert_eq!(lines.len(), 3);
    assert!(lines[1..].iter().any(|line| line.contains(",True,") && line.ends_with(",1")), "{clients}");
}

/// A queue is found by its sender ID and by its link; its subscribers are told, and it is gone from the log.
#[tokio::test]
async fn delete() {
    let (mut server, port) = with_control_port(&[]).await;
    let (client, other) = (server.connect().await, server.connect().await);
    let (queue, sender) = Recipient::secured(&client, &other).await;
    let notifier = queue.notifier().await;
    notifier.on(&other).subscribe().await.unwrap();
    for body in [b"1", b"2", b"3"] {
        sender.sends(body).await;
    }
    queue.receives(b"1").await;
    let mut control = Control::admin(port).await;
    let name = base64url(sender.id);
    assert_eq!(control.ask(&format!("delete {name}")).await, "ok, 3 messages deleted");
    assert_deleted(&client, queue.id()).await;
    assert_deleted(&other, notifier.id()).await;
    assert_eq!(control.ask(&format!("delete {name}")).await, "error: AUTH");
    assert_eq!(queue.ask(QUE).await, auth(queue.id()));
    assert_eq!(sender.send(b"4").await, auth(sender.id));

    let link = smp_client::protocol::id::LinkId::random();
    let data = smp_client::protocol::command::LinkData { fixed: vec![1; 10].into(), user: vec![2; 10].into() };
    let kind = QueueKind::Contact(Some((link.clone(), data)));
    Recipient::with(&client, NewQueueOptions { kind, ..NewQueueOptions::default() }).await;
    assert!(matches!(ask(&other, link.clone(), LGET, By::Nobody).await.response, Response::Link(..)));
    assert_eq!(control.ask(&format!("delete {}", base64url(&link))).await, "ok, 0 messages deleted");
    assert_eq!(ask(&other, link.clone(), LGET, By::Nobody).await, auth(link));

    // Queues of services are no exception.
    let service = Service::messaging().connect(&server).await;
    let of_service = Recipient::new(&service).await;
    assert!(service_id(&service).as_ref().len() == 24);
    let name = base64url(of_service.queue.sender_id());
    assert_eq!(control.ask(&format!("delete {name}")).await, "ok, 0 messages deleted");
    assert_deleted(&service, of_service.id()).await;
    server.restart().await;
    assert!(server.store_log().iter().all(|line| !line.starts_with("CREATE")));
}

/// A snapshot, after which everything goes on, and which a killed server finds.
#[tokio::test]
async fn save_changes_nothing() {
    let (mut server, port) = with_control_port(&[IN_MEMORY, ("STORE_LOG", "log_stats", "on")]).await;
    let (client, other) = (server.connect().await, server.connect().await);
    let (queue, sender) = Recipient::secured(&client, &other).await;
    let notifier = queue.notifier().await;
    sender.notifies(b"1").await;
    sender.sends(b"2").await;
    let first = queue.receives(b"1").await;

    let saved = Control::admin(port).await.all_of("save").await;
    assert_eq!(saved, "saving server state...\nserver state saved!\n");
    assert_eq!(server.lines_of(MESSAGES).len(), 2);
    assert_eq!(server.lines_of(NOTIFICATIONS).len(), 1);
    assert_eq!(server.statistics()["msgSent"], "2");
    assert!(server.lines_of(STATISTICS).len() > 90);

    // Everything goes on: messages, the log, and the save at the end.
    let second = queue.acknowledge_for(&first, b"2").await;
    notifier.on(&other).subscribe().await.unwrap();
    assert_eq!(notified(&other, &notifier).await, first.id);
    let later = Recipient::new(&client).await;
    later.sender(&other).sends(b"3").await;
    assert!(matches!(next_event(&client).await, Event::Message(id, _) if id == later.id()));
    queue.acknowledge(&second).await;
    server.restart().await;
    let client = server.connect().await;
    let later = later.on(&client);
    later.subscribe().await;
    later.receives(b"3").await;
    assert_eq!(queue.on(&client).info().await.size, 0);

    // A snapshot is what is left after a kill.
    sender.on(&client).sends(b"4").await;
    Control::admin(port).await.all_of("save").await;
    sender.on(&client).sends(b"5").await;
    server.kill().await;
    server.run().await;
    let queue = queue.on(&server.connect().await);
    queue.subscribe().await;
    queue.takes(b"4").await;
}

/// As many as are served at a time save again and again.
async fn save_without_end(port: u16) {
    join_all((0..16).map(async |_| {
        let mut control = Control::admin(port).await;
        // Until the server has other things to do, or is gone.
        while let Ok(reply) = control.try_ask("save").await {
            assert_eq!(reply, "saving server state...");
            match control.try_line().await {
                Ok(reply) => {
                    assert!(reply == "server state saved!" || reply.contains("the server is stopping"), "{reply}");
                }
                Err(_) => return,
            }
        }
    }))
    .await;
}

/// Whenever the server ends, in good order or not, there is one whole file, and after an orderly end it is the last one.
#[tokio::test]
async fn saves_at_the_same_time() {
    let (mut server, port) = with_control_port(&[IN_MEMORY, ("STORE_LOG", "log_stats", "on")]).await;
    let client = server.connect().await;
    let queues = join_all((0..8).map(|_| Recipient::contact(&client))).await;
    for queue in &queues {
        queue.sender(&client).sends(b"first").await;
    }
    let saved = join_all((0..16).map(|_| async { Control::admin(port).await.all_of("save").await })).await;
    for reply in saved {
        assert_eq!(reply, "saving server state...\nserver state saved!\n");
    }
    for round in 0..3 {
        let saving = tokio::spawn(save_without_end(port));
        let logged = server.process().output().len();
        server.logs(logged, "messages saved: 8").await;
        server.kill().await;
        saving.await.unwrap();
        assert_eq!(server.lines_of(MESSAGES).len(), 8, "round {round}");
        server.run().await;
    }
    let saving = tokio::spawn(save_without_end(port));
    let logged = server.process().output().len();
    server.logs(logged, "messages saved: 8").await;
    let client = server.connect().await;
    let late = queues[0].sender(&client);
    late.sends(b"second").await;
    server.stop().await;
    saving.await.unwrap();
    assert_eq!(server.lines_of(MESSAGES).len(), 9);
    let asides = std::fs::read_dir(server.state_file("")).unwrap();
    let asides: Vec<_> = asides.map(|entry| entry.unwrap().file_name()).collect();
    assert!(asides.iter().all(|name| !name.to_string_lossy().contains(".new")), "{asides:?}");
}

/// Many commands at the same time as many of clients.
#[tokio::test]
async fn operator_and_clients_at_the_same_time() {
    let (server, port) = with_control_port(&[("AUTH", "daily_block_queue_quota", "0")]).await;
    let client = server.connect().await;
    let queues = join_all((0..8).map(|_| Recipient::contact(&client))).await;
    let operate = async |queue: &Recipient| {
        let mut control = Control::user(port).await;
        let name = base64url(queue.queue.sender_id());
        for _ in 0..10 {
            assert!(control.ask(&format!("block {name} reason=spam")).await.starts_with("ok, queue blocked: "));
            let reply = control.ask(&format!("unblock {name}")).await;
            assert_eq!(
                reply,
                "ok, queue unblocked, reason to block was: BlockingInfo {reason = BRSpam, notice = Nothing}"
            );
        }
    };
    let use_it = async |queue: &Recipient| {
        for _ in 0..40 {
            let _ = queue.queue.create_notifier(crate::harness::request::ed25519()).await;
        }
    };
    tokio::join!(join_all(queues.iter().map(operate)), join_all(queues.iter().map(use_it)));
    for queue in &queues {
        queue.info().await;
    }
}
