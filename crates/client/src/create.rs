//! Creating a queue (wire.md §6.2).

use std::sync::Arc;

use smp_protocol::authorization::AuthPrivateKey;
use smp_protocol::command::{
    BasicAuth, Command, ContactLink, LinkData, MessagingLink, NewNotifier, NewQueue, QueueRequest, SubscribeMode,
};
use smp_protocol::id::{CorrId, EntityId, LinkId, SenderId};
use smp_protocol::key::{DhPrivateKey, SigningKey};
use smp_protocol::response::{QueueIds, Response};
use smp_protocol::version::Version;

use crate::{Client, ClientError, NotifierCredentials, Queue, QueueCredentials, Request};

/// What queue to create. The default is a messaging queue without link, with a fresh Ed25519 key, subscribed.
#[derive(Debug, Clone)]
pub struct NewQueueOptions {
    /// What the queue is for.
    pub kind: QueueKind,
    /// Whether this connection becomes the subscriber.
    pub subscribe: bool,
    /// The recipient's key; `None`: a fresh Ed25519 key.
    pub key: Option<Arc<AuthPrivateKey>>,
    /// Make a notifier with this key too; from version 17.
    pub notifier_key: Option<Arc<AuthPrivateKey>>,
    /// `None`: the password of the server address, if it has one.
    pub password: Option<BasicAuth>,
}

/// What a queue is for. Versions 6 to 8 have no modes: there every queue is [`QueueKind::Unset`].
#[derive(Debug, Clone)]
pub enum QueueKind {
    /// No mode.
    Unset,
    /// One sender, who may secure the queue. Link data from version 15; the server names the link.
    Messaging(Option<LinkData>),
    /// Anybody may send. Link data from version 15; the client names the link.
    Contact(Option<(LinkId, LinkData)>),
}

impl Default for NewQueueOptions {
    fn default() -> Self {
        let kind = QueueKind::Messaging(None);
        Self { kind, subscribe: true, key: None, notifier_key: None, password: None }
    }
}

impl QueueKind {
    fn has_link(&self) -> bool {
        matches!(self, Self::Messaging(Some(_)) | Self::Contact(Some(_)))
    }

    fn request(self, sender_id: SenderId) -> Option<QueueRequest> {
        let sender_id = EntityId::from(sender_id);
        match self {
            Self::Unset => None,
            Self::Messaging(data) => Some(QueueRequest::Messaging(data.map(|data| MessagingLink { sender_id, data }))),
            Self::Contact(link) => {
                Some(QueueRequest::Contact(link.map(|(link_id, data)| ContactLink { link_id, sender_id, data })))
            }
        }
    }
}

impl Client {
    /// `NEW`: creates a queue. In a service session the queue belongs to the service.
    pub async fn create_queue(&self, options: NewQueueOptions) -> Result<Queue, ClientError> {
        let NewQueueOptions { kind, subscribe, key, notifier_key, password } = options;
        if kind.has_link() {
            self.session().require(Version::LINKS)?;
        }
        if notifier_key.is_some() {
            self.session().require(Version::NEW_NOTIFIER)?;
        }
        let key = key.unwrap_or_else(|| Arc::new(AuthPrivateKey::Signing(SigningKey::generate_ed25519())));
        let dh_key = DhPrivateKey::generate();
        let notifier = notifier_key.map(|key| (key, DhPrivateKey::generate()));
        let corr_id = CorrId::random();
        let command = Command::New(Box::new(NewQueue {
            recipient_key: key.public(),
            recipient_dh_key: dh_key.public(),
            password: password.or_else(|| self.password().cloned()),
            subscribe: if subscribe { SubscribeMode::Subscribe } else { SubscribeMode::CreateOnly },
            // The server accepts the sender ID of a link only if it is derived from the correlation ID.
            request: kind.request(SenderId::from_corr_id(&corr_id)),
            notifier: notifier.as_ref().map(|(key, dh)| NewNotifier { key: key.public(), dh_key: dh.public() }),
        }));
        let request = Request::new(EntityId::EMPTY, command, Some(&key)).with_corr_id(corr_id);
        match self.submit(&request).await?.response().await? {
            Response::Ids(ids) if ids.notifier.is_some() == notifier.is_some() => {
                Ok(Queue::new(self.clone(), credentials(*ids, key, &dh_key, notifier)))
            }
            other => Err(ClientError::unexpected(&other)),
        }
    }
}

fn credentials(
    ids: QueueIds,
    key: Arc<AuthPrivateKey>,
    dh_key: &DhPrivateKey,
    notifier: Option<(Arc<AuthPrivateKey>, DhPrivateKey)>,
) -> QueueCredentials {
    let notifier = notifier.zip(ids.notifier).map(|((key, dh), (id, server_key))| {
        Arc::new(NotifierCredentials { id, key, dh_secret: dh.agree(&server_key) })
    });
    QueueCredentials {
        recipient_id: ids.recipient_id,
        sender_id: ids.sender_id,
        key,
        dh_secret: dh_key.agree(&ids.server_dh_key),
        mode: ids.mode,
        link_id: ids.link_id,
        service_id: ids.service_id,
        notifier,
    }
}
