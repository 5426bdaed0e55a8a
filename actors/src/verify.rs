//! From a transmission to a command that may be executed. Nothing else makes a [`Verified`] command.
//!
//! The stages in their order; the first failure is the answer (behaviour.md §2.1):
//!
//! | Stage | Failure |
//! |---|---|
//! | the queue of the entity ID, by the ID kind of the command | `AUTH`, after the work of a real verification |
//! | role of a service connection | `CMD PROHIBITED` |
//! | service signature | `SERVICE` |
//! | authorization by the right key | `AUTH` |
//!
//! | Command | Key that must have authorized |
//! |---|---|
//! | `NEW` | the recipient key inside the command |
//! | recipient commands | any of the queue's recipient keys |
//! | `SEND` | the sender key; without one *no* authorization may be present |
//! | `SKEY`, `LKEY` | the offered key, if the queue is in messaging mode and has no other |
//! | `LGET` | none; contact queues only |
//! | `NSUB` | the notifier key |
//! | `SUBS`, `NSUBS` | the service session key |
//!
//! Whatever the queue is, the time to answer `AUTH` depends only on the kind of authorization provided. A verified command
//! carries the key that was checked, because the record may change before it is executed: the shard compares again.

mod together;

use std::sync::Arc;

pub use together::Proved;

use smp_protocol::authorization::{Authorization, Authorized, Verifier};
use smp_protocol::command::{
    Command, LinkCommand, Name, NewQueue, ProxyCommand, QueueMode, RecipientCommand, SenderCommand, ServiceCommand,
};
use smp_protocol::error::{CommandError, ErrorType};
use smp_protocol::handshake::ServiceRole;
use smp_protocol::id::{CorrId, LinkId, NotifierId, RecipientId, SenderId, ServiceId};
use smp_protocol::key::{AuthKey, DhPrivateKey, DhPublicKey, DhSecret, Signature, VerifyingKey};
use smp_protocol::transmission::Transmission;
use smp_store::record::QueueRecord;

use crate::directory::Directory;
use crate::queue::Queue;

/// A service connection, as its handshake proved it.
#[derive(Debug, Clone)]
pub struct ServiceIdentity {
    /// The ID.
    pub id: ServiceId,
    /// What it may do.
    pub role: ServiceRole,
    /// SHA-256 of its identity certificate.
    pub fingerprint: [u8; 32],
    /// Ed25519 key of this session.
    pub session_key: [u8; 32],
}

/// Who asks: what verification needs to know of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// The server's key of this session.
    pub session_key: &'a DhPrivateKey,
    /// The service, on a service connection.
    pub service: Option<&'a ServiceIdentity>,
}

/// A command that may be executed.
pub struct Verified(VerifiedCommand);

/// The commands that need a queue or make one; everything else is answered by the session.
pub(crate) enum VerifiedCommand {
    /// `NEW`, with the secret that messages will be encrypted with.
    Create { new: Box<NewQueue>, corr_id: CorrId, agreed: Agreed },
    /// Authorized by one of the recipient keys.
    Recipient { queue: Arc<Queue>, command: RecipientCommand, key: AuthKey },
    /// `SKEY` and `SEND`; for `SEND` the key that authorized it, or none for an unsecured queue.
    Sender { queue: Arc<Queue>, command: SenderCommand, key: Option<AuthKey> },
    /// `LKEY` and `LGET`.
    Link { queue: Arc<Queue>, link_id: LinkId, command: LinkCommand },
    /// `NSUB`
    Notifier { queue: Arc<Queue>, notifier_id: NotifierId, key: AuthKey },
    /// `SUBS` and `NSUBS`
    Service(ServiceCommand),
}

/// A secret that was agreed on with the recipient of a new queue.
pub(crate) struct Agreed {
    /// What the recipient needs to know it.
    pub server_key: DhPublicKey,
    pub secret: DhSecret,
}

impl Agreed {
    fn with(recipient_key: &DhPublicKey) -> Self {
        let key = DhPrivateKey::generate();
        Self { server_key: key.public(), secret: key.agree(recipient_key) }
    }
}

impl Verified {
    /// The queue that the command is about, if there is one yet.
    pub fn queue(&self) -> Option<&Arc<Queue>> {
        match &self.0 {
            VerifiedCommand::Create { .. } | VerifiedCommand::Service(_) => None,
            VerifiedCommand::Recipient { queue, .. }
            | VerifiedCommand::Sender { queue, .. }
            | VerifiedCommand::Link { queue, .. }
            | VerifiedCommand::Notifier { queue, .. } => Some(queue),
        }
    }

    pub(crate) fn into_command(self) -> VerifiedCommand {
        self.0
    }
}

/// What becomes of a command that passed.
pub enum Passed {
    /// For a registry shard.
    Execute(Verified),
    /// Needs no queue and no authorization.
    Unauthorized(Unauthorized),
}

/// The commands that need no authorization.
pub enum Unauthorized {
    /// `PING`
    Ping,
    /// `RSLV`
    Resolve(Name),
    /// `PRXY`, `PFWD`, `RFWD`
    Proxy(ProxyCommand),
}

impl Asker<'_> {
    /// Verifies a command whose credentials have the right shape. What is `proved` of its authorization already is not checked
    /// again.
    pub fn verify(
        &self,
        transmission: &Transmission<'_>,
        command: Command,
        directory: &Directory,
        proved: Option<Proved>,
    ) -> Result<Passed, ErrorType> {
        let check = Check { asker: self, transmission, proved };
        let verified = match command {
            Command::New(new) => check.create(new),
            Command::Recipient(command) => check.recipient(command, directory),
            Command::Sender(SenderCommand::Secure(key)) => check.secure(key, directory),
            Command::Sender(send) => check.send(send, directory),
            Command::Link(command) => check.link(command, directory),
            Command::Notifier(_) => check.notifier(directory),
            Command::Service(command) => check.service_command(command),
            Command::Ping => return check.unauthorized(None, Unauthorized::Ping),
            Command::Resolve(name) => {
                return check.unauthorized(Some(ServiceRole::Messaging), Unauthorized::Resolve(name));
            }
            Command::Proxy(command @ ProxyCommand::Relay(_)) => {
                return check.unauthorized(Some(ServiceRole::Proxy), Unauthorized::Proxy(command));
            }
            Command::Proxy(command) => {
                return check.unauthorized(Some(ServiceRole::Messaging), Unauthorized::Proxy(command));
            }
        };
        verified.map(|command| Passed::Execute(Verified(command)))
    }
}

type Outcome = Result<VerifiedCommand, ErrorType>;

/// One transmission under verification.
struct Check<'a> {
    asker: &'a Asker<'a>,
    transmission: &'a Transmission<'a>,
    proved: Option<Proved>,
}

impl Check<'_> {
    /// `role` is what a service connection needs; `None`: any.
    fn unauthorized(&self, role: Option<ServiceRole>, command: Unauthorized) -> Result<Passed, ErrorType> {
        self.role(role)?;
        Ok(Passed::Unauthorized(command))
    }

    fn create(&self, new: Box<NewQueue>) -> Outcome {
        self.role(Some(ServiceRole::Messaging))?;
        let authorized = self.with_service_signature()?;
        self.by_key(&new.recipient_key, &authorized)?;
        let agreed = Agreed::with(&new.recipient_dh_key);
        Ok(VerifiedCommand::Create { new, corr_id: self.transmission.corr_id.clone(), agreed })
    }

    fn recipient(&self, command: RecipientCommand, directory: &Directory) -> Outcome {
        let id = RecipientId::try_from(self.transmission.entity.as_ref());
        let queue = id.ok().and_then(|id| directory.recipient(&id)).ok_or_else(|| self.missing())?;
        self.role(Some(ServiceRole::Messaging))?;
        let authorized = match command {
            RecipientCommand::Subscribe => self.with_service_signature()?,
            RecipientCommand::SecureSender(_)
            | RecipientCommand::SetRecipientKeys(_)
            | RecipientCommand::SetLink(..)
            | RecipientCommand::DeleteLink
            | RecipientCommand::SetNotifier(_)
            | RecipientCommand::DeleteNotifier
            | RecipientCommand::Get
            | RecipientCommand::Acknowledge(_)
            | RecipientCommand::Suspend
            | RecipientCommand::Delete
            | RecipientCommand::QueueInfo => self.without_service_signature()?.clone(),
        };
        let keys = queue.record().recipient_keys.clone();
        let key = keys.as_slice().iter().find(|key| self.is_by(key, &authorized)).ok_or(ErrorType::Auth)?.clone();
        Ok(VerifiedCommand::Recipient { queue, command, key })
    }

    fn sender_queue(&self, directory: &Directory) -> Result<Arc<Queue>, ErrorType> {
        let id = SenderId::try_from(self.transmission.entity.as_ref());
        id.ok().and_then(|id| directory.sender(&id)).ok_or_else(|| self.missing())
    }

    fn send(&self, command: SenderCommand, directory: &Directory) -> Outcome {
        let queue = self.sender_queue(directory)?;
        self.role(Some(ServiceRole::Messaging))?;
        let authorized = self.without_service_signature()?;
        let key = queue.record().sender_key.clone();
        match &key {
            Some(key) => self.by_key(key, authorized)?,
            None if self.transmission.authorization.is_none() => {}
            None => return Err(self.missing()),
        }
        Ok(VerifiedCommand::Sender { queue, command, key })
    }

    fn secure(&self, key: AuthKey, directory: &Directory) -> Outcome {
        let queue = self.sender_queue(directory)?;
        self.role(Some(ServiceRole::Messaging))?;
        self.by_offered_key(&key, &queue)?;
        Ok(VerifiedCommand::Sender { queue, key: Some(key.clone()), command: SenderCommand::Secure(key) })
    }

    fn link(&self, command: LinkCommand, directory: &Directory) -> Outcome {
        let link_id = LinkId::from(self.transmission.entity.clone());
        let queue = directory.link(&link_id).ok_or_else(|| self.missing())?;
        self.role(Some(ServiceRole::Messaging))?;
        match &command {
            LinkCommand::SecureAndGet(key) => self.by_offered_key(key, &queue)?,
            LinkCommand::Get => {
                self.without_service_signature()?;
                if !queue.record().is_contact() {
                    return Err(ErrorType::Auth);
                }
            }
        }
        Ok(VerifiedCommand::Link { queue, link_id, command })
    }

    fn notifier(&self, directory: &Directory) -> Outcome {
        let id = NotifierId::try_from(self.transmission.entity.as_ref());
        let found = id.ok().and_then(|id| directory.notifier(&id).map(|queue| (id, queue)));
        let (notifier_id, queue) = found.ok_or_else(|| self.missing())?;
        self.role(Some(ServiceRole::Notifier))?;
        let authorized = self.with_service_signature()?;
        let notifier_key = notifier_key(&queue.record(), &notifier_id);
        let key = notifier_key.ok_or_else(|| self.missing())?;
        self.by_key(&key, &authorized)?;
        Ok(VerifiedCommand::Notifier { queue, notifier_id, key })
    }

    /// `SUBS` and `NSUBS`: signed by the session key of this service, addressed to its own ID.
    fn service_command(&self, command: ServiceCommand) -> Outcome {
        self.role(Some(match command {
            ServiceCommand::SubscribeQueues(_) => ServiceRole::Messaging,
            ServiceCommand::SubscribeNotifiers(_) => ServiceRole::Notifier,
        }))?;
        let authorized = self.without_service_signature()?;
        let service = self.asker.service.ok_or(ErrorType::Service)?;
        let Authorization::Signature(signature @ Signature::Ed25519(_)) = &self.transmission.authorization else {
            return Err(ErrorType::Service);
        };
        let own = self.transmission.entity.as_ref() == service.id.as_ref();
        if own && VerifyingKey::Ed25519(service.session_key).verify(&authorized.copied(), signature) {
            Ok(VerifiedCommand::Service(command))
        } else {
            Err(ErrorType::Service)
        }
    }

    /// Connections that are not services may send anything.
    fn role(&self, needed: Option<ServiceRole>) -> Result<(), ErrorType> {
        match (self.asker.service, needed) {
            (Some(service), Some(role)) if service.role != role => Err(CommandError::Prohibited.into()),
            _ => Ok(()),
        }
    }

    /// For `NEW`, `SUB` and `NSUB`: a service signs too, and its queue key covers the service certificate. Returns what the
    /// queue key must have authorized.
    fn with_service_signature(&self) -> Result<Authorized<'_>, ErrorType> {
        let authorized = &self.transmission.authorized;
        match (self.asker.service, &self.transmission.service_signature) {
            (None, None) => Ok(authorized.clone()),
            (Some(service), Some(signature)) => {
                let key = VerifyingKey::Ed25519(service.session_key);
                if key.verify(&authorized.copied(), &Signature::Ed25519(*signature)) {
                    Ok(authorized.clone().by_service(&service.fingerprint))
                } else {
                    Err(ErrorType::Service)
                }
            }
            (Some(_), None) | (None, Some(_)) => Err(ErrorType::Service),
        }
    }

    /// For every other command.
    fn without_service_signature(&self) -> Result<&Authorized<'_>, ErrorType> {
        match self.transmission.service_signature {
            None => Ok(&self.transmission.authorized),
            Some(_) => Err(ErrorType::Service),
        }
    }

    /// `SKEY` and `LKEY`: the key in the command authorizes it, if the queue may be secured with it.
    fn by_offered_key(&self, key: &AuthKey, queue: &Queue) -> Result<(), ErrorType> {
        let authorized = self.without_service_signature()?;
        if may_be_secured_with(&queue.record(), key) { self.by_key(key, authorized) } else { Err(self.missing()) }
    }

    fn by_key(&self, key: &AuthKey, authorized: &Authorized<'_>) -> Result<(), ErrorType> {
        if self.is_by(key, authorized) { Ok(()) } else { Err(ErrorType::Auth) }
    }

    fn is_by(&self, key: &AuthKey, authorized: &Authorized<'_>) -> bool {
        self.proved.as_ref().is_some_and(|proved| proved.is_by(key))
            || self.verifier().verify(&self.transmission.authorization, key, authorized, &self.transmission.corr_id)
    }

    /// The answer where there is no key to check against, after the work of checking one.
    fn missing(&self) -> ErrorType {
        let t = self.transmission;
        self.verifier().reject(&t.authorization, &t.authorized, &t.corr_id);
        ErrorType::Auth
    }

    fn verifier(&self) -> Verifier<'_> {
        Verifier { session_key: self.asker.session_key }
    }
}

/// Whether a sender may set this key: messaging mode, and no other key set (behaviour.md §2.7).
pub(crate) fn may_be_secured_with(record: &QueueRecord, key: &AuthKey) -> bool {
    record.mode == Some(QueueMode::Messaging) && record.sender_key.as_ref().is_none_or(|set| set == key)
}

/// The key of the notifier, if it still has this ID.
pub(crate) fn notifier_key(record: &QueueRecord, id: &NotifierId) -> Option<AuthKey> {
    record.notifier.as_ref().filter(|notifier| notifier.id == *id).map(|notifier| notifier.key.clone())
}
