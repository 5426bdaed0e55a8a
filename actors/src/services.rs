//! Services: clients with a certificate that serve many queues at once (behaviour.md §1.2, §4.4).
//!
//! A service has two areas, messages and notifications, of which its role uses one. Each area knows the set of queues that are
//! associated with the service, as stored, and the one connection that is subscribed for it.

mod area;
mod registrar;
mod walk;

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;
use smp_protocol::id::ServiceId;
use smp_store::record::ServiceRecord;

use crate::session_handle::SessionHandle;

pub use area::{AreaKind, Association, BulkSubscription, ServiceArea};
pub use registrar::ServiceRegistrar;
pub use walk::ServiceWalk;

/// All services that ever connected.
#[derive(Default)]
pub struct Services {
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    by_id: HashMap<ServiceId, Arc<Service>>,
    by_fingerprint: HashMap<[u8; 32], ServiceId>,
}

/// A service with its areas.
pub struct Service {
    record: ServiceRecord,
    messages: ServiceArea,
    notifications: ServiceArea,
}

impl Service {
    fn new(record: ServiceRecord) -> Self {
        Self { record, messages: ServiceArea::default(), notifications: ServiceArea::default() }
    }

    /// As stored.
    pub fn record(&self) -> &ServiceRecord {
        &self.record
    }

    /// A session is gone.
    pub fn unsubscribe(&self, session: &SessionHandle) {
        self.messages.unsubscribe(session);
        self.notifications.unsubscribe(session);
    }

    /// One of the two areas.
    pub fn area(&self, kind: AreaKind) -> &ServiceArea {
        match kind {
            AreaKind::Messages => &self.messages,
            AreaKind::Notifications => &self.notifications,
        }
    }
}

impl Services {
    /// The services of the store log.
    pub fn restored(records: Vec<ServiceRecord>) -> Self {
        let services = Self::default();
        for record in records {
            services.insert(record);
        }
        services
    }

    /// The service with this ID.
    pub fn find(&self, id: &ServiceId) -> Option<Arc<Service>> {
        self.known.read().by_id.get(id).cloned()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.known.read().by_id.is_empty()
    }

    /// Number of services that use this area, and of the queues that are associated with them.
    pub fn counts(&self, kind: AreaKind) -> (u64, u64) {
        let known = self.known.read();
        let of_area = known.by_id.values().filter(|service| service.record.role == kind.role());
        of_area.fold((0, 0), |(services, queues), service| {
            (services + 1, queues + u64::try_from(service.area(kind).stored().count).unwrap_or_default())
        })
    }

    /// Numbers of the sessions that are subscribed for services in this area, each with its number of queues.
    pub fn subscribers(&self, kind: AreaKind) -> Vec<(u64, u64)> {
        let known = self.known.read();
        let areas = known.by_id.values().map(|service| service.area(kind));
        areas.filter_map(|area| Some((area.subscriber()?.number(), area.counted().count.unsigned_abs()))).collect()
    }

    fn with_fingerprint(&self, fingerprint: &[u8; 32]) -> Option<Arc<Service>> {
        let known = self.known.read();
        known.by_fingerprint.get(fingerprint).and_then(|id| known.by_id.get(id)).cloned()
    }

    /// Enters a service, unless its certificate is known: then the known one is returned.
    fn insert(&self, record: ServiceRecord) -> Option<Arc<Service>> {
        let mut known = self.known.write();
        if let Some(id) = known.by_fingerprint.get(&record.fingerprint) {
            return known.by_id.get(id).cloned();
        }
        known.by_fingerprint.insert(record.fingerprint, record.id);
        known.by_id.insert(record.id, Arc::new(Service::new(record)));
        None
    }

    fn remove(&self, record: &ServiceRecord) {
        let mut known = self.known.write();
        known.by_fingerprint.remove(&record.fingerprint);
        known.by_id.remove(&record.id);
    }
}
