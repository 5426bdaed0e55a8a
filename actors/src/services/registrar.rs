//! Finds the service of a certificate, or makes one (behaviour.md §1.2).

use std::sync::Arc;

use actix::Addr;
use smp_protocol::id::ServiceId;
use smp_store::date::Date;
use smp_store::log_record::LogRecord;
use smp_store::record::{CertificateChain, ServiceRecord};
use smp_transport::handshake::ServiceRequest;

use super::Services;
use crate::clock::Clock;
use crate::store_log_writer::{AppendService, StoreLogWriter};

/// Answers service handshakes.
#[derive(Clone)]
pub struct ServiceRegistrar {
    /// All services.
    pub services: Arc<Services>,
    /// Where new ones are stored, if anything is.
    pub store_log: Option<Addr<StoreLogWriter>>,
    /// The time.
    pub clock: Clock,
}

impl ServiceRegistrar {
    /// The ID of a service that has proved its certificate. `None` if the certificate belongs to a service with another role, or
    /// a new service cannot be stored.
    pub async fn identify(&self, request: ServiceRequest) -> Option<ServiceId> {
        if let Some(known) = self.services.with_fingerprint(&request.fingerprint) {
            return (known.record.role == request.role).then_some(known.record.id);
        }
        let record = ServiceRecord {
            id: ServiceId::random(),
            role: request.role,
            chain: CertificateChain::new(request.chain.to_der()).ok()?,
            fingerprint: request.fingerprint,
            created_at: Date::from_unix_seconds(self.clock.now()),
        };
        // Entered first, so that two connections of a new service get the same ID.
        if let Some(other) = self.services.insert(record.clone()) {
            return (other.record.role == record.role).then_some(other.record.id);
        }
        if self.is_stored(&record).await {
            return Some(record.id);
        }
        self.services.remove(&record);
        None
    }

    async fn is_stored(&self, record: &ServiceRecord) -> bool {
        let Some(store_log) = &self.store_log else { return true };
        let mut line = Vec::new();
        LogRecord::NewService(record.clone()).write(&mut line);
        matches!(store_log.send(AppendService(line)).await, Ok(Ok(())))
    }
}
