//! What a server finds on its machine, which tests may replace.

use std::sync::Arc;

use smp_store::files::{Files, RealFiles};
use smp_store::journal::JournalSizes;

use crate::clock::Clock;

/// What a server runs on.
#[derive(Clone)]
pub struct Machine {
    /// The file system.
    pub files: Arc<dyn Files>,
    /// The time of day.
    pub clock: Clock,
    /// How much space the journal takes.
    pub journal: JournalSizes,
    /// Nothing is changed on it: the state is only loaded, with [`smp_store::files::RehearsedFiles`], and not locked.
    pub rehearses: bool,
}

impl Default for Machine {
    /// This machine.
    fn default() -> Self {
        Self { files: Arc::new(RealFiles), clock: Clock::system(), journal: JournalSizes::default(), rehearses: false }
    }
}
