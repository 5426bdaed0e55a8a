//! The language of the control port.

use std::fmt;

use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use smp_protocol::error::BlockingInfo;
use smp_protocol::id::{LinkId, SenderId};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::registry::OperatorCommand;

/// base64url, with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a connection may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Log in.
    None,
    /// Look at the server, block and unblock queues.
    User,
    /// Everything.
    Admin,
}

impl Role {
    /// The word of the reference for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "CPRNone",
            Self::User => "CPRUser",
            Self::Admin => "CPRAdmin",
        }
    }
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ControlCommand {
    /// `auth <password>`; the password is never shown.
    Auth(GivenPassword),
    /// `help`
    Help,
    /// `quit`
    Quit,
    /// `stats`
    Stats,
    /// `stats-rts`
    RuntimeStats,
    /// `sockets`
    Sockets,
    /// `socket-threads`
    SocketThreads,
    /// `threads`
    Threads,
    /// `clients`
    Clients,
    /// `server-info`
    ServerInfo,
    /// `status <id>`
    Status(QueueName),
    /// `block <id> <info>`, `unblock <id>`, `delete <id>`
    Operate(QueueName, OperatorCommand),
    /// `save`
    Save,
    /// `suspend`
    Suspend,
    /// `resume`
    Resume,
}

/// A password as given; it is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct GivenPassword(pub Zeroizing<String>);

impl fmt::Debug for GivenPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GivenPassword")
    }
}

/// How the operator names a queue: the sender ID or the link ID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueName(Vec<u8>);

impl QueueName {
    /// As a sender ID.
    pub fn sender_id(&self) -> Option<SenderId> {
        SenderId::try_from(&self.0[..]).ok()
    }

    /// As a link ID.
    pub fn link_id(&self) -> Option<LinkId> {
        LinkId::try_from(&self.0[..]).ok()
    }
}

/// Not a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidCommand {
    /// The first word.
    #[error("unknown command; try help")]
    Unknown,
    /// Something is missing or too much behind the first word.
    #[error("this command is followed by {0}")]
    Arguments(&'static str),
    /// An ID is not base64url.
    #[error("the ID is not base64url")]
    Id,
    /// A reason to block is not understood.
    #[error("reason=spam or reason=content is expected, optionally with ,notice={{\"ttl\":<seconds>}}")]
    Reason,
}

impl ControlCommand {
    /// Reads a line without its end; `None` for an empty one.
    pub fn parse(line: &str) -> Result<Option<Self>, InvalidCommand> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let alone = |command: Self| match rest {
            "" => Ok(Some(command)),
            _ => Err(InvalidCommand::Arguments("nothing")),
        };
        match word {
            "" if rest.trim().is_empty() => Ok(None),
            "auth" => match rest {
                "" => Err(InvalidCommand::Arguments("a password")),
                password => Ok(Some(Self::Auth(GivenPassword(password.to_owned().into())))),
            },
            "help" => alone(Self::Help),
            "quit" => alone(Self::Quit),
            "stats" => alone(Self::Stats),
            "stats-rts" => alone(Self::RuntimeStats),
            "sockets" => alone(Self::Sockets),
            "socket-threads" => alone(Self::SocketThreads),
            "threads" => alone(Self::Threads),
            "clients" => alone(Self::Clients),
            "server-info" => alone(Self::ServerInfo),
            "save" => alone(Self::Save),
            "suspend" => alone(Self::Suspend),
            "resume" => alone(Self::Resume),
            "status" => Ok(Some(Self::Status(queue_name(rest)?))),
            "unblock" => Ok(Some(Self::Operate(queue_name(rest)?, OperatorCommand::Unblock))),
            "delete" => Ok(Some(Self::Operate(queue_name(rest)?, OperatorCommand::Delete))),
            "block" => {
                let (id, info) = rest.split_once(' ').ok_or(InvalidCommand::Arguments("an ID and a reason"))?;
                let info = BlockingInfo::decode(info.as_bytes()).map_err(|_| InvalidCommand::Reason)?;
                Ok(Some(Self::Operate(queue_name(id)?, OperatorCommand::Block(info))))
            }
            _ => Err(InvalidCommand::Unknown),
        }
    }

    /// What a connection must be to give the command.
    pub fn role(&self) -> Role {
        match self {
            Self::Auth(_) | Self::Help | Self::Quit => Role::None,
            Self::Operate(_, OperatorCommand::Delete)
            | Self::SocketThreads
            | Self::Threads
            | Self::Clients
            | Self::Save
            | Self::Suspend
            | Self::Resume => Role::Admin,
            Self::Stats
            | Self::RuntimeStats
            | Self::Sockets
            | Self::ServerInfo
            | Self::Status(_)
            | Self::Operate(..) => Role::User,
        }
    }
}

fn queue_name(text: &str) -> Result<QueueName, InvalidCommand> {
    match text {
        "" => Err(InvalidCommand::Arguments("an ID")),
        text => BASE64.decode(text).map(QueueName).map_err(|_| InvalidCommand::Id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read() {
        assert_eq!(ControlCommand::parse(""), Ok(None));
        assert_eq!(ControlCommand::parse("  "), Ok(None));
        assert_eq!(ControlCommand::parse("stats"), Ok(Some(ControlCommand::Stats)));
        let padded = ControlCommand::parse("unblock AQI=").unwrap();
        assert_eq!(padded, ControlCommand::parse("unblock AQI").unwrap());
        assert_eq!(padded, Some(ControlCommand::Operate(QueueName(vec![1, 2]), OperatorCommand::Unblock)));
        for (line, error) in [
            ("what", InvalidCommand::Unknown),
            ("STATS", InvalidCommand::Unknown),
            ("stats now", InvalidCommand::Arguments("nothing")),
            ("auth", InvalidCommand::Arguments("a password")),
            ("delete", InvalidCommand::Arguments("an ID")),
            ("delete !", InvalidCommand::Id),
            ("block AQI", InvalidCommand::Arguments("an ID and a reason")),
            ("block AQI spam", InvalidCommand::Reason),
            ("block AQI reason=spam,notice=[]", InvalidCommand::Reason),
        ] {
            assert_eq!(ControlCommand::parse(line), Err(error), "{line}");
        }
    }

    #[test]
    fn passwords_are_not_shown() {
        let command = ControlCommand::parse("auth secret").unwrap();
        assert!(!format!("{command:?}").contains("secret"));
    }
}
