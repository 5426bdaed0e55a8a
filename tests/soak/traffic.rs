//! The clients: for every queue a sender and a recipient, who do random things until the server is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fastrand::Rng;
use smp_client::protocol::address::ServerAddress;
use smp_client::protocol::command::{Command, RecipientCommand};
use smp_client::protocol::error::ErrorType;
use smp_client::protocol::response::{EncryptedMessage, Response};
use smp_client::{Client, ClientError, Event, Options, Request};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::creator::{self, Created};
use crate::harness::GIVE_UP;
use crate::harness::party::Recipient;
use crate::harness::request::{DEL, NDEL, OFF, SUB, ack, ed25519, key, send};
use crate::harness::server::Server;
use crate::queue::TrackedQueue;
use crate::record::Change;

/// Connections that the senders share.
const SENDER_CONNECTIONS: usize = 3;

/// The clients at work.
pub struct Traffic {
    queues: Vec<Arc<TrackedQueue>>,
    parties: Vec<JoinHandle<()>>,
    creator: JoinHandle<Vec<Created>>,
    /// Nothing more is sent, and everything is acknowledged.
    draining: Arc<AtomicBool>,
}

/// The server is gone.
struct Gone;

impl From<ClientError> for Gone {
    fn from(error: ClientError) -> Self {
        assert!(matches!(error, ClientError::Disconnected(_)), "{error}");
        Self
    }
}

impl Traffic {
    /// Connects everybody and lets them begin.
    pub async fn start(server: &Server, queues: &[Arc<TrackedQueue>], rng: &mut Rng) -> Self {
        let draining = Arc::new(AtomicBool::new(false));
        let mut senders = Vec::new();
        for _ in 0..SENDER_CONNECTIONS {
            senders.push(server.connect().await);
        }
        let mut parties = Vec::new();
        for queue in queues {
            let party = Party { queue: Arc::clone(queue), draining: Arc::clone(&draining), rng: rng.fork() };
            let client = senders[queue.number % SENDER_CONNECTIONS].clone();
            parties.push(tokio::spawn(party.send_all(client)));
            let party = Party { queue: Arc::clone(queue), draining: Arc::clone(&draining), rng: rng.fork() };
            parties.push(tokio::spawn(party.receive_all(server.address().clone())));
        }
        let creator = tokio::spawn(creator::create_all(server.connect().await, rng.fork()));
        Self { queues: queues.to_vec(), parties, creator, draining }
    }

    /// Waits until every queue is empty: whatever was stored must have been delivered.
    pub async fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
        for queue in &self.queues {
            let empty = async {
                while !queue.model().messages.is_empty() && !queue.is_deleted() {
                    sleep(Duration::from_millis(1)).await;
                }
            };
            let drained = timeout(GIVE_UP, empty).await;
            assert!(drained.is_ok(), "a message was never delivered: {}", queue.describe());
        }
    }

    /// Waits for everybody to notice that the server is gone; the queues that were created by the way.
    pub async fn end(self) -> Vec<Created> {
        for party in self.parties {
            party.await.expect("a client saw nothing wrong");
        }
        self.creator.await.expect("the creator saw nothing wrong")
    }
}

/// Somebody with a queue.
struct Party {
    queue: Arc<TrackedQueue>,
    draining: Arc<AtomicBool>,
    rng: Rng,
}

impl Party {
    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    async fn pause(&mut self) {
        if self.rng.u8(..3) == 0 {
            sleep(Duration::from_micros(self.rng.u64(..8000))).await;
        }
    }

    async fn send_all(mut self, client: Client) {
        while !self.is_draining() && !self.queue.is_deleted() {
            if self.send_one(&client).await.is_err() {
                return;
            }
            self.pause().await;
        }
    }

    async fn send_one(&mut self, client: &Client) -> Result<(), Gone> {
        let (number, body) = self.queue.next_message();
        let sender = self.queue.sender(client);
        let (before, certain) = {
            let mut model = self.queue.model();
            model.messages.send(number);
            let record = &model.record;
            (record.version, record.under_way.is_none() && !record.suspended && !record.deleted)
        };
        let request = Request::new(sender.id, send(&body), sender.key.as_deref());
        let response = client.submit(&request).await?.reply().await?.response;
        let mut model = self.queue.model();
        match response {
            Response::Ok => model.messages.sent(),
            Response::Error(ErrorType::Quota) => model.messages.refused_as_full(),
            Response::Error(ErrorType::Auth) => {
                assert!(!certain || model.record.version != before, "AUTH for no reason");
                model.messages.refused();
            }
            other => panic!("{other:?} is no answer to SEND"),
        }
        Ok(())
    }

    async fn receive_all(mut self, address: ServerAddress) {
        while !self.queue.is_deleted() {
            // While the server ends nobody can connect.
            let Ok(client) = Client::connect(&address, &Options::default()).await else { return };
            if self.receive(&client).await.is_err() {
                return;
            }
            client.close().await;
        }
    }

    /// Works on one connection until the recipient prefers another, or the queue is deleted.
    async fn receive(&mut self, client: &Client) -> Result<(), Gone> {
        let recipient = self.queue.recipient(client);
        ask(client, &recipient, SUB).await?;
        let mut delivered: Option<EncryptedMessage> = None;
        loop {
            match delivered.take() {
                None => delivered = self.wait(client, &recipient).await?,
                Some(message) => match if self.is_draining() { 9 } else { self.rng.u8(..10) } {
                    0 => return Ok(()),
                    1 => delivered = Some(self.subscribe_again(client, &recipient, message).await?),
                    _ => delivered = self.acknowledge(client, &recipient, message).await?,
                },
            }
            self.pause().await;
            if self.rng.u8(..40) == 0 && !self.is_draining() {
                self.change(client, &recipient).await?;
            }
            if self.queue.is_deleted() {
                return Ok(());
            }
        }
    }

    /// The next message that is pushed, if one comes soon.
    async fn wait(&mut self, client: &Client, recipient: &Recipient) -> Result<Option<EncryptedMessage>, Gone> {
        match timeout(Duration::from_millis(5), client.next_event()).await {
            Err(_) => Ok(None),
            Ok(Err(_)) => Err(Gone),
            Ok(Ok(Event::Message(id, message))) => {
                assert_eq!(id, recipient.id());
                let item = TrackedQueue::item(&recipient.queue, &message);
                self.queue.model().messages.received(item);
                Ok(Some(message))
            }
            Ok(Ok(other)) => panic!("{other:?} was not to be expected"),
        }
    }

    /// The message that is not acknowledged comes again, once.
    async fn subscribe_again(
        &mut self,
        client: &Client,
        recipient: &Recipient,
        message: EncryptedMessage,
    ) -> Result<EncryptedMessage, Gone> {
        ask(client, recipient, SUB).await?;
        loop {
            if let Some(again) = self.wait(client, recipient).await? {
                assert_eq!(again, message);
                return Ok(again);
            }
        }
    }

    async fn acknowledge(
        &mut self,
        client: &Client,
        recipient: &Recipient,
        message: EncryptedMessage,
    ) -> Result<Option<EncryptedMessage>, Gone> {
        self.queue.model().messages.acknowledge();
        let next = match ask(client, recipient, ack(message.id)).await? {
            Response::Message(next) => Some(next),
            Response::Ok => None,
            other => panic!("{other:?} is no answer to ACK"),
        };
        let item = next.as_ref().map(|next| TrackedQueue::item(&recipient.queue, next));
        self.queue.model().messages.acknowledged(item);
        Ok(next)
    }

    /// Changes the record, rarely to the end of the queue.
    async fn change(&mut self, client: &Client, recipient: &Recipient) -> Result<(), Gone> {
        let is_secured = self.queue.model().record.sender_key.is_some();
        let change = match self.rng.u8(..20) {
            0 => Change::Delete,
            1 => Change::Suspend,
            2..9 if !is_secured => Change::Secure(Arc::new(ed25519())),
            2..14 => Change::AddNotifier,
            _ => Change::RemoveNotifier,
        };
        self.queue.model().record.begin(change.clone());
        let notifier = match change {
            Change::AddNotifier => {
                let notifier = recipient.queue.create_notifier(ed25519()).await?;
                Some(Arc::clone(notifier.credentials()))
            }
            Change::Secure(sender_key) => done(client, recipient, key(sender_key.public())).await?,
            Change::Suspend => done(client, recipient, OFF).await?,
            Change::Delete => done(client, recipient, DEL).await?,
            Change::RemoveNotifier => done(client, recipient, NDEL).await?,
        };
        self.queue.model().record.finish(notifier);
        Ok(())
    }
}

async fn done<T>(client: &Client, recipient: &Recipient, command: Command) -> Result<Option<T>, Gone> {
    assert_eq!(ask(client, recipient, command).await?, Response::Ok);
    Ok(None)
}

/// A command of the recipient.
async fn ask(client: &Client, recipient: &Recipient, command: Command) -> Result<Response, Gone> {
    let is_subscription = matches!(command, Command::Recipient(RecipientCommand::Subscribe));
    let request = Request::new(recipient.id(), command, Some(recipient.key()));
    let response = client.submit(&request).await?.reply().await?.response;
    if is_subscription {
        assert_eq!(response, Response::Subscribed(None));
    }
    Ok(response)
}
