//! Keys of sealed messages, and their end.
//!
//! With `encrypt = on` the body of every record is sealed with a key of its queue. The key is made when a message is stored in an
//! empty queue and lasts as long as a message sealed with it waits: when the queue drains, expires or is deleted, the key is
//! overwritten here, and what is left of the messages in the segments, and in copies of them, can be read by nobody.
//!
//! File `keys`, slots of 72 bytes, integers little-endian; a slot of zeros is free:
//!
//! | Bytes | Content |
//! |---|---|
//! | 0..24 | recipient ID of the queue |
//! | 24..32 | sequence number from which on the key was used |
//! | 32..64 | the key |
//! | 64..68 | CRC-32 of bytes 0..64 |
//! | 68..72 | 0 |
//!
//! It is the only file that is changed in place, because that is what it is for. A new key is on disk before the first message
//! that is sealed with it; an old one is overwritten when the removal of its last message is on disk.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crypto_secretbox::aead::{AeadInPlace, KeyInit};
use crypto_secretbox::{Nonce, Tag, XSalsa20Poly1305};
use smp_protocol::id::{RecipientId, fill_random};
use zeroize::Zeroizing;

use crate::atomic_file::sync_parent;
use crate::error::FileError;
use crate::files::{Files, SlotFile};

/// Bytes that sealing adds: nonce and tag.
pub const SEAL_LENGTH: usize = NONCE_LENGTH + TAG_LENGTH;
const NONCE_LENGTH: usize = 24;
const TAG_LENGTH: usize = 16;
const SLOT_LENGTH: usize = 72;
const CHECKED: usize = 64;
const KEYS: &str = "keys";

/// A body that does not open with its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DoesNotOpen;

/// The key of the messages that wait in a queue. With the last reference to it its slot is to be overwritten.
pub struct QueueKey {
    key: Zeroizing<[u8; 32]>,
    slot: u32,
    queue: RecipientId,
    dead: Arc<Mutex<Vec<(u32, RecipientId)>>>,
}

impl QueueKey {
    fn cipher(&self) -> XSalsa20Poly1305 {
        XSalsa20Poly1305::new((&*self.key).into())
    }

    /// The sealed body, 40 bytes longer: a random nonce of 24 bytes, the tag of 16, the ciphertext.
    pub fn seal(&self, body: &[u8]) -> Vec<u8> {
        let mut sealed = vec![0; SEAL_LENGTH];
        sealed.extend_from_slice(body);
        let (nonce, rest) = sealed.split_at_mut(NONCE_LENGTH);
        let (tag, cipher) = rest.split_at_mut(TAG_LENGTH);
        fill_random(nonce);
        let made = self.cipher().encrypt_in_place_detached(Nonce::from_slice(nonce), b"", cipher);
        tag.copy_from_slice(&made.expect("bodies are far shorter than what can be sealed"));
        sealed
    }

    /// The body in a sealed one.
    pub fn open(&self, mut sealed: Vec<u8>) -> Result<Vec<u8>, DoesNotOpen> {
        if sealed.len() < SEAL_LENGTH {
            return Err(DoesNotOpen);
        }
        let (nonce, rest) = sealed.split_at_mut(NONCE_LENGTH);
        let (tag, cipher) = rest.split_at_mut(TAG_LENGTH);
        let tag = Tag::clone_from_slice(tag);
        let opened = self.cipher().decrypt_in_place_detached(Nonce::from_slice(nonce), b"", cipher, &tag);
        opened.map_err(|_| DoesNotOpen)?;
        sealed.drain(..SEAL_LENGTH);
        Ok(sealed)
    }
}

impl Drop for QueueKey {
    fn drop(&mut self) {
        self.dead.lock().unwrap_or_else(PoisonError::into_inner).push((self.slot, self.queue));
    }
}

/// All keys, in memory and in their file.
pub struct KeyTable {
    files: Arc<dyn Files>,
    path: PathBuf,
    file: Option<Box<dyn SlotFile>>,
    /// Slots of the file.
    slots: u32,
    free: Vec<u32>,
    /// The key that new messages of a queue are sealed with.
    current: HashMap<RecipientId, Weak<QueueKey>>,
    /// Slots of keys that nothing refers to any more.
    dead: Arc<Mutex<Vec<(u32, RecipientId)>>>,
    /// Those of them whose last removals may be on disk since the last look.
    dying: Vec<u32>,
    /// Slots to be written before the messages that need them.
    unwritten: Vec<(u32, Zeroizing<[u8; SLOT_LENGTH]>)>,
}

/// Keys that were found in the file, by queue, oldest first.
pub type FoundKeys = HashMap<RecipientId, Vec<(u64, Arc<QueueKey>)>>;

impl KeyTable {
    /// Reads the file, which need not exist. Slots that are not whole are overwritten with the dead ones.
    pub fn open(files: &Arc<dyn Files>, directory: &Path) -> Result<(Self, FoundKeys), FileError> {
        let path = directory.join(KEYS);
        let mut table = Self {
            files: Arc::clone(files),
            path,
            file: None,
            slots: 0,
            free: Vec::new(),
            current: HashMap::new(),
            dead: Arc::default(),
            dying: Vec::new(),
            unwritten: Vec::new(),
        };
        let mut found = FoundKeys::new();
        if files.exists(&table.path).map_err(FileError::on("look for", &table.path))? {
            table.read(&mut found)?;
        }
        Ok((table, found))
    }

    fn read(&mut self, found: &mut FoundKeys) -> Result<(), FileError> {
        let failed = |source| FileError::new("read", &self.path, source);
        let file = self.files.open_read_at(&self.path).map_err(failed)?;
        let length = usize::try_from(file.length().map_err(failed)?).unwrap_or(usize::MAX);
        let mut content = Zeroizing::new(vec![0; length / SLOT_LENGTH * SLOT_LENGTH]);
        file.read_exact_at(&mut content, 0).map_err(failed)?;
        for slot in content.chunks_exact(SLOT_LENGTH) {
            let number = self.slots;
            self.slots += 1;
            match decode(slot) {
                Some((queue, sequence, key)) => {
                    let key = QueueKey { key, slot: number, queue, dead: Arc::clone(&self.dead) };
                    found.entry(queue).or_default().push((sequence, Arc::new(key)));
                }
                None if slot.iter().all(|byte| *byte == 0) => self.free.push(number),
                None => self.dying.push(number),
            }
        }
        for keys in found.values_mut() {
            keys.sort_by_key(|(sequence, _)| *sequence);
        }
        Ok(())
    }

    /// Goes on with a key that was found and is in use.
    pub fn adopt(&mut self, key: &Arc<QueueKey>) {
        self.current.insert(key.queue, Arc::downgrade(key));
    }

    /// The key for the next message of a queue. A new one counts when [`Self::write_new`] has succeeded.
    pub fn key_for(&mut self, queue: &RecipientId, sequence: u64) -> Arc<QueueKey> {
        if let Some(key) = self.current.get(queue).and_then(Weak::upgrade) {
            return key;
        }
        let mut bytes = Zeroizing::new([0; 32]);
        fill_random(&mut *bytes);
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots += 1;
            self.slots - 1
        });
        self.unwritten.push((slot, encode(queue, sequence, &bytes)));
        let key = Arc::new(QueueKey { key: bytes, slot, queue: *queue, dead: Arc::clone(&self.dead) });
        self.current.insert(*queue, Arc::downgrade(&key));
        key
    }

    /// Writes the keys that were made since. After an error they must not be used.
    pub fn write_new(&mut self, sync: bool) -> Result<(), FileError> {
        let unwritten = std::mem::take(&mut self.unwritten);
        if unwritten.is_empty() {
            return Ok(());
        }
        let path = self.path.clone();
        let file = self.file()?;
        for (slot, content) in &unwritten {
            file.write_all_at(&content[..], offset(*slot)).map_err(|source| FileError::new("write", &path, source))?;
        }
        if sync { self.sync() } else { Ok(()) }
    }

    /// What was written is on disk.
    pub fn sync(&mut self) -> Result<(), FileError> {
        let path = self.path.clone();
        let Some(file) = &mut self.file else { return Ok(()) };
        file.sync().map_err(|source| FileError::new("sync", &path, source))
    }

    /// Overwrites the keys that were dead at the last call of this: the removals of their messages are on disk since, if all
    /// that was removed then has been committed and synced meanwhile. Returns whether any were.
    pub fn bury(&mut self) -> Result<bool, FileError> {
        let buried = std::mem::take(&mut self.dying);
        if let Err(error) = self.overwrite(&buried) {
            self.dying = buried;
            return Err(error);
        }
        self.free.extend_from_slice(&buried);
        let dead = std::mem::take(&mut *self.dead.lock().unwrap_or_else(PoisonError::into_inner));
        for (slot, queue) in dead {
            self.dying.push(slot);
            // The queue may have another key by now.
            if self.current.get(&queue).is_some_and(|key| key.strong_count() == 0) {
                self.current.remove(&queue);
            }
        }
        Ok(!buried.is_empty())
    }

    /// Whether there is nothing for [`Self::bury`] to do.
    pub fn all_live(&self) -> bool {
        self.dying.is_empty() && self.dead.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    fn overwrite(&mut self, slots: &[u32]) -> Result<(), FileError> {
        if slots.is_empty() {
            return Ok(());
        }
        let path = self.path.clone();
        let file = self.file()?;
        for slot in slots {
            let written = file.write_all_at(&[0; SLOT_LENGTH], offset(*slot));
            written.map_err(|source| FileError::new("overwrite", &path, source))?;
        }
        self.sync()
    }

    fn file(&mut self) -> Result<&mut Box<dyn SlotFile>, FileError> {
        match &mut self.file {
            Some(file) => Ok(file),
            file => {
                let opened = self.files.open_slots(&self.path).map_err(FileError::on("open", &self.path))?;
                sync_parent(self.files.as_ref(), &self.path)?;
                Ok(file.insert(opened))
            }
        }
    }
}

fn offset(slot: u32) -> u64 {
    u64::from(slot) * SLOT_LENGTH as u64
}

fn encode(queue: &RecipientId, sequence: u64, key: &[u8; 32]) -> Zeroizing<[u8; SLOT_LENGTH]> {
    let mut slot = Zeroizing::new([0; SLOT_LENGTH]);
    slot[..24].copy_from_slice(queue.as_ref());
    slot[24..32].copy_from_slice(&sequence.to_le_bytes());
    slot[32..CHECKED].copy_from_slice(key);
    let checksum = crc32fast::hash(&slot[..CHECKED]);
    slot[CHECKED..CHECKED + 4].copy_from_slice(&checksum.to_le_bytes());
    slot
}

fn decode(slot: &[u8]) -> Option<(RecipientId, u64, Zeroizing<[u8; 32]>)> {
    let checksum = slot.get(CHECKED..CHECKED + 4)?;
    let is_free = slot.iter().all(|byte| *byte == 0);
    if is_free || crc32fast::hash(&slot[..CHECKED]).to_le_bytes() != *checksum {
        return None;
    }
    let queue: [u8; 24] = slot[..24].try_into().ok()?;
    let sequence = slot[24..32].try_into().ok()?;
    let mut key = Zeroizing::new([0; 32]);
    key.copy_from_slice(&slot[32..CHECKED]);
    Some((queue.into(), u64::from_le_bytes(sequence), key))
}

/// The error of a body that does not open.
pub fn does_not_open() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a message does not open with the key of its queue")
}
