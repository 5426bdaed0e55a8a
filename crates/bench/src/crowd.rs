//! Many clients with many queues each.

use std::sync::Arc;

use futures_util::future::try_join_all;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use smp_client::protocol::authorization::AuthPrivateKey;
use smp_client::protocol::command::RecipientCommand;
use smp_client::protocol::key::SigningKey;
use smp_client::protocol::response::Response;
use smp_client::{Client, NewQueueOptions, Options, Queue, QueueCredentials, Request};
use structopt::StructOpt;

use crate::scenario::{Failure, progress};
use crate::target::Target;

/// Handshakes, or batches of new queues, at the same time.
const AT_ONCE: usize = 32;

/// How many.
#[derive(Debug, StructOpt)]
pub struct CrowdSize {
    /// Clients
    #[structopt(long, default_value = "500")]
    pub clients: u64,
    /// Queues of each client
    #[structopt(long, default_value = "100")]
    pub queues: u64,
}

impl CrowdSize {
    /// Queues of all clients.
    pub fn total(&self) -> u64 {
        self.clients * self.queues
    }
}

/// A client with the queues that it has subscribed to.
pub struct Member {
    /// The client.
    pub client: Client,
    /// Its queues.
    pub queues: Vec<Queue>,
}

/// One that is not connected: only what has to be kept.
#[derive(Default)]
pub struct Absent(Vec<Arc<QueueCredentials>>);

impl Member {
    /// Closes the connection.
    pub async fn leave(self) -> Absent {
        self.client.close().await;
        Absent(self.queues.iter().map(|queue| Arc::clone(queue.credentials())).collect())
    }

    /// Deletes the queues.
    pub async fn delete(&self) -> Result<(), Failure> {
        try_join_all(self.queues.iter().map(Queue::delete)).await?;
        Ok(())
    }

    async fn create(
        target: &Target,
        options: &Options,
        key: &Arc<AuthPrivateKey>,
        queues: u64,
    ) -> Result<Self, Failure> {
        let client = Client::connect(&target.address, options).await?;
        let new = || NewQueueOptions { key: Some(Arc::clone(key)), ..NewQueueOptions::default() };
        let queues = try_join_all((0..queues).map(|_| client.create_queue(new()))).await?;
        Ok(Self { client, queues })
    }
}

impl Absent {
    /// Connects and subscribes to everything.
    pub async fn come_back(self, target: &Target, options: &Options) -> Result<Member, Failure> {
        let client = Client::connect(&target.address, options).await?;
        let queues: Vec<_> = self.0.into_iter().map(|credentials| Queue::new(client.clone(), credentials)).collect();
        let requests: Vec<Request<'_>> =
            queues.iter().map(|queue| queue.request(RecipientCommand::Subscribe)).collect();
        for answer in client.send_batch(&requests).await? {
            match answer? {
                Response::Ok | Response::Subscribed(_) => {}
                other => return Err(Failure::Wrong(format!("the server answered {other:?} to SUB"))),
            }
        }
        drop(requests);
        Ok(Member { client, queues })
    }
}

/// Connects clients that make queues and subscribe to them.
pub async fn gather(target: &Target, size: &CrowdSize) -> Result<Vec<Member>, Failure> {
    // One key for all: what it costs to make keys is not the server's.
    let key: Arc<AuthPrivateKey> = AuthPrivateKey::Signing(SigningKey::generate_ed25519()).into();
    let (options, bar) = (target.options(), progress(size.total(), "queues"));
    let members = stream::iter(0..size.clients)
        .map(|_| Member::create(target, &options, &key, size.queues))
        .buffer_unordered(AT_ONCE)
        .inspect_ok(|_| bar.inc(size.queues))
        .try_collect()
        .await?;
    bar.finish_and_clear();
    Ok(members)
}

/// Deletes all queues.
pub async fn dissolve(members: &[Member]) -> Result<(), Failure> {
    stream::iter(members.iter().map(Member::delete)).buffer_unordered(AT_ONCE).try_collect().await
}
