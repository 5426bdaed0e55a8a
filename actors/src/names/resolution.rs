//! What sessions know of the resolution of names.

use std::sync::Arc;

use actix::Addr;
use smp_protocol::command::Name;
use smp_protocol::error::NameError;
use smp_protocol::response::NameRecord;

use super::actor::{Names, Resolve};
use crate::stats::Stats;

/// Takes requests of sessions, and counts them.
#[derive(Clone)]
pub struct NameResolution {
    names: Option<Addr<Names>>,
    stats: Arc<Stats>,
}

impl NameResolution {
    /// Without an actor all requests are refused.
    pub fn new(names: Option<Addr<Names>>, stats: Arc<Stats>) -> Self {
        Self { names, stats }
    }

    /// The actor that resolves them.
    pub fn actor(&self) -> Option<&Addr<Names>> {
        self.names.as_ref()
    }

    /// Begins to resolve a name; what it stands for comes later. Fails at once without a resolver.
    pub fn resolve(
        &self,
        name: Name,
    ) -> Result<impl Future<Output = Result<NameRecord, NameError>> + use<>, NameError> {
        let counters = &self.stats.names;
        counters.requests.count();
        let Some(names) = self.names.clone() else {
            counters.disabled.count();
            return Err(NameError::NoResolver);
        };
        let stats = Arc::clone(&self.stats);
        Ok(async move {
            // The actor is gone only when the server ends.
            let gone = || Err(NameError::Resolver("resolver error".to_owned()));
            let result = names.send(Resolve(name)).await.unwrap_or_else(|_| gone());
            match &result {
                Ok(_) => stats.names.found.count(),
                Err(NameError::NotFound) => stats.names.not_found.count(),
                Err(_) => stats.names.failed.count(),
            }
            result
        })
    }
}
