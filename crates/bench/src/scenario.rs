//! What is done to a server.

pub mod backlog;
pub mod create;
pub mod crowd;
pub mod curve;
pub mod deliver;
pub mod drain;
pub mod durable;
pub mod fairness;
pub mod flood;
pub mod handshake;
pub mod idle;
pub mod restart;
pub mod silent;
pub mod storm;
pub mod unread;

use indicatif::{ProgressBar, ProgressStyle};
use smp_client::{ClientError, Disconnection};
use thiserror::Error;

/// Why there is no result.
#[derive(Debug, Error)]
pub enum Failure {
    /// The server refused something, or could not be reached.
    #[error("{0}")]
    Client(#[from] ClientError),
    /// The server closed a connection.
    #[error("{0}")]
    Disconnected(#[from] Disconnection),
    /// The server did something that no server may do.
    #[error("{0}")]
    Wrong(String),
    /// There is no picture.
    #[error("{0}")]
    Plot(String),
    /// A command of the user, or this program as another process, failed.
    #[error("{0}")]
    Command(String),
}

/// Progress on a terminal; nothing elsewhere.
pub fn progress(total: u64, what: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}").expect("the template is correct");
    ProgressBar::new(total).with_style(style).with_message(what)
}
