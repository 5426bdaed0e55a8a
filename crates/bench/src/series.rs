//! Figures that depend on each other: what is drawn.

use std::fmt;

use serde::Serialize;

use crate::process::Usage;
use crate::report::as_f64;
use crate::target::Target;

/// Parts into which what grows is divided.
const PARTS: u64 = 10;

/// Pairs of figures.
#[derive(Debug, Clone, Serialize)]
pub struct Series {
    /// What the line is.
    pub name: String,
    /// What is on the axes, with its unit.
    pub axes: [&'static str; 2],
    /// The figures.
    pub points: Vec<(f64, f64)>,
}

impl Series {
    /// Without points.
    pub fn new(name: impl Into<String>, axes: [&'static str; 2]) -> Self {
        Self { name: name.into(), axes, points: Vec::new() }
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  {}: {} by {}", self.name, self.axes[1], self.axes[0])?;
        self.points.iter().try_for_each(|(x, y)| write!(f, "  {x:.0}: {y:.3}"))
    }
}

/// Looks at what every tenth of the things that pile up in a server cost it: whether the last ones cost more than the first.
pub struct Growth<'t> {
    target: &'t Target,
    total: u64,
    done: u64,
    last: Option<(u64, Usage)>,
    series: Series,
}

impl<'t> Growth<'t> {
    /// Of so many things.
    pub fn new(target: &'t Target, name: &str, axis: &'static str, total: u64) -> Self {
        let series = Series::new(name, [axis, "processor time of the server for each, ms"]);
        Self { target, total, done: 0, last: target.usage().map(|usage| (0, usage)), series }
    }

    /// There are so many more.
    pub fn grown_by(&mut self, more: u64) {
        self.done += more;
        let Some((before, usage)) = &self.last else { return };
        let new = self.done - before;
        if new < self.total.div_ceil(PARTS) {
            return;
        }
        let Some(now) = self.target.usage() else { return };
        let each = now.since(usage).processor.as_secs_f64() * 1000.0 / as_f64(new);
        self.series.points.push((as_f64(self.done), each));
        self.last = Some((self.done, now));
    }

    /// What came out; nothing if it is not known which process the server is.
    pub fn into_series(self) -> Option<Series> {
        (!self.series.points.is_empty()).then_some(self.series)
    }
}
