//! Messages of queues that the store log does not know: nothing is taken for deleted but what a record says is.

use std::fs;
use std::path::{Path, PathBuf};

use smp_client::Client;

use crate::harness::ini::{IN_MEMORY, Setting};
use crate::harness::party::{Recipient, Sender};
use crate::harness::request::DEL;
use crate::harness::server::Server;
use crate::harness::state::{STORE_LOG, base64url};

const JOURNAL: Setting<'static> = ("STORE_LOG", "store_messages", "journal");
const SEALED: Setting<'static> = ("STORE_LOG", "encrypt", "on");

/// Every way to keep messages.
const KINDS: [&[Setting<'static>]; 3] = [&[IN_MEMORY], &[JOURNAL], &[JOURNAL, SEALED]];
const BODIES: [&[u8]; 4] = [b"1", b"2", b"3", b"4"];

fn is_journal(kind: &[Setting<'_>]) -> bool {
    kind.contains(&JOURNAL)
}

async fn queue_with_messages(client: &Client) -> (Recipient, Sender) {
    let (queue, sender) = Recipient::secured(client, client).await;
    for body in BODIES {
        sender.sends(body).await;
    }
    (queue, sender)
}

/// Subscribes and takes all messages.
async fn takes_all(server: &Server, queue: &Recipient) {
    let client = server.connect().await;
    let queue = queue.on(&client);
    queue.subscribe().await;
    let mut message = queue.receives(BODIES[0]).await;
    for body in &BODIES[1..] {
        message = queue.acknowledge_for(&message, body).await;
    }
    queue.acknowledge(&message).await;
}

/// All files with messages, and their content. A reserve and keys have none.
fn kept(server: &Server) -> Vec<(PathBuf, Vec<u8>)> {
    let has_messages = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.ends_with(".segment") || name.starts_with("smp-server-messages")
    };
    let list = |directory: &Path| {
        let entries = fs::read_dir(directory).into_iter().flatten();
        entries.map(|entry| entry.unwrap().path()).collect::<Vec<_>>()
    };
    let mut paths = [list(&server.state_file(".")), list(&server.state_file("smp-server-journal"))].concat();
    paths.retain(has_messages);
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

fn told(server: &Server, text: &str) -> usize {
    server.output().iter().filter(|line| line.contains(text)).count()
}

#[tokio::test]
async fn a_store_log_without_queues_does_not_start_where_messages_wait() {
    for kind in KINDS {
        let mut server = Server::start_with(kind).await;
        let (queue, _) = queue_with_messages(&server.connect().await).await;
        server.stop().await;
        let (log, right, before) = (server.state_file(STORE_LOG), server.state_file("right"), kept(&server));
        fs::copy(&log, &right).unwrap();
        for damage in [None, Some(""), Some("nothing that is known\n")] {
            fs::remove_file(&log).unwrap();
            if let Some(content) = damage {
                fs::write(&log, content).unwrap();
            }
            let (status, output) = server.run_to_failure().await;
            assert_eq!(status.code(), Some(1));
            let what = if damage.is_none() { "does not exist" } else { "names no queue" };
            let is_told = |line: &String| {
                line.contains(STORE_LOG) && line.contains(what) && line.contains("4 messages of 1 queues")
            };
            assert!(output.iter().any(is_told), "{output:#?}");
            assert!(kept(&server) == before, "{kind:?}, {damage:?}: messages are as they were");
            fs::copy(&right, &log).unwrap();
        }

        // Who insists starts without queues, and nothing is lost.
        fs::remove_file(&log).unwrap();
        server.run_with(&["--skip-warnings"]).await;
        server.logs(0, "set aside: 4 messages of 1 queues").await;
        server.kill().await;
        // The remedy is one.
        fs::rename(&right, &log).unwrap();
        server.run().await;
        takes_all(&server, &queue).await;
        server.restart().await;
        assert_eq!(told(&server, "set aside"), 1);
    }
}

#[tokio::test]
async fn messages_that_an_older_store_log_does_not_know_come_back_with_the_right_one() {
    for kind in KINDS {
        let mut server = Server::start_with(kind).await;
        let old = queue_with_messages(&server.connect().await).await;
        server.stop().await;
        let (log, older, right) =
            (server.state_file(STORE_LOG), server.state_file("older"), server.state_file("right"));
        fs::copy(&log, &older).unwrap();
        server.run().await;
        let (new, _) = queue_with_messages(&server.connect().await).await;
        server.stop().await;
        fs::rename(&log, &right).unwrap();
        fs::rename(&older, &log).unwrap();
        for _ in 0..3 {
            server.run().await;
            server.logs(0, "set aside: 4 messages of 1 queues").await;
            server.kill().await;
        }
        server.run().await;
        if is_journal(kind) {
            takes_all(&server, &old.0).await;
            // Segments stay for what is set aside.
            old.1.on(&server.connect().await).sends(b"one more").await;
        }
        server.restart().await;
        server.stop().await;
        fs::rename(&right, &log).unwrap();
        server.run().await;
        takes_all(&server, &new).await;
        server.restart().await;
        assert_eq!(told(&server, "set aside"), 5);
    }
}

#[tokio::test]
async fn a_damaged_line_concerns_one_queue() {
    for kind in KINDS {
        let mut server = Server::start_with(kind).await;
        let client = server.connect().await;
        let ((first, _), (second, _)) = (queue_with_messages(&client).await, queue_with_messages(&client).await);
        server.stop().await;
        let (log, right) = (server.state_file(STORE_LOG), server.state_file("right"));
        fs::copy(&log, &right).unwrap();
        let line = format!("CREATE rid={}", base64url(first.id()));
        let text = fs::read_to_string(&log).unwrap();
        assert!(text.contains(&line));
        fs::write(&log, text.replace(&line, "CREATE rid=?")).unwrap();
        server.run().await;
        server.logs(0, "set aside: 4 messages of 1 queues").await;
        takes_all(&server, &second).await;
        server.stop().await;
        fs::rename(&right, &log).unwrap();
        server.run().await;
        takes_all(&server, &first).await;
    }
}

/// Once the store log is compacted, the journal says by itself that they are gone.
#[tokio::test]
async fn messages_of_deleted_queues_are_not_taken_for_those_of_unknown_ones() {
    let mut server = Server::start_with(&[JOURNAL, ("LIMITS", "store_log_growth", "2000")]).await;
    let client = server.connect().await;
    let (kept_queue, _) = queue_with_messages(&client).await;
    let (queue, _) = queue_with_messages(&client).await;
    queue.does(DEL).await;
    // The next start finds the record, and compacts it away.
    server.kill().await;
    server.run().await;
    let client = server.connect().await;
    let (queue, _) = queue_with_messages(&client).await;
    queue.does(DEL).await;
    while told(&server, "compacted store log from") == 0 {
        Recipient::new(&client).await.does(DEL).await;
    }
    server.kill().await;
    server.run().await;
    takes_all(&server, &kept_queue).await;
    server.restart().await;
    assert_eq!(told(&server, "set aside"), 0);
    server.stop().await;
    let left: usize = kept(&server).iter().map(|(_, content)| content.len()).sum();
    assert_eq!(left, 0, "nothing is left of them");
}

#[tokio::test]
async fn a_segment_that_is_missing_or_empty_is_told() {
    for orderly in [true, false] {
        let mut server = Server::start_with(&[JOURNAL]).await;
        queue_with_messages(&server.connect().await).await;
        if orderly {
            server.stop().await;
        } else {
            server.kill().await;
        }
        let segment = kept(&server).pop().unwrap();
        fs::write(&segment.0, "").unwrap();
        server.run().await;
        let line = server.logs(0, "was cut off or emptied").await;
        assert!(line.contains("0000000000000001.segment"), "{line}");
        server.kill().await;

        fs::write(&segment.0, &segment.1).unwrap();
        let (mut server, other) = (Server::start_with(&[JOURNAL]).await, server);
        drop(other);
        queue_with_messages(&server.connect().await).await;
        if orderly {
            server.stop().await;
        } else {
            server.kill().await;
        }
        let (path, _) = kept(&server).pop().unwrap();
        fs::remove_file(&path).unwrap();
        server.run().await;
        let line = server.logs(0, "is missing").await;
        assert!(line.contains("0000000000000001.segment"), "{line}");
    }
}
