//! Whether the files in the state directory fit the kind of storage that is set (operations.md §5.5).

use std::path::PathBuf;

use smp_config::paths::Directories;
use smp_config::settings::{Settings, Storage};

/// Files that the server would overlook, and with them messages. Two lines, the first in the words of the reference.
#[derive(Debug, thiserror::Error)]
pub enum Conflict {
    /// Messages in both places.
    #[error(
        "Error: both {} file and {} directory are present.\n\
         Set store_messages to `journal` in smp-server.ini: the server then has all these messages.",
        messages_log.display(),
        journal.display()
    )]
    Both {
        /// Messages of memory storage.
        messages_log: PathBuf,
        /// Messages of journal storage.
        journal: PathBuf,
    },
    /// Messages in our journal only.
    #[error(
        "Error: store_messages is `memory` with {} directory present.\n\
         Move its messages with `smp-server journal export`, then remove it with `smp-server journal delete`.",
        .0.display()
    )]
    Journal(PathBuf),
    /// Messages in the journal files of the reference only.
    #[error(
        "Error: store_messages is `memory` with {} directory present.\n\
         Set store_messages to `journal` in smp-server.ini: the next start moves its messages to the journal of this \
         server.",
        .0.display()
    )]
    ReferenceJournal(PathBuf),
}

/// Looks for files of another kind of storage. Changes nothing.
pub fn check(settings: &Settings, directories: &Directories) -> Result<(), Conflict> {
    match settings.store_log.storage {
        Storage::Memory => check_memory(directories),
        // Journal storage takes over whatever it finds; databases are refused by the server itself.
        Storage::Journal | Storage::DatabaseJournal | Storage::Database => Ok(()),
    }
}

fn check_memory(directories: &Directories) -> Result<(), Conflict> {
    let journals = [directories.journal(), directories.reference_journal()];
    let Some(journal) = journals.into_iter().find(|journal| journal.exists()) else { return Ok(()) };
    let messages_log = directories.messages_log();
    Err(if messages_log.exists() {
        Conflict::Both { messages_log, journal }
    } else if journal == directories.journal() {
        Conflict::Journal(journal)
    } else {
        Conflict::ReferenceJournal(journal)
    })
}
