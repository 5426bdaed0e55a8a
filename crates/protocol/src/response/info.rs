//! The answer to `QUE` (wire.md §7.4): one JSON object; absent keys are omitted, never null.

use serde::{Deserialize, Serialize};

use crate::encoding::{Decoded, Malformed};

/// State of a queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueInfo {
    /// A sender key is set.
    #[serde(rename = "qiSnd")]
    pub secured: bool,
    /// There is a notifier.
    #[serde(rename = "qiNtf")]
    pub has_notifier: bool,
    /// Subscription of the asking connection.
    #[serde(rename = "qiSub", skip_serializing_if = "Option::is_none", default)]
    pub subscription: Option<SubscriptionInfo>,
    /// Stored messages, quota marker included.
    #[serde(rename = "qiSize")]
    pub size: u64,
    /// The next message.
    #[serde(rename = "qiMsg", skip_serializing_if = "Option::is_none", default)]
    pub message: Option<MessageInfo>,
}

/// Subscription of one connection to one queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionInfo {
    /// How messages are delivered.
    #[serde(rename = "qSubThread")]
    pub delivery: DeliveryState,
    /// ID of the delivered, unacknowledged message, in base64.
    #[serde(rename = "qDelivered", skip_serializing_if = "Option::is_none", default)]
    pub delivered: Option<String>,
}

/// How a connection gets the messages of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DeliveryState {
    /// Subscribed and idle.
    NoSub,
    /// A message is about to be handed over.
    SubPending,
    /// A message waits for room.
    SubThread,
    /// `GET` was used: nothing is pushed.
    ProhibitSub,
}

/// A stored message without its body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageInfo {
    /// Message ID in base64.
    #[serde(rename = "msgId")]
    pub id: String,
    /// When it was stored, ISO 8601 in UTC.
    #[serde(rename = "msgTs")]
    pub timestamp: String,
    /// Kind of message.
    #[serde(rename = "msgType")]
    pub kind: MessageKind,
}

/// Kind of a stored message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MessageKind {
    /// From the sender.
    Message,
    /// The quota marker.
    Quota,
}

impl QueueInfo {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        serde_json::to_writer(out, self).expect("plain fields serialize into memory");
    }

    pub(super) fn decode(json: &[u8]) -> Decoded<Self> {
        serde_json::from_slice(json).map_err(|_| Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_their_order() {
        let info = QueueInfo {
            secured: true,
            has_notifier: false,
            subscription: Some(SubscriptionInfo { delivery: DeliveryState::NoSub, delivered: Some("gIGC".into()) }),
            size: 1,
            message: Some(MessageInfo {
                id: "gIGC".into(),
                timestamp: "2023-11-14T22:13:20Z".into(),
                kind: MessageKind::Quota,
            }),
        };
        let mut json = Vec::new();
        info.encode(&mut json);
        assert_eq!(
            String::from_utf8(json.clone()).unwrap(),
            r#"{"qiSnd":true,"qiNtf":false,"qiSub":{"qSubThread":"noSub","qDelivered":"gIGC"},"qiSize":1,"qiMsg":{"msgId":"gIGC","msgTs":"2023-11-14T22:13:20Z","msgType":"quota"}}"#
        );
        assert_eq!(QueueInfo::decode(&json), Ok(info));
        assert!(QueueInfo::decode(br#"{"qiSnd":true,"qiNtf":false,"qiSize":0}"#).is_ok());
    }
}
