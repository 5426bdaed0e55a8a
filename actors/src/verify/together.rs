//! Signatures of several commands of a block, verified at once.
//!
//! After an outage every client subscribes to all of its queues again, in blocks full of commands that each have a signature: this
//! halves what that costs. If one of the signatures is wrong, each is verified alone, as if nothing had happened.
//!
//! That takes no longer for queues that exist than for those that do not (behaviour.md §2.6): where there is no key, or one of
//! another kind, a signature by nobody takes its place.

use smp_protocol::authorization::{SignatureClaim, all_hold};
use smp_protocol::command::{Command, LinkCommand, SenderCommand};
use smp_protocol::id::{LinkId, NotifierId, RecipientId, SenderId};
use smp_protocol::key::AuthKey;
use smp_protocol::transmission::Transmission;

use super::{Asker, may_be_secured_with, notifier_key};
use crate::directory::Directory;

/// Fewer signatures are verified one by one.
const FEWEST: usize = 4;

/// That a transmission is signed with an Ed25519 key. Only [`Asker::prove`] makes one.
pub struct Proved([u8; 32]);

impl Proved {
    /// Whether it is this one.
    pub(super) fn is_by(&self, key: &AuthKey) -> bool {
        matches!(key, AuthKey::Ed25519(key) if *key == self.0)
    }
}

impl Asker<'_> {
    /// What can be proved of transmissions at once, in their order. Services sign twice, and are left out.
    pub fn prove<'t>(
        &self,
        transmissions: impl ExactSizeIterator<Item = Option<(&'t Transmission<'t>, &'t Command)>>,
        directory: &Directory,
    ) -> Vec<Option<Proved>> {
        let count = transmissions.len();
        let nothing = || std::iter::repeat_with(|| None).take(count).collect();
        if self.service.is_some() || count < FEWEST {
            return nothing();
        }
        let claims: Vec<_> = transmissions
            .map(|t| t.and_then(|(transmission, command)| claim(transmission, command, directory)))
            .collect();
        let made: Vec<_> = claims.iter().flatten().cloned().collect();
        if made.len() < FEWEST || !all_hold(&made) {
            return nothing();
        }
        claims.into_iter().map(|claim| claim.map(|claim| Proved(*claim.key()))).collect()
    }
}

/// What the key that [`Asker::verify`] will ask for must have signed; `None` if it will ask for none, or for one of several.
fn claim(transmission: &Transmission<'_>, command: &Command, directory: &Directory) -> Option<SignatureClaim> {
    let entity = transmission.entity.as_ref();
    let key = match command {
        Command::New(new) => Some(new.recipient_key.clone()),
        Command::Recipient(_) => match RecipientId::try_from(entity).ok().and_then(|id| directory.recipient(&id)) {
            Some(queue) => match queue.record().recipient_keys.as_slice() {
                [key] => Some(key.clone()),
                _ => return None,
            },
            None => None,
        },
        Command::Sender(command) => {
            let queue = SenderId::try_from(entity).ok().and_then(|id| directory.sender(&id));
            queue.and_then(|queue| match command {
                SenderCommand::Secure(key) => may_be_secured_with(&queue.record(), key).then(|| key.clone()),
                SenderCommand::Send(_) => queue.record().sender_key.clone(),
            })
        }
        Command::Link(LinkCommand::SecureAndGet(key)) => {
            let queue = directory.link(&LinkId::from(transmission.entity.clone()));
            queue.and_then(|queue| may_be_secured_with(&queue.record(), key).then(|| key.clone()))
        }
        Command::Notifier(_) => {
            let id = NotifierId::try_from(entity).ok();
            id.and_then(|id| notifier_key(&directory.notifier(&id)?.record(), &id))
        }
        Command::Link(LinkCommand::Get)
        | Command::Service(_)
        | Command::Ping
        | Command::Resolve(_)
        | Command::Proxy(_) => return None,
    };
    SignatureClaim::new(&transmission.authorization, key.as_ref(), &transmission.authorized)
}
