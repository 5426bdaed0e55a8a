//! Files that fail on command.

use std::ffi::OsString;
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::{Access, Aside, Destination, Files, LogFile, ReadAt, SlotFile};

/// What may fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Opening or creating a file, listing a directory.
    Open,
    /// Reading a place of a file.
    ReadAt,
    /// Appending to a file.
    Write,
    /// Cutting a file.
    Truncate,
    /// Syncing a file or directory.
    Sync,
    /// Renaming.
    Rename,
    /// Removing.
    Remove,
}

/// How it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// No space left on the device.
    NoSpace,
    /// Input/output error.
    InputOutput,
}

impl From<Fault> for io::Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::NoSpace => io::ErrorKind::StorageFull.into(),
            Fault::InputOutput => Self::other("input/output error"),
        }
    }
}

/// Switches of a [`FaultyFiles`]; clones act on the same one.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<Armed>>);

#[derive(Debug, Default)]
struct Armed {
    failing: Vec<Failing>,
    slow: Vec<(Operation, Duration)>,
    held: Vec<Operation>,
    /// Somebody waits for what is held.
    is_holding: bool,
    shorten: Option<usize>,
    /// Places of files that were read.
    reads: u64,
}

#[derive(Debug)]
struct Failing {
    operation: Operation,
    fault: Fault,
    /// How often it still succeeds.
    successes: u64,
}

impl Faults {
    /// From now on every `operation` fails.
    pub fn fail(&self, operation: Operation, fault: Fault) {
        self.fail_after(0, operation, fault);
    }

    /// Every `operation` fails after it has succeeded `successes` times.
    pub fn fail_after(&self, successes: u64, operation: Operation, fault: Fault) {
        self.with(|armed| armed.failing.push(Failing { operation, fault, successes }));
    }

    /// From now on every `operation` takes so much longer.
    pub fn slow_down(&self, operation: Operation, by: Duration) {
        self.with(|armed| armed.slow.push((operation, by)));
    }

    /// From now on every `operation` waits until everything works again.
    pub fn hold(&self, operation: Operation) {
        self.with(|armed| armed.held.push(operation));
    }

    /// Whether anybody waits for what is held.
    pub fn is_holding(&self) -> bool {
        self.with(|armed| armed.is_holding)
    }

    /// How many places of files were read since everything worked last.
    pub fn reads(&self) -> u64 {
        self.with(|armed| armed.reads)
    }

    /// The next write stores only its first `bytes` bytes and says so.
    pub fn shorten_next_write(&self, bytes: usize) {
        self.with(|armed| armed.shorten = Some(bytes));
    }

    /// Everything works again.
    pub fn heal(&self) {
        self.with(|armed| *armed = Armed::default());
    }

    fn check(&self, operation: Operation) -> io::Result<()> {
        self.wait_while_held(operation);
        let slow = self.with(|armed| armed.slow.iter().find(|slow| slow.0 == operation).copied());
        if let Some((_, by)) = slow {
            thread::sleep(by);
        }
        self.with(|armed| {
            let Some(failing) = armed.failing.iter_mut().find(|f| f.operation == operation) else { return Ok(()) };
            if failing.successes == 0 {
                return Err(failing.fault.into());
            }
            failing.successes -= 1;
            Ok(())
        })
    }

    fn wait_while_held(&self, operation: Operation) {
        while self.with(|armed| {
            let is_held = armed.held.contains(&operation);
            armed.is_holding |= is_held;
            is_held
        }) {
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn with<T>(&self, action: impl FnOnce(&mut Armed) -> T) -> T {
        action(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Files of `inner`, until a fault is armed.
pub struct FaultyFiles {
    inner: Arc<dyn Files>,
    faults: Faults,
}

impl FaultyFiles {
    /// The files and the switches that make them fail.
    pub fn new(inner: Arc<dyn Files>) -> (Self, Faults) {
        let faults = Faults::default();
        (Self { inner, faults: faults.clone() }, faults)
    }

    fn wrap(&self, file: Box<dyn LogFile>) -> Box<dyn LogFile> {
        Box::new(FaultyFile { inner: file, faults: self.faults.clone() })
    }
}

impl Files for FaultyFiles {
    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        self.faults.check(Operation::Open)?;
        self.inner.open(path)
    }

    fn open_read_at(&self, path: &Path) -> io::Result<Box<dyn ReadAt>> {
        self.faults.check(Operation::Open)?;
        let inner = self.inner.open_read_at(path)?;
        Ok(Box::new(FaultyReader { inner, faults: self.faults.clone() }))
    }

    fn expect(&self, path: &Path) {
        self.inner.expect(path);
    }

    fn open_append(&self, path: &Path) -> io::Result<Box<dyn LogFile>> {
        self.faults.check(Operation::Open)?;
        self.inner.open_append(path).map(|file| self.wrap(file))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn LogFile>> {
        self.faults.check(Operation::Open)?;
        self.inner.create(path).map(|file| self.wrap(file))
    }

    fn open_slots(&self, path: &Path) -> io::Result<Box<dyn SlotFile>> {
        self.faults.check(Operation::Open)?;
        let inner = self.inner.open_slots(path)?;
        Ok(Box::new(FaultySlots { inner, faults: self.faults.clone() }))
    }

    fn destination(&self, path: &Path) -> io::Result<Destination> {
        self.inner.destination(path)
    }

    fn create_aside(&self, aside: &Path, replaced: &Path, access: Access) -> io::Result<Aside> {
        self.faults.check(Operation::Open)?;
        let Aside { file, is_alike } = self.inner.create_aside(aside, replaced, access)?;
        Ok(Aside { file: self.wrap(file), is_alike })
    }

    fn rewrite(&self, path: &Path) -> io::Result<Box<dyn LogFile>> {
        self.faults.check(Operation::Open)?;
        self.inner.rewrite(path).map(|file| self.wrap(file))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.faults.check(Operation::Rename)?;
        self.inner.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.faults.check(Operation::Remove)?;
        self.inner.remove(path)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.inner.exists(path)
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        self.faults.check(Operation::Open)?;
        self.inner.create_directory(path)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        self.faults.check(Operation::Open)?;
        self.inner.list(directory)
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        self.faults.check(Operation::Sync)?;
        self.inner.sync_directory(directory)
    }
}

struct FaultyReader {
    inner: Box<dyn ReadAt>,
    faults: Faults,
}

impl ReadAt for FaultyReader {
    fn length(&self) -> io::Result<u64> {
        self.inner.length()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.faults.with(|armed| armed.reads += 1);
        self.faults.check(Operation::ReadAt)?;
        self.inner.read_exact_at(buffer, offset)
    }
}

struct FaultySlots {
    inner: Box<dyn SlotFile>,
    faults: Faults,
}

impl SlotFile for FaultySlots {
    fn write_all_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.faults.check(Operation::Write)?;
        self.inner.write_all_at(bytes, offset)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.faults.check(Operation::Sync)?;
        self.inner.sync()
    }
}

struct FaultyFile {
    inner: Box<dyn LogFile>,
    faults: Faults,
}

impl LogFile for FaultyFile {
    fn length(&self) -> io::Result<u64> {
        self.inner.length()
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.faults.check(Operation::Write)?;
        match self.faults.with(|armed| armed.shorten.take()) {
            Some(n) => self.inner.write(&bytes[..n.min(bytes.len())]),
            None => self.inner.write(bytes),
        }
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.faults.check(Operation::Truncate)?;
        self.inner.truncate(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.faults.check(Operation::Sync)?;
        self.inner.sync()
    }
}
