//! Points in time as clients see them.

use chrono::{DateTime, Datelike, SecondsFormat, Timelike, Utc};

const SHAPE: [u8; 27] = *b"0000-00-00T00:00:00.000000Z";

/// Appends a time as RFC 3339 has it, in UTC, always with six digits of a second: `2026-01-31T12:00:00.000000Z`.
///
/// A page has two hundred of them, and chrono's own formatting was most of what writing it cost.
pub(crate) fn write_timestamp(text: &mut Vec<u8>, time: DateTime<Utc>) {
    match digits(time) {
        Some(digits) => text.extend_from_slice(&digits),
        None => text.extend_from_slice(time.to_rfc3339_opts(SecondsFormat::Micros, true).as_bytes()),
    }
}

/// Whether RFC 3339 can write a time: its years have four digits. No database knows all that `chrono` does.
pub(crate) fn is_writable(time: DateTime<Utc>) -> bool {
    (0..=9_999).contains(&time.year())
}

/// The text, if the year has four digits.
fn digits(time: DateTime<Utc>) -> Option<[u8; 27]> {
    let time = time.naive_utc();
    let year = u32::try_from(time.year()).ok().filter(|year| *year <= 9_999)?;
    let mut text = SHAPE;
    for (field, number) in [
        (0..4, year),
        (5..7, time.month()),
        (8..10, time.day()),
        (11..13, time.hour()),
        (14..16, time.minute()),
        (17..19, time.second()),
        (20..26, time.nanosecond() / 1_000),
    ] {
        write_digits(text.get_mut(field)?, number);
    }
    Some(text)
}

fn write_digits(field: &mut [u8], mut number: u32) {
    for digit in field.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(time: DateTime<Utc>) -> String {
        let mut text = Vec::new();
        write_timestamp(&mut text, time);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn a_second_has_six_digits_whatever_they_are() {
        let noon = DateTime::from_timestamp_micros(1_798_545_600_000_001).unwrap();
        assert_eq!(written(noon), "2026-12-29T12:00:00.000001Z");
    }

    proptest! {
        #[test]
        fn every_time_is_written_as_the_calendar_of_chrono_has_it(micros in any::<i64>()) {
            if let Some(time) = DateTime::from_timestamp_micros(micros) {
                prop_assert_eq!(written(time), time.to_rfc3339_opts(SecondsFormat::Micros, true));
            }
        }

        #[test]
        fn every_time_of_four_digits_is_too(micros in -62_167_219_200_000_000_i64..253_402_300_800_000_000) {
            let time = DateTime::from_timestamp_micros(micros).unwrap();
            prop_assert_eq!(written(time), time.to_rfc3339_opts(SecondsFormat::Micros, true));
        }
    }
}
