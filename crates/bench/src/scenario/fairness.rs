//! What a client notices of another one that never stops.

use std::env;
use std::time::Duration;

use structopt::StructOpt;
use tokio::process::{Child, Command};

use super::Failure;
use super::deliver::{Load, Pair};
use super::flood::Doing;
use crate::report::Report;
use crate::target::Target;

/// The latency of one pair, first while nothing else is done, and then beside a flood, which is a process of its own.
#[derive(Debug, StructOpt)]
pub struct Fairness {
    #[structopt(flatten)]
    target: Target,
    /// What the flood does
    #[structopt(long, possible_values = &Doing::variants(), case_insensitive = true, default_value = "send")]
    flood: Doing,
    /// Messages per second of the pair
    #[structopt(long, default_value = "100")]
    rate: f64,
    /// How long, each
    #[structopt(long, default_value = "10")]
    seconds: u64,
}

impl Fairness {
    /// Compares.
    pub async fn run(&self) -> Result<Report, Failure> {
        let pairs = [Pair::connect(&self.target).await?];
        let load = Load::paced(Duration::from_secs(self.seconds), self.rate);
        let quiet = load.put(&self.target, &pairs).await?;
        let mut flood = self.flood()?;
        let flooded = load.put(&self.target, &pairs).await;
        let still_there = matches!(flood.try_wait(), Ok(None));
        let _ = flood.kill().await;
        let flooded = flooded?;
        if !still_there {
            return Err(Failure::Command("the flood ended too early".to_owned()));
        }
        for pair in &pairs {
            pair.queue.delete().await?;
        }
        let mut report = Report::new("fairness: a pair beside a flood");
        report.add_latencies("quiet, SEND to MSG", &quiet.latencies);
        report.add_latencies("beside the flood, SEND to MSG", &flooded.latencies);
        for percentile in [50.0, 99.0] {
            let ratio = flooded.latencies.milliseconds_at(percentile) / quiet.latencies.milliseconds_at(percentile);
            report.add(format!("ratio at p{percentile}"), ratio, "×");
        }
        Ok(report)
    }

    /// Longer than it is needed; it ends when it is dropped. It is meant to load the server: the processor of this program it
    /// gets only while this one needs none, or the pair would wait for the scheduler.
    fn flood(&self) -> Result<Child, Failure> {
        let failed =
            |error: std::io::Error| Failure::Command(format!("cannot run chrt, or this program with it: {error}"));
        let address = self.target.address.to_string();
        Command::new("chrt")
            .args(["--idle", "0"])
            .arg(env::current_exe().map_err(failed)?)
            .args(["flood", &address, "--flood", &self.flood.to_string()])
            .args(["--seconds", &(self.seconds + 60).to_string()])
            .args(["--protocol", &self.target.protocol.to_string()])
            .stdout(std::process::Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)
    }
}
