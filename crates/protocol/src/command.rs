//! Commands: what clients ask of a server (wire.md §6). One file per party; each knows how to parse and to print itself.

mod creator;
mod link;
mod notifier;
mod proxy;
mod recipient;
mod resolver;
mod sender;
mod service;

pub use creator::{
    BasicAuth, ContactLink, InvalidBasicAuth, LinkData, MessagingLink, NewNotifier, NewQueue, QueueMode, QueueRequest,
    SubscribeMode,
};
pub use link::LinkCommand;
pub use notifier::NotifierCommand;
pub use proxy::{ForwardedCommand, ProxyCommand, RelayAddress};
pub use recipient::RecipientCommand;
pub use resolver::Name;
pub use sender::{SendMessage, SenderCommand};
pub use service::{QueueIdsHash, QueueSet, ServiceCommand};

use crate::encoding::{Decoded, Encode, Reader};
use crate::error::CommandError;
use crate::version::Version;

/// Any command, by the party that sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Creates a queue; no entity ID.
    New(Box<NewQueue>),
    /// Addressed to a recipient ID.
    Recipient(RecipientCommand),
    /// Addressed to a sender ID.
    Sender(SenderCommand),
    /// Addressed to a link ID.
    Link(LinkCommand),
    /// Addressed to a notifier ID.
    Notifier(NotifierCommand),
    /// Addressed to the service ID of the connection.
    Service(ServiceCommand),
    /// Forwarding; `PFWD` is addressed to a relay session ID.
    Proxy(ProxyCommand),
    /// `RSLV`; no entity ID.
    Resolve(Name),
    /// `PING`; no entity ID.
    Ping,
}

/// Whether there may be a password in the body of a transmission, which need not be well formed.
pub fn may_hold_password(body: &[u8]) -> bool {
    body.starts_with(b"NEW") || body.starts_with(b"PRXY")
}

/// Arguments of a command: everything behind its tag, with the space that separates them. No arguments, no space.
struct Arguments<'a>(Reader<'a>);

impl<'a> Arguments<'a> {
    /// The value of a command without arguments.
    fn none<T>(self, command: T) -> Decoded<T> {
        self.0.finish().map(|()| command)
    }

    /// Parses arguments that take the whole rest.
    fn parse<T>(mut self, parse: impl FnOnce(&mut Reader<'a>) -> Decoded<T>) -> Decoded<T> {
        self.0.space()?;
        let value = parse(&mut self.0)?;
        self.0.finish()?;
        Ok(value)
    }
}

impl Command {
    /// Parses the body of a transmission. The tag ends at the first space or at the end.
    pub fn parse(body: &[u8], version: Version) -> Result<Self, CommandError> {
        let tag_length = body.iter().position(|&b| b == b' ').unwrap_or(body.len());
        let (tag, arguments) = body.split_at(tag_length);
        let arguments = Arguments(Reader::new(arguments));
        let command = match tag {
            b"NEW" => arguments.parse(|i| NewQueue::decode(i, version)).map(|new| Self::New(Box::new(new))),
            b"SUB" | b"KEY" | b"RKEY" | b"LSET" | b"LDEL" | b"NKEY" | b"NDEL" | b"GET" | b"ACK" | b"OFF" | b"DEL"
            | b"QUE" => RecipientCommand::parse(tag, arguments).map(Self::Recipient),
            b"SKEY" | b"SEND" => SenderCommand::parse(tag, arguments).map(Self::Sender),
            b"LKEY" | b"LGET" => LinkCommand::parse(tag, arguments).map(Self::Link),
            b"NSUB" => arguments.none(Self::Notifier(NotifierCommand::Subscribe)),
            b"SUBS" | b"NSUBS" => ServiceCommand::parse(tag, arguments, version).map(Self::Service),
            b"PRXY" | b"PFWD" | b"RFWD" => ProxyCommand::parse(tag, arguments).map(Self::Proxy),
            b"RSLV" => arguments.parse(Name::decode_ignoring_rest).map(Self::Resolve),
            b"PING" => arguments.none(Self::Ping),
            _ => return Err(CommandError::Unknown),
        };
        command.map_err(|_| CommandError::Syntax)
    }

    /// Appends tag and arguments.
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) {
        match self {
            Self::New(new) => {
                out.put(b"NEW ");
                new.encode(version, out);
            }
            Self::Recipient(command) => command.encode(out),
            Self::Sender(command) => command.encode(out),
            Self::Link(command) => command.encode(out),
            Self::Notifier(NotifierCommand::Subscribe) => out.put(b"NSUB"),
            Self::Service(command) => command.encode(version, out),
            Self::Proxy(command) => command.encode(out),
            Self::Resolve(name) => {
                out.put(b"RSLV ");
                out.put(name.as_str().as_bytes());
            }
            Self::Ping => out.put(b"PING"),
        }
    }

    /// Whether the command carries the credentials it needs, and none that it must not have (wire.md §5.5).
    pub fn check_credentials(&self, has_auth: bool, has_entity: bool) -> Result<(), CommandError> {
        match self {
            Self::New(_) => match (has_auth, has_entity) {
                (false, _) => Err(CommandError::NoAuth),
                (true, true) => Err(CommandError::HasAuth),
                (true, false) => Ok(()),
            },
            Self::Sender(SenderCommand::Send(_)) if has_entity => Ok(()),
            Self::Sender(SenderCommand::Send(_)) => Err(CommandError::NoEntity),
            Self::Link(LinkCommand::Get) | Self::Proxy(ProxyCommand::Forward(_)) => match (has_auth, has_entity) {
                (_, false) => Err(CommandError::NoEntity),
                (true, true) => Err(CommandError::HasAuth),
                (false, true) => Ok(()),
            },
            Self::Ping | Self::Resolve(_) | Self::Proxy(_) if has_auth || has_entity => Err(CommandError::HasAuth),
            Self::Ping | Self::Resolve(_) | Self::Proxy(_) => Ok(()),
            Self::Recipient(_) | Self::Sender(_) | Self::Link(_) | Self::Notifier(_) | Self::Service(_) => {
                if has_auth && has_entity { Ok(()) } else { Err(CommandError::NoAuth) }
            }
        }
    }
}
