//! The server under load.

use std::convert::Infallible;
use std::fs;
use std::path::PathBuf;
use std::str::FromStr;

use smp_client::Options;
use smp_client::protocol::address::{DEFAULT_PORT, Host, ServerAddress};
use smp_client::protocol::version::Version;
use structopt::StructOpt;

use crate::process::{Cost, Usage};

/// The server under load.
#[derive(Debug, StructOpt)]
pub struct Target {
    /// Address of the server, smp://<fingerprint>[:<password>]@<host>[:<port>]
    #[allow(rustdoc::broken_intra_doc_links, rustdoc::invalid_html_tags, reason = "the text is for the terminal")]
    #[structopt(parse(try_from_str))]
    pub address: ServerAddress,
    /// Process ID of the server, if it runs on this machine, or a file with it
    #[structopt(long)]
    pub pid: Option<ServerProcess>,
    /// Version of the protocol
    #[structopt(long, default_value = "18")]
    pub protocol: u16,
}

/// Where its process is found.
#[derive(Debug)]
pub enum ServerProcess {
    /// By its ID.
    Id(i32),
    /// In a file, which may say something else after a restart.
    File(PathBuf),
}

impl FromStr for ServerProcess {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.parse().map_or_else(|_| Self::File(text.into()), Self::Id))
    }
}

impl Target {
    /// How to connect.
    pub fn options(&self) -> Options {
        Options::with_version(Version(self.protocol))
    }

    /// Where to connect to below the client.
    pub fn host_and_port(&self) -> (String, u16) {
        let host = match self.address.hosts.first() {
            Some(Host::V6(ip)) => ip.to_string(),
            Some(host) => host.to_string(),
            None => String::new(),
        };
        (host, self.address.port.unwrap_or(DEFAULT_PORT))
    }

    /// What the server uses now; `None` if it is not known which process it is, or it is gone.
    pub fn usage(&self) -> Option<Usage> {
        let pid = match self.pid.as_ref()? {
            ServerProcess::Id(pid) => *pid,
            ServerProcess::File(path) => fs::read_to_string(path).ok()?.trim().parse().ok()?,
        };
        Usage::of(pid)
    }

    /// Begins to count what the server spends.
    pub fn meter(&self) -> Meter<'_> {
        Meter { target: self, before: self.usage() }
    }
}

/// Counts what a server spends.
pub struct Meter<'t> {
    target: &'t Target,
    before: Option<Usage>,
}

impl Meter<'_> {
    /// What it spent so far.
    pub fn cost(&self) -> Option<Cost> {
        self.target.usage().zip(self.before).map(|(after, before)| after.since(&before))
    }
}
