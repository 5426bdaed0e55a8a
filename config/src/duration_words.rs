//! Durations as the start-up messages say them (operations.md §5.1).

use std::time::Duration;

/// `21 days`: whole seconds in the largest unit of days, hours, minutes, seconds that divides them evenly.
pub fn duration_words(duration: Duration) -> String {
    let seconds = duration.as_secs();
    for (unit, length) in [("days", 86_400), ("hours", 3_600), ("minutes", 60)] {
        if seconds.is_multiple_of(length) {
            return format!("{} {unit}", seconds / length);
        }
    }
    format!("{seconds} seconds")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_the_largest_even_unit() {
        for (seconds, words) in [
            (21 * 86_400, "21 days"),
            (86_400, "1 days"),
            (90_000, "25 hours"),
            (5_400, "90 minutes"),
            (61, "61 seconds"),
            (0, "0 days"),
        ] {
            assert_eq!(duration_words(Duration::from_secs(seconds)), words);
        }
    }
}
