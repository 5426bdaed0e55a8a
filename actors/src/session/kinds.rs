//! What some counters want to know of the commands of a block.

use smp_protocol::command::{Command, NotifierCommand, RecipientCommand};
use smp_protocol::error::ErrorType;

use crate::command_kind::CommandKind;
use crate::stats::Stats;

/// Counts a command that failed verification.
pub(super) fn count_rejected(kind: CommandKind, error: &ErrorType, stats: &Stats) {
    if *error != ErrorType::Auth {
        return;
    }
    match kind {
        CommandKind::Subscribe => stats.subscriptions.unauthorized.count(),
        CommandKind::Get => stats.messages.get_unauthorized.count(),
        CommandKind::Send => stats.messages.send_unauthorized.count(),
        CommandKind::SubscribeNotifier => stats.notifications.unauthorized.count(),
        _ => {}
    }
}

/// Whether a block has several commands of one party: some counters count such blocks by their first command.
#[derive(Default)]
pub(super) struct BlockKind {
    commands: usize,
    recipient: usize,
    notifier: usize,
    first: Option<FirstCommand>,
}

#[derive(Clone, Copy)]
enum FirstCommand {
    Delete,
    Subscribe,
    DeleteNotifier,
    SubscribeNotifier,
}

impl BlockKind {
    pub fn add(&mut self, command: &Command) {
        if self.commands == 0 {
            self.first = match command {
                Command::Recipient(RecipientCommand::Delete) => Some(FirstCommand::Delete),
                Command::Recipient(RecipientCommand::Subscribe) => Some(FirstCommand::Subscribe),
                Command::Recipient(RecipientCommand::DeleteNotifier) => Some(FirstCommand::DeleteNotifier),
                Command::Notifier(NotifierCommand::Subscribe) => Some(FirstCommand::SubscribeNotifier),
                _ => None,
            };
        }
        self.commands += 1;
        self.recipient += usize::from(matches!(command, Command::Recipient(_)));
        self.notifier += usize::from(matches!(command, Command::Notifier(_)));
    }

    pub fn count(&self, stats: &Stats) {
        if self.commands < 2 || (self.recipient != self.commands && self.notifier != self.commands) {
            return;
        }
        match self.first {
            Some(FirstCommand::Delete) => stats.queues.deleted_blocks.count(),
            Some(FirstCommand::Subscribe) => stats.subscriptions.blocks.count(),
            Some(FirstCommand::DeleteNotifier) => stats.notifications.deleted_blocks.count(),
            Some(FirstCommand::SubscribeNotifier) => stats.notifications.subscribed_blocks.count(),
            None => {}
        }
    }
}
