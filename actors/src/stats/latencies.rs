//! How long commands take: from the moment when their block has come to the moment when their answers are on the way to the
//! writer of the session. Commands that verification refuses are not among them.

use std::time::Duration;

use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{Histogram, HistogramOpts, HistogramVec};

use crate::command_kind::CommandKind;

/// Upper bounds of the buckets, in seconds.
const BUCKETS: [f64; 14] =
    [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0];

/// Kinds of commands.
const KINDS: usize = CommandKind::WORDS.len();

/// A histogram for each kind of command. Counting needs no lock and no memory.
#[derive(Debug)]
pub struct Latencies {
    all: HistogramVec,
    by_kind: [Histogram; KINDS],
}

impl Default for Latencies {
    fn default() -> Self {
        let options = HistogramOpts::new("smp_server_command_seconds", "Time from a block to the answer, by command");
        let all = HistogramVec::new(options.buckets(BUCKETS.to_vec()), &["command"]).expect("the names are valid");
        let by_kind = CommandKind::WORDS.map(|word| all.with_label_values(&[word]));
        Self { all, by_kind }
    }
}

/// How many commands of each kind are answered together.
#[derive(Debug, Default)]
pub struct Answered([u16; KINDS]);

impl Answered {
    /// One more.
    pub fn add(&mut self, kind: CommandKind) {
        self.0[kind.index()] += 1;
    }
}

impl Latencies {
    /// The answer to a command is on its way.
    pub fn count(&self, kind: CommandKind, time: Duration) {
        self.by_kind[kind.index()].observe(time.as_secs_f64());
    }

    /// The answers to the commands of a block are on their way.
    pub fn count_all(&self, answered: &Answered, time: Duration) {
        let seconds = time.as_secs_f64();
        for (histogram, count) in self.by_kind.iter().zip(answered.0).filter(|(_, count)| *count > 0) {
            for _ in 0..count {
                histogram.observe(seconds);
            }
        }
    }

    /// The histograms of the commands that came at least once, by their words.
    pub fn collect(&self) -> Vec<MetricFamily> {
        let mut families = self.all.collect();
        for family in &mut families {
            let metrics = family.mut_metric();
            metrics.retain(|metric| metric.get_histogram().get_sample_count() > 0);
            metrics.sort_by(|a, b| a.get_label()[0].value().cmp(b.get_label()[0].value()));
        }
        families.retain(|family| !family.get_metric().is_empty());
        families
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_counted_is_told() {
        let latencies = Latencies::default();
        assert!(latencies.collect().is_empty());
        let mut answered = Answered::default();
        answered.add(CommandKind::Send);
        answered.add(CommandKind::Ping);
        answered.add(CommandKind::Send);
        latencies.count_all(&answered, Duration::from_micros(200));
        latencies.count(CommandKind::Ping, Duration::from_millis(3));
        let told: Vec<_> = latencies.collect()[0]
            .get_metric()
            .iter()
            .map(|metric| {
                let histogram = metric.get_histogram();
                (
                    metric.get_label()[0].value().to_owned(),
                    histogram.get_bucket()[1].cumulative_count(),
                    histogram.get_sample_count(),
                )
            })
            .collect();
        assert_eq!(told, [("PING".to_owned(), 1, 2), ("SEND".to_owned(), 2, 2)]);
    }
}
