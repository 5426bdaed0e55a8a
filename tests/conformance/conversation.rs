//! A whole conversation over three servers: a name is resolved by one, its link followed on another, and everything the
//! sender does goes through a proxy.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use smp_client::protocol::address::ServerAddress;
use smp_client::protocol::command::{LinkData, Name};
use smp_client::protocol::id::{LinkId, random_bytes};
use smp_client::{NewQueueOptions, QueueKind};

use crate::harness::party::Recipient;
use crate::harness::request::ed25519;
use crate::harness::resolver::{Answer, Resolver};
use crate::harness::server::Server;

#[tokio::test]
async fn from_a_name_to_a_conversation() {
    let resolver = Resolver::start().await;
    let endpoint = resolver.endpoint();
    let names = Server::start_with(&[("NAMES", "enable", "on"), ("NAMES", "resolver_endpoint", &*endpoint)]).await;
    let (proxy, relay) = (Server::start().await, Server::start().await);

    // Alice publishes a contact address on the relay, and a name for it.
    let alice = relay.connect().await;
    let link_id = LinkId::try_from(&random_bytes::<24>()[..]).unwrap();
    let data = LinkData { fixed: b"who Alice is".to_vec().into(), user: b"hello, I am Alice".to_vec().into() };
    let kind = QueueKind::Contact(Some((link_id.clone(), data.clone())));
    let contact = Recipient::with(&alice, NewQueueOptions { kind, ..NewQueueOptions::default() }).await;
    let address = format!("{}#{}", relay.address(), URL_SAFE_NO_PAD.encode(link_id.as_ref()));
    resolver.answers(Answer::with(
        200,
        format!(
            r#"{{"name":"alice.simplex","nickname":"Alice","website":"","location":"","simplexContact":["{address}"],
                "simplexChannel":[],"owner":"","resolver":""}}"#
        ),
    ));

    // Bob resolves the name, follows the link and writes, all through his proxy.
    let bob = proxy.connect().await;
    let to_names = bob.proxied_relay(names.address(), None).await.unwrap();
    let record = to_names.resolve(&Name::parse(b"Alice.SimpleX").unwrap()).await.unwrap();
    let (address, link_id) = record.simplex_contact[0].split_once('#').unwrap();
    let address: ServerAddress = address.parse().unwrap();
    assert_eq!(&address, relay.address());
    let link_id = LinkId::try_from(&URL_SAFE_NO_PAD.decode(link_id).unwrap()[..]).unwrap();
    let to_relay = bob.proxied_relay(&address, None).await.unwrap();
    let target = to_relay.link(link_id).get().await.unwrap();
    assert_eq!(target.data, data);
    let bobs = Recipient::new(&bob).await;
    target.sender.send(*b"hello Alice, answer me at my own relay").await.unwrap();
    contact.takes(b"hello Alice, answer me at my own relay").await;

    // Alice answers through her relay as the proxy; both secure their queues.
    let to_bobs = alice.proxied_relay(proxy.address(), None).await.unwrap();
    let answer = to_bobs.sender(bobs.queue.sender_id()).secure(ed25519()).await.unwrap();
    let alices = Recipient::new(&alice).await;
    let reply = to_relay.sender(alices.queue.sender_id()).secure(ed25519()).await.unwrap();
    for number in 0..10_u8 {
        answer.send([number; 100]).await.unwrap();
        bobs.takes(&[number; 100]).await;
        reply.send([number; 200]).await.unwrap();
        alices.takes(&[number; 200]).await;
    }
}
