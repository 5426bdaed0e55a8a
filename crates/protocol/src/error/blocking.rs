//! Why a queue is blocked, as sent to clients and kept in the store log.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::encoding::{Decoded, Malformed};

/// `reason=spam` or `reason=content`, optionally `,notice=` and JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockingInfo {
    /// The operator's reason.
    pub reason: BlockingReason,
    /// Shown to the owner of the queue by clients of version 18 and later.
    pub notice: Option<Notice>,
}

/// The operator's reason for blocking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockingReason {
    /// `spam`
    Spam,
    /// `content`
    Content,
}

/// How long the notice is to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Seconds; without limit if absent.
    #[serde(rename = "ttl", skip_serializing_if = "Option::is_none", default)]
    pub ttl_seconds: Option<i64>,
}

impl BlockingInfo {
    /// The same without the notice, for clients that do not know it.
    #[must_use]
    pub fn without_notice(self) -> Self {
        Self { notice: None, ..self }
    }

    /// Reads the text form; it takes the whole input.
    pub fn decode(text: &[u8]) -> Decoded<Self> {
        let (info, length) = Self::decode_prefix(text)?;
        if length == text.len() { Ok(info) } else { Err(Malformed) }
    }

    /// Reads the text form from the start of `text` and tells how many bytes it took. The notice is a JSON object that ends
    /// where the object ends: in the store log another field may follow.
    pub fn decode_prefix(text: &[u8]) -> Decoded<(Self, usize)> {
        let after = text.strip_prefix(b"reason=").ok_or(Malformed)?;
        let (reason, rest) = if let Some(rest) = after.strip_prefix(b"spam") {
            (BlockingReason::Spam, rest)
        } else if let Some(rest) = after.strip_prefix(b"content") {
            (BlockingReason::Content, rest)
        } else {
            return Err(Malformed);
        };
        let Some(json) = rest.strip_prefix(b",notice=") else {
            return Ok((Self { reason, notice: None }, text.len() - rest.len()));
        };
        // The derived reader takes an array of the fields as well.
        if !json.starts_with(b"{") {
            return Err(Malformed);
        }
        let mut objects = serde_json::Deserializer::from_slice(json).into_iter::<Notice>();
        let notice = objects.next().ok_or(Malformed)?.map_err(|_| Malformed)?;
        let rest = json.len() - objects.byte_offset();
        Ok((Self { reason, notice: Some(notice) }, text.len() - rest))
    }
}

impl fmt::Display for BlockingInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.reason {
            BlockingReason::Spam => "reason=spam",
            BlockingReason::Content => "reason=content",
        })?;
        match self.notice {
            None => Ok(()),
            Some(Notice { ttl_seconds: None }) => f.write_str(",notice={}"),
            Some(Notice { ttl_seconds: Some(ttl) }) => write!(f, ",notice={{\"ttl\":{ttl}}}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_may_follow_the_notice() {
        let text = b"reason=spam,notice={\"ttl\":60} rsrv=abc";
        let (info, length) = BlockingInfo::decode_prefix(text).unwrap();
        assert_eq!(info.notice, Some(Notice { ttl_seconds: Some(60) }));
        assert_eq!(&text[length..], b" rsrv=abc");
    }

    #[test]
    fn text_form_round_trips() {
        for text in ["reason=spam", "reason=content,notice={}", "reason=spam,notice={\"ttl\":86400}"] {
            assert_eq!(BlockingInfo::decode(text.as_bytes()).unwrap().to_string(), text);
        }
        for text in ["reason=other", "spam", "reason=spam,notice=", "reason=spam,notice={}x", "reason=spam,notice=[]"] {
            assert_eq!(BlockingInfo::decode(text.as_bytes()), Err(Malformed), "{text}");
        }
    }
}
