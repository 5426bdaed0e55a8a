//! Whole days, the resolution in which the use of queues is kept (behaviour.md I-18).

use std::fmt;
use std::num::NonZero;
use std::time::{SystemTime, UNIX_EPOCH};

use time::{OffsetDateTime, Weekday};

const SECONDS_OF_A_DAY: i64 = 86400;

/// A day in UTC, 1970-01-01 or later; 4 bytes, also as an `Option`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    /// 1 is 1970-01-01.
    number: NonZero<u32>,
}

impl Date {
    /// The day of a time; what is before 1970 becomes its first day.
    pub fn of(time: SystemTime) -> Self {
        let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        Self::from_unix_seconds(i64::try_from(seconds).unwrap_or(i64::MAX))
    }

    /// The day of a Unix time, rounded down; negative times become the first day.
    pub fn from_unix_seconds(seconds: i64) -> Self {
        let days = seconds.max(0) / SECONDS_OF_A_DAY;
        let number = u32::try_from(days).unwrap_or(u32::MAX).saturating_add(1);
        Self { number: NonZero::new(number).unwrap_or(NonZero::<u32>::MIN) }
    }

    /// Unix time of its midnight: a multiple of 86400.
    pub fn unix_seconds(self) -> i64 {
        i64::from(self.number.get() - 1) * SECONDS_OF_A_DAY
    }

    /// Whether it is a Monday: weekly statistics are written (operations.md §8.1).
    pub fn is_monday(self) -> bool {
        self.calendar().is_some_and(|day| day.weekday() == Weekday::Monday)
    }

    /// Whether it is the first of a month: monthly statistics are written.
    pub fn is_first_of_month(self) -> bool {
        self.calendar().is_some_and(|day| day.day() == 1)
    }

    fn calendar(self) -> Option<time::Date> {
        OffsetDateTime::from_unix_timestamp(self.unix_seconds()).ok().map(OffsetDateTime::date)
    }
}

/// `2026-11-23`
impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.calendar() {
            Some(day) => write!(f, "{:04}-{:02}-{:02}", day.year(), u8::from(day.month()), day.day()),
            None => f.write_str("9999-12-31"),
        }
    }
}

impl fmt::Debug for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_rounded_down() {
        assert_eq!(Date::from_unix_seconds(1_795_427_237).unix_seconds(), 1_795_392_000);
        assert_eq!(Date::from_unix_seconds(86399).unix_seconds(), 0);
        assert_eq!(Date::from_unix_seconds(-1).unix_seconds(), 0);
        assert!(Date::from_unix_seconds(i64::MAX).unix_seconds() > 300_000_000_000_000);
    }

    #[test]
    fn calendar_rules() {
        let day = Date::from_unix_seconds(1_795_392_000);
        assert_eq!(day.to_string(), "2026-11-23");
        assert!(day.is_monday() && !day.is_first_of_month());
        let first = Date::from_unix_seconds(1_796_083_200);
        assert_eq!(first.to_string(), "2026-12-01");
        assert!(!first.is_monday() && first.is_first_of_month());
    }

    #[test]
    fn an_optional_date_has_four_bytes() {
        assert_eq!(size_of::<Option<Date>>(), 4);
    }
}
