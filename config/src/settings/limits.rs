//! `[LIMITS]`: bounds that the reference has as constants.

use std::collections::BTreeMap;
use std::time::Duration;

use super::limits_table::{Allowed, LIMITS};
use crate::ini::{Section, SettingError};

/// Settings of section `[LIMITS]`; their meanings, units and defaults are in the table [`LIMITS`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the table documents every field once")]
pub struct Limits {
    pub message_queue_quota: usize,
    /// `store_log_growth`: bytes by which the store log grows before it is compacted.
    pub store_log_growth: u64,
    /// `None`: as `expire_messages_days` says; `Some(None)`: for ever.
    pub message_ttl: Option<Option<Duration>>,
    pub message_expire_interval: Option<Duration>,
    pub queue_idle_interval: Duration,
    /// `None`: as `expire_ntfs_hours` says.
    pub ntf_ttl: Option<Duration>,
    pub ntf_expire_interval: Duration,
    pub ntf_delivery_interval: Duration,
    pub pending_end_interval: Duration,
    pub first_byte_timeout: Duration,
    pub tls_handshake_timeout: Duration,
    pub smp_handshake_timeout: Duration,
    pub block_timeout: Duration,
    pub write_timeout: Duration,
    pub concurrent_handshakes: usize,
    /// `None`: no limit.
    pub max_connections: Option<usize>,
    pub session_queue_size: usize,
    pub registry_mailbox_size: usize,
    pub min_version: u16,
    /// Not below `min_version`.
    pub max_version: u16,
    /// In order of preference; each of 1 to 255 visible ASCII characters.
    pub alpn: Vec<String>,
    /// `None`: one per core.
    pub threads: Option<usize>,
    pub proxy: bool,
    pub proxy_relays: usize,
    /// In a minute, of one session.
    pub proxy_new_relays: usize,
    pub proxy_error_interval: Duration,
    pub proxy_connect_timeout: Duration,
    pub proxy_response_timeout: Duration,
    pub names_requests: usize,
}

impl Limits {
    pub(super) fn read(section: &Section<'_>) -> Result<Self, SettingError> {
        let values = Values::read(section)?;
        let (min_version, max_version) = (values.version("min_version"), values.version("max_version"));
        if min_version > max_version {
            let problem = format!("min_version {min_version} is above max_version {max_version}");
            return Err(section.error("min_version", problem, ""));
        }
        Ok(Self {
            message_queue_quota: values.count("message_queue_quota"),
            store_log_growth: values.count("store_log_growth") as u64,
            message_ttl: values.is_set("message_ttl").then(|| values.seconds_or_off("message_ttl")),
            message_expire_interval: values.seconds_or_off("message_expire_interval"),
            queue_idle_interval: values.seconds("queue_idle_interval"),
            ntf_ttl: values.is_set("ntf_ttl").then(|| values.seconds("ntf_ttl")),
            ntf_expire_interval: values.seconds("ntf_expire_interval"),
            ntf_delivery_interval: values.milliseconds("ntf_delivery_interval_ms"),
            pending_end_interval: values.milliseconds("pending_end_interval_ms"),
            first_byte_timeout: values.seconds("first_byte_timeout"),
            tls_handshake_timeout: values.seconds("tls_handshake_timeout"),
            smp_handshake_timeout: values.seconds("smp_handshake_timeout"),
            block_timeout: values.seconds("block_timeout"),
            write_timeout: values.seconds("write_timeout"),
            concurrent_handshakes: values.count("concurrent_handshakes"),
            max_connections: values.count_above_zero("max_connections"),
            session_queue_size: values.count("session_queue_size"),
            registry_mailbox_size: values.count("registry_mailbox_size"),
            min_version,
            max_version,
            alpn: values.names("alpn"),
            threads: values.count_above_zero("threads"),
            proxy: values.is_on("proxy"),
            proxy_relays: values.count("proxy_relays"),
            proxy_new_relays: values.count("proxy_new_relays"),
            proxy_error_interval: values.seconds("proxy_error_interval"),
            proxy_connect_timeout: values.seconds("proxy_connect_timeout"),
            proxy_response_timeout: values.seconds("proxy_response_timeout"),
            names_requests: values.count("names_requests"),
        })
    }
}

/// The reference's constants.
impl Default for Limits {
    fn default() -> Self {
        let nothing_set = crate::ini::Ini::parse(std::path::Path::new("defaults"), "").expect("nothing is set twice");
        Self::read(&nothing_set.section("LIMITS")).expect("the defaults of the table are allowed by the table")
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Number(u32),
    On,
    Off,
    Names(Vec<String>),
    /// Another setting applies.
    Unset,
}

/// The value of every key of the table.
struct Values(BTreeMap<&'static str, Value>);

impl Values {
    fn read(section: &Section<'_>) -> Result<Self, SettingError> {
        let mut values = BTreeMap::new();
        for limit in &LIMITS {
            let value = match section.text(limit.name).or(limit.default_value()) {
                None => Value::Unset,
                Some(text) => parse(&limit.allowed, text)
                    .ok_or_else(|| section.invalid(limit.name, &limit.allowed.to_string()))?,
            };
            values.insert(limit.name, value);
        }
        Ok(Self(values))
    }

    fn get(&self, name: &str) -> &Value {
        self.0.get(name).expect("every limit that is read is in the table")
    }

    fn is_set(&self, name: &str) -> bool {
        *self.get(name) != Value::Unset
    }

    fn is_on(&self, name: &str) -> bool {
        *self.get(name) == Value::On
    }

    fn number(&self, name: &str) -> u32 {
        match self.get(name) {
            Value::Number(number) => *number,
            _ => 0,
        }
    }

    fn version(&self, name: &str) -> u16 {
        u16::try_from(self.number(name)).unwrap_or(u16::MAX)
    }

    fn count(&self, name: &str) -> usize {
        usize::try_from(self.number(name)).unwrap_or(usize::MAX)
    }

    fn count_above_zero(&self, name: &str) -> Option<usize> {
        Some(self.count(name)).filter(|count| *count > 0)
    }

    fn seconds(&self, name: &str) -> Duration {
        Duration::from_secs(self.number(name).into())
    }

    fn seconds_or_off(&self, name: &str) -> Option<Duration> {
        (*self.get(name) != Value::Off).then(|| self.seconds(name))
    }

    fn milliseconds(&self, name: &str) -> Duration {
        Duration::from_millis(self.number(name).into())
    }

    fn names(&self, name: &str) -> Vec<String> {
        match self.get(name) {
            Value::Names(names) => names.clone(),
            _ => Vec::new(),
        }
    }
}

fn parse(allowed: &Allowed, text: &str) -> Option<Value> {
    match (allowed, text) {
        (Allowed::OnOff, "on") => Some(Value::On),
        (Allowed::OnOff | Allowed::NumberOrOff(_), "off") => Some(Value::Off),
        (Allowed::Number(range) | Allowed::NumberOrOff(range), digits) => {
            digits.parse().ok().filter(|number| range.contains(number)).map(Value::Number)
        }
        (Allowed::Names, list) => names(list).map(Value::Names),
        (Allowed::OnOff, _) => None,
    }
}

fn names(list: &str) -> Option<Vec<String>> {
    let names: Vec<_> = list.split(',').map(|name| name.trim().to_owned()).collect();
    let valid = |name: &String| (1..=255).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic());
    (names.len() <= 16 && names.iter().all(valid)).then_some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_allowed_and_every_key_is_read() {
        let defaults = Limits::default();
        assert_eq!(defaults.message_queue_quota, 128);
        assert_eq!((defaults.message_ttl, defaults.ntf_ttl), (None, None));
        assert_eq!(defaults.message_expire_interval, Some(Duration::from_hours(2)));
        assert_eq!(defaults.ntf_delivery_interval, Duration::from_millis(1500));
        assert_eq!((defaults.max_connections, defaults.threads), (None, None));
        assert_eq!((defaults.min_version, defaults.max_version), (6, 20));
        assert_eq!(defaults.alpn, ["smp/1", "h2", "http/1.1"]);
        assert!(defaults.proxy);

        // A field that is read as another kind than the table has would come out as zero, empty or off.
        let printed = format!("{defaults:?}");
        assert!(!printed.contains(": 0") && !printed.contains("[]") && !printed.contains("false"), "{printed}");
    }
}
