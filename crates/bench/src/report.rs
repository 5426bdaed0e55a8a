//! Results for people and for programs.

use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::process::Cost;
use crate::series::Series;

/// Named figures, in the order in which they are shown.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    scenario: String,
    figures: Vec<Figure>,
    /// What can be drawn.
    pub series: Vec<Series>,
}

/// One of them.
#[derive(Debug, Serialize)]
struct Figure {
    name: String,
    value: f64,
    unit: &'static str,
}

impl Report {
    /// Without figures.
    pub fn new(scenario: &str) -> Self {
        Self { scenario: scenario.to_owned(), figures: Vec::new(), series: Vec::new() }
    }

    /// What was measured.
    pub fn scenario(&self) -> &str {
        &self.scenario
    }

    /// Adds a figure.
    pub fn add(&mut self, name: impl Into<String>, value: f64, unit: &'static str) {
        self.figures.push(Figure { name: name.into(), value, unit });
    }

    /// Adds a number of things.
    pub fn add_count(&mut self, name: &str, count: u64) {
        self.add(name, as_f64(count), "");
    }

    /// Adds how many there were in a second.
    pub fn add_rate(&mut self, name: &str, count: u64, elapsed: Duration) {
        self.add(name, as_f64(count) / elapsed.as_secs_f64(), "/s");
    }

    /// Adds the usual percentiles.
    pub fn add_latencies(&mut self, name: &str, latencies: &Latencies) {
        for (percentile, words) in [(50.0, "p50"), (90.0, "p90"), (99.0, "p99"), (99.9, "p99.9"), (100.0, "max")] {
            self.add(format!("{name}, {words}"), latencies.milliseconds_at(percentile), "ms");
        }
    }

    /// Adds what a server spent on `count` things, as a ratio to a floor too, if there is one.
    pub fn add_cost(&mut self, of: &str, count: u64, cost: Option<Cost>, floor: Option<Duration>) {
        let Some(cost) = cost else { return };
        let each = cost.processor.as_secs_f64() / as_f64(count.max(1));
        self.add(format!("server's processor time per {of}"), each * 1000.0, "ms");
        if let Some(floor) = floor {
            self.add(format!("floor per {of} on this machine now"), floor.as_secs_f64() * 1000.0, "ms");
            self.add(format!("ratio to the floor per {of}"), each / floor.as_secs_f64(), "×");
        }
        self.add("server's processor in use", cost.processor.as_secs_f64() / cost.elapsed.as_secs_f64() * 100.0, "%");
    }

    /// Adds how much larger a server became for `count` things.
    pub fn add_memory(&mut self, of: &str, count: u64, cost: Option<Cost>) {
        if let Some(cost) = cost {
            #[expect(clippy::cast_precision_loss, reason = "far below 2^53 bytes")]
            let bytes = cost.resident as f64;
            self.add(format!("server's memory per {of}"), bytes / as_f64(count.max(1)), "B");
        }
    }

    /// One line of JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("names and numbers are JSON")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.scenario)?;
        let width = self.figures.iter().map(|figure| figure.name.chars().count()).max().unwrap_or_default();
        for Figure { name, value, unit } in &self.figures {
            let decimals = if value.fract() == 0.0 || *value >= 100.0 { 0 } else { 3 };
            writeln!(f, "  {name:width$}  {value:>12.decimals$} {unit}")?;
        }
        for series in &self.series {
            writeln!(f, "{series}")?;
        }
        Ok(())
    }
}

/// Longest latency that is told apart, in microseconds: an hour.
const LONGEST: u64 = 3_600_000_000;

/// Latencies in microseconds, exact to three digits.
pub struct Latencies(Histogram<u64>);

impl Latencies {
    /// Without any.
    pub fn new() -> Self {
        Self(Histogram::new_with_bounds(1, LONGEST, 3).expect("the bounds are far enough apart"))
    }

    /// One more.
    pub fn record(&mut self, latency: Duration) {
        self.0.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
    }

    /// The latency that so many percent do not exceed, in milliseconds.
    pub fn milliseconds_at(&self, percentile: f64) -> f64 {
        as_f64(self.0.value_at_percentile(percentile)) / 1000.0
    }

    /// Those of another measurement.
    pub fn add(&mut self, other: &Self) {
        self.0.add(&other.0).expect("all have the same bounds");
    }
}

/// Numbers here stay far below 2^53.
#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
pub fn as_f64(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_of_all_lengths_are_told_apart() {
        let (mut latencies, mut others) = (Latencies::new(), Latencies::new());
        for milliseconds in [1, 2, 3, 4] {
            latencies.record(Duration::from_millis(milliseconds));
        }
        others.record(Duration::from_secs(100));
        latencies.add(&others);
        let mut report = Report::new("test");
        report.add_latencies("latency", &latencies);
        let near = |value: f64, expected: f64| (value - expected).abs() < expected / 500.0;
        assert!(near(report.figures[0].value, 3.0), "{report}");
        assert!(near(report.figures[4].value, 100_000.0), "{report}");
    }

    #[test]
    fn figures_have_a_line_each() {
        let mut report = Report::new("test");
        report.add("one", 1.0, "s");
        report.add_count("two", 2);
        assert_eq!(report.to_string(), "test\n  one             1 s\n  two             2 \n");
        assert!(report.to_json().starts_with("{\"scenario\":\"test\",\"figures\":[{\"name\":\"one\",\"value\":1.0"));
    }
}
