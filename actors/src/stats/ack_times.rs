//! How long messages wait between delivery and `ACK` (behaviour.md §9.6).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

/// Buckets of what is usual, in seconds.
const USUAL: [i64; 18] = [0, 1, 2, 3, 4, 5, 10, 15, 20, 25, 30, 40, 50, 60, 90, 120, 150, 180];

/// Times between delivery and `ACK`, counted in buckets whose width grows with the time.
#[derive(Debug, Default)]
pub struct AckTimes {
    usual: [AtomicU64; USUAL.len()],
    /// Above three minutes, by bucket. Few messages come here.
    longer: Mutex<BTreeMap<i64, u64>>,
    sum: AtomicU64,
}

/// What was counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CountedTimes {
    /// Buckets with something in them, ascending: their upper bounds in whole seconds, and how many times are in each.
    pub buckets: Vec<(i64, u64)>,
    /// Sum of all times in seconds.
    pub sum: u64,
}

impl AckTimes {
    /// A message was acknowledged so many seconds after its delivery.
    pub fn count(&self, seconds: i64) {
        let seconds = seconds.max(0);
        self.sum.fetch_add(seconds.unsigned_abs(), Ordering::Relaxed);
        let bucket = bucket(seconds);
        match USUAL.binary_search(&bucket) {
            Ok(place) => {
                self.usual[place].fetch_add(1, Ordering::Relaxed);
            }
            Err(_) => *self.longer.lock().entry(bucket).or_default() += 1,
        }
    }

    /// What was counted up to now.
    pub fn counted(&self) -> CountedTimes {
        let usual = USUAL.into_iter().zip(&self.usual).map(|(bucket, count)| (bucket, count.load(Ordering::Relaxed)));
        let mut buckets: Vec<_> = usual.filter(|(_, count)| *count > 0).collect();
        buckets.extend(self.longer.lock().iter().map(|(bucket, count)| (*bucket, *count)));
        CountedTimes { buckets, sum: self.sum.load(Ordering::Relaxed) }
    }
}

/// The upper bound of the bucket of a time, which is not negative.
pub fn bucket(seconds: i64) -> i64 {
    let width = match seconds {
        ..=5 => 1,
        6..=30 => 5,
        31..=60 => 10,
        61..=180 => 30,
        _ => 60,
    };
    seconds.saturating_add(width - 1) / width * width
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rounded_up() {
        let rounded = [0, 1, 5, 6, 10, 29, 31, 55, 61, 90, 91, 179, 181, 3601].map(bucket);
        assert_eq!(rounded, [0, 1, 5, 10, 10, 30, 40, 60, 90, 90, 120, 180, 240, 3660]);
        assert!((0..=180).all(|seconds| USUAL.contains(&bucket(seconds))));
        assert!((181..10_000).all(|seconds| !USUAL.contains(&bucket(seconds))));
        bucket(i64::MAX);
    }

    #[test]
    fn times_are_counted_in_their_buckets() {
        let times = AckTimes::default();
        for seconds in [-1, 0, 7, 8, 200, 230, 100_000] {
            times.count(seconds);
        }
        let expected = CountedTimes { buckets: vec![(0, 2), (10, 2), (240, 2), (100_020, 1)], sum: 100_445 };
        assert_eq!(times.counted(), expected);
    }
}
