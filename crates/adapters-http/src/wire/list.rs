//! The query parameters of `/api/tasks`. Unknown ones are errors: a mistyped filter must not return everything.

use std::collections::HashSet;

use chrono::{DateTime, SecondsFormat, Utc};
use domain::identity::Owner;
use domain::task::{
    Direction, InvalidPageLimit, PageLimit, SearchTerm, SearchTermError, Sort, SortKey, Status, StatusSet,
    TaskFilter, TaskQuery,
};
use percent_encoding::percent_decode_str;

use crate::problem::fields::{FieldErrors, Rule};
use crate::problem::{Code, Problem};
use crate::wire::cursor::List;
use crate::wire::timestamp::is_writable;

/// The parameters of a request for a list.
#[derive(Debug)]
pub(crate) struct ListParameters {
    pub(crate) query: TaskQuery,
    /// Whether to count all tasks that match.
    pub(crate) count_exactly: bool,
    /// The parameters without the cursor, for links: not as they were sent, which may be long.
    kept: Vec<(&'static str, String)>,
}

impl ListParameters {
    const NAMES: [&str; 7] = ["status", "q", "sort", "limit", "updated_since", "count", "cursor"];

    /// Reads the parameters; only `status` may be repeated.
    pub(crate) fn read(query: &str, owner: &Owner) -> Result<Self, FieldErrors> {
        let mut filter = TaskFilter::default();
        let mut statuses = Vec::new();
        let (mut sort, mut limit) = (Sort::default(), PageLimit::default());
        let mut count_exactly = false;
        let mut cursor = None;
        let mut kept = Vec::new();
        let mut errors = FieldErrors::default();
        read_parameters(query, &Self::NAMES, &mut errors, |name, value| match name {
            "status" => read_statuses(value).map(|read| statuses.extend(read)),
            "q" => read_search(value).map(|read| {
                kept.push(("q", value.trim().to_owned()));
                filter.search = Some(read);
            }),
            "sort" => read_sort(value).map(|read| {
                kept.push(("sort", value.to_owned()));
                sort = read;
            }),
            "limit" => read_limit(value).map(|read| {
                kept.push(("limit", read.get().to_string()));
                limit = read;
            }),
            "updated_since" => read_time(value).map(|read| {
                kept.push(("updated_since", read.to_rfc3339_opts(SecondsFormat::Micros, true)));
                filter.updated_since = Some(read);
            }),
            "count" if value == "exact" => {
                kept.push(("count", value.to_owned()));
                count_exactly = true;
                Ok(())
            }
            "count" => Err(Rule::NotOneOf(vec!["exact"])),
            "cursor" => {
                cursor = Some(value.to_owned());
                Ok(())
            }
            _ => Err(Rule::Extra),
        });
        filter.statuses = StatusSet::new(statuses);
        if let Some(statuses) = &filter.statuses {
            let names: Vec<_> = statuses.iter().map(Status::as_str).collect();
            kept.push(("status", names.join(",")));
        }
        // A cursor belongs to a list, so it can be judged only if that is known.
        let cursor = cursor.filter(|_| errors.are_only_about(&["limit", "count"]));
        let after = cursor.and_then(|text| {
            let filter = &filter;
            let position = List { owner, filter, sort }.decode(&text);
            if position.is_none() {
                errors.add_parameter("cursor", &Rule::InvalidCursor);
            }
            position
        });
        errors.or(())?;
        let query = TaskQuery::new(filter, sort, limit, after)
            .map_err(|_| FieldErrors::of_parameter("cursor", &Rule::InvalidCursor))?;
        Ok(Self {
            query,
            count_exactly,
            kept,
        })
    }

    /// The list from another position, relative to the server.
    pub(crate) fn target(&self, cursor: Option<&str>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.kept);
        if let Some(cursor) = cursor {
            query.append_pair("cursor", cursor);
        }
        match query.finish().as_str() {
            "" => "/api/tasks".to_owned(),
            query => format!("/api/tasks?{query}"),
        }
    }
}

/// Reads which tasks to delete: `status` and nothing else, because a mistake here cannot be undone.
pub(crate) fn statuses_to_delete(query: &str) -> Result<StatusSet, Problem> {
    let mut statuses = Vec::new();
    let mut errors = FieldErrors::default();
    read_parameters(query, &["status"], &mut errors, |name, value| match name {
        "status" => read_statuses(value).map(|read| statuses.extend(read)),
        _ => Err(Rule::Extra),
    });
    errors.or(())?;
    StatusSet::new(statuses).ok_or_else(|| Problem::new(Code::FilterRequired))
}

/// Refuses every parameter.
pub(crate) fn none(query: &str) -> Result<(), FieldErrors> {
    let mut errors = FieldErrors::default();
    read_parameters(query, &[], &mut errors, |_, _| Err(Rule::Extra));
    errors.or(())
}

/// The parameters that may be repeated, also with the `[]` behind the name that jQuery, PHP and others write.
const LISTS: [&str; 1] = ["status"];

/// Reads each parameter with one of these names. An empty value counts as none, for forms send every field.
fn read_parameters(
    query: &str,
    names: &[&'static str],
    errors: &mut FieldErrors,
    mut read: impl FnMut(&str, &str) -> Result<(), Rule>,
) {
    let mut seen = HashSet::new();
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let Some((sent, value)) = form_urlencoded::parse(parameter.as_bytes()).next() else {
            continue;
        };
        let base = sent.strip_suffix("[]").filter(|base| LISTS.contains(base));
        let name = base.unwrap_or(&sent);
        let result = match names.iter().find(|known| **known == name) {
            _ if percent_decode_str(parameter).decode_utf8().is_err() => Err(Rule::NotUnicode),
            None => Err(Rule::Extra),
            Some(_) if value.is_empty() => continue,
            Some(known) if !seen.insert(*known) && !LISTS.contains(known) => Err(Rule::Repeated),
            Some(known) => read(known, &value),
        };
        if let Err(rule) = result {
            errors.add_parameter(name, &rule);
        }
    }
}

fn read_statuses(text: &str) -> Result<Vec<Status>, Rule> {
    let read = |name| Status::parse(name).map_err(|_| Rule::not_a_status());
    text.split(',').map(read).collect()
}

fn read_search(text: &str) -> Result<SearchTerm, Rule> {
    SearchTerm::parse(text).map_err(|error| match error {
        SearchTermError::Blank => Rule::Blank,
        SearchTermError::TooLong { length } => Rule::TooLong {
            max: SearchTerm::MAX_CHARS,
            actual: length,
        },
        SearchTermError::Nul => Rule::ForbiddenCharacter {
            which: "NUL characters",
        },
    })
}

/// Every order, as clients write it.
pub(crate) const SORTS: [(&str, Sort); 8] = [
    ("created_at", upwards(SortKey::CreatedAt)),
    ("-created_at", downwards(SortKey::CreatedAt)),
    ("updated_at", upwards(SortKey::UpdatedAt)),
    ("-updated_at", downwards(SortKey::UpdatedAt)),
    ("title", upwards(SortKey::Title)),
    ("-title", downwards(SortKey::Title)),
    ("status", upwards(SortKey::Status)),
    ("-status", downwards(SortKey::Status)),
];

const fn upwards(key: SortKey) -> Sort {
    let direction = Direction::Ascending;
    Sort { key, direction }
}

const fn downwards(key: SortKey) -> Sort {
    let direction = Direction::Descending;
    Sort { key, direction }
}

fn read_sort(text: &str) -> Result<Sort, Rule> {
    let sort = SORTS.into_iter().find(|(name, _)| *name == text);
    sort.map(|(_, sort)| sort)
        .ok_or_else(|| Rule::NotOneOf(SORTS.map(|(name, _)| name).to_vec()))
}

fn read_limit(text: &str) -> Result<PageLimit, Rule> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Rule::NotAnInteger);
    }
    // A number too long for the type is still a number, and out of range.
    let number = text
        .parse()
        .unwrap_or(if text.starts_with('-') { i64::MIN } else { i64::MAX });
    PageLimit::new(number).map_err(|error| match error {
        InvalidPageLimit::TooSmall => Rule::TooSmall { min: PageLimit::MIN },
        InvalidPageLimit::TooLarge => Rule::TooLarge { max: PageLimit::MAX },
    })
}

/// RFC 3339. Times are stored in whole microseconds, so a finer one means the next of those.
fn read_time(text: &str) -> Result<DateTime<Utc>, Rule> {
    let time = DateTime::parse_from_rfc3339(text)
        .map_err(|_| Rule::NotADateTime)?
        .to_utc();
    let is_whole = time.timestamp_subsec_nanos() % 1_000 == 0;
    let micros = if is_whole {
        time.timestamp_micros()
    } else {
        time.timestamp_micros() + 1
    };
    DateTime::from_timestamp_micros(micros)
        .filter(|time| is_writable(*time))
        .ok_or(Rule::NotADateTime)
}

#[cfg(test)]
mod tests {
    use domain::testing::an_owner;
    use proptest::prelude::*;

    use super::*;

    fn read(query: &str) -> ListParameters {
        ListParameters::read(query, &an_owner()).unwrap()
    }

    #[test]
    fn statuses_may_be_listed_or_repeated() {
        let both = StatusSet::new([Status::Pending, Status::Completed]);
        assert_eq!(read("status=pending,completed").query.filter().statuses, both);
        assert_eq!(
            read("status=completed&status=pending").query.filter().statuses,
            both
        );
    }

    #[test]
    fn a_minus_sorts_downwards() {
        let down = Sort {
            key: SortKey::Title,
            direction: Direction::Descending,
        };
        assert_eq!(read("sort=-title").query.sort(), down);
        assert_eq!(read("").query.sort(), Sort::default());
    }

    #[test]
    fn every_order_has_one_name_of_its_own() {
        for key in SortKey::ALL {
            for sort in [upwards(key), downwards(key)] {
                let names: Vec<_> = SORTS.iter().filter(|(_, named)| *named == sort).collect();
                let [(name, _)] = names[..] else {
                    panic!("{names:?}")
                };
                assert_eq!(read(&format!("sort={name}")).query.sort(), sort);
            }
        }
    }

    #[test]
    fn a_link_keeps_every_parameter_but_the_cursor() {
        let parameters = read("q=a%26b&limit=5&status=pending");
        let wanted = "/api/tasks?q=a%26b&limit=5&status=pending&cursor=xyz";
        assert_eq!(parameters.target(Some("xyz")), wanted);
        assert_eq!(read("").target(None), "/api/tasks");
    }

    #[test]
    fn a_link_says_what_was_meant_however_long_it_was_written() {
        let sent = format!(
            "status={}&status=completed&q={}milk&limit={}7&updated_since=2026-01-15T12:00:00.{}%2B02:00&sort=title",
            ["pending"; 200].join(","),
            "+".repeat(2_000),
            "0".repeat(2_000),
            "0".repeat(2_000),
        );
        let parameters = read(&sent);
        let wanted = "/api/tasks?q=milk&limit=7&updated_since=2026-01-15T10%3A00%3A00.000000Z&sort=title\
                      &status=pending%2Ccompleted";
        assert_eq!(parameters.target(None), wanted);
        let again = read(wanted.strip_prefix("/api/tasks?").unwrap());
        assert_eq!(
            (again.query.clone(), again.target(None)),
            (parameters.query.clone(), wanted.to_owned())
        );
    }

    #[test]
    fn a_time_whose_year_has_no_four_digits_is_none() {
        for text in [
            "9999-12-31T23:59:59.9999999Z",
            "9999-12-31T23:59:59-00:01",
            "0000-01-01T00:00:00+00:01",
        ] {
            assert_eq!(read_time(text), Err(Rule::NotADateTime), "{text}");
        }
        for text in ["9999-12-31T23:59:59.999999Z", "0000-01-01T00:00:00Z"] {
            assert!(read_time(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_time_finer_than_ours_means_the_next_microsecond() {
        let since = |text: &str| read_time(text).unwrap().to_rfc3339();
        assert_eq!(
            since("2026-01-15T12:00:00.0000001+02:00"),
            "2026-01-15T10:00:00.000001+00:00"
        );
        assert_eq!(since("2026-01-15T12:00:00Z"), "2026-01-15T12:00:00+00:00");
    }

    proptest! {
        #[test]
        fn any_query_is_read_or_refused(query in "[ -~]{0,60}") {
            let _ = ListParameters::read(&query, &an_owner());
            let _ = statuses_to_delete(&query);
        }
    }
}
