//! Conditional requests (RFC 9110, section 13): `If-Match` and `If-None-Match` over the versions of tasks.

use actix_web::http::header::{self, HeaderMap, HeaderName};
use domain::task::{Expected, Version};

use crate::problem::{Code, Problem};

/// Suffixes that compressing servers add to our tags: `mod_deflate`, `mod_brotli` and `mod_zstd` of Apache, others.
/// None of our tags ends like this.
const CODINGS: [&str; 4] = ["-gzip", "-br", "-zstd", ";gzip"];

/// The versions that `If-Match` asks for; `None` without the header.
///
/// Any of the listed versions will do. A weak tag counts as its strong form, because proxies that compress weaken
/// tags, and one with the name of a coding behind it as the tag without, because others write that instead (Apache's
/// `"3-gzip"`); a tag that is no version of ours matches nothing.
///
/// # Errors
/// `header_invalid` for anything but `*` or a list of entity tags.
pub(crate) fn if_match(headers: &HeaderMap) -> Result<Option<Expected>, Problem> {
    match tags(headers, &header::IF_MATCH) {
        Tags::Absent => Ok(None),
        Tags::Any => Ok(Some(Expected::Any)),
        Tags::These(tags) => Ok(Some(Expected::OneOf(
            tags.iter().filter_map(|tag| version(tag)).collect(),
        ))),
        Tags::Unreadable => Err(Problem::new(Code::HeaderInvalid)
            .with_detail("If-Match must be * or a list of entity tags such as \"3\".")),
    }
}

/// Whether `If-None-Match` names this opaque tag (without its quotation marks); an unreadable header names none.
pub(crate) fn if_none_match_names(headers: &HeaderMap, opaque: &str) -> bool {
    match tags(headers, &header::IF_NONE_MATCH) {
        Tags::Absent | Tags::Unreadable => false,
        Tags::Any => true,
        Tags::These(tags) => tags.iter().any(|tag| tag == opaque),
    }
}

/// The version that a tag names, letter for letter as we write it.
fn version(tag: &str) -> Option<Version> {
    let version = Version::new(tag.parse().ok()?).ok()?;
    (version.to_string() == tag).then_some(version)
}

enum Tags {
    Absent,
    Any,
    These(Vec<String>),
    Unreadable,
}

/// The opaque parts of all tags; several lines are one list.
fn tags(headers: &HeaderMap, name: &HeaderName) -> Tags {
    let mut lines = headers.get_all(name).peekable();
    if lines.peek().is_none() {
        return Tags::Absent;
    }
    let Some(lines) = lines.map(|line| line.to_str().ok()).collect::<Option<Vec<_>>>() else {
        return Tags::Unreadable;
    };
    let list = lines.join(",");
    if list.trim() == "*" {
        return Tags::Any;
    }
    match listed(&list) {
        Some(tags) if !tags.is_empty() => Tags::These(tags),
        _ => Tags::Unreadable,
    }
}

/// Reads `#entity-tag` (RFC 9110, 8.8.3): commas may stand inside of tags, and empty elements are passed over.
fn listed(list: &str) -> Option<Vec<String>> {
    let mut tags = Vec::new();
    let mut rest = list.trim_start_matches([' ', '\t', ',']);
    while !rest.is_empty() {
        let tag = rest.strip_prefix("W/").unwrap_or(rest).strip_prefix('"')?;
        let (opaque, after) = tag.split_once('"')?;
        if !opaque
            .bytes()
            .all(|byte| byte == 0x21 || (0x23..=0x7e).contains(&byte))
        {
            return None;
        }
        let suffix = CODINGS.iter().find_map(|suffix| opaque.strip_suffix(suffix));
        tags.push(suffix.unwrap_or(opaque).to_owned());
        let after = after.trim_start_matches([' ', '\t']);
        if !after.is_empty() && !after.starts_with(',') {
            return None;
        }
        rest = after.trim_start_matches([' ', '\t', ',']);
    }
    Some(tags)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn headers(name: &HeaderName, lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(name.clone(), HeaderValue::from_str(line).unwrap());
        }
        headers
    }

    fn expected(lines: &[&str]) -> Result<Option<Expected>, Code> {
        if_match(&headers(&header::IF_MATCH, lines)).map_err(|problem| problem.code())
    }

    #[expect(clippy::unnecessary_wraps, reason = "what it is compared with is wrapped")]
    fn versions(numbers: &[i32]) -> Result<Option<Expected>, Code> {
        Ok(Some(Expected::OneOf(
            numbers
                .iter()
                .map(|number| Version::new(*number).unwrap())
                .collect(),
        )))
    }

    #[test]
    fn without_the_header_nothing_is_expected() {
        assert_eq!(expected(&[]), Ok(None));
    }

    #[test]
    fn a_star_expects_that_the_task_exists() {
        assert_eq!(expected(&["*"]), Ok(Some(Expected::Any)));
    }

    #[test]
    fn one_tag_several_tags_weak_tags_and_several_lines_are_read() {
        assert_eq!(expected(&["\"3\""]), versions(&[3]));
        assert_eq!(expected(&["\"3\", W/\"4\""]), versions(&[3, 4]));
        assert_eq!(expected(&["\"3\"", " , \"4\" ,"]), versions(&[3, 4]));
    }

    #[test]
    fn a_tag_that_is_no_version_of_ours_matches_nothing() {
        for tag in [
            "\"abc\"",
            "\"03\"",
            "\"+3\"",
            "\"0\"",
            "\"-1\"",
            "\"\"",
            "\"99999999999\"",
            "\"a,b\"",
        ] {
            assert_eq!(expected(&[tag]), versions(&[]), "{tag}");
        }
    }

    #[test]
    fn what_is_no_entity_tag_is_refused() {
        for lines in [
            &["abc"][..],
            &["3"],
            &["\"3"],
            &["\"3\" \"4\""],
            &["*", "\"3\""],
            &["*, \"3\""],
            &[""],
            &[","],
        ] {
            assert_eq!(expected(lines), Err(Code::HeaderInvalid), "{lines:?}");
        }
    }

    #[test]
    fn if_none_match_compares_weakly_and_forgives_nonsense() {
        let names = |line: &str| if_none_match_names(&headers(&header::IF_NONE_MATCH, &[line]), "3");
        assert!(names("\"3\"") && names("W/\"3\"") && names("\"1\", \"3\"") && names("*"));
        assert!(!names("\"4\"") && !names("3") && !names("\"3"));
    }

    mod fuzz {
        use super::*;

        fn any_line() -> impl Strategy<Value = String> {
            let scraps = prop::sample::select(vec![
                "\"", "W/", "w/", "*", ",", " ", "\t", "3", "\"3\"", "W/\"4\"", "é",
            ]);
            prop_oneof![
                "[ -~]{0,40}",
                prop::collection::vec(scraps, 0..12).prop_map(|scraps| scraps.concat()),
            ]
        }

        proptest! {
            #[test]
            fn any_if_match_header_is_read_or_refused(lines in prop::collection::vec(any_line(), 0..3)) {
                let lines: Vec<_> = lines.iter().map(String::as_str).collect();
                match expected(&lines) {
                    Ok(None) => prop_assert!(lines.is_empty()),
                    Ok(Some(Expected::Any)) => prop_assert!(lines.join(",").trim() == "*"),
                    Ok(Some(Expected::OneOf(versions))) => for version in versions {
                        let tag = format!("\"{version}\"");
                        prop_assert!(lines.iter().any(|line| line.contains(&tag)), "{}", version);
                    }
                    Err(code) => prop_assert_eq!(code, Code::HeaderInvalid),
                }
                if_none_match_names(&headers(&header::IF_NONE_MATCH, &lines), "3");
            }

            #[test]
            fn any_list_of_entity_tags_is_read(
                tags in prop::collection::vec(("(W/)?", "[!#-~]{0,8}", "[ \t]{0,2},[ \t,]{0,2}"), 1..6)
            ) {
                let written = |(weak, opaque, end): &(String, String, String)| format!("{weak}\"{opaque}\"{end}");
                let list: String = tags.iter().map(written).collect();
                let opaque: Vec<_> = tags.into_iter().map(|(_, opaque, _)| opaque).collect();
                prop_assert_eq!(listed(&list), Some(opaque));
            }
        }
    }
}
