//! Records of queues and services, as the running server keeps them (behaviour.md §3.1.2).
//!
//! A server keeps millions of [`QueueRecord`]s: what every queue has is inline, what few have is boxed.

use std::fmt;

use smp_protocol::command::{LinkData, QueueMode};
use smp_protocol::error::BlockingInfo;
use smp_protocol::handshake::ServiceRole;
use smp_protocol::id::{LinkId, NotifierId, RecipientId, SenderId, ServiceId};
use smp_protocol::key::{AuthKey, DhSecret};
use thiserror::Error;

use crate::date::Date;

/// Everything that is kept about a queue, except its messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueRecord {
    /// Names the queue to its recipient.
    pub recipient_id: RecipientId,
    /// Any of them authorizes the recipient's commands.
    pub recipient_keys: RecipientKeys,
    /// Encrypts messages to the recipient.
    pub dh_secret: DhSecret,
    /// Names the queue to its sender.
    pub sender_id: SenderId,
    /// Authorizes the sender's commands once set.
    pub sender_key: Option<AuthKey>,
    /// `None`: made before there were modes.
    pub mode: Option<QueueMode>,
    /// Short link.
    pub link: Option<Box<Link>>,
    /// Who may be notified of messages.
    pub notifier: Option<Box<Notifier>>,
    /// Whether the queue is in use.
    pub status: QueueStatus,
    /// Last day of use; `None`: made before days were kept.
    pub updated_at: Option<Date>,
    /// Service that receives the messages.
    pub service: Option<Box<ServiceId>>,
}

impl QueueRecord {
    /// Whether it is a contact queue, to which anybody may send (behaviour.md §2.8).
    pub fn is_contact(&self) -> bool {
        match self.mode {
            Some(mode) => mode == QueueMode::Contact,
            None => self.sender_key.is_none(),
        }
    }

    /// Whether it is a messaging queue with a sender: its link cannot change and goes with the first message
    /// (behaviour.md §2.8).
    pub fn is_secured_messaging(&self) -> bool {
        self.mode != Some(QueueMode::Contact) && self.sender_key.is_some()
    }
}

/// Status of a queue (behaviour.md §2.9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueueStatus {
    /// In use.
    Active,
    /// Suspended by the recipient.
    Off,
    /// Blocked by the operator.
    Blocked(Box<BlockingInfo>),
}

/// One or more keys; 40 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecipientKeys(Keys);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Keys {
    One(AuthKey),
    /// At least two.
    Many(Box<[AuthKey]>),
}

/// A list of keys without a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a queue needs at least one recipient key")]
pub struct NoKeys;

impl RecipientKeys {
    /// The keys, at least one.
    pub fn as_slice(&self) -> &[AuthKey] {
        match &self.0 {
            Keys::One(key) => std::slice::from_ref(key),
            Keys::Many(keys) => keys,
        }
    }
}

impl From<AuthKey> for RecipientKeys {
    fn from(key: AuthKey) -> Self {
        Self(Keys::One(key))
    }
}

impl TryFrom<Vec<AuthKey>> for RecipientKeys {
    type Error = NoKeys;

    fn try_from(mut keys: Vec<AuthKey>) -> Result<Self, NoKeys> {
        match keys.len() {
            0 | 1 => keys.pop().map(Self::from).ok_or(NoKeys),
            _ => Ok(Self(Keys::Many(keys.into()))),
        }
    }
}

/// A short link and what it leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    id: LinkId,
    data: LinkData,
}

/// A link that no log line can hold: its name or a part of its data is empty, or a part is longer than 65535 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("link ID and link data must have 1 to 65535 bytes each")]
pub struct InvalidLink;

impl Link {
    /// Checks the lengths. The reference writes empty parts and then loses the queue (operations.md §6.3).
    pub fn new(id: LinkId, data: LinkData) -> Result<Self, InvalidLink> {
        let fits = |part: &[u8]| (1..=usize::from(u16::MAX)).contains(&part.len());
        if fits(id.as_ref()) && fits(&data.fixed) && fits(&data.user) {
            Ok(Self { id, data })
        } else {
            Err(InvalidLink)
        }
    }

    /// Name of the link.
    pub fn id(&self) -> &LinkId {
        &self.id
    }

    /// What it leads to.
    pub fn data(&self) -> &LinkData {
        &self.data
    }
}

/// Credentials of a notifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notifier {
    /// Names the queue to the notifier.
    pub id: NotifierId,
    /// Authorizes the notifier's commands.
    pub key: AuthKey,
    /// Encrypts notifications to the recipient.
    pub secret: DhSecret,
    /// Service that is notified.
    pub service: Option<ServiceId>,
}

/// A client with a certificate that serves many queues (operations.md §6.2).
#[derive(Clone, PartialEq, Eq)]
pub struct ServiceRecord {
    /// Names the certificate.
    pub id: ServiceId,
    /// What it may do.
    pub role: ServiceRole,
    /// Certificates it presented first.
    pub chain: CertificateChain,
    /// SHA-256 of its identity certificate.
    pub fingerprint: [u8; 32],
    /// When it came first.
    pub created_at: Date,
}

/// Who a service is never reaches a log.
impl fmt::Debug for ServiceRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceRecord").field("role", &self.role).finish_non_exhaustive()
    }
}

/// DER certificates, leaf first; at least one, none empty.
#[derive(Clone, PartialEq, Eq)]
pub struct CertificateChain(Box<[Box<[u8]>]>);

/// A chain that no log line can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a certificate chain needs at least one certificate and no empty one")]
pub struct EmptyChain;

impl fmt::Debug for CertificateChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CertificateChain({})", self.0.len())
    }
}

impl CertificateChain {
    /// Checks that nothing is empty.
    pub fn new(certificates: impl IntoIterator<Item = Vec<u8>>) -> Result<Self, EmptyChain> {
        let chain: Box<[Box<[u8]>]> = certificates.into_iter().map(Vec::into_boxed_slice).collect();
        if chain.is_empty() || chain.iter().any(|c| c.is_empty()) { Err(EmptyChain) } else { Ok(Self(chain)) }
    }

    /// The certificates.
    pub fn as_slice(&self) -> &[Box<[u8]>] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log_record::samples::plain_queue;

    #[test]
    fn a_queue_is_small() {
        assert_eq!(size_of::<RecipientKeys>(), 40);
        assert!(size_of::<QueueRecord>() <= 208, "{} bytes", size_of::<QueueRecord>());
    }

    #[test]
    fn predicates_of_modes() {
        for (mode, secured, contact, secured_messaging) in [
            (Some(QueueMode::Messaging), false, false, false),
            (Some(QueueMode::Messaging), true, false, true),
            (Some(QueueMode::Contact), false, true, false),
            (Some(QueueMode::Contact), true, true, false),
            (None, false, true, false),
            (None, true, false, true),
        ] {
            let sender_key = secured.then_some(AuthKey::Ed25519([1; 32]));
            let queue = QueueRecord { sender_key, mode, ..plain_queue(1) };
            assert_eq!((queue.is_contact(), queue.is_secured_messaging()), (contact, secured_messaging));
        }
    }

    #[test]
    fn what_cannot_be_written_cannot_be_made() {
        let id = LinkId::random();
        let data = |fixed: usize, user: usize| LinkData { fixed: vec![1; fixed].into(), user: vec![1; user].into() };
        assert!(Link::new(id.clone(), data(1, 65535)).is_ok());
        for (id, data) in
            [(id.clone(), data(0, 1)), (id.clone(), data(1, 0)), (id, data(65536, 1)), (LinkId::EMPTY, data(1, 1))]
        {
            assert_eq!(Link::new(id, data), Err(InvalidLink));
        }
        assert_eq!(RecipientKeys::try_from(vec![]), Err(NoKeys));
        assert_eq!(CertificateChain::new([]), Err(EmptyChain));
        assert_eq!(CertificateChain::new([vec![]]), Err(EmptyChain));
    }
}
