//! `NEW`: a client creates a queue (wire.md §6.2).

use std::fmt;

use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::encoding::{Decoded, Encode, Malformed, Reader};
use crate::id::{EntityId, LinkId};
use crate::key::{AuthKey, DhPublicKey};
use crate::password::{Password, allowed_byte};
use crate::version::Version;

/// Arguments of `NEW`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewQueue {
    /// Will authorize the commands of the recipient; authorizes this command too.
    pub recipient_key: AuthKey,
    /// The recipient's half of the secret that messages are encrypted with.
    pub recipient_dh_key: DhPublicKey,
    /// Password of the server.
    pub password: Option<BasicAuth>,
    /// Whether the connection becomes the subscriber.
    pub subscribe: SubscribeMode,
    /// Mode and link data; `None` leaves the mode unset.
    pub request: Option<QueueRequest>,
    /// Notifier to be created with the queue (version 17).
    pub notifier: Option<NewNotifier>,
}

/// Whether `NEW` subscribes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubscribeMode {
    /// `S`
    Subscribe,
    /// `C`
    CreateOnly,
}

/// What a queue is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QueueMode {
    /// `M`: one sender, who may secure the queue.
    Messaging,
    /// `C`: anybody may send.
    Contact,
}

impl QueueMode {
    /// The letter on the wire and in the store log.
    pub fn letter(self) -> u8 {
        match self {
            Self::Messaging => b'M',
            Self::Contact => b'C',
        }
    }

    /// The mode of a letter.
    pub fn from_letter(letter: u8) -> Decoded<Self> {
        match letter {
            b'M' => Ok(Self::Messaging),
            b'C' => Ok(Self::Contact),
            _ => Err(Malformed),
        }
    }
}

/// Mode of the new queue and its link data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueueRequest {
    /// `M`: the server chooses the link ID.
    Messaging(Option<MessagingLink>),
    /// `C`: the client chooses it.
    Contact(Option<ContactLink>),
}

impl QueueRequest {
    /// The mode that is asked for.
    pub fn mode(&self) -> QueueMode {
        match self {
            Self::Messaging(_) => QueueMode::Messaging,
            Self::Contact(_) => QueueMode::Contact,
        }
    }
}

/// Link data of a messaging queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessagingLink {
    /// Must be derived from the correlation ID.
    pub sender_id: EntityId,
    /// The data.
    pub data: LinkData,
}

/// Link data of a contact queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactLink {
    /// Name of the link.
    pub link_id: LinkId,
    /// Must be derived from the correlation ID.
    pub sender_id: EntityId,
    /// The data.
    pub data: LinkData,
}

/// What a link leads to, encrypted by the recipient; each part 0 to 65535 bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct LinkData {
    /// Never changes.
    pub fixed: Box<[u8]>,
    /// May be replaced.
    pub user: Box<[u8]>,
}

impl LinkData {
    pub(crate) fn decode(input: &mut Reader<'_>) -> Decoded<Self> {
        Ok(Self { fixed: input.large()?.into(), user: input.large()?.into() })
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        for part in [&self.fixed, &self.user] {
            let n = u16::try_from(part.len()).unwrap_or(u16::MAX);
            out.put_u16(n);
            out.put(&part[..n.into()]);
        }
    }
}

impl fmt::Debug for LinkData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LinkData({} + {} bytes)", self.fixed.len(), self.user.len())
    }
}

/// Keys of a notifier, in `NEW` and `NKEY`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNotifier {
    /// Authorizes `NSUB`.
    pub key: AuthKey,
    /// The recipient's half of the secret that notifications are encrypted with.
    pub dh_key: DhPublicKey,
}

impl NewNotifier {
    pub(super) fn decode(input: &mut Reader<'_>) -> Decoded<Self> {
        Ok(Self { key: AuthKey::decode(input)?, dh_key: DhPublicKey::decode(input)? })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        self.key.encode(out);
        self.dh_key.encode(out);
    }
}

/// The password of a server: printable bytes without white space, `@`, `:` and `/` (operations.md §5.3).
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct BasicAuth(Vec<u8>);

/// A character that a password may not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a password has only printable characters, without spaces, '@', ':' and '/'")]
pub struct InvalidBasicAuth;

impl BasicAuth {
    /// Checks every byte; 0 to 255 bytes.
    pub fn new(bytes: &[u8]) -> Result<Self, InvalidBasicAuth> {
        if bytes.len() <= 255 && bytes.iter().all(|&b| allowed_byte(b)) {
            Ok(Self(bytes.to_vec()))
        } else {
            Err(InvalidBasicAuth)
        }
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl TryFrom<&Password> for BasicAuth {
    type Error = InvalidBasicAuth;

    /// Fails above 255 bytes.
    fn try_from(password: &Password) -> Result<Self, InvalidBasicAuth> {
        Self::new(password.expose().as_bytes())
    }
}

/// In constant time for passwords of equal length.
impl PartialEq for BasicAuth {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for BasicAuth {}

impl fmt::Debug for BasicAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BasicAuth")
    }
}

pub(super) fn decode_basic_auth(input: &mut Reader<'_>) -> Decoded<BasicAuth> {
    BasicAuth::new(input.short()?).map_err(|InvalidBasicAuth| Malformed)
}

impl NewQueue {
    pub(super) fn decode(input: &mut Reader<'_>, version: Version) -> Decoded<Self> {
        let recipient_key = AuthKey::decode(input)?;
        let recipient_dh_key = DhPublicKey::decode(input)?;
        let password = decode_password(input, version)?;
        let subscribe = match input.u8()? {
            b'S' => SubscribeMode::Subscribe,
            b'C' => SubscribeMode::CreateOnly,
            _ => return Err(Malformed),
        };
        let request = decode_request(input, version)?;
        let notifier = if version >= Version::NEW_NOTIFIER { input.optional(NewNotifier::decode)? } else { None };
        Ok(Self { recipient_key, recipient_dh_key, password, subscribe, request, notifier })
    }

    pub(super) fn encode(&self, version: Version, out: &mut Vec<u8>) {
        self.recipient_key.encode(out);
        self.recipient_dh_key.encode(out);
        let put_password = |out: &mut Vec<u8>, password: &BasicAuth| out.put_short(password.as_bytes());
        if version >= Version::SENDER_SECURE {
            out.put_optional(self.password.as_ref(), put_password);
        } else if let Some(password) = &self.password {
            out.push(b'A');
            put_password(out, password);
        }
        out.push(match self.subscribe {
            SubscribeMode::Subscribe => b'S',
            SubscribeMode::CreateOnly => b'C',
        });
        if version >= Version::LINKS {
            out.put_optional(self.request.as_ref(), |out, request| encode_request(request, out));
        } else if version >= Version::SENDER_SECURE {
            out.put_bool(matches!(self.request, Some(QueueRequest::Messaging(_))));
        }
        if version >= Version::NEW_NOTIFIER {
            out.put_optional(self.notifier.as_ref(), |out, notifier| notifier.encode(out));
        }
    }
}

fn decode_password(input: &mut Reader<'_>, version: Version) -> Decoded<Option<BasicAuth>> {
    if version >= Version::SENDER_SECURE {
        return input.optional(decode_basic_auth);
    }
    if input.rest().first() == Some(&b'A') {
        input.u8()?;
        return decode_basic_auth(input).map(Some);
    }
    Ok(None)
}

fn decode_request(input: &mut Reader<'_>, version: Version) -> Decoded<Option<QueueRequest>> {
    if version >= Version::LINKS {
        return input.optional(|i| match i.u8()? {
            b'M' => i
                .optional(|i| Ok(MessagingLink { sender_id: i.short()?.try_into()?, data: LinkData::decode(i)? }))
                .map(QueueRequest::Messaging),
            b'C' => i
                .optional(|i| {
                    Ok(ContactLink {
                        link_id: i.short()?.try_into()?,
                        sender_id: i.short()?.try_into()?,
                        data: LinkData::decode(i)?,
                    })
                })
                .map(QueueRequest::Contact),
            _ => Err(Malformed),
        });
    }
    if version >= Version::SENDER_SECURE {
        let messaging = input.bool()?;
        return Ok(Some(if messaging { QueueRequest::Messaging(None) } else { QueueRequest::Contact(None) }));
    }
    Ok(None)
}

fn encode_request(request: &QueueRequest, out: &mut Vec<u8>) {
    out.push(request.mode().letter());
    match request {
        QueueRequest::Messaging(link) => out.put_optional(link.as_ref(), |out, link| {
            out.put_short(link.sender_id.as_ref());
            link.data.encode(out);
        }),
        QueueRequest::Contact(link) => out.put_optional(link.as_ref(), |out, link| {
            out.put_short(link.link_id.as_ref());
            out.put_short(link.sender_id.as_ref());
            link.data.encode(out);
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords() {
        assert!(BasicAuth::new(b"").is_ok());
        assert!(BasicAuth::new(b"p\xe9ss=").is_ok());
        for bad in [&b"a b"[..], b"a@b", b"a:b", b"a/b", b"a\x7f", b"\xa0", b"\xad", &[b'x'; 256]] {
            assert_eq!(BasicAuth::new(bad), Err(InvalidBasicAuth));
        }
    }
}
