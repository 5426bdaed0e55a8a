//! `smp-bench`: what an SMP server can do, and what it costs.
//!
//! ```text
//! smp-bench deliver smp://… --pairs 8 --seconds 10 --pid 1234
//! smp-bench handshake smp://… --connections 1000
//! smp-bench create smp://… --queues 10000
//! smp-bench idle smp://… --connections 1000 --pid 1234
//! smp-bench backlog smp://… --queues 100 --messages 100 --pid 1234
//! smp-bench floor
//! ```
//!
//! Any server at any address; with the process ID of a server on this machine its processor time and memory are shown too. The
//! cost of the cryptography that no server can do without is timed on the spot: results are shown as ratios to it, because the
//! figures of one machine say little about another.

mod floor;
mod process;
mod report;
mod scenario;

use std::process::ExitCode;

use smp_client::Options;
use smp_client::protocol::address::ServerAddress;
use smp_client::protocol::version::Version;
use structopt::StructOpt;

use report::Report;
use scenario::Failure;

/// Load generator for SMP servers.
#[derive(Debug, StructOpt)]
#[structopt(name = "smp-bench")]
struct Arguments {
    /// Print one JSON object instead of a table
    #[structopt(long, global = true)]
    json: bool,
    #[structopt(subcommand)]
    scenario: Scenario,
}

/// What is measured.
#[derive(Debug, StructOpt)]
enum Scenario {
    /// Messages from senders to recipients, each acknowledged before the next
    Deliver(scenario::deliver::Deliver),
    /// Connections, one after the other
    Handshake(scenario::handshake::Handshake),
    /// Queues made and secured by their senders
    Create(scenario::create::Create),
    /// Connections that do nothing
    Idle(scenario::idle::Idle),
    /// Messages that nobody fetches, and their delivery afterwards: every byte, the order and the number are checked
    Backlog(scenario::backlog::Backlog),
    /// The cryptography alone, without a server
    Floor,
}

/// The server under load.
#[derive(Debug, StructOpt)]
struct Target {
    /// Address of the server, smp://<fingerprint>[:<password>]@<host>[:<port>]
    #[structopt(parse(try_from_str))]
    address: ServerAddress,
    /// Process ID of the server, if it runs on this machine
    #[structopt(long)]
    pid: Option<i32>,
    /// Version of the protocol
    #[structopt(long, default_value = "18")]
    protocol: u16,
}

impl Target {
    fn options(&self) -> Options {
        Options::with_version(Version(self.protocol))
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    match run(&arguments.scenario) {
        Ok(report) if arguments.json => {
            println!("{}", report.to_json());
            ExitCode::SUCCESS
        }
        Ok(report) => {
            print!("{report}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("smp-bench: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// On one thread: so the cost of the load is that of one core, and another is left for the server.
#[tokio::main(flavor = "current_thread")]
async fn run(scenario: &Scenario) -> Result<Report, Failure> {
    match scenario {
        Scenario::Deliver(deliver) => deliver.run().await,
        Scenario::Handshake(handshake) => handshake.run().await,
        Scenario::Create(create) => create.run().await,
        Scenario::Idle(idle) => idle.run().await,
        Scenario::Backlog(backlog) => backlog.run().await,
        Scenario::Floor => Ok(floor::report()),
    }
}
