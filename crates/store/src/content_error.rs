//! Saved files that do not say what they should.

use std::io;

use thiserror::Error;

use crate::error::remedy;
use crate::parse::ParseError;

/// Why a saved file is not restored. The file stays where it is.
#[derive(Debug, Error)]
pub enum ContentError {
    /// Reading failed.
    #[error("{source}; {}", remedy(source))]
    Read {
        /// What the operating system said.
        #[from]
        source: io::Error,
    },
    /// A line that is damaged.
    #[error("line {line} is damaged ({error})")]
    Line {
        /// From 1.
        line: u64,
        /// What is wrong.
        error: ParseError,
    },
}
