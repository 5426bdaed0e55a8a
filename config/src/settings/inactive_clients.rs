//! `[INACTIVE_CLIENTS]`: disconnecting clients without subscriptions that were idle for long.

use std::time::Duration;

use crate::ini::{Section, SettingError};

/// Settings of section `[INACTIVE_CLIENTS]` with `disconnect = on`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InactiveClients {
    /// `ttl`: how long a client may be idle.
    pub ttl: Duration,
    /// `check_interval`: how often that is checked.
    pub check_interval: Duration,
}

impl InactiveClients {
    /// `None` unless `disconnect` is on; both numbers are required then, and not looked at otherwise.
    pub(super) fn read(section: &Section<'_>) -> Result<Option<Self>, SettingError> {
        let enabled = section.on_off("disconnect")?.unwrap_or(false);
        if !enabled {
            return Ok(None);
        }
        let seconds = |key| {
            section.required(key, "a number of seconds")?;
            let number = section.count(key, 1..=u32::MAX)?.unwrap_or_default();
            Ok::<_, SettingError>(Duration::from_secs(number.into()))
        };
        Ok(Some(Self { ttl: seconds("ttl")?, check_interval: seconds("check_interval")? }))
    }
}
