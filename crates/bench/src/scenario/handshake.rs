//! Connections, one after the other.

use std::time::Instant;

use smp_client::Client;
use structopt::StructOpt;

use super::{Failure, progress};
use crate::floor::Floor;
use crate::report::{Latencies, Report};
use crate::target::Target;

/// TCP, TLS and the SMP handshake, again and again.
#[derive(Debug, StructOpt)]
pub struct Handshake {
    #[structopt(flatten)]
    target: Target,
    /// How many
    #[structopt(long, default_value = "1000")]
    connections: u64,
}

impl Handshake {
    /// Connects.
    pub async fn run(&self) -> Result<Report, Failure> {
        let (meter, begin, mut latencies) = (self.target.meter(), Instant::now(), Latencies::new());
        let bar = progress(self.connections, "handshakes");
        for _ in 0..self.connections {
            let begin = Instant::now();
            let client = Client::connect(&self.target.address, &self.target.options()).await?;
            latencies.record(begin.elapsed());
            client.close().await;
            bar.inc(1);
        }
        bar.finish_and_clear();
        let elapsed = begin.elapsed();
        let cost = meter.cost();
        let mut report = Report::new("handshake: TCP, TLS and SMP");
        report.add_count("connections", self.connections);
        report.add_rate("connected", self.connections, elapsed);
        report.add_latencies("handshake", &latencies);
        report.add_cost("handshake", self.connections, cost, Some(Floor::measure().per_handshake()));
        Ok(report)
    }
}
