//! ISO 8601 times in UTC as the reference writes them: `2026-07-02T11:58:43.123456789Z`, fraction without trailing zeros.

use std::time::{SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The text form. Times before 1970 or after 9999 are shown as the start of 1970; no clock tells them.
pub(crate) fn format(time: SystemTime) -> String {
    let nanoseconds = time.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos());
    let time = i128::try_from(nanoseconds).ok().and_then(|n| OffsetDateTime::from_unix_timestamp_nanos(n).ok());
    let time = time.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    time.format(&Rfc3339).expect("years from 1970 to 9999 have this form")
}

/// Reads the text form; digits after the ninth of the fraction are ignored.
pub(crate) fn parse(text: &str) -> Option<SystemTime> {
    if !text.ends_with('Z') {
        return None;
    }
    OffsetDateTime::parse(text, &Rfc3339).ok().map(SystemTime::from)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_fraction_has_no_trailing_zeros() {
        for text in
            ["2026-11-23T09:46:59.654932342Z", "2026-11-23T09:46:59.6Z", "2026-11-23T09:46:59Z", "1970-01-01T00:00:00Z"]
        {
            assert_eq!(format(parse(text).unwrap()), text);
        }
        assert_eq!(format(UNIX_EPOCH + Duration::from_nanos(10)), "1970-01-01T00:00:00.00000001Z");
    }

    #[test]
    fn broken_clocks_do_no_harm() {
        for time in [UNIX_EPOCH - Duration::from_secs(1), UNIX_EPOCH + Duration::from_secs(1 << 40)] {
            assert_eq!(format(time), "1970-01-01T00:00:00Z");
        }
    }

    #[test]
    fn picoseconds_are_cut() {
        let time = parse("2026-11-23T09:46:59.654932342999Z").unwrap();
        assert_eq!(format(time), "2026-11-23T09:46:59.654932342Z");
    }

    #[test]
    fn other_texts_are_no_times() {
        for text in
            ["", "bak", "2026-11-23", "2026-11-23T09:46:59", "2026-11-23T09:46:59+01:00", "2026-13-23T09:46:59Z"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
