//! A client that makes queues and changes them as fast as it can, so that the server ends in the middle of a change.

use std::sync::Arc;

use fastrand::Rng;
use smp_client::protocol::authorization::AuthPrivateKey;
use smp_client::{Client, ClientError, NewQueueOptions, Queue};

use crate::harness::request::ed25519;
use crate::record::{Change, Record};

/// A queue without messages.
pub struct Created {
    pub queue: Queue,
    pub record: Record,
}

/// Works until the server is gone.
pub async fn create_all(client: Client, mut rng: Rng) -> Vec<Created> {
    let mut all = Vec::new();
    let recipient_key = Arc::new(ed25519());
    loop {
        match create_one(&client, &recipient_key, &mut all, &mut rng).await {
            Ok(()) => {}
            Err(ClientError::Disconnected(_)) => return all,
            Err(error) => panic!("{error}"),
        }
    }
}

async fn create_one(
    client: &Client,
    recipient_key: &Arc<AuthPrivateKey>,
    all: &mut Vec<Created>,
    rng: &mut Rng,
) -> Result<(), ClientError> {
    let options =
        NewQueueOptions { subscribe: false, key: Some(Arc::clone(recipient_key)), ..NewQueueOptions::default() };
    let queue = client.create_queue(options).await?;
    all.push(Created { queue: queue.clone(), record: Record::default() });
    let created = all.last_mut().expect("one was added");
    for change in [Change::Secure(Arc::new(ed25519())), Change::AddNotifier, Change::Delete] {
        if rng.bool() {
            created.record.begin(change.clone());
            let notifier = match change {
                Change::Secure(key) => queue.secure(&key.public()).await.map(|()| None)?,
                Change::AddNotifier => Some(Arc::clone(queue.create_notifier(ed25519()).await?.credentials())),
                _ => queue.delete().await.map(|()| None)?,
            };
            created.record.finish(notifier);
        }
    }
    Ok(())
}
