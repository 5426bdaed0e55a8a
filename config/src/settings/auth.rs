//! `[AUTH]`: who may create queues and use the control port.

use crate::ini::{Section, SettingError};
use smp_protocol::password::Password;

/// How many queues may be blocked in a day through the control port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockQuota {
    /// `0`
    Unlimited,
    /// `-1`
    Prohibited,
    /// At most so many.
    PerDay(u32),
}

/// Settings of section `[AUTH]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auth {
    /// `new_queues`: whether queues can be created at all.
    pub new_queues: bool,
    /// `create_password`: asked for when creating queues and using the proxy.
    pub create_password: Option<Password>,
    /// `control_port_admin_password`
    pub control_port_admin_password: Option<Password>,
    /// `control_port_user_password`
    pub control_port_user_password: Option<Password>,
    /// `print_address`, ours only: whether a start prints the address, which holds `create_password`.
    pub print_address: bool,
    /// `daily_block_queue_quota`
    pub daily_block_queue_quota: BlockQuota,
}

impl Auth {
    pub(super) fn read(section: &Section<'_>) -> Result<Self, SettingError> {
        Ok(Self {
            new_queues: section.on_off("new_queues")?.unwrap_or(true),
            create_password: section.password("create_password")?,
            control_port_admin_password: section.password("control_port_admin_password")?,
            control_port_user_password: section.password("control_port_user_password")?,
            print_address: section.on_off("print_address")?.unwrap_or(true),
            daily_block_queue_quota: match section.integer("daily_block_queue_quota", -1..=i64::from(u32::MAX))? {
                None => BlockQuota::PerDay(20),
                Some(0) => BlockQuota::Unlimited,
                Some(number) => u32::try_from(number).map_or(BlockQuota::Prohibited, BlockQuota::PerDay),
            },
        })
    }
}
