//! What the handshake of a session settled.

use std::cell::OnceCell;
use std::sync::Arc;

use smp_protocol::id::SessionId;
use smp_protocol::key::{DhPrivateKey, DhPublicKey, DhSecret};
use smp_protocol::version::Version;
use smp_transport::handshake::ServerSession;
use smp_transport::stream::SmpStream;

use super::{BlockSink, BlockSource};
use crate::verify::ServiceIdentity;

/// The facts of a session.
pub(super) struct Terms {
    pub version: Version,
    pub session_id: SessionId,
    pub session_key: DhPrivateKey,
    pub service: Option<Arc<ServiceIdentity>>,
    peer_key: Option<DhPublicKey>,
    peer_secret: OnceCell<DhSecret>,
}

impl Terms {
    /// As the handshake left them, and the two directions of the connection.
    pub fn of(session: ServerSession<SmpStream>) -> (Self, BlockSource, BlockSink) {
        let service = session.service.map(|service| {
            Arc::new(ServiceIdentity {
                id: service.id,
                role: service.role,
                fingerprint: service.fingerprint,
                session_key: service.session_key,
            })
        });
        let terms = Self {
            version: session.version,
            session_id: session.session_id,
            session_key: session.session_key,
            service,
            peer_key: session.peer_key,
            peer_secret: OnceCell::new(),
        };
        (terms, session.reader, session.writer)
    }

    /// The secret of the session keys of both sides, if the client sent a key. Only proxies need it: it is made when it is
    /// first asked for.
    pub fn peer_secret(&self) -> Option<&DhSecret> {
        let peer_key = self.peer_key.as_ref()?;
        Some(self.peer_secret.get_or_init(|| self.session_key.agree(peer_key)))
    }
}
