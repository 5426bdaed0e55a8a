//! The kinds of commands, for those who only count them.

use smp_protocol::command::{
    Command, LinkCommand, NotifierCommand, ProxyCommand, RecipientCommand, SenderCommand, ServiceCommand,
};

macro_rules! kinds {
    ($($kind:ident = $word:literal,)+) => {
        /// What a command is, without its arguments.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum CommandKind {
            $(#[doc = concat!("`", $word, "`")] $kind,)+
        }

        impl CommandKind {
            /// The words of the protocol, in the order of the kinds.
            pub const WORDS: [&str; [$($word),+].len()] = [$($word),+];
        }
    };
}

kinds! {
    New = "NEW",
    Subscribe = "SUB",
    SecureSender = "KEY",
    SetRecipientKeys = "RKEY",
    SetLink = "LSET",
    DeleteLink = "LDEL",
    SetNotifier = "NKEY",
    DeleteNotifier = "NDEL",
    Get = "GET",
    Acknowledge = "ACK",
    Suspend = "OFF",
    Delete = "DEL",
    QueueInfo = "QUE",
    SecureBySender = "SKEY",
    Send = "SEND",
    SecureAndGetLink = "LKEY",
    GetLink = "LGET",
    SubscribeNotifier = "NSUB",
    SubscribeQueues = "SUBS",
    SubscribeNotifiers = "NSUBS",
    ConnectRelay = "PRXY",
    Forward = "PFWD",
    Forwarded = "RFWD",
    Resolve = "RSLV",
    Ping = "PING",
}

impl CommandKind {
    /// The kind of a command.
    pub fn of(command: &Command) -> Self {
        match command {
            Command::New(_) => Self::New,
            Command::Recipient(command) => Self::of_recipient(command),
            Command::Sender(SenderCommand::Secure(_)) => Self::SecureBySender,
            Command::Sender(SenderCommand::Send(_)) => Self::Send,
            Command::Link(LinkCommand::SecureAndGet(_)) => Self::SecureAndGetLink,
            Command::Link(LinkCommand::Get) => Self::GetLink,
            Command::Notifier(NotifierCommand::Subscribe) => Self::SubscribeNotifier,
            Command::Service(ServiceCommand::SubscribeQueues(_)) => Self::SubscribeQueues,
            Command::Service(ServiceCommand::SubscribeNotifiers(_)) => Self::SubscribeNotifiers,
            Command::Proxy(ProxyCommand::Connect(_)) => Self::ConnectRelay,
            Command::Proxy(ProxyCommand::Forward(_)) => Self::Forward,
            Command::Proxy(ProxyCommand::Relay(_)) => Self::Forwarded,
            Command::Resolve(_) => Self::Resolve,
            Command::Ping => Self::Ping,
        }
    }

    fn of_recipient(command: &RecipientCommand) -> Self {
        match command {
            RecipientCommand::Subscribe => Self::Subscribe,
            RecipientCommand::SecureSender(_) => Self::SecureSender,
            RecipientCommand::SetRecipientKeys(_) => Self::SetRecipientKeys,
            RecipientCommand::SetLink(..) => Self::SetLink,
            RecipientCommand::DeleteLink => Self::DeleteLink,
            RecipientCommand::SetNotifier(_) => Self::SetNotifier,
            RecipientCommand::DeleteNotifier => Self::DeleteNotifier,
            RecipientCommand::Get => Self::Get,
            RecipientCommand::Acknowledge(_) => Self::Acknowledge,
            RecipientCommand::Suspend => Self::Suspend,
            RecipientCommand::Delete => Self::Delete,
            RecipientCommand::QueueInfo => Self::QueueInfo,
        }
    }

    /// Whether its answer may hold as much as a block. Messages do so only while they are in memory. What is answered by others
    /// is counted for as long as it takes.
    pub fn has_large_answer(self, messages_are_in_memory: bool) -> bool {
        match self {
            Self::Get | Self::Acknowledge => messages_are_in_memory,
            Self::SecureAndGetLink | Self::GetLink | Self::ConnectRelay | Self::Forwarded => true,
            Self::Forward
            | Self::Resolve
            | Self::New
            | Self::Subscribe
            | Self::SecureSender
            | Self::SetRecipientKeys
            | Self::SetLink
            | Self::DeleteLink
            | Self::SetNotifier
            | Self::DeleteNotifier
            | Self::Suspend
            | Self::Delete
            | Self::QueueInfo
            | Self::SecureBySender
            | Self::Send
            | Self::SubscribeNotifier
            | Self::SubscribeQueues
            | Self::SubscribeNotifiers
            | Self::Ping => false,
        }
    }

    /// Its place among the kinds.
    pub fn index(self) -> usize {
        self as usize
    }
}
