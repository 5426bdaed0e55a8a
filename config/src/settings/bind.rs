//! `bind`, ours only: the addresses of this machine on which ports are open.

use std::net::IpAddr;

use crate::ini::{Section, SettingError};

/// Addresses to listen on; all of the machine, if none are set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bind(Vec<IpAddr>);

impl Bind {
    pub(super) fn read(section: &Section<'_>) -> Result<Self, SettingError> {
        const KEY: &str = "bind";
        let mut addresses = Vec::new();
        for text in section.text(KEY).unwrap_or_default().split(',').map(str::trim).filter(|text| !text.is_empty()) {
            let address = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
            let Ok(address) = address.parse() else {
                return Err(section.invalid(KEY, "IP addresses separated by commas, for example 192.0.2.1,2001:db8::1"));
            };
            addresses.push(address);
        }
        Ok(Self(addresses))
    }

    /// Each address; a single `None` stands for all of the machine.
    pub fn addresses(&self) -> Vec<Option<IpAddr>> {
        if self.0.is_empty() { vec![None] } else { self.0.iter().copied().map(Some).collect() }
    }
}
