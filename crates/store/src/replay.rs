//! Applying the lines of a queue log in their order (operations.md §6.2, §6.7; behaviour.md §8.3).
//!
//! Start is never refused because of a line: what does not parse is rejected, what cannot be applied is a [`Problem`];
//! both are counted, described without any ID, and skipped.

mod applying;
mod places;
mod queues;
mod reading;
mod ring;
mod summary;

use std::io::{self, BufRead};
use std::{panic, thread};

use hashbrown::HashSet;
use smp_protocol::id::RecipientId;

pub use queues::StoredQueues;
pub use summary::{Problem, ReplaySummary, Severity};

use self::applying::Applied;
use self::reading::{Chunk, parse};
use self::ring::{Link, ring};
use crate::lines::Lines;
use crate::record::{QueueRecord, ServiceRecord};

/// More threads would wait for each other: applying takes a third of the time.
const MOST_THREADS: usize = 4;

/// What a log says about a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueStanding {
    /// There is such a queue.
    Live,
    /// A record says that it was deleted.
    Deleted,
    /// Nothing, which is not the same: the log may be the wrong one, or damaged.
    Unknown,
}

/// What a log says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Live queues, in the order of their recipient IDs.
    pub queues: Vec<QueueRecord>,
    /// Services, in the order of their IDs.
    pub services: Vec<ServiceRecord>,
    /// Queues that a record deletes. Of those that are neither here nor live the log knows nothing: their lines may be damaged
    /// or missing.
    pub deleted: HashSet<RecipientId>,
    /// Counts and problems.
    pub summary: ReplaySummary,
    /// Compacting the log would neither make it shorter nor put its lines in order.
    pub is_compact: bool,
}

impl Replayed {
    /// What it says about a queue.
    pub fn standing(&self, id: &RecipientId) -> QueueStanding {
        if self.queues.binary_search_by_key(id, |queue| queue.recipient_id).is_ok() {
            QueueStanding::Live
        } else if self.deleted.contains(id) {
            QueueStanding::Deleted
        } else {
            QueueStanding::Unknown
        }
    }

    /// Whether it says of no queue that there is or was one.
    pub fn is_empty(&self) -> bool {
        self.queues.is_empty() && self.deleted.is_empty()
    }
}

/// Replays a log. `rejected` gets every line that does not parse, except a torn last one.
///
/// Several threads take some lines each, parse them, and apply them when it is their turn. Two things go around among them: the
/// file, and the state so far.
pub fn replay(reader: impl BufRead + Send, rejected: impl FnMut(&[u8]) + Send) -> io::Result<Replayed> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
    let links = ring(threads, Lines::new(reader)).zip(ring(threads, Applied::new(rejected)));
    let applied = thread::scope(|scope| {
        let spawn = |(file, state)| thread::Builder::new().spawn_scoped(scope, move || work(&file, &state));
        let workers = links.map(spawn).collect::<io::Result<Vec<_>>>()?;
        let join = |worker: thread::ScopedJoinHandle<'_, _>| worker.join().unwrap_or_else(|e| panic::resume_unwind(e));
        let ended = workers.into_iter().map(join).collect::<io::Result<Vec<_>>>()?;
        io::Result::Ok(ended.into_iter().flatten().next())
    })?;
    applied.map(Applied::into_replayed).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// Takes part until the file ends. Who notices that waits for the state and returns it, the others return nothing. If one
/// fails, what it had to pass on is lost, and so the others end.
fn work<L: BufRead, R: FnMut(&[u8])>(
    file: &Link<Lines<L>>,
    state: &Link<Applied<R>>,
) -> io::Result<Option<Applied<R>>> {
    let (mut chunk, mut parsed) = (Chunk::default(), Vec::new());
    while let Some(mut lines) = file.receive() {
        if !chunk.fill(&mut lines)? {
            return Ok(state.receive());
        }
        file.pass_on(lines);
        parsed.extend(chunk.lines().map(parse));
        let Some(mut applied) = state.receive() else { break };
        chunk.lines().zip(parsed.drain(..)).for_each(|(line, parsed)| applied.apply(line, parsed));
        state.pass_on(applied);
    }
    Ok(None)
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::log_record::LogRecord;
    use crate::log_record::samples::{few_queues, plain_queue};

    proptest! {
        /// A compacted log says what the log said, whatever that was, and contradicts nothing.
        #[test]
        fn compaction_keeps_the_state(records in vec(few_queues(), 0..60)) {
            let replayed = replay(&log(&records)[..], |_| ()).unwrap();
            let mut compacted = Vec::new();
            for service in &replayed.services {
                service.write_line(&mut compacted);
            }
            for queue in &replayed.queues {
                queue.write_compacted(&mut compacted);
            }
            let again = replay(&compacted[..], |_| ()).unwrap();
            prop_assert!(again.is_compact);
            prop_assert_eq!(&again.queues, &replayed.queues);
            prop_assert_eq!(&again.services, &replayed.services);
            prop_assert_eq!((again.summary.errors, again.summary.warnings, again.summary.rejected), (0, 0, 0));
        }
    }

    fn log(records: &[LogRecord]) -> Vec<u8> {
        let mut log = Vec::new();
        for record in records {
            record.write(&mut log);
        }
        log
    }

    #[test]
    fn bad_lines_are_skipped_counted_and_kept() {
        let [one, two] = [1, 2].map(|n| LogRecord::Create(plain_queue(n)));
        let text = [&log(&[one])[..], b"garbage\n\n", &log(&[two]), b"DELETE torn"].concat();
        let mut rejected = Vec::new();
        let replayed = replay(&text[..], |line| rejected.push(line.to_vec())).unwrap();
        assert_eq!(replayed.queues, [plain_queue(1), plain_queue(2)]);
        assert_eq!(rejected, [&b"garbage"[..], b""]);
        let summary = replayed.summary;
        assert_eq!((summary.lines, summary.rejected, summary.torn), (5, 2, true));
        assert_eq!(
            summary.to_string(),
            "5 lines: 2 queues, 0 services; 2 lines rejected (first: line 2, a known record expected at byte 0); \
             torn last line ignored"
        );
    }

    #[test]
    fn what_a_compaction_would_change_is_not_compact() {
        let [one, two] = [1, 2].map(|n| log(&[LogRecord::Create(plain_queue(n))]));
        let suspended = log(&[LogRecord::Suspend(plain_queue(1).recipient_id)]);
        let is_compact = |parts: &[&[u8]]| replay(&parts.concat()[..], |_| ()).unwrap().is_compact;
        assert!(is_compact(&[]) && is_compact(&[&one]) && is_compact(&[&one, &two]));
        for parts in [&[&two[..], &one], &[&one, &suspended], &[&one, &one], &[&one, b"garbage\n"], &[&one, b"torn"]] {
            assert!(!is_compact(parts), "{}", String::from_utf8_lossy(&parts.concat()));
        }
        let line = one.strip_suffix(b"\n").unwrap();
        assert!(!is_compact(&[line]) && !is_compact(&[line, b"\r\n"]));
    }

    fn numbered(n: u32) -> QueueRecord {
        let mut id = [0; 24];
        id[..4].copy_from_slice(&n.to_be_bytes());
        QueueRecord { recipient_id: id.into(), sender_id: id.into(), ..plain_queue(1) }
    }

    /// Lines that several threads take are applied in their order: a change of a queue finds what made it in another chunk.
    #[test]
    fn long_logs_are_applied_in_order() {
        let numbers = || (0..5_000_u32).map(|n| n.wrapping_mul(2_654_435_761));
        let created = numbers().map(|n| LogRecord::Create(numbered(n)));
        let changed = numbers().enumerate().map(|(place, n)| match (place % 3, numbered(n).recipient_id) {
            (0, id) => LogRecord::Delete(id),
            (1, id) => LogRecord::Suspend(id),
            (_, id) => LogRecord::Secure(id, plain_queue(2).recipient_keys.as_slice()[0].clone()),
        });
        let records: Vec<_> = created.chain(changed).collect();
        let mut expected = StoredQueues::default();
        for record in &records {
            expected.apply(record.clone()).unwrap();
        }
        let mut replayed = replay(&log(&records)[..], |_| ()).unwrap();
        assert_eq!(replayed.queues, expected.into_sorted().0);
        let summary = std::mem::take(&mut replayed.summary);
        assert_eq!((summary.lines, summary.created, summary.queues), (10_000, 5000, 3333));
        assert_eq!((summary.errors, summary.warnings, summary.rejected), (0, 0, 0));
    }

    #[test]
    fn a_log_that_cannot_be_read_to_its_end_is_an_error() {
        struct Broken;
        impl io::Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("broken"))
            }
        }
        let records: Vec<_> = (0..3000).map(|n| LogRecord::Create(numbered(n))).collect();
        let log = log(&records);
        for length in [0, 1, log.len() / 2, log.len()] {
            let reader = io::BufReader::new(io::Read::chain(&log[..length], Broken));
            assert_eq!(replay(reader, |_| ()).unwrap_err().to_string(), "broken", "{length}");
        }
    }

    #[test]
    fn a_panic_of_one_thread_ends_all() {
        let log = [&b"garbage\n"[..], &log(&[LogRecord::Create(plain_queue(1))]).repeat(3000)].concat();
        let replay = || replay(&log[..], |_| panic!("rejected"));
        assert!(panic::catch_unwind(replay).is_err());
    }

    #[test]
    fn a_complete_last_line_needs_no_lf() {
        let mut text = log(&[LogRecord::Create(plain_queue(1)), LogRecord::Suspend(plain_queue(1).recipient_id)]);
        text.pop();
        let replayed = replay(&text[..], |_| ()).unwrap();
        assert_eq!(replayed.queues[0].status, crate::record::QueueStatus::Off);
        assert!(!replayed.summary.torn);
    }

    #[test]
    fn line_ends_of_other_systems_lose_nothing() {
        let mut text = log(&[LogRecord::Create(plain_queue(1))]);
        text.pop();
        text.extend_from_slice(b"\r\n");
        assert_eq!(replay(&text[..], |_| ()).unwrap().queues, [plain_queue(1)]);
    }
}
