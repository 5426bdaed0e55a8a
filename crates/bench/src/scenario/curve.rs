//! Latency over throughput.

use std::time::Duration;

use futures_util::future::try_join_all;
use structopt::StructOpt;

use super::Failure;
use super::deliver::{Load, Pair};
use crate::report::{Report, as_f64};
use crate::series::Series;
use crate::target::Target;

const AXES: [&str; 2] = ["delivered messages per second", "SEND to MSG, ms"];

/// Delivers with more and more pairs of clients, each as fast as it can: what a server can do, how long messages take
/// meanwhile, and whether it can still do as much when more is asked of it.
#[derive(Debug, StructOpt)]
pub struct Curve {
    #[structopt(flatten)]
    target: Target,
    /// Pairs of clients at the same time
    #[structopt(long, use_delimiter = true, default_value = "1,2,4,8,16,32,64,128,256")]
    pairs: Vec<usize>,
    /// How long, each
    #[structopt(long, default_value = "5")]
    seconds: u64,
}

impl Curve {
    /// Delivers.
    pub async fn run(&self) -> Result<Report, Failure> {
        let mut report = Report::new("curve: latency over throughput");
        let mut series = ["p50", "p99"].map(|name| Series::new(name, AXES));
        let mut best: f64 = 0.0;
        for &count in &self.pairs {
            let pairs = try_join_all((0..count).map(|_| Pair::connect(&self.target))).await?;
            let outcome = Load::saturating(Duration::from_secs(self.seconds)).put(&self.target, &pairs).await?;
            try_join_all(pairs.iter().map(|pair| pair.queue.delete())).await?;
            let throughput = as_f64(outcome.messages) / outcome.elapsed.as_secs_f64();
            best = best.max(throughput);
            report.add(format!("{count} pairs, delivered"), throughput, "/s");
            for (series, percentile) in series.iter_mut().zip([50.0, 99.0]) {
                let latency = outcome.latencies.milliseconds_at(percentile);
                report.add(format!("{count} pairs, SEND to MSG, {}", series.name), latency, "ms");
                series.points.push((throughput, latency));
            }
            for (cost, whose) in [(outcome.cost, "server's"), (outcome.own, "this program's")] {
                let Some(cost) = cost else { continue };
                let each = cost.processor.as_secs_f64() * 1000.0 / as_f64(outcome.messages.max(1));
                report.add(format!("{count} pairs, {whose} processor time per message"), each, "ms");
            }
            if let Some(usage) = self.target.usage() {
                report.add(format!("{count} pairs, server's memory"), as_f64(usage.resident) / 1e6, "MB");
            }
        }
        if let Some((last, _)) = series[0].points.last() {
            report.add("throughput with the most pairs, of the best", last / best * 100.0, "%");
        }
        report.series.extend(series);
        Ok(report)
    }
}
