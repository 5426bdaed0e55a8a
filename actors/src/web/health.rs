//! Whether the server is well, for `/healthz`: asked of the actors, however many ask, once in a while.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::metrics::Vitals;

/// An answer is good for so long.
const FRESH: Duration = Duration::from_secs(2);

/// Knows the actors as soon as they all exist.
#[derive(Clone, Default)]
pub struct Health {
    vitals: Arc<OnceLock<Vitals>>,
    last: Arc<Mutex<Option<(Instant, bool)>>>,
}

impl Health {
    /// From now on these are asked.
    pub fn watch(&self, vitals: Vitals) {
        // The tree grows once.
        let _ = self.vitals.set(vitals);
    }

    /// What the site asks.
    pub fn question(&self) -> smp_web::site::Health {
        let this = self.clone();
        Arc::new(move || {
            let this = this.clone();
            Box::pin(async move { this.is_well().await })
        })
    }

    async fn is_well(&self) -> bool {
        let Some(vitals) = self.vitals.get() else { return false };
        let mut last = self.last.lock().await;
        if let Some((at, well)) = *last
            && at.elapsed() < FRESH
        {
            return well;
        }
        let well = vitals.take().await.iter().all(|(_, answered)| answered.is_some());
        *last = Some((Instant::now(), well));
        well
    }
}
