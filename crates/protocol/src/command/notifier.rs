//! The command of the notifier, addressed to a notifier ID (wire.md §6.3).

/// What a notifier may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotifierCommand {
    /// `NSUB`: receive notifications as they come.
    Subscribe,
}
