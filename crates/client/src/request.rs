//! A command on its way out.

use smp_protocol::authorization::AuthPrivateKey;
use smp_protocol::command::Command;
use smp_protocol::id::{CorrId, EntityId};

/// A command with what it is addressed to and authorized by.
#[derive(Debug, Clone)]
pub struct Request<'k> {
    pub(crate) entity: EntityId,
    pub(crate) command: Command,
    pub(crate) key: Option<&'k AuthPrivateKey>,
    pub(crate) corr_id: Option<CorrId>,
    pub(crate) service_signature: Option<bool>,
}

impl<'k> Request<'k> {
    /// `command` to the queue, link, service or relay session `entity` ([`EntityId::EMPTY`] for commands that have none), with
    /// a random correlation ID.
    pub fn new(entity: impl Into<EntityId>, command: Command, key: Option<&'k AuthPrivateKey>) -> Self {
        Self { entity: entity.into(), command, key, corr_id: None, service_signature: None }
    }

    /// The same with this correlation ID: 1 to 255 bytes that no other request in flight has.
    #[must_use]
    pub fn with_corr_id(self, corr_id: CorrId) -> Self {
        Self { corr_id: Some(corr_id), ..self }
    }

    /// Adds or leaves out the second signature of a service session. By default NEW, SUB and NSUB have it (wire.md §5.7).
    #[must_use]
    pub fn with_service_signature(self, signed: bool) -> Self {
        Self { service_signature: Some(signed), ..self }
    }
}
