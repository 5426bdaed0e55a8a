//! A queue with live traffic, and everything that is known about it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use smp_client::protocol::message::Content;
use smp_client::protocol::response::EncryptedMessage;
use smp_client::{Client, NewQueueOptions, Queue};

use crate::QUOTA;
use crate::harness::party::{Recipient, Sender};
use crate::messages::{Item, Messages};
use crate::record::Record;

/// A queue and its model.
pub struct TrackedQueue {
    pub number: usize,
    recipient: Recipient,
    model: Mutex<Model>,
    next_message: AtomicU64,
}

/// What is known of a queue.
pub struct Model {
    pub messages: Messages,
    pub record: Record,
}

impl TrackedQueue {
    pub async fn create(client: &Client, number: usize) -> Self {
        let options = NewQueueOptions { subscribe: false, ..NewQueueOptions::default() };
        let recipient = Recipient::with(client, options).await;
        let model = Model { messages: Messages::new(QUOTA), record: Record::default() };
        Self { number, recipient, model: Mutex::new(model), next_message: AtomicU64::new(1) }
    }

    /// What is known. A test that failed while it changed this has failed.
    pub fn model(&self) -> MutexGuard<'_, Model> {
        self.model.lock().expect("the model is consistent")
    }

    pub fn is_deleted(&self) -> bool {
        self.model().record.deleted
    }

    pub fn is_suspended(&self) -> bool {
        self.model().record.suspended
    }

    pub fn recipient(&self, client: &Client) -> Recipient {
        self.recipient.on(client)
    }

    /// The sender, with the key that is known to be set.
    pub fn sender(&self, client: &Client) -> Sender {
        let sender = self.recipient.sender(client);
        match &self.model().record.sender_key {
            Some(key) => sender.signing(key.clone()),
            None => sender,
        }
    }

    /// Number and body of the next message. Bodies have many lengths.
    pub fn next_message(&self) -> (u64, Vec<u8>) {
        let number = self.next_message.fetch_add(1, Ordering::Relaxed);
        let mut body = number.to_be_bytes().to_vec();
        body.resize(8 + usize::try_from(number * 997 % 16000).expect("below 16000"), b'.');
        (number, body)
    }

    /// What a message is.
    pub fn item(queue: &Queue, message: &EncryptedMessage) -> Item {
        match queue.open(message).expect("the message decrypts").content {
            Content::QuotaExceeded { .. } => Item::Marker,
            Content::Message { body, .. } => {
                let number = body.first_chunk().expect("bodies begin with their number");
                Item::Message(u64::from_be_bytes(*number))
            }
        }
    }

    /// For the log of the test.
    pub fn describe(&self) -> String {
        let model = self.model();
        let (items, record) = (model.messages.items(), &model.record);
        let marker = if items.contains(&Item::Marker) { "!" } else { "" };
        let change = if record.under_way.is_some() { "~" } else { "" };
        let status = match (record.deleted, record.suspended) {
            (true, _) => "x",
            (_, true) => "-",
            _ => "",
        };
        format!("{}:{}{marker}{status}{change}", self.number, items.len())
    }
}
