//! A page of metrics in the making.

use prometheus::TextEncoder;
use prometheus::proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType};

/// A number that metrics are made of.
#[derive(Debug, Clone, Copy)]
pub struct Number(f64);

macro_rules! numbers {
    ($($of:ty),*) => {$(
        impl From<$of> for Number {
            /// Exact up to 2^53, beyond anything that is counted here.
            #[expect(clippy::cast_precision_loss, reason = "the text format has floating-point numbers only")]
            fn from(number: $of) -> Self {
                Self(number as f64)
            }
        }
    )*};
}

numbers!(i64, u64, usize);

impl From<f64> for Number {
    fn from(number: f64) -> Self {
        Self(number)
    }
}

/// Labels of a sample, names and values.
pub type Labels<'a> = &'a [(&'a str, &'a str)];

/// Text to which families of metrics are added.
pub struct Page {
    text: String,
    /// Of all samples, in milliseconds since 1970; 0: none.
    timestamp: i64,
}

impl Page {
    /// An empty page.
    pub fn new(timestamp: i64) -> Self {
        Self { text: String::new(), timestamp }
    }

    /// An empty page whose samples are those of the moment in which it is read.
    pub fn timeless() -> Self {
        Self::new(0)
    }

    /// A line that readers pass over.
    pub fn comment(&mut self, text: &str) {
        self.text.push_str("# ");
        self.text.extend(text.chars().filter(|c| !c.is_control()));
        self.text.push('\n');
    }

    /// The headline of what follows.
    pub fn section(&mut self, title: &str) {
        self.text.push('\n');
        self.comment(title);
    }

    /// A counter without labels.
    pub fn counter(&mut self, name: &str, help: &str, value: impl Into<Number>) {
        self.counters(name, help, [(&[][..], value)]);
    }

    /// A gauge without labels.
    pub fn gauge(&mut self, name: &str, help: &str, value: impl Into<Number>) {
        self.gauges(name, help, [(&[][..], value)]);
    }

    /// A counter with a sample for each set of labels.
    pub fn counters<'a>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'a>, impl Into<Number>)>,
    ) {
        let metrics = samples.into_iter().map(|(labels, value)| {
            let (mut metric, mut counter) = (self.metric(labels), Counter::default());
            counter.set_value(value.into().0);
            metric.set_counter(counter);
            metric
        });
        let metrics = metrics.collect();
        self.family(name, help, MetricType::COUNTER, metrics);
    }

    /// A gauge with a sample for each set of labels.
    pub fn gauges<'a>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'a>, impl Into<Number>)>,
    ) {
        let metrics = samples.into_iter().map(|(labels, value)| {
            let (mut metric, mut gauge) = (self.metric(labels), Gauge::default());
            gauge.set_value(value.into().0);
            metric.set_gauge(gauge);
            metric
        });
        let metrics = metrics.collect();
        self.family(name, help, MetricType::GAUGE, metrics);
    }

    /// The constant 1 with labels that tell something; without a time.
    pub fn info(&mut self, name: &str, help: &str, labels: Labels<'_>) {
        let (mut metric, mut gauge) = (self.metric(labels), Gauge::default());
        gauge.set_value(1.0);
        metric.set_gauge(gauge);
        metric.set_timestamp_ms(0);
        self.family(name, help, MetricType::GAUGE, vec![metric]);
    }

    /// A histogram. `buckets`: upper bounds, ascending, and how many are in each, not cumulated.
    pub fn histogram(&mut self, name: &str, help: &str, buckets: &[(i64, u64)], sum: u64) {
        let mut histogram = Histogram::default();
        let mut cumulated = 0;
        let buckets = buckets.iter().map(|(upper, count)| {
            cumulated += count;
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(Number::from(*upper).0);
            bucket.set_cumulative_count(cumulated);
            bucket
        });
        histogram.set_bucket(buckets.collect());
        histogram.set_sample_count(cumulated);
        histogram.set_sample_sum(Number::from(sum).0);
        let mut metric = self.metric(&[]);
        metric.set_histogram(histogram);
        self.family(name, help, MetricType::HISTOGRAM, vec![metric]);
    }

    /// Families as they are.
    pub fn families(&mut self, families: &[MetricFamily]) {
        TextEncoder::new().encode_utf8(families, &mut self.text).expect("a family with samples can be written");
    }

    /// The finished text.
    pub fn into_text(self) -> String {
        self.text
    }

    fn metric(&self, labels: Labels<'_>) -> Metric {
        let pairs = labels.iter().map(|(name, value)| {
            let mut pair = LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value((*value).to_owned());
            pair
        });
        let mut metric = Metric::from_label(pairs.collect());
        metric.set_timestamp_ms(self.timestamp);
        metric
    }

    fn family(&mut self, name: &str, help: &str, kind: MetricType, metrics: Vec<Metric>) {
        let mut family = MetricFamily::default();
        family.set_name(name.to_owned());
        family.set_help(help.to_owned());
        family.set_field_type(kind);
        family.set_metric(metrics);
        self.families(&[family]);
    }
}
