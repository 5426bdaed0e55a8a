//! `smp-bench`: what an SMP server can do, and what it costs.
//!
//! ```text
//! smp-bench deliver smp://… --pairs 8 --seconds 10 --pid 1234
//! smp-bench curve smp://… --pairs 1,2,4,8,16,32,64 --plot curve.svg
//! smp-bench storm smp://… --clients 500 --queues 100 --pid 1234
//! smp-bench restart smp://… --command 'systemctl restart smp-server'
//! smp-bench floor
//! ```
//!
//! Any server at any address; with the process ID of a server on this machine its processor time and memory are shown too. The
//! cost of the cryptography that no server can do without is timed on the spot: results are shown as ratios to it, because the
//! figures of one machine say little about another. Queues are deleted when they have served, unless `--keep` is given.

mod crowd;
mod disk;
mod floor;
mod plot;
mod process;
mod report;
mod scenario;
mod series;
mod target;

use std::path::PathBuf;
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
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
    /// Draw the figures that depend on each other into this SVG file
    #[structopt(long, global = true, parse(from_os_str))]
    plot: Option<PathBuf>,
    #[structopt(subcommand)]
    scenario: Scenario,
}

/// What is measured.
#[derive(Debug, StructOpt)]
enum Scenario {
    /// Messages from senders to recipients, each acknowledged before the next
    Deliver(scenario::deliver::Deliver),
    /// The same with more and more pairs: latency over throughput
    Curve(scenario::curve::Curve),
    /// Connections, one after the other
    Handshake(scenario::handshake::Handshake),
    /// Queues made and secured by their senders
    Create(scenario::create::Create),
    /// Connections that do nothing
    Idle(scenario::idle::Idle),
    /// Messages that nobody fetches
    Backlog(scenario::backlog::Backlog),
    /// Messages that waited are fetched: every byte, the order and the number are checked
    Drain(scenario::drain::Drain),
    /// What it costs that messages are on disk before they are accepted
    Durable(scenario::durable::Durable),
    /// Many subscribed clients, and messages to some of them
    Crowd(scenario::crowd::Crowd),
    /// Many clients come back at the same time
    Storm(scenario::storm::Storm),
    /// The server is started again while clients are connected
    Restart(scenario::restart::Restart),
    /// One client that never stops
    Flood(scenario::flood::Flood),
    /// What another client notices of such a one
    Fairness(scenario::fairness::Fairness),
    /// Connections that say nothing, and what another client notices of them
    Silent(scenario::silent::Silent),
    /// Clients that ask for much and read nothing
    Unread(scenario::unread::Unread),
    /// The cryptography alone, without a server
    Floor,
}

fn main() -> ExitCode {
    match run(&Arguments::from_args()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("smp-bench: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Measures, and shows what came out before a picture of it can fail.
fn run(arguments: &Arguments) -> Result<(), Failure> {
    raise_open_files_limit();
    let report = measure(&arguments.scenario)?;
    if arguments.json {
        println!("{}", report.to_json());
    } else {
        print!("{report}");
    }
    arguments.plot.as_ref().map_or(Ok(()), |file| plot::draw(report.scenario(), &report.series, file))
}

/// Every connection takes a descriptor, and the usual soft limit is 1024.
fn raise_open_files_limit() {
    let limit = getrlimit(Resource::Nofile);
    // With less than it asks for a scenario fails by itself, and says why.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// On one thread: so the cost of the load is that of one core, and another is left for the server.
#[tokio::main(flavor = "current_thread")]
async fn measure(scenario: &Scenario) -> Result<Report, Failure> {
    match scenario {
        Scenario::Deliver(deliver) => deliver.run().await,
        Scenario::Curve(curve) => curve.run().await,
        Scenario::Handshake(handshake) => handshake.run().await,
        Scenario::Create(create) => create.run().await,
        Scenario::Idle(idle) => idle.run().await,
        Scenario::Backlog(backlog) => backlog.run().await,
        Scenario::Drain(drain) => drain.run().await,
        Scenario::Durable(durable) => durable.run().await,
        Scenario::Crowd(crowd) => crowd.run().await,
        Scenario::Storm(storm) => storm.run().await,
        Scenario::Restart(restart) => restart.run().await,
        Scenario::Flood(flood) => flood.run().await,
        Scenario::Fairness(fairness) => fairness.run().await,
        Scenario::Silent(silent) => silent.run().await,
        Scenario::Unread(unread) => unread.run().await,
        Scenario::Floor => Ok(floor::report()),
    }
}
