//! Connections that do nothing.

use smp_client::Client;
use structopt::StructOpt;

use super::{Failure, progress};
use crate::report::Report;
use crate::series::Growth;
use crate::target::Target;

/// Connects, and says nothing: what a connection costs a server in memory.
#[derive(Debug, StructOpt)]
pub struct Idle {
    #[structopt(flatten)]
    target: Target,
    /// How many
    #[structopt(long, default_value = "1000")]
    connections: u64,
}

impl Idle {
    /// Connects.
    pub async fn run(&self) -> Result<Report, Failure> {
        let meter = self.target.meter();
        let mut growth = Growth::new(&self.target, "handshake", "connections", self.connections);
        let bar = progress(self.connections, "connections");
        let mut clients = Vec::new();
        for _ in 0..self.connections {
            clients.push(Client::connect(&self.target.address, &self.target.options()).await?);
            bar.inc(1);
            growth.grown_by(1);
        }
        bar.finish_and_clear();
        // The answer comes when the server has done what it does at the begin of every one of them.
        for client in &clients {
            client.ping().await?;
        }
        let cost = meter.cost();
        let mut report = Report::new("idle: connections that do nothing");
        report.add_count("connections", self.connections);
        report.add_memory("connection", self.connections, cost);
        report.add_cost("connection", self.connections, cost, None);
        report.series.extend(growth.into_series());
        Ok(report)
    }
}
