//! What was found, line by line.

use std::fmt::Display;
use std::process::ExitCode;

/// Prints findings and counts them.
#[derive(Debug, Default)]
pub struct Report {
    problems: usize,
    warnings: usize,
    fine: usize,
    skipped: usize,
}

impl Report {
    /// As it should be.
    pub fn fine(&mut self, subject: &str, what: impl Display) {
        self.fine += 1;
        say!("ok       {subject}: {what}");
    }

    /// Not looked at, and why.
    pub fn skipped(&mut self, subject: &str, why: impl Display) {
        self.skipped += 1;
        say!("skipped  {subject}: {why}");
    }

    /// Works, but may not be what is wanted.
    pub fn warning(&mut self, subject: &str, what: impl Display, remedy: impl Display) {
        self.warnings += 1;
        say!("warning  {subject}: {what}\n         → {remedy}");
    }

    /// Does not work.
    pub fn problem(&mut self, subject: &str, what: impl Display, remedy: impl Display) {
        self.problems += 1;
        say!("problem  {subject}: {what}\n         → {remedy}");
    }

    /// A warning whose last clause says what to do.
    pub fn warning_with_remedy(&mut self, subject: &str, text: impl Display) {
        let text = text.to_string();
        match text.rsplit_once("; ") {
            Some((what, remedy)) => self.warning(subject, what, remedy),
            None => self.warning(subject, text, "nothing has to be done, if that is what you expect"),
        }
    }

    /// The failure of a start, whose last clause says what to do.
    pub fn problem_with_remedy(&mut self, subject: &str, failure: impl Display) {
        let text = failure.to_string();
        let (what, remedy) = text.rsplit_once("; ").unwrap_or((&text, "correct it, and check again"));
        self.problem(subject, what, remedy);
    }

    /// The sum of it.
    pub fn finish(self) -> ExitCode {
        let Self { problems, warnings, fine, skipped } = self;
        let (s, of_warnings) = (plural(problems), plural(warnings));
        say!("\n{problems} problem{s}, {warnings} warning{of_warnings}, {fine} ok, {skipped} not checked");
        if problems == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
