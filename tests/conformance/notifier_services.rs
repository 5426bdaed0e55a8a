//! Services that receive the notifications of all their notifiers at once.

use smp_client::protocol::error::ErrorType;
use smp_client::protocol::response::Response;
use smp_client::protocol::version::Version;
use smp_client::{Client, Notifier, Reply, Request};

use crate::harness::at_versions;
use crate::harness::event::{assert_deleted, assert_end, assert_quiet};
use crate::harness::party::{Recipient, Sender, notified};
use crate::harness::request::{By, NDEL, NSUB, ask, err, reply, subscribed};
use crate::harness::server::Server;
use crate::harness::service::{Service, assert_service_end, queue_set, service_id, told};

const VERSIONS: [Version; 3] = [Version(16), Version(18), Version(20)];

/// A queue with a notifier.
struct Notified {
    queue: Recipient,
    sender: Sender,
    notifier: Notifier,
}

impl Notified {
    async fn new(client: &Client) -> Self {
        let (queue, sender) = Recipient::secured(client, client).await;
        let notifier = queue.notifier().await;
        Self { queue, sender, notifier }
    }

    /// A message comes, and its notification to this connection.
    async fn notifies(&self, observer: &Client) {
        self.sender.notifies(b"ding").await;
        let id = self.queue.takes(b"ding").await;
        assert_eq!(notified(observer, &self.notifier).await, id);
    }

    async fn nsub(&self, client: &Client) -> Reply {
        ask(client, self.notifier.id(), NSUB, By::Key(&self.notifier.credentials().key)).await
    }

    /// `NSUB` of a service.
    async fn joins(&self, service: &Client) {
        let joined = reply(self.notifier.id(), Response::Subscribed(Some(service_id(service))));
        assert_eq!(self.nsub(service).await, joined);
    }
}

/// `NSUBS` must be answered by the set of these notifiers.
async fn subscribes_all(client: &Client, notifiers: &[&Notified]) {
    let set = queue_set(notifiers.iter().map(|notified| notified.notifier.id()));
    assert_eq!(client.subscribe_service_notifiers(set).await.unwrap(), told(client.version(), set));
}

#[tokio::test]
async fn b_148_to_152_life_of_a_notifier_service() {
    let server = Server::start().await;
    at_versions(VERSIONS, async |version| {
        let service = Service::notifier();
        let (first, second) = (service.connect_at(&server, version).await, service.connect_at(&server, version).await);
        // One connection per queue: messages are events, too.
        let (a, b) = (Notified::new(&server.connect().await).await, Notified::new(&server.connect().await).await);

        let key = &a.notifier.credentials().key;
        let unsigned = Request::new(a.notifier.id(), NSUB, Some(key)).with_service_signature(false);
        let refused = first.submit(&unsigned).await.unwrap().reply().await.unwrap();
        assert_eq!(refused, err(a.notifier.id(), ErrorType::Service));

        a.joins(&first).await;
        a.joins(&first).await;
        a.notifies(&first).await;

        a.joins(&second).await;
        assert_service_end(&first, queue_set([a.notifier.id()])).await;
        a.notifies(&second).await;
        assert_quiet(&first).await;

        a.queue.does(NDEL).await;
        assert_deleted(&second, a.notifier.id()).await;

        let c = Notified::new(&server.connect().await).await;
        b.joins(&second).await;
        c.joins(&second).await;
        subscribes_all(&first, &[&b, &c]).await;
        assert_service_end(&second, queue_set([b.notifier.id(), c.notifier.id()])).await;
        b.notifies(&first).await;
        c.notifies(&first).await;
        assert_quiet(&second).await;
    })
    .await;
}

#[tokio::test]
async fn b_153_associations_survive_restarts() {
    let mut server = Server::start().await;
    let service = Service::notifier();
    let first = service.connect(&server).await;
    let id = service_id(&first);
    let mut notified = Notified::new(&server.connect().await).await;
    notified.joins(&first).await;
    for _ in 0..2 {
        server.restart().await;
        let client = service.connect(&server).await;
        assert_eq!(service_id(&client), id);
        subscribes_all(&client, &[&notified]).await;
        let party = server.connect().await;
        notified.queue = notified.queue.on(&party);
        notified.sender = notified.sender.on(&party);
        notified.queue.subscribe().await;
        notified.notifies(&client).await;
    }
}

/// A plain notification server takes a notifier out of the service.
#[tokio::test]
async fn notifiers_leave_a_service() {
    let server = Server::start().await;
    let service = Service::notifier().connect(&server).await;
    let (a, b) = (Notified::new(&server.connect().await).await, Notified::new(&server.connect().await).await);
    a.joins(&service).await;
    b.joins(&service).await;
    let plain = server.connect().await;
    assert_eq!(a.nsub(&plain).await, subscribed(plain.version(), a.notifier.id()));
    assert_end(&service, a.notifier.id()).await;
    a.notifies(&plain).await;
    b.notifies(&service).await;
    subscribes_all(&service, &[&b]).await;
}
