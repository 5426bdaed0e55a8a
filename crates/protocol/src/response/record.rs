//! The answer to `RSLV` (wire.md §7.8): one JSON object with all keys always written.

use serde::{Deserialize, Serialize};

use crate::encoding::{Decoded, Malformed};

/// What a name stands for; values are passed on as the resolver gave them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NameRecord {
    /// The name.
    pub name: String,
    /// Empty if unset, as the other texts.
    pub nickname: String,
    /// Web site.
    pub website: String,
    /// Place.
    pub location: String,
    /// Contact addresses.
    pub simplex_contact: Vec<String>,
    /// Channel addresses.
    pub simplex_channel: Vec<String>,
    /// Coin address, as the following ones.
    #[serde(default)]
    pub eth: Option<String>,
    /// Coin address.
    #[serde(default)]
    pub btc: Option<String>,
    /// Coin address.
    #[serde(default)]
    pub xmr: Option<String>,
    /// Coin address.
    #[serde(default)]
    pub dot: Option<String>,
    /// Who owns the name.
    pub owner: String,
    /// Who resolves it.
    pub resolver: String,
}

impl NameRecord {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        serde_json::to_writer(out, self).expect("plain fields serialize into memory");
    }

    /// Reads JSON: of an `RNAME` response, or of a resolver.
    pub fn decode(json: &[u8]) -> Decoded<Self> {
        serde_json::from_slice(json).map_err(|_| Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b_230_unset_fields_are_written() {
        let record = NameRecord {
            name: "alice.simplex".into(),
            nickname: String::new(),
            website: String::new(),
            location: String::new(),
            simplex_contact: vec![],
            simplex_channel: vec![],
            eth: None,
            btc: None,
            xmr: None,
            dot: None,
            owner: "o".into(),
            resolver: "r".into(),
        };
        let mut json = Vec::new();
        record.encode(&mut json);
        assert_eq!(
            String::from_utf8(json.clone()).unwrap(),
            r#"{"name":"alice.simplex","nickname":"","website":"","location":"","simplexContact":[],"simplexChannel":[],"eth":null,"btc":null,"xmr":null,"dot":null,"owner":"o","resolver":"r"}"#
        );
        assert_eq!(NameRecord::decode(&json), Ok(record));
        assert_eq!(NameRecord::decode(b"{}"), Err(Malformed));
    }
}
