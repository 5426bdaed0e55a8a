//! Services: clients with a certificate, and the sets of queues they name.

use smp_client::protocol::command::{QueueIdsHash, QueueSet};
use smp_client::protocol::handshake::ServiceRole;
use smp_client::protocol::id::ServiceId;
use smp_client::protocol::key::SigningKey;
use smp_client::protocol::version::Version;
use smp_client::transport::tls::Credential;
use smp_client::{Client, Options};
use smp_config::certificates::{NewChain, PrivateKey, SignAlgorithm};

use super::event::next_event;
use super::server::Server;

/// A service, known to servers by its certificate.
pub struct Service {
    pub credential: Credential,
    pub role: ServiceRole,
}

impl Service {
    /// A new one that receives messages.
    pub fn messaging() -> Self {
        Self::new(ServiceRole::Messaging)
    }

    /// A new one that receives notifications.
    pub fn notifier() -> Self {
        Self::new(ServiceRole::Notifier)
    }

    /// A new one.
    pub fn new(role: ServiceRole) -> Self {
        let chain = NewChain::generate(SignAlgorithm::Ed25519, "service").expect("certificates can be made");
        let credentials = chain.credentials();
        let key = match &credentials.key {
            PrivateKey::Ed25519(seed) => SigningKey::ed25519(seed),
            PrivateKey::Ed448(seed) => SigningKey::ed448(seed),
        };
        let certificates = credentials.chain.into_iter().map(Into::into).collect();
        Self { credential: Credential::new(certificates, key).expect("the key is that of the leaf"), role }
    }

    /// How it connects.
    pub fn options(&self, version: Version) -> Options {
        Options::with_version(version).with_service(self.credential.clone(), self.role)
    }

    /// A connection of the newest version.
    pub async fn connect(&self, server: &Server) -> Client {
        self.connect_at(server, Version::MAX).await
    }

    /// A connection of exactly this version.
    pub async fn connect_at(&self, server: &Server, version: Version) -> Client {
        server.connect_with(&self.options(version)).await
    }
}

/// The ID that the server gave to the service of a connection.
pub fn service_id(client: &Client) -> ServiceId {
    client.service_id().expect("the server accepted the service")
}

/// The set of these queues.
pub fn queue_set(ids: impl IntoIterator<Item: AsRef<[u8]>>) -> QueueSet {
    let mut set = QueueSet { count: 0, hash: QueueIdsHash::default() };
    for id in ids {
        set.count += 1;
        set.hash.toggle(id.as_ref());
    }
    set
}

/// What an answer in the form of `version` can say of a set.
pub fn told(version: Version, set: QueueSet) -> QueueSet {
    if version >= Version::SERVICE_HASH { set } else { QueueSet { hash: QueueIdsHash::default(), ..set } }
}

/// The next event must be `ENDS` about this set.
pub async fn assert_service_end(client: &Client, set: QueueSet) {
    assert_eq!(next_event(client).await, smp_client::Event::ServiceEnd(told(client.version(), set)));
}
