//! Notifications: who is subscribed to which notifier, and what waits for them (behaviour.md §7).

mod actor;
mod area;

pub use actor::{Flush, NotificationTimes, Notifications, Unsubscribe};
pub use area::NotificationArea;
