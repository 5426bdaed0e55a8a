//! `sync = interval`: changes are answered before they are synced. What the operator is told of a sync that fails is so.

use smp_client::protocol::error::ErrorType;
use smp_client::{ClientError, Queue};
use smp_store::files::faulty::{Fault, Operation};
use tokio::time::timeout;

use crate::harness::GIVE_UP;
use crate::harness::state::STORE_LOG;
use crate::place::with_server;

async fn is_refused(queue: &Queue) {
    let answer = queue.suspend().await;
    assert!(matches!(answer, Err(ClientError::Server(ErrorType::Store(_)))), "{answer:?}");
}

#[test]
fn changes_are_refused_after_a_failed_sync_until_the_log_is_written_anew() {
    with_server("sync = interval", "", async |place, state| {
        let client = place.connect().await;
        place.faults.fail(Operation::Sync, Fault::InputOutput);
        let answered = place.queues(&client, 3).await;
        place.log.has(1, "changes of queues are refused until it works again").await;
        for queue in &answered {
            is_refused(queue).await;
        }
        place.faults.heal();
        place.log.has(1, "store log can be written again").await;
        let suspended = async { while answered[0].suspend().await.is_err() {} };
        assert!(timeout(GIVE_UP, suspended).await.is_ok(), "{:#?}", place.log.lines());
        let log = std::fs::read_to_string(state.path().join(STORE_LOG)).expect("there is a store log");
        assert_eq!(log.lines().filter(|line| line.starts_with("CREATE ")).count(), 3, "{log}");
        assert_eq!(log.lines().filter(|line| line.starts_with("SUSPEND ")).count(), 1, "{log}");
    });
}
