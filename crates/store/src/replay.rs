//! Applying the lines of a queue log in their order (operations.md §6.2, §6.7; behaviour.md §8.3).
//!
//! Start is never refused because of a line: what does not parse is rejected, what cannot be applied is a [`Problem`];
//! both are counted, described without any ID, and skipped.

mod queues;
mod reading;
mod summary;

use std::io::{self, BufRead};
use std::sync::mpsc::sync_channel;
use std::thread;

pub use queues::StoredQueues;
pub use summary::{Problem, ReplaySummary, Severity};

use self::reading::{BATCHES, read_lines};
use crate::record::{QueueRecord, ServiceRecord};

/// What a log says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Live queues, in the order of their recipient IDs.
    pub queues: Vec<QueueRecord>,
    /// Services, in the order of their IDs.
    pub services: Vec<ServiceRecord>,
    /// Counts and problems.
    pub summary: ReplaySummary,
}

/// Replays a log. `rejected` gets every line that does not parse, except a torn last one. Lines are read and parsed on another
/// thread while those before them are applied, which takes about as long.
pub fn replay(reader: impl BufRead + Send, mut rejected: impl FnMut(&[u8])) -> io::Result<Replayed> {
    let mut queues = StoredQueues::default();
    let mut summary = ReplaySummary::default();
    thread::scope(|scope| {
        let (sender, batches) = sync_channel(BATCHES);
        let reading = thread::Builder::new().spawn_scoped(scope, move || read_lines(reader, &sender))?;
        for line in batches.into_iter().flatten() {
            summary.lines += 1;
            match line.parsed {
                Ok(record) => {
                    if let Err(problem) = queues.apply(record) {
                        summary.add_problem(summary.lines, problem);
                    }
                }
                Err(_) if line.torn => summary.torn = true,
                Err(error) => {
                    summary.add_rejected(summary.lines, error);
                    rejected(&line.content);
                }
            }
        }
        reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })?;
    summary.created = count(queues.created());
    let (queues, services) = queues.into_sorted();
    (summary.queues, summary.services) = (count(queues.len()), count(services.len()));
    Ok(Replayed { queues, services, summary })
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
