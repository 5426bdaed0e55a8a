//! What the tests of the command line share.

mod place;
mod program;
mod state;

pub use place::{Place, free_port, names};
pub use program::{Ended, Program};
pub use state::{MESSAGES, STORE_LOG};

/// The lines of a text that has some, for comparing.
pub fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}
