//! Notifications: who is subscribed to which notifier, and what waits for them (behaviour.md §7).

mod actor;
mod area;
mod desk;

pub use actor::{Flush, NotificationTimes, Notifications};
pub use area::NotificationArea;
pub use desk::NotificationDesk;
