//! Runs the real program in directories of its own and talks to it over real TLS: what all whole-server tests share.
//!
//! | Part | What it is |
//! |---|---|
//! | [`server`] | a server with its directories: settings, start, stop, kill, restart |
//! | [`process`], [`output`] | a running program and what it writes |
//! | [`log`] | what a server in the process of the test writes |
//! | [`ini`], [`reserved_port`] | settings in `smp-server.ini`, and ports for them |
//! | [`state`] | what the server leaves on disk |
//! | [`request`] | single commands and their replies, also such as no honest client sends |
//! | [`party`] | recipients, senders, notifiers |
//! | [`control`] | the control port |
//! | [`relay`] | relays that never answer, SOCKS proxies |
//! | [`resolver`] | a resolver of names that answers well or badly |
//! | [`seed`] | random numbers that can be had again |
//! | [`service`] | clients with a certificate |
//! | [`event`] | what the server sends by itself, and that it sends nothing |
//! | [`stuck`] | clients that stop in the middle of something |
//! | [`website`] | certificates for the web site, and who visits it |
//! | [`wire`] | connections below the client: blocks, TLS, TCP |

pub mod control;
pub mod event;
pub mod ini;
pub mod log;
pub mod output;
pub mod party;
pub mod process;
pub mod relay;
pub mod request;
pub mod reserved_port;
pub mod resolver;
pub mod seed;
pub mod server;
pub mod service;
pub mod state;
pub mod stuck;
pub mod website;
pub mod wire;

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use smp_client::protocol::version::Version;

/// Versions at which something changes that a queue notices; tests of whole chapters run at each of them.
pub const VERSIONS: [Version; 7] =
    [Version(6), Version(7), Version(9), Version(11), Version(15), Version(17), Version(20)];

/// When a test gives up on something that never comes. No test depends on it being met.
pub const GIVE_UP: Duration = Duration::from_secs(60);

/// Plays a scenario at each of [`VERSIONS`], all at the same time.
pub async fn at_every_version(scenario: impl AsyncFn(Version)) {
    at_versions(VERSIONS, scenario).await;
}

/// Plays a scenario at each of these versions, all at the same time. A failure names its version.
pub async fn at_versions(versions: impl IntoIterator<Item = Version>, scenario: impl AsyncFn(Version)) {
    let play = async |version| {
        if let Err(panic) = AssertUnwindSafe(scenario(version)).catch_unwind().await {
            println!("at version {version}");
            resume_unwind(panic);
        }
    };
    join_all(versions.into_iter().map(play)).await;
}
