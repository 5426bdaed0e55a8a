//! Lines of the queue log: one per change of a queue or service (operations.md §6.2).
//!
//! | Variant | Line, without its LF |
//! |---|---|
//! | `Create` | `CREATE rid=… rk=…[,…] rdh=… sid=… sk=[…][ queue_mode=M\|C][ link_id=… queue_data=… …][ notifier=… … …[ nsrv=…]][ updated_at=…][ status=…][ rsrv=…]` |
//! | `Link` | `LINK <rid> <link> <fixed> <user>` |
//! | `DeleteLink` | `LDELETE <rid>` |
//! | `Secure` | `SECURE <rid> <key>` |
//! | `Keys` | `KEYS <rid> <key>[,<key>…]` |
//! | `Notifier` | `NOTIFIER <rid> <id> <key> <secret>[ nsrv=<service>]` |
//! | `DeleteNotifier` | `NDELETE <rid>` |
//! | `Suspend`, `Unblock`, `Delete` | `SUSPEND <rid>`, `UNBLOCK <rid>`, `DELETE <rid>` |
//! | `Block` | `BLOCK <rid> reason=spam\|content[,notice=<json>]` |
//! | `Time` | `TIME <rid> <date>` |
//! | `NewService` | `NEW_SERVICE service_id=… role=M\|N\|P cert=…[,…] cert_hash=… created_at=<date>` |
//! | `QueueService` | `QUEUE_SERVICE <rid> R\|N <service or nothing>` |
//!
//! IDs, keys (DER), secrets and data are base64url, padded when written, padding optional when read.

mod read;
#[cfg(test)]
pub(crate) mod samples;
mod write;

use smp_protocol::error::BlockingInfo;
use smp_protocol::id::{RecipientId, ServiceId};
use smp_protocol::key::AuthKey;

pub use crate::parse::ParseError;

use crate::date::Date;
use crate::record::{Link, Notifier, QueueRecord, RecipientKeys, ServiceRecord};

/// One line of the queue log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogRecord {
    /// A queue with everything it has.
    Create(QueueRecord),
    /// Link and its data, first or changed.
    Link(RecipientId, Link),
    /// No link any more.
    DeleteLink(RecipientId),
    /// Sender key.
    Secure(RecipientId, AuthKey),
    /// All recipient keys.
    Keys(RecipientId, RecipientKeys),
    /// Notifier, replacing another one.
    Notifier(RecipientId, Notifier),
    /// No notifier any more.
    DeleteNotifier(RecipientId),
    /// Status off.
    Suspend(RecipientId),
    /// Status blocked.
    Block(RecipientId, BlockingInfo),
    /// Status active.
    Unblock(RecipientId),
    /// The queue is gone.
    Delete(RecipientId),
    /// Last day of use.
    Time(RecipientId, Date),
    /// A service came first.
    NewService(ServiceRecord),
    /// Service of the queue or of its notifier; `None` removes it.
    QueueService(RecipientId, ServiceParty, Option<ServiceId>),
}

/// Which side of a queue a service serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceParty {
    /// `R`: it receives the messages.
    Recipient,
    /// `N`: it is notified.
    Notifier,
}

impl ServiceParty {
    /// The letter in the log.
    pub fn letter(self) -> u8 {
        match self {
            Self::Recipient => b'R',
            Self::Notifier => b'N',
        }
    }

    fn from_letter(letter: u8) -> Result<Self, ()> {
        match letter {
            b'R' => Ok(Self::Recipient),
            b'N' => Ok(Self::Notifier),
            _ => Err(()),
        }
    }
}
