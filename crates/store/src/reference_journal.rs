//! Messages in the journal files of the reference, `messages/` (operations.md §7.5). They are only read: our own journal
//! takes them over.
//!
//! The directory of a queue is its recipient ID in base64url, cut into four names of 2 characters and the rest. The last line of
//! its state file says which part of which two files is still in the queue:
//!
//! `write=<journal>,<messages>,<messages>,<bytes>,<bytes> read=<journal>,<position>,<messages>,<position>,<bytes> canWrite=T|F size=<n>`

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use smp_protocol::id::RecipientId;

use crate::error::FileError;
use crate::files::Files;
use crate::message_queue::StoredMessage;
use crate::parse::Fields;

/// Names of 2 characters above that of the rest.
const LEVELS: usize = 4;

/// The tree of a state directory.
pub struct ReferenceJournal {
    files: Arc<dyn Files>,
    root: PathBuf,
}

/// A queue in the tree.
pub struct JournaledQueue {
    /// Its ID.
    pub id: RecipientId,
    name: String,
    directory: PathBuf,
}

/// What a queue holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct JournaledMessages {
    /// Oldest first.
    pub messages: Vec<StoredMessage>,
    /// Some of what the state names is not there, or is no message.
    pub incomplete: bool,
}

/// A file of messages and the bytes of it that are in the queue.
struct Part {
    journal: String,
    start: usize,
    end: usize,
}

impl ReferenceJournal {
    /// The tree in this directory.
    pub fn new(files: Arc<dyn Files>, root: &Path) -> Self {
        Self { files, root: root.to_path_buf() }
    }

    /// All queues that have a directory. What is not part of the tree is passed over.
    pub fn queues(&self) -> Result<Vec<JournaledQueue>, FileError> {
        let mut found = Vec::new();
        self.walk(&self.root, "", 0, &mut found)?;
        Ok(found)
    }

    fn walk(
        &self,
        directory: &Path,
        above: &str,
        level: usize,
        found: &mut Vec<JournaledQueue>,
    ) -> Result<(), FileError> {
        let names = match self.files.list(directory) {
            Ok(names) => names,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(());
            }
            Err(error) => return Err(FileError::new("list", directory, error)),
        };
        for name in names.iter().filter_map(|name| name.to_str()) {
            let (inner, path) = (format!("{above}{name}"), directory.join(name));
            if level == LEVELS {
                if let Ok(id) = Fields::new(inner.as_bytes()).base64("ID of 24 bytes") {
                    found.push(JournaledQueue { id: id.into(), name: inner, directory: path });
                }
            } else if name.len() == 2 {
                self.walk(&path, &inner, level + 1, found)?;
            }
        }
        Ok(())
    }

    /// The messages of a queue.
    pub fn messages(&self, queue: &JournaledQueue) -> Result<JournaledMessages, FileError> {
        let state = queue.directory.join(format!("queue_state.{}.log", queue.name));
        // The copy without a time is there while the state is being replaced, and complete.
        let content = match self.read(&state.with_extension("log.bak"))? {
            Some(content) => Some(content),
            None => self.read(&state)?,
        };
        let mut found = JournaledMessages::default();
        let lines = content.as_deref().map(<[u8]>::trim_ascii).unwrap_or_default().split(|&b| b == b'\n');
        let lines: Vec<_> = lines.filter(|line| !line.is_empty()).collect();
        let Some(parts) = lines.iter().rev().take(2).find_map(|line| parts(str::from_utf8(line).ok()?)) else {
            found.incomplete = lines.len() > 1;
            return Ok(found);
        };
        for part in parts {
            self.read_part(&queue.directory, &part, &mut found)?;
        }
        Ok(found)
    }

    fn read_part(&self, directory: &Path, part: &Part, found: &mut JournaledMessages) -> Result<(), FileError> {
        let content = self.read(&directory.join(format!("messages.{}.log", part.journal)))?;
        let Some(content) = content else {
            found.incomplete |= part.start < part.end;
            return Ok(());
        };
        let named = content.get(part.start..part.end);
        found.incomplete |= named.is_none();
        let bytes = named.or_else(|| content.get(part.start..)).unwrap_or_default();
        for line in bytes.split(|&b| b == b'\n').filter(|line| !line.is_empty()) {
            match StoredMessage::parse(line) {
                Ok(message) => found.messages.push(message),
                Err(_) => found.incomplete = true,
            }
        }
        Ok(())
    }

    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, FileError> {
        let mut content = Vec::new();
        match self.files.open(path).and_then(|mut file| file.read_to_end(&mut content)) {
            Ok(_) => Ok(Some(content)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(FileError::new("read", path, error)),
        }
    }
}

/// The parts that a line of state names.
fn parts(line: &str) -> Option<Vec<Part>> {
    let mut fields = line.split(' ');
    let write = file_state(fields.next()?.strip_prefix("write=")?)?;
    let read = file_state(fields.next()?.strip_prefix("read=")?)?;
    fields.next()?.strip_prefix("canWrite=").filter(|flag| ["T", "F"].contains(flag))?;
    let size: usize = fields.next()?.strip_prefix("size=")?.parse().ok()?;
    Some(match (size, read.journal == write.journal) {
        (0, _) => Vec::new(),
        (_, true) => vec![read],
        (_, false) => vec![read, Part { start: 0, ..write }],
    })
}

fn file_state(text: &str) -> Option<Part> {
    let mut fields = text.split(',');
    let journal = fields.next().filter(|name| name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)))?;
    let numbers: Vec<usize> = fields.map(|field| field.parse().ok()).collect::<Option<_>>()?;
    let [_, _, start, end] = numbers[..] else { return None };
    (start <= end).then(|| Part { journal: journal.to_owned(), start, end })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::RealFiles;
    use crate::message_queue::tests::{marker, message};

    const NAME: &str = "UvImZaYMEtKJGF2VDuiBNgkWb2sRPReN";

    struct Tree(tempfile::TempDir);

    impl Tree {
        fn new(state: &str, files: &[(&str, &[u8])]) -> Self {
            let root = tempfile::tempdir().unwrap();
            let directory = root.path().join("Uv/Im/Za/YM/EtKJGF2VDuiBNgkWb2sRPReN");
            std::fs::create_dir_all(&directory).unwrap();
            std::fs::write(directory.join(format!("queue_state.{NAME}.log")), state).unwrap();
            for (name, content) in files {
                std::fs::write(directory.join(format!("messages.{name}.log")), content).unwrap();
            }
            std::fs::write(root.path().join("stray"), "").unwrap();
            Self(root)
        }

        fn read(&self) -> JournaledMessages {
            let tree = ReferenceJournal::new(Arc::new(RealFiles), self.0.path());
            let queues = tree.queues().unwrap();
            assert_eq!(queues.len(), 1);
            assert_eq!(queues[0].name, NAME);
            tree.messages(&queues[0]).unwrap()
        }
    }

    /// Lines of messages, each as long as the others.
    fn lines(messages: &[StoredMessage]) -> Vec<u8> {
        let mut out = Vec::new();
        for message in messages {
            message.write(&mut out).unwrap();
            out.push(b'\n');
        }
        out
    }

    #[test]
    fn what_is_read_already_is_left_out() {
        let content = lines(&[1, 2, 3].map(message));
        let n = content.len() / 3;
        let state = format!("write=a,3,3,{0},{0} read=a,1,3,{n},{0} canWrite=T size=2\n", 3 * n);
        let found = Tree::new(&state, &[("a", &content)]).read();
        assert_eq!(found, JournaledMessages { messages: vec![message(2), message(3)], incomplete: false });
        let torn = [&state, "write=a,3,3,"].concat();
        assert_eq!(Tree::new(&torn, &[("a", &content)]).read(), found, "a torn line means the one before");
        let more = [&content[..], b"a message whose state was not written"].concat();
        assert_eq!(Tree::new(&state, &[("a", &more)]).read(), found);
    }

    #[test]
    fn two_files_follow_each_other() {
        let (first, second) = (lines(&[message(1), message(2)]), lines(&[message(3), marker(4)]));
        let (n, m) = (first.len(), second.len());
        let state = format!("write=b,2,2,{m},{m} read=a,1,2,{},{n} canWrite=F size=3\n", n / 2);
        let found = Tree::new(&state, &[("a", &first), ("b", &second)]).read();
        assert_eq!(found.messages, [message(2), message(3), marker(4)]);
        let without = Tree::new(&state, &[("b", &second)]).read();
        assert_eq!(without, JournaledMessages { messages: vec![message(3), marker(4)], incomplete: true });
    }

    #[test]
    fn empty_and_unreadable_states_are_empty_queues() {
        let content = lines(&[message(1)]);
        for (state, incomplete) in [
            ("write=a,1,1,57,57 read=a,1,1,57,57 canWrite=T size=0\n", false),
            ("", false),
            ("torn", false),
            ("two\ntorn", true),
        ] {
            let found = Tree::new(state, &[("a", &content)]).read();
            assert_eq!(found, JournaledMessages { messages: Vec::new(), incomplete }, "{state}");
        }
    }
}
