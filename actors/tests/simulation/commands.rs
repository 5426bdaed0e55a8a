//! The commands that clients of the simulation send, as the ledger knows them, and their way to the wire.

use std::sync::Arc;

use smp_protocol::authorization::AuthPrivateKey;
use smp_protocol::command::{
    Command, NewNotifier, NewQueue, NotifierCommand, QueueMode, QueueRequest, QueueSet, RecipientCommand, SendMessage,
    SenderCommand, ServiceCommand, SubscribeMode,
};
use smp_protocol::id::{EntityId, MessageId};
use smp_protocol::key::{DhPrivateKey, SigningKey};

use crate::ledger::{Body, Ledger};

/// A key that clients share.
pub type Key = Arc<AuthPrivateKey>;

/// A fresh key.
pub fn new_key() -> Key {
    Arc::new(AuthPrivateKey::Signing(SigningKey::generate_ed25519()))
}

/// A command. Queues, their keys and their notifiers go by the number that the ledger gave them.
#[derive(Clone)]
pub enum Asked {
    Create { mode: QueueMode, key: Key, subscribes: bool },
    OfRecipient { queue: usize, key: usize, what: Recipient },
    SecureBySender { queue: usize, key: usize },
    Send { queue: usize, key: Option<usize>, body: Body },
    SubscribeNotifier { queue: usize, notifier: usize },
    SubscribeService,
}

/// Commands of recipients.
#[derive(Clone)]
pub enum Recipient {
    Subscribe,
    Get,
    Acknowledge(MessageId),
    Secure(usize),
    ReplaceKeys,
    Suspend,
    Delete,
    SetNotifier(Key),
    DeleteNotifier,
}

impl Asked {
    /// The queue that it is about.
    pub fn queue(&self) -> Option<usize> {
        match self {
            Self::Create { .. } | Self::SubscribeService => None,
            Self::OfRecipient { queue, .. }
            | Self::SecureBySender { queue, .. }
            | Self::Send { queue, .. }
            | Self::SubscribeNotifier { queue, .. } => Some(*queue),
        }
    }

    /// Whether a service signs it, too.
    pub fn is_signed_by_service(&self) -> bool {
        matches!(
            self,
            Self::Create { .. } | Self::OfRecipient { what: Recipient::Subscribe, .. } | Self::SubscribeNotifier { .. }
        )
    }

    /// The command with what it is addressed to and the key that authorizes it; `None`: the key of the service session.
    pub fn command(&self, ledger: &Ledger) -> (EntityId, Command, Option<Key>) {
        let known = self.queue().map(|queue| &ledger.queues[queue]);
        match (self, known) {
            (Self::Create { mode, key, subscribes }, _) => {
                (EntityId::EMPTY, new_queue(*mode, key, *subscribes), Some(Arc::clone(key)))
            }
            (Self::OfRecipient { key, what, .. }, Some(queue)) => {
                let command = Command::Recipient(match what {
                    Recipient::Subscribe => RecipientCommand::Subscribe,
                    Recipient::Get => RecipientCommand::Get,
                    Recipient::Acknowledge(id) => RecipientCommand::Acknowledge(entity(id.as_ref())),
                    Recipient::Secure(key) => RecipientCommand::SecureSender(queue.sender_keys[*key].key.public()),
                    Recipient::ReplaceKeys => RecipientCommand::SetRecipientKeys(vec![queue.keys[1].public()]),
                    Recipient::Suspend => RecipientCommand::Suspend,
                    Recipient::Delete => RecipientCommand::Delete,
                    Recipient::SetNotifier(key) => RecipientCommand::SetNotifier(NewNotifier {
                        key: key.public(),
                        dh_key: DhPrivateKey::generate().public(),
                    }),
                    Recipient::DeleteNotifier => RecipientCommand::DeleteNotifier,
                });
                (queue.recipient_id.into(), command, Some(Arc::clone(&queue.keys[*key])))
            }
            (Self::SecureBySender { key, .. }, Some(queue)) => {
                let key = &queue.sender_keys[*key].key;
                let command = Command::Sender(SenderCommand::Secure(key.public()));
                (queue.sender_id.into(), command, Some(Arc::clone(key)))
            }
            (Self::Send { key, body, .. }, Some(queue)) => {
                let send = SendMessage { notify: true, body: body.to_bytes().into() };
                let key = key.map(|key| Arc::clone(&queue.sender_keys[key].key));
                (queue.sender_id.into(), Command::Sender(SenderCommand::Send(send)), key)
            }
            (Self::SubscribeNotifier { notifier, .. }, Some(queue)) => {
                let notifier = &queue.notifiers[*notifier];
                let command = Command::Notifier(NotifierCommand::Subscribe);
                (notifier.id.into(), command, Some(Arc::clone(&notifier.key)))
            }
            (Self::SubscribeService, _) => {
                let command = Command::Service(ServiceCommand::SubscribeQueues(QueueSet::UNKNOWN));
                (EntityId::EMPTY, command, None)
            }
            (_, None) => unreachable!("every other command is about a queue"),
        }
    }
}

fn new_queue(mode: QueueMode, key: &Key, subscribes: bool) -> Command {
    Command::New(Box::new(NewQueue {
        recipient_key: key.public(),
        recipient_dh_key: DhPrivateKey::generate().public(),
        password: None,
        subscribe: if subscribes { SubscribeMode::Subscribe } else { SubscribeMode::CreateOnly },
        request: Some(match mode {
            QueueMode::Messaging => QueueRequest::Messaging(None),
            QueueMode::Contact => QueueRequest::Contact(None),
        }),
        notifier: None,
    }))
}

fn entity(bytes: &[u8]) -> EntityId {
    EntityId::try_from(bytes).expect("message IDs have 24 bytes")
}
