//! Connections on which nothing comes, and what a client notices of them that comes then.

use std::time::{Duration, Instant};

use smp_client::Client;
use structopt::StructOpt;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{Failure, progress};
use crate::report::{Latencies, Report, as_f64};
use crate::target::Target;

/// A connection that was closed or refused is made again within this time.
const AGAIN_MS: u64 = 1_000;

/// Handshakes beside TCP connections that say nothing; those that the server closes are made again.
#[derive(Debug, StructOpt)]
pub struct Silent {
    #[structopt(flatten)]
    target: Target,
    /// Connections that say nothing
    #[structopt(long, default_value = "5000")]
    connections: usize,
    /// Handshakes, with and without them
    #[structopt(long, default_value = "300")]
    handshakes: u64,
}

impl Silent {
    /// Connects.
    pub async fn run(&self) -> Result<Report, Failure> {
        let quiet = self.handshakes().await?;
        let meter = self.target.meter();
        let (opened, mut count) = watch::channel(0_usize);
        let mut silent = JoinSet::new();
        let at = self.target.host_and_port();
        for _ in 0..self.connections {
            let (opened, at) = (opened.clone(), at.clone());
            silent.spawn(async move {
                loop {
                    if let Ok(mut stream) = TcpStream::connect(at.clone()).await {
                        opened.send_modify(|opened| *opened += 1);
                        let _ = stream.read_u8().await;
                    }
                    sleep(Duration::from_millis(fastrand::u64(..AGAIN_MS))).await;
                }
            });
        }
        while *count.borrow_and_update() < self.connections {
            let _ = count.changed().await;
        }
        let crowded = self.handshakes().await?;
        let mut report = Report::new("silent: handshakes beside connections that say nothing");
        report.add_count("connections that say nothing", self.connections as u64);
        report.add_count("made again", (*count.borrow() - self.connections) as u64);
        report.add_count("handshakes", self.handshakes);
        report.add_latencies("handshake without them", &quiet);
        report.add_latencies("handshake beside them", &crowded);
        report.add("ratio at p99", crowded.milliseconds_at(99.0) / quiet.milliseconds_at(99.0), "×");
        if let Some(cost) = meter.cost() {
            #[expect(clippy::cast_precision_loss, reason = "far below 2^53 bytes")]
            let grown = cost.resident as f64;
            report.add("server's memory per silent connection", grown / as_f64(self.connections.max(1) as u64), "B");
        }
        Ok(report)
    }

    async fn handshakes(&self) -> Result<Latencies, Failure> {
        let (bar, mut latencies) = (progress(self.handshakes, "handshakes"), Latencies::new());
        for _ in 0..self.handshakes {
            let begin = Instant::now();
            let client = Client::connect(&self.target.address, &self.target.options()).await?;
            latencies.record(begin.elapsed());
            client.close().await;
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(latencies)
    }
}
