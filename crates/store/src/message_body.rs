//! Where the bytes of a message are.

use std::borrow::Cow;
use std::sync::Arc;

use crate::error::FileError;
use crate::journal::Filed;

/// The body of a message, 0 to 16088 bytes; cloning shares it.
#[derive(Clone, PartialEq, Eq)]
pub enum MessageBody {
    /// In memory.
    Held(Arc<[u8]>),
    /// In the journal.
    Filed(Filed),
}

impl MessageBody {
    /// The bytes; from the journal they are read, and compared with their checksum.
    pub fn read(&self) -> Result<Cow<'_, [u8]>, FileError> {
        match self {
            Self::Held(bytes) => Ok(Cow::Borrowed(bytes)),
            Self::Filed(filed) => filed.read().map(Cow::Owned),
        }
    }

    /// Number of bytes.
    pub fn length(&self) -> usize {
        match self {
            Self::Held(bytes) => bytes.len(),
            Self::Filed(filed) => filed.length(),
        }
    }
}

impl<T: Into<Arc<[u8]>>> From<T> for MessageBody {
    fn from(bytes: T) -> Self {
        Self::Held(bytes.into())
    }
}
