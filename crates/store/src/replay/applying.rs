//! What the lines so far say, and what was wrong with them.

use super::{ReplaySummary, Replayed, StoredQueues, count};
use crate::lines::Line;
use crate::log_record::{LogRecord, ParseError};
use crate::record::QueueRecord;

/// The state between two lines.
pub(super) struct Applied<R> {
    queues: StoredQueues,
    summary: ReplaySummary,
    /// A line ends otherwise than with LF alone, as no server writes it.
    odd_ends: bool,
    /// Gets lines that do not parse.
    rejected: R,
}

impl<R: FnMut(&[u8])> Applied<R> {
    pub(super) fn new(rejected: R) -> Self {
        Self { queues: StoredQueues::default(), summary: ReplaySummary::default(), odd_ends: false, rejected }
    }

    /// Applies the next line.
    pub(super) fn apply(&mut self, line: Line<'_>, parsed: Result<LogRecord, ParseError>) {
        self.summary.lines = line.number;
        self.odd_ends |= !line.terminated || line.content.ends_with(b"\r");
        match parsed {
            Ok(record) => {
                if let Err(problem) = self.queues.apply(record) {
                    self.summary.add_problem(line.number, problem);
                }
            }
            Err(_) if !line.terminated => self.summary.torn = true,
            Err(error) => {
                self.summary.add_rejected(line.number, error);
                (self.rejected)(line.content);
            }
        }
    }

    /// What the whole log says.
    pub(super) fn into_replayed(self) -> Replayed {
        let Self { mut queues, mut summary, odd_ends, .. } = self;
        let in_order = queues.are_in_order();
        summary.created = count(queues.created());
        let deleted = queues.take_deleted();
        let (queues, services) = queues.into_sorted();
        (summary.queues, summary.services) = (count(queues.len()), count(services.len()));
        let compacted = services.len() + queues.iter().map(QueueRecord::compacted_lines).sum::<usize>();
        let is_compact = in_order && !odd_ends && summary.lines == count(compacted);
        Replayed { queues, services, deleted, summary, is_compact }
    }
}
