//! Whether the files in the state directory fit the kind of storage that is set (operations.md §5.5).

use std::path::PathBuf;

use smp_config::paths::Directories;
use smp_config::settings::{Settings, Storage};

/// Files that the server would overlook, and with them messages. Two lines, the first in the words of the reference.
#[derive(Debug, thiserror::Error)]
pub enum Conflict {
    /// Messages in both places.
    #[error(
        "Error: both {} file and {} directory are present.\nConfigure memory storage.",
        messages_log.display(),
        journal.display()
    )]
    Both {
        /// Messages of memory storage.
        messages_log: PathBuf,
        /// Messages of journal storage.
        journal: PathBuf,
    },
    /// Messages in the journal only.
    #[error(
        "Error: store_messages is `memory` with {} directory present.\n\
         Export its messages with the program that wrote it (`smp-server journal export`), then remove the directory.",
        .0.display()
    )]
    Journal(PathBuf),
}

/// Looks for files of another kind of storage. Changes nothing.
pub fn check(settings: &Settings, directories: &Directories) -> Result<(), Conflict> {
    let (messages_log, journal) = (directories.messages_log(), directories.journal());
    match settings.store_log.storage {
        Storage::Memory if journal.exists() && messages_log.exists() => Err(Conflict::Both { messages_log, journal }),
        Storage::Memory if journal.exists() => Err(Conflict::Journal(journal)),
        // The kinds of storage that this program does not have are refused by the server itself.
        Storage::Memory | Storage::Journal | Storage::DatabaseJournal | Storage::Database => Ok(()),
    }
}
