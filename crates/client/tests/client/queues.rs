//! The typed commands: what they send, what they make of the answer.

use std::sync::Arc;

use smp_client::protocol::address::ServerAddress;
use smp_client::protocol::authorization::AuthPrivateKey;
use smp_client::protocol::command::{
    Command, LinkCommand, LinkData, Name, NewQueue, NotifierCommand, QueueMode, QueueRequest, RecipientCommand,
    SendMessage, SenderCommand, SubscribeMode,
};
use smp_client::protocol::error::{ErrorType, NameError};
use smp_client::protocol::id::{EntityId, LinkId, MessageId, NotifierId, RecipientId, SenderId};
use smp_client::protocol::key::{DhPrivateKey, DhSecret, SigningKey};
use smp_client::protocol::message::{Content, Plain, seal_message, seal_notification};
use smp_client::protocol::response::{self, EncryptedMessage, EncryptedNotification, NameRecord, QueueIds, Response};
use smp_client::protocol::version::Version;
use smp_client::{Client, ClientError, Event, NewQueueOptions, Options, Queue, QueueKind};

use crate::peer::{Incoming, Peer, Server};

fn key() -> Arc<AuthPrivateKey> {
    Arc::new(AuthPrivateKey::Signing(SigningKey::generate_ed25519()))
}

/// The server's side of a queue that was created.
struct Created {
    new: NewQueue,
    ids: QueueIds,
    incoming: Incoming,
    secret: DhSecret,
    notification_secret: Option<DhSecret>,
}

/// Answers NEW.
async fn create(peer: &mut Peer) -> Created {
    let incoming = peer.receive_one().await;
    let Command::New(new) = incoming.command.clone() else { panic!("{:?}", incoming.command) };
    assert!(peer.verify(&incoming, &new.recipient_key, None));
    let (dh_key, notifier_dh_key) = (DhPrivateKey::generate(), DhPrivateKey::generate());
    let sender_id = match &new.request {
        Some(QueueRequest::Messaging(Some(_)) | QueueRequest::Contact(Some(_))) => {
            SenderId::from_corr_id(&incoming.corr_id)
        }
        _ => SenderId::random(),
    };
    let ids = QueueIds {
        recipient_id: RecipientId::random(),
        sender_id,
        server_dh_key: dh_key.public(),
        mode: new.request.as_ref().map(QueueRequest::mode),
        link_id: match &new.request {
            Some(QueueRequest::Contact(Some(link))) => Some(link.link_id.clone()),
            Some(QueueRequest::Messaging(Some(_))) => Some(LinkId::random()),
            _ => None,
        },
        service_id: None,
        notifier: new.notifier.as_ref().map(|_| (NotifierId::random(), notifier_dh_key.public())),
    };
    peer.answer(&incoming, Response::Ids(Box::new(ids.clone()))).await;
    let secret = dh_key.agree(&new.recipient_dh_key);
    let notification_secret = new.notifier.as_ref().map(|notifier| notifier_dh_key.agree(&notifier.dh_key));
    Created { new: *new, ids, incoming, secret, notification_secret }
}

async fn created(client: &Client, peer: &mut Peer, options: NewQueueOptions) -> (Queue, Created) {
    let (queue, created) = tokio::join!(client.create_queue(options), create(peer));
    (queue.unwrap(), created)
}

fn message(secret: &DhSecret, body: &[u8]) -> EncryptedMessage {
    let (id, mut sealed) = (MessageId::random(), Vec::new());
    let plain = Plain::Message { timestamp: 1_700_000_000, notify: false, body };
    seal_message(secret, &id, plain, &mut sealed);
    EncryptedMessage { id, body: sealed.into() }
}

fn body(content: Content) -> Vec<u8> {
    let Content::Message { body, timestamp: 1_700_000_000, notify: false } = content else { panic!("{content:?}") };
    body
}

fn link_data(user: &[u8]) -> LinkData {
    LinkData { fixed: (*b"fixed").into(), user: user.into() }
}

#[tokio::test]
async fn new_queues_in_every_version() {
    let server = Server::start().await;
    for version in 6..=20 {
        let (client, mut peer) = server.session(&Options::with_version(Version(version))).await;
        for (kind, mode) in [
            (QueueKind::Unset, None),
            (QueueKind::Messaging(None), Some(QueueMode::Messaging)),
            (QueueKind::Contact(None), Some(QueueMode::Contact)),
        ] {
            let unset = matches!(kind, QueueKind::Unset);
            let (queue, created) = created(&client, &mut peer, NewQueueOptions { kind, ..Default::default() }).await;
            assert_eq!(created.new.subscribe, SubscribeMode::Subscribe);
            assert_eq!((queue.recipient_id(), queue.sender_id()), (created.ids.recipient_id, created.ids.sender_id));
            // Versions 9 to 14 cannot say that there is no mode.
            let mode = if unset && (9..15).contains(&version) { Some(QueueMode::Contact) } else { mode };
            assert_eq!(queue.credentials().mode, mode.filter(|_| version >= 9));
            let received = queue.open(&message(&created.secret, b"hello")).unwrap();
            assert_eq!(body(received.content), b"hello");
            let foreign = message(&DhSecret::from([1; 32]), b"hello");
            assert!(matches!(queue.open(&foreign), Err(ClientError::Crypto)));
        }
    }
}

#[tokio::test]
async fn queues_with_links_and_notifiers() {
    let server = Server::start().await;
    let contact = LinkId::random();
    let kinds =
        || [QueueKind::Messaging(Some(link_data(b"m"))), QueueKind::Contact(Some((contact.clone(), link_data(b"c"))))];
    for version in 15..=20 {
        let (client, mut peer) = server.session(&Options::with_version(Version(version))).await;
        for kind in kinds() {
            let options = NewQueueOptions { kind, subscribe: false, ..Default::default() };
            let (queue, created) = created(&client, &mut peer, options).await;
            assert_eq!(created.new.subscribe, SubscribeMode::CreateOnly);
            let own_sender_id = SenderId::from_corr_id(&created.incoming.corr_id).into();
            match created.new.request.unwrap() {
                QueueRequest::Messaging(link) => {
                    let link = link.unwrap();
                    assert_eq!((link.sender_id, link.data), (own_sender_id, link_data(b"m")));
                }
                QueueRequest::Contact(link) => {
                    let link = link.unwrap();
                    assert_eq!((link.sender_id, link.data), (own_sender_id, link_data(b"c")));
                    assert_eq!(link.link_id, contact);
                }
            }
            assert_eq!(queue.credentials().link_id, created.ids.link_id);
        }
        let options = NewQueueOptions { notifier_key: Some(key()), ..Default::default() };
        if version < 17 {
            let refused = client.create_queue(options).await;
            assert!(
                matches!(refused, Err(ClientError::VersionTooLow { needed: Version(17), agreed }) if agreed.0 == version)
            );
            continue;
        }
        let (queue, created) = created(&client, &mut peer, options).await;
        let notifier = queue.notifier().unwrap();
        assert_eq!(notifier.id(), created.ids.notifier.unwrap().0);
        let id = MessageId::random();
        let meta = seal_notification(&created.notification_secret.unwrap(), &[3; 24], &id, 77);
        assert_eq!(notifier.open(&EncryptedNotification { nonce: [3; 24], meta }).unwrap(), (id, 77));
    }
    let (client, _peer) = server.session(&Options::with_version(Version(14))).await;
    for kind in kinds() {
        let refused = client.create_queue(NewQueueOptions { kind, ..Default::default() }).await;
        assert!(matches!(refused, Err(ClientError::VersionTooLow { needed: Version(15), .. })));
    }
}

#[tokio::test]
async fn the_password_of_the_address_is_sent() {
    let server = Server::start().await;
    let address = ServerAddress { password: Some("secret".parse().unwrap()), ..server.address() };
    let options = Options::default();
    let (client, mut peer) = tokio::join!(Client::connect(&address, &options), server.accept());
    let (_, created) = created(&client.unwrap(), &mut peer, NewQueueOptions::default()).await;
    assert_eq!(created.new.password.unwrap().as_bytes(), b"secret");
}

#[tokio::test]
async fn an_unwanted_answer_to_new() {
    let server = Server::start().await;
    let (client, mut peer) = server.session(&Options::default()).await;
    for (response, unexpected) in [(Response::Ok, true), (Response::Error(ErrorType::Auth), false)] {
        let (queue, _) = tokio::join!(client.create_queue(NewQueueOptions::default()), peer.serve(|_| response));
        match queue.unwrap_err() {
            ClientError::Unexpected(tag) => assert!(unexpected && tag == "OK"),
            error => assert!(!unexpected && error.answered() == Some(&ErrorType::Auth)),
        }
    }
}

/// Makes a call, checks that it sends this command to this entity authorized by this key, and answers.
async fn exchange<T>(
    peer: &mut Peer,
    (key, entity, command): (&AuthPrivateKey, EntityId, Command),
    response: Response,
    call: impl Future<Output = T>,
) -> T {
    let (outcome, incoming) = tokio::join!(call, peer.serve(|_| response));
    assert_eq!((&incoming.command, &incoming.entity), (&command, &entity));
    assert!(peer.verify(&incoming, &key.public(), None));
    outcome
}

#[tokio::test]
async fn messages_are_received_and_acknowledged() {
    let server = Server::start().await;
    let (client, mut peer) = server.session(&Options::default()).await;
    let (queue, created) = created(&client, &mut peer, NewQueueOptions::default()).await;
    let (key, id) = (Arc::clone(&queue.credentials().key), queue.recipient_id());
    let expect = |command| (&*key, id.into(), Command::Recipient(command));
    let acknowledge = |id: MessageId| expect(RecipientCommand::Acknowledge(id.into()));
    let sealed = |body: &[u8]| Response::Message(message(&created.secret, body));

    let subscribed = Response::Subscribed(None);
    let service = exchange(&mut peer, expect(RecipientCommand::Subscribe), subscribed, queue.subscribe()).await;
    assert_eq!(service.unwrap(), None);
    peer.report(id, sealed(b"first")).await;
    let Event::Message(recipient, first) = client.next_event().await.unwrap() else { panic!("another event") };
    assert_eq!(recipient, id);
    let first = queue.open(&first).unwrap();
    assert_eq!(body(first.content), b"first");

    let next = exchange(&mut peer, acknowledge(first.id), sealed(b"second"), queue.acknowledge(&first.id)).await;
    let next = next.unwrap().unwrap();
    assert_eq!(body(next.content), b"second");
    let none = exchange(&mut peer, acknowledge(next.id), Response::Ok, queue.acknowledge(&next.id)).await;
    assert_eq!(none.unwrap(), None);
    let no_message = Response::Error(ErrorType::NoMessage);
    let error = exchange(&mut peer, acknowledge(next.id), no_message, queue.acknowledge(&next.id)).await;
    assert_eq!(error.unwrap_err().answered(), Some(&ErrorType::NoMessage));

    let got = exchange(&mut peer, expect(RecipientCommand::Get), sealed(b"third"), queue.get()).await;
    assert_eq!(body(got.unwrap().unwrap().content), b"third");
    let none = exchange(&mut peer, expect(RecipientCommand::Get), Response::Ok, queue.get()).await;
    assert_eq!(none.unwrap(), None);
    let strange = exchange(&mut peer, expect(RecipientCommand::Get), Response::End, queue.get()).await;
    assert!(matches!(strange, Err(ClientError::Unexpected(tag)) if tag == "END"));
}

#[tokio::test]
async fn commands_of_the_recipient() {
    use RecipientCommand::{
        Delete, DeleteLink, DeleteNotifier, QueueInfo, SecureSender, SetLink, SetRecipientKeys, Suspend,
    };

    let server = Server::start().await;
    let (client, mut peer) = server.session(&Options::default()).await;
    let (queue, _) = created(&client, &mut peer, NewQueueOptions::default()).await;
    let (key, id) = (Arc::clone(&queue.credentials().key), queue.recipient_id());
    let expect = |command| (&*key, id.into(), Command::Recipient(command));

    let sender_key = self::key().public();
    let command = expect(SecureSender(sender_key.clone()));
    exchange(&mut peer, command, Response::Ok, queue.secure(&sender_key)).await.unwrap();
    let link_id = LinkId::random();
    let command = expect(SetLink(link_id.clone(), link_data(b"u")));
    exchange(&mut peer, command, Response::Ok, queue.set_link(&link_id, link_data(b"u"))).await.unwrap();
    exchange(&mut peer, expect(DeleteLink), Response::Ok, queue.delete_link()).await.unwrap();
    exchange(&mut peer, expect(DeleteNotifier), Response::Ok, queue.delete_notifier()).await.unwrap();
    let info = response::QueueInfo { secured: true, has_notifier: false, subscription: None, size: 3, message: None };
    let answer = Response::Info(Box::new(info.clone()));
    assert_eq!(exchange(&mut peer, expect(QueueInfo), answer, queue.info()).await.unwrap(), info);

    let (own, other) = (self::key(), self::key().public());
    let command = expect(SetRecipientKeys(vec![own.public(), other.clone()]));
    let queue = exchange(&mut peer, command, Response::Ok, queue.set_keys(Arc::clone(&own), &[other])).await.unwrap();
    // The new key is used from now on, over another connection too.
    let expect = |command| (&*own, id.into(), Command::Recipient(command));
    let (other_client, mut other_peer) = server.session(&Options::default()).await;
    let elsewhere = queue.on(&other_client);
    exchange(&mut other_peer, expect(Suspend), Response::Ok, elsewhere.suspend()).await.unwrap();
    exchange(&mut peer, expect(Delete), Response::Ok, queue.delete()).await.unwrap();
}

#[tokio::test]
async fn notifiers() {
    let server = Server::start().await;
    let (client, mut peer) = server.session(&Options::default()).await;
    let (queue, _) = created(&client, &mut peer, NewQueueOptions::default()).await;
    assert!(queue.notifier().is_none());
    let (notifier_key, dh_key, id) = (key(), DhPrivateKey::generate(), NotifierId::random());
    let mut secret = None;
    let serve = peer.serve(|incoming| {
        let Command::Recipient(RecipientCommand::SetNotifier(new)) = &incoming.command else { panic!("not NKEY") };
        assert_eq!(new.key, notifier_key.public());
        secret = Some(dh_key.agree(&new.dh_key));
        Response::NotifierId(id, dh_key.public())
    });
    let (notifier, _) = tokio::join!(queue.create_notifier(Arc::clone(&notifier_key)), serve);
    let notifier = notifier.unwrap();
    assert_eq!(notifier.id(), id);

    let (other_client, mut other_peer) = server.session(&Options::default()).await;
    let elsewhere = notifier.on(&other_client);
    let command = (&*notifier_key, id.into(), Command::Notifier(NotifierCommand::Subscribe));
    exchange(&mut other_peer, command, Response::Subscribed(None), elsewhere.subscribe()).await.unwrap();
    let message_id = MessageId::random();
    let meta = seal_notification(&secret.unwrap(), &[9; 24], &message_id, 5);
    let notification = Box::new(EncryptedNotification { nonce: [9; 24], meta });
    other_peer.report(id, Response::Notification(notification)).await;
    let Event::Notification(from, notification) = other_client.next_event().await.unwrap() else {
        panic!("another event")
    };
    assert_eq!(from, id);
    assert_eq!(elsewhere.open(&notification).unwrap(), (message_id, 5));
    let broken = EncryptedNotification { nonce: [8; 24], ..*notification };
    assert!(matches!(elsewhere.open(&broken), Err(ClientError::Crypto)));
}

#[tokio::test]
async fn senders() {
    let server = Server::start().await;
    let (client, mut peer) = server.session(&Options::default()).await;
    let (id, key) = (SenderId::random(), key());
    let expect = |command| (&*key, id.into(), Command::Sender(command));
    let message = |notify, body: &[u8]| SenderCommand::Send(SendMessage { notify, body: body.into() });
    let sender = client.sender(id);
    let (sent, incoming) = tokio::join!(sender.send(*b"hello"), peer.serve(|_| Response::Ok));
    sent.unwrap();
    assert_eq!(incoming.command, Command::Sender(message(false, b"hello")));
    assert!(peer.wire().read(&incoming.bytes).unwrap().authorization.is_none());

    let command = expect(SenderCommand::Secure(key.public()));
    let secured = exchange(&mut peer, command, Response::Ok, sender.secure(Arc::clone(&key))).await.unwrap();
    let command = expect(message(true, b"again"));
    exchange(&mut peer, command, Response::Ok, secured.send_and_notify(*b"again")).await.unwrap();
    let (command, quota) = (expect(message(false, &[0; 16048])), Response::Error(ErrorType::Quota));
    let refused = exchange(&mut peer, command, quota, secured.send(vec![0; 16048])).await;
    assert_eq!(refused.unwrap_err().answered(), Some(&ErrorType::Quota));
}

#[tokio::test]
async fn links() {
    let server = Server::start().await;
    let (client, mut peer) = server.session(&Options::default()).await;
    let (link_id, sender_id, key) = (LinkId::random(), SenderId::random(), key());
    let link = client.link(link_id.clone());
    let answer = Response::Link(sender_id, link_data(b"user"));
    let (target, incoming) = tokio::join!(link.get(), peer.serve(|_| answer.clone()));
    assert_eq!((incoming.command, incoming.entity), (Command::Link(LinkCommand::Get), link_id.clone().into()));
    let target = target.unwrap();
    assert_eq!((target.sender.sender_id(), target.data), (sender_id, link_data(b"user")));

    let command = (&*key, link_id.into(), Command::Link(LinkCommand::SecureAndGet(key.public())));
    let target = exchange(&mut peer, command, answer, link.secure(Arc::clone(&key))).await.unwrap();
    let message = SendMessage { notify: false, body: (*b"via link").into() };
    let command = (&*key, sender_id.into(), Command::Sender(SenderCommand::Send(message)));
    exchange(&mut peer, command, Response::Ok, target.sender.send(*b"via link")).await.unwrap();
}

#[tokio::test]
async fn names() {
    let server = Server::start().await;
    let (client, mut peer) = server.session(&Options::default()).await;
    let name = Name::parse(b"alice.simplex").unwrap();
    let json = br#"{"name":"alice.simplex","nickname":"","website":"","location":"","simplexContact":[],
        "simplexChannel":[],"owner":"","resolver":""}"#;
    let record = Box::new(NameRecord::decode(json).unwrap());
    let (told, incoming) = tokio::join!(client.resolve(&name), peer.serve(|_| Response::Name(record.clone())));
    assert_eq!((told.unwrap(), incoming.command), (*record, Command::Resolve(name.clone())));
    let none = Response::Error(ErrorType::Name(NameError::NotFound));
    let (told, _) = tokio::join!(client.resolve(&name), peer.serve(|_| none));
    assert_eq!(told.unwrap_err().answered(), Some(&ErrorType::Name(NameError::NotFound)));
}
