//! Commands.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use smp_protocol::address::Host;
use smp_protocol::command::{
    Command, ContactLink, ForwardedCommand, LinkCommand, MessagingLink, Name, NewNotifier, NewQueue, NotifierCommand,
    ProxyCommand, QueueMode, QueueRequest, QueueSet, RecipientCommand, RelayAddress, SendMessage, SenderCommand,
    ServiceCommand, SubscribeMode,
};
use smp_protocol::version::Version;

use crate::values::{auth_key, boxed_bytes, bytes, dh_key, link_data, password, queue_set, short_id, version};

fn new_notifier() -> impl Strategy<Value = NewNotifier> {
    (auth_key(), dh_key()).prop_map(|(key, dh_key)| NewNotifier { key, dh_key })
}

fn queue_request() -> impl Strategy<Value = QueueRequest> {
    let messaging = (short_id(), link_data()).prop_map(|(sender_id, data)| MessagingLink { sender_id, data });
    let contact = (short_id(), short_id(), link_data()).prop_map(|(link_id, sender_id, data)| ContactLink {
        link_id,
        sender_id,
        data,
    });
    prop_oneof![
        option::of(messaging).prop_map(QueueRequest::Messaging),
        option::of(contact).prop_map(QueueRequest::Contact),
    ]
}

fn new_queue() -> impl Strategy<Value = NewQueue> {
    let subscribe = prop_oneof![Just(SubscribeMode::Subscribe), Just(SubscribeMode::CreateOnly)];
    let options = (option::of(password()), subscribe, option::of(queue_request()), option::of(new_notifier()));
    (auth_key(), dh_key(), options).prop_map(
        |(recipient_key, recipient_dh_key, (password, subscribe, request, notifier))| NewQueue {
            recipient_key,
            recipient_dh_key,
            password,
            subscribe,
            request,
            notifier,
        },
    )
}

fn recipient_command() -> impl Strategy<Value = RecipientCommand> {
    prop_oneof![
        Just(RecipientCommand::Subscribe),
        auth_key().prop_map(RecipientCommand::SecureSender),
        vec(auth_key(), 1..=255).prop_map(RecipientCommand::SetRecipientKeys),
        (short_id(), link_data()).prop_map(|(id, data)| RecipientCommand::SetLink(id, data)),
        Just(RecipientCommand::DeleteLink),
        new_notifier().prop_map(RecipientCommand::SetNotifier),
        Just(RecipientCommand::DeleteNotifier),
        Just(RecipientCommand::Get),
        short_id().prop_map(RecipientCommand::Acknowledge),
        Just(RecipientCommand::Suspend),
        Just(RecipientCommand::Delete),
        Just(RecipientCommand::QueueInfo),
    ]
}

fn sender_command() -> impl Strategy<Value = SenderCommand> {
    prop_oneof![
        auth_key().prop_map(SenderCommand::Secure),
        (any::<bool>(), boxed_bytes(2000)).prop_map(|(notify, body)| SenderCommand::Send(SendMessage { notify, body })),
    ]
}

fn host() -> impl Strategy<Value = Host> {
    prop_oneof![
        any::<[u8; 4]>().prop_map(|ip| Host::V4(ip.into())),
        any::<[u8; 16]>().prop_map(|ip| Host::V6(ip.into())),
        "[a-z2-7]{1,56}\\.onion".prop_map(Host::Onion),
        "[g-z_é][a-z0-9_é-]{0,20}(\\.[a-z]{2,4}){0,4}".prop_map(Host::Domain),
    ]
}

fn relay_address() -> impl Strategy<Value = RelayAddress> {
    (vec(host(), 1..=255), any::<u16>(), bytes(255)).prop_map(|(hosts, port, key_hash)| RelayAddress {
        hosts,
        port,
        key_hash,
    })
}

fn proxy_command() -> impl Strategy<Value = ProxyCommand> {
    prop_oneof![
        (relay_address(), option::of(password())).prop_map(|relay| ProxyCommand::Connect(Box::new(relay))),
        (any::<u16>(), dh_key(), boxed_bytes(2000)).prop_map(|(version, key, encrypted)| {
            ProxyCommand::Forward(ForwardedCommand { version: Version(version), key, encrypted })
        }),
        boxed_bytes(2000).prop_map(ProxyCommand::Relay),
    ]
}

fn name() -> impl Strategy<Value = Name> {
    "[a-zA-Z0-9]{1,20}(-[a-z0-9]{1,10}){0,2}(\\.[a-z]{2,20}){1,4}"
        .prop_map(|text| Name::parse(text.as_bytes()).expect("a name"))
}

pub(crate) fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        new_queue().prop_map(|new| Command::New(Box::new(new))),
        recipient_command().prop_map(Command::Recipient),
        sender_command().prop_map(Command::Sender),
        prop_oneof![auth_key().prop_map(LinkCommand::SecureAndGet), Just(LinkCommand::Get)].prop_map(Command::Link),
        Just(Command::Notifier(NotifierCommand::Subscribe)),
        queue_set().prop_map(|queues| Command::Service(ServiceCommand::SubscribeQueues(queues))),
        queue_set().prop_map(|queues| Command::Service(ServiceCommand::SubscribeNotifiers(queues))),
        proxy_command().prop_map(Command::Proxy),
        name().prop_map(Command::Resolve),
        Just(Command::Ping),
    ]
}

/// What a version carries of a command.
fn carried(command: Command, version: Version) -> Command {
    match command {
        Command::New(mut new) => {
            if version < Version::NEW_NOTIFIER {
                new.notifier = None;
            }
            if version < Version::LINKS {
                new.request = match new.request.map(|request| request.mode()) {
                    Some(QueueMode::Messaging) => Some(QueueRequest::Messaging(None)),
                    Some(QueueMode::Contact) | None => Some(QueueRequest::Contact(None)),
                };
            }
            if version < Version::SENDER_SECURE {
                new.request = None;
            }
            Command::New(new)
        }
        Command::Service(ServiceCommand::SubscribeQueues(_)) if version < Version::SERVICE_HASH => {
            Command::Service(ServiceCommand::SubscribeQueues(QueueSet::UNKNOWN))
        }
        Command::Service(ServiceCommand::SubscribeNotifiers(_)) if version < Version::SERVICE_HASH => {
            Command::Service(ServiceCommand::SubscribeNotifiers(QueueSet::UNKNOWN))
        }
        command => command,
    }
}

pub(crate) fn encoded(command: &Command, version: Version) -> Vec<u8> {
    let mut out = Vec::new();
    command.encode(version, &mut out);
    out
}

proptest! {
    #[test]
    fn commands_round_trip(command in command(), version in version()) {
        let body = encoded(&command, version);
        let parsed = Command::parse(&body, version);
        prop_assert_eq!(&parsed, &Ok(carried(command, version)));
        prop_assert_eq!(encoded(&parsed.unwrap(), version), body);
    }

    /// Commands are read to the end; some carry anything.
    #[test]
    fn surplus_bytes_are_noticed(command in command(), version in version(), surplus in "[=#]{1,9}") {
        let takes_the_rest = matches!(
            command,
            Command::Sender(SenderCommand::Send(_))
                | Command::Proxy(ProxyCommand::Forward(_) | ProxyCommand::Relay(_))
        );
        let body = [&encoded(&command, version)[..], surplus.as_bytes()].concat();
        prop_assert_eq!(Command::parse(&body, version).is_ok(), takes_the_rest);
    }
}
