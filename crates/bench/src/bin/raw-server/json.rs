//! Tasks as JSON, written by hand.

use std::io::Write;

use tokio_postgres::{Error, Row};

use crate::values::{Micros, TaskId};

/// A task as it is in an answer.
pub(crate) struct TaskJson<'a> {
    pub(crate) id: TaskId,
    pub(crate) user: &'a str,
    pub(crate) title: &'a str,
    pub(crate) description: Option<&'a str>,
    pub(crate) status: &'a str,
    pub(crate) version: i32,
    pub(crate) created_at: Micros,
    pub(crate) updated_at: Micros,
}

impl<'a> TaskJson<'a> {
    /// From the columns of the statements.
    pub(crate) fn of_row(user: &'a str, row: &'a Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.try_get(0)?,
            user,
            title: row.try_get(1)?,
            description: row.try_get(2)?,
            status: row.try_get(3)?,
            version: row.try_get(4)?,
            created_at: row.try_get(5)?,
            updated_at: row.try_get(6)?,
        })
    }

    /// Appends the task.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        // Nothing of this can fail: a vector takes everything.
        let _ = write!(out, r#"{{"id":"{}","title":"#, self.id);
        push_text(out, self.title);
        out.extend_from_slice(br#","description":"#);
        match self.description {
            Some(text) => push_text(out, text),
            None => out.extend_from_slice(b"null"),
        }
        let _ = write!(out, r#","status":"{}","user_id":"#, self.status);
        push_text(out, self.user);
        let _ = write!(out, r#","version":{},"created_at":""#, self.version);
        push_time(out, self.created_at);
        out.extend_from_slice(br#"","updated_at":""#);
        push_time(out, self.updated_at);
        out.extend_from_slice(br#""}"#);
    }
}

/// A string (RFC 8259, 7).
fn push_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0..0x20 => {
                let _ = write!(out, "\\u{byte:04x}");
            }
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

/// RFC 3339 in UTC with six digits of a second. The calendar counts from 1 March of the year 0, so that a leap day is
/// the last day of its year: 146,097 days are 400 years.
fn push_time(out: &mut Vec<u8>, Micros(micros): Micros) {
    let seconds = micros.div_euclid(1_000_000);
    let day = seconds.div_euclid(86_400) + 719_468;
    let era = day.div_euclid(146_097);
    let day_of_era = day.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    push_digits::<4>(out, year);
    for (separator, number) in [
        (b'-', month),
        (b'-', day_of_month),
        (b'T', seconds.rem_euclid(86_400) / 3_600),
        (b':', seconds.rem_euclid(3_600) / 60),
        (b':', seconds.rem_euclid(60)),
    ] {
        out.push(separator);
        push_digits::<2>(out, number);
    }
    out.push(b'.');
    push_digits::<6>(out, micros.rem_euclid(1_000_000));
    out.push(b'Z');
}

/// A number that is not negative, with this many digits.
fn push_digits<const DIGITS: usize>(out: &mut Vec<u8>, mut number: i64) {
    let mut digits = [b'0'; DIGITS];
    for digit in digits.iter_mut().rev() {
        *digit += u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
    }
    out.extend_from_slice(&digits);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(micros: i64) -> String {
        let mut out = Vec::new();
        push_time(&mut out, Micros(micros));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_time_is_written_as_the_calendar_has_it() {
        for (micros, wanted) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_825_599_000_001, "2000-02-29T11:59:59.000001Z"),
            (1_767_225_599_999_999, "2025-12-31T23:59:59.999999Z"),
            (4_107_542_400_000_000, "2100-03-01T00:00:00.000000Z"),
        ] {
            assert_eq!(time(micros), wanted);
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        let title = "a \"quote\", a \\ and \u{1}, \u{e9} \u{1f95b}";
        let task = TaskJson {
            id: TaskId::parse("01939f6e-2f4b-7c1d-9a55-7f1f2b8e6d10").unwrap(),
            user: "u\"1",
            title,
            description: None,
            status: "pending",
            version: 3,
            created_at: Micros(0),
            updated_at: Micros(1),
        };
        let mut out = Vec::new();
        task.write(&mut out);
        let read: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(read["title"], title);
        assert_eq!(read["user_id"], "u\"1");
        assert_eq!(read["description"], serde_json::Value::Null);
        assert_eq!(read["version"], 3);
    }
}
