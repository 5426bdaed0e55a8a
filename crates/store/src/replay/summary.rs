//! What was found in a log, in words without IDs.

use std::fmt;

use thiserror::Error;

use crate::parse::ParseError;

/// Most problems that are described one by one.
const DESCRIBED: usize = 20;

/// A line that has the right form but cannot be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum Problem {
    /// `CREATE` with an ID that is taken: the first queue keeps it.
    #[error("queue has an ID that another one has or had")]
    DuplicateQueue,
    /// `CREATE` when there are 4294967295 queues already.
    #[error("more queues than a server can have")]
    TooManyQueues,
    /// A change of a queue that was never created.
    #[error("change of an unknown queue")]
    UnknownQueue,
    /// A change of a queue that was deleted earlier.
    #[error("change of a deleted queue")]
    DeletedQueue,
    /// `SECURE` with another key than the one set.
    #[error("another sender key is set already")]
    SenderKeyConflict,
    /// `LINK` with another ID or other fixed data than the queue has, or an ID that another queue has.
    #[error("link conflicts with an existing one")]
    LinkConflict,
    /// `NOTIFIER` with an ID that is taken.
    #[error("notifier has an ID that is taken")]
    DuplicateNotifier,
    /// `QUEUE_SERVICE … N` of a queue without a notifier.
    #[error("service for the notifier of a queue that has none")]
    NoNotifier,
    /// `NEW_SERVICE` with an ID or a certificate that another service has.
    #[error("service has the ID or the certificate of another one")]
    ServiceConflict,
}

/// How bad a [`Problem`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Expected now and then.
    Warning,
    /// The log contradicts itself.
    Error,
}

impl Problem {
    /// How bad it is.
    pub fn severity(self) -> Severity {
        if self == Self::DeletedQueue { Severity::Warning } else { Severity::Error }
    }
}

/// Counts of a replay. Its `Display` is one line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReplaySummary {
    /// Lines read.
    pub lines: u64,
    /// Queues created, also those deleted later.
    pub created: u64,
    /// Live queues.
    pub queues: u64,
    /// Services.
    pub services: u64,
    /// Lines that do not parse.
    pub rejected: u64,
    /// The last line was not written completely and was ignored.
    pub torn: bool,
    /// Lines that could not be applied and contradict earlier ones.
    pub errors: u64,
    /// Lines that had no effect because the queue was deleted.
    pub warnings: u64,
    /// The first rejected lines: number and what is wrong.
    pub first_rejected: Vec<(u64, ParseError)>,
    /// The first problems: number of the line and problem.
    pub first_problems: Vec<(u64, Problem)>,
}

impl ReplaySummary {
    pub(super) fn add_problem(&mut self, line: u64, problem: Problem) {
        match problem.severity() {
            Severity::Warning => self.warnings += 1,
            Severity::Error => self.errors += 1,
        }
        if self.first_problems.len() < DESCRIBED {
            self.first_problems.push((line, problem));
        }
    }

    pub(super) fn add_rejected(&mut self, line: u64, error: ParseError) {
        self.rejected += 1;
        if self.first_rejected.len() < DESCRIBED {
            self.first_rejected.push((line, error));
        }
    }
}

impl fmt::Display for ReplaySummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} lines: {} queues, {} services", self.lines, self.queues, self.services)?;
        if self.rejected > 0 {
            write!(f, "; {} lines rejected", self.rejected)?;
        }
        if let Some((line, error)) = self.first_rejected.first() {
            write!(f, " (first: line {line}, {error})")?;
        }
        if self.errors + self.warnings > 0 {
            write!(f, "; {} lines without effect", self.errors + self.warnings)?;
        }
        if let Some((line, problem)) = self.first_problems.first() {
            write!(f, " (first: line {line}, {problem})")?;
        }
        if self.torn {
            f.write_str("; torn last line ignored")?;
        }
        Ok(())
    }
}
