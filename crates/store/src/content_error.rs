//! Saved files that do not say what they should.

use std::io;

use thiserror::Error;

use crate::parse::ParseError;

/// Why a saved file is not restored. The file stays where it is.
#[derive(Debug, Error)]
pub enum ContentError {
    /// Reading failed.
    #[error("{0}; check the disk and the system log")]
    Read(#[from] io::Error),
    /// A line that is damaged.
    #[error("line {line} is damaged ({error}); repair or remove the line")]
    Line {
        /// From 1.
        line: u64,
        /// What is wrong.
        error: ParseError,
    },
    /// The last line is damaged: it was not written completely.
    #[error("the last line, {line}, is incomplete ({error}); start with --skip-warnings to ignore it")]
    Torn {
        /// From 1.
        line: u64,
        /// What is wrong.
        error: ParseError,
    },
}
