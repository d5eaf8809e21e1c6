//! How long a line of the log may be.
//!
//! Paths, key ids and messages come from outside and may be long. A line over the limit is cut where it is longest, and
//! stays what it was: JSON, or a line that ends with the request it belongs to.

use std::cmp::max;

use serde_json::{Map, Value};

/// The longest line, in bytes, with its end.
pub(crate) const LONGEST: usize = 1024;
/// Stands where something was cut.
const CUT: &str = "\u{2026}";
/// Stops the colours of a terminal (ECMA-48, SGR 0).
const NO_COLOUR: &str = "\u{1b}[0m";
/// Texts as short as this are not cut.
const SHORT: usize = 16;

/// The line of this JSON object without its last brace, and of these further fields.
pub(crate) fn json_line(mut bare: String, fields: &str) -> String {
    bare.push_str(fields);
    bare.push('}');
    if bare.len() < LONGEST {
        bare.push('\n');
        return bare;
    }
    let entry = serde_json::from_str(&bare).unwrap_or_default();
    let mut line = shortened(entry);
    line.push('\n');
    line
}

/// The line of this text, and of these fields at its end.
pub(crate) fn text_line(bare: String, fields: &str) -> String {
    let mut bare = without_breaks(bare);
    let space = LONGEST.saturating_sub(fields.len() + 1);
    if bare.len() > space {
        let is_coloured = bare.contains('\u{1b}');
        let marks = CUT.len() + if is_coloured { NO_COLOUR.len() } else { 0 };
        let space = space.saturating_sub(marks);
        let begins = bare.char_indices().map(|(begin, _)| begin);
        let end = begins.take_while(|begin| *begin <= space).last();
        bare.truncate(end.unwrap_or_default());
        bare.push_str(CUT);
        if is_coloured {
            bare.push_str(NO_COLOUR);
        }
    }
    bare.push_str(fields);
    bare.push('\n');
    bare
}

/// The text with its line breaks and their like as escapes: of an assertion that failed, or of an error from elsewhere.
/// The beginning of a colour stays, for it is ours: those of others are escapes already.
fn without_breaks(text: String) -> String {
    let is_break = |letter: char| letter.is_control() && letter != '\u{1b}';
    if !text.contains(is_break) {
        return text;
    }
    let mut whole = String::with_capacity(text.len() + SHORT);
    for letter in text.chars() {
        if is_break(letter) {
            whole.extend(letter.escape_default());
        } else {
            whole.push(letter);
        }
    }
    whole
}

/// The object with its longest texts cut until it fits.
fn shortened(mut entry: Map<String, Value>) -> String {
    // Only libraries of spans log lists and objects.
    entry.retain(|_, value| !value.is_array() && !value.is_object());
    for value in entry.values_mut() {
        if let Value::String(text) = value {
            cut(text, LONGEST);
        }
    }
    loop {
        let text = Value::Object(entry.clone()).to_string();
        let Some(excess) = (text.len() + 1).checked_sub(LONGEST + 1) else {
            return text;
        };
        let texts = entry.values_mut().filter_map(|value| match value {
            Value::String(text) => Some((escaped_length(text), text)),
            _ => None,
        });
        match texts.max_by_key(|(length, _)| *length) {
            Some((length, longest)) if length > SHORT => {
                // Not all of it from the first one: others may be as long.
                cut(longest, max(length.saturating_sub(excess + 1), length / 2));
            }
            // Nothing but numbers and names: such a line is never written.
            _ => entry.retain(|name, _| matches!(name.as_str(), "timestamp" | "level" | "target")),
        }
    }
}

/// Cuts a text to at most this many bytes of JSON, the mark included.
fn cut(text: &mut String, most: usize) {
    let most = most.saturating_sub(CUT.len());
    let mut length = 0;
    let end = text.char_indices().find_map(|(begin, letter)| {
        length += escaped(letter);
        (length > most).then_some(begin)
    });
    if let Some(end) = end {
        text.truncate(end);
        text.push_str(CUT);
    }
}

fn escaped_length(text: &str) -> usize {
    text.chars().map(escaped).sum()
}

/// How many bytes a character takes in JSON as `serde_json` writes it (RFC 8259, 7).
fn escaped(letter: char) -> usize {
    match letter {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..'\u{20}' => 6,
        _ => letter.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MEMBERS: &str = r#","request_id":"its-id""#;

    fn line_of(texts: &[(&str, String)]) -> String {
        let entry: Map<String, Value> = texts
            .iter()
            .map(|(name, text)| ((*name).to_owned(), Value::String(text.clone())))
            .collect();
        let whole = Value::Object(entry).to_string();
        json_line(whole.strip_suffix('}').unwrap().to_owned(), MEMBERS)
    }

    #[test]
    fn the_longest_text_is_cut_and_the_others_are_kept() {
        let line = line_of(&[("reason", "malformed".to_owned()), ("path", "/x".repeat(30_000))]);
        assert!((1_000..=LONGEST).contains(&line.len()), "{}", line.len());
        let entry: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            (&entry["reason"], &entry["request_id"]),
            (&"malformed".into(), &"its-id".into())
        );
        let path = entry["path"].as_str().unwrap();
        assert!(path.starts_with("/x/x/x") && path.ends_with(CUT), "{path}");
    }

    #[test]
    fn a_line_of_the_longest_length_is_not_cut() {
        let empty = line_of(&[("path", String::new())]);
        let line = line_of(&[("path", "x".repeat(LONGEST - empty.len()))]);
        assert_eq!(line.len(), LONGEST);
        assert!(!line.contains(CUT));
        let line = line_of(&[("path", "x".repeat(LONGEST - empty.len() + 1))]);
        assert!(line.len() <= LONGEST && line.contains(CUT), "{line}");
    }

    #[test]
    fn a_readable_line_keeps_its_request_and_its_colours_end() {
        let line = text_line(
            format!("\u{1b}[33mWARN {}", "é".repeat(2_000)),
            " request_id=its-id",
        );
        assert!((1_000..=LONGEST).contains(&line.len()), "{}", line.len());
        assert!(line.ends_with("é\u{2026}\u{1b}[0m request_id=its-id\n"), "{line}");
        assert_eq!(text_line("short".to_owned(), " a=1"), "short a=1\n");
    }

    #[test]
    fn a_readable_line_is_one_line() {
        let line = text_line("\u{1b}[31mERROR left: 1\n\tright: 2\r\n\u{85}".to_owned(), " a=1");
        assert_eq!(line, "\u{1b}[31mERROR left: 1\\n\\tright: 2\\r\\n\\u{85} a=1\n");
    }

    proptest! {
        #[test]
        fn any_line_stays_json_and_keeps_its_names_and_its_request(
            texts in prop::collection::vec(prop_oneof![any::<String>(), ".{0,2000}", "[\\x00-\\x1f\"]{0,900}"], 1..12),
        ) {
            let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
            let texts: Vec<_> = names.into_iter().zip(texts).collect();
            let line = line_of(&texts);
            prop_assert!(line.len() <= LONGEST, "{}", line.len());
            let entry: Value = serde_json::from_str(&line).unwrap();
            prop_assert_eq!(&entry["request_id"], "its-id");
            for (name, text) in texts {
                let kept = entry[name].as_str().unwrap();
                let beginning = kept.strip_suffix(CUT).unwrap_or(kept);
                prop_assert!(kept == text || text.starts_with(beginning), "{}", kept);
            }
        }

        #[test]
        fn any_readable_line_fits(bare in "(?s).{0,3000}", fields in " [a-z=]{0,200}") {
            let line = text_line(bare, &fields);
            prop_assert!(line.len() <= LONGEST, "{}", line.len());
            let end = format!("{fields}\n");
            prop_assert!(line.ends_with(&end));
            prop_assert_eq!(line.lines().count(), 1);
        }
    }
}
