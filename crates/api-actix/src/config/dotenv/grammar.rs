//! The grammar of `.env` as the npm package `dotenv` reads it (16 and 17, and with it Next.js and Vite), so that one
//! file means the same to the front end and to us. Its rules, which are those of a regular expression:
//!
//! - A line is `NAME=value` or `NAME: value`, after `export ` or not. A name consists of `[A-Za-z0-9_.-]`.
//! - A value in `'`, `"` or `` ` `` may contain line breaks, and the same quotation mark behind a backslash: it stays.
//!   Behind the closing one there is nothing but white space and a comment; otherwise the value is one without quotes.
//! - A value without quotes ends before the first `#` or line break. White space around it is dropped, and so are a
//!   quotation mark at its start and the same one at its end.
//! - In a value that begins with `"`, `\n` and `\r` become line breaks. Nothing else is replaced, `$` neither.
//! - Of two lines with one name the last one counts. What is no such line is passed over.
//!
//! White space and line ends are those of JavaScript: `\s` (which includes the byte order mark), and for `^` and `$`
//! also U+2028 and U+2029. Reading takes time proportional to the length of the text.

/// The quotation marks of values.
const QUOTES: [char; 3] = ['\'', '"', '`'];

/// The assignments of a text, and its lines that assign nothing.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    /// In the order of the text; of two with one name the last one counts.
    pub(super) assignments: Vec<Assignment>,
    /// Lines that are neither an assignment nor a comment nor blank.
    pub(super) unread: Vec<Unread>,
}

/// A name with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Assignment {
    pub(super) name: String,
    pub(super) value: String,
    /// The line that the name is on, from 1.
    pub(super) line: usize,
    /// The rest of the text of the assignment behind its first line, if it has several.
    pub(super) further_lines: Option<String>,
}

/// A line that assigns nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unread {
    pub(super) text: String,
    /// Which line it is, from 1.
    pub(super) line: usize,
}

/// Reads a text.
pub(super) fn parse(text: &str) -> Parsed {
    let text = Text(&text.replace("\r\n", "\n").replace('\r', "\n"));
    let mut parsed = Parsed::default();
    let mut lines = LineCounter::default();
    let mut line_start = Some(0);
    while let Some(at) = line_start {
        let start = text.skip_space(at);
        if let Some(found) = text.assignment(start) {
            let first_line_end = text.line_end(start);
            let further_lines = text
                .0
                .get(first_line_end..found.end)
                .filter(|rest| !rest.is_empty());
            parsed.assignments.push(Assignment {
                name: found.name.to_owned(),
                value: value_of(found.value),
                line: lines.at(text, start),
                further_lines: further_lines.map(str::to_owned),
            });
            line_start = text.next_line(found.end);
        } else {
            let line = &text.0[start..text.line_end(start)];
            if !line.is_empty() && !line.starts_with('#') {
                parsed.unread.push(Unread {
                    text: line.to_owned(),
                    line: lines.at(text, start),
                });
            }
            line_start = text.next_line(start);
        }
    }
    parsed
}

/// The text of a name and of its value, and where the assignment ends.
struct Found<'a> {
    name: &'a str,
    value: &'a str,
    end: usize,
}

/// A text whose only line breaks are `\n`. All positions are bytes, at the borders of characters.
#[derive(Clone, Copy)]
struct Text<'a>(&'a str);

impl<'a> Text<'a> {
    fn rest(self, at: usize) -> &'a str {
        &self.0[at..]
    }

    /// The first position from there on that is no white space.
    fn skip_space(self, at: usize) -> usize {
        self.0.len() - self.rest(at).trim_start_matches(is_space).len()
    }

    /// The first position from there on that `$` matches.
    fn line_end(self, at: usize) -> usize {
        self.rest(at)
            .find(is_line_end)
            .map_or(self.0.len(), |length| at + length)
    }

    /// The start of the line behind that position.
    fn next_line(self, at: usize) -> Option<usize> {
        let end = self.line_end(at);
        let length = self.rest(end).chars().next()?.len_utf8();
        Some(end + length)
    }

    fn assignment(self, start: usize) -> Option<Found<'a>> {
        let behind_export = self.rest(start).strip_prefix("export").and_then(|rest| {
            let after = self.0.len() - rest.len();
            let name = self.skip_space(after);
            (name > after).then_some(name)
        });
        // `export = 1` is a variable of that name.
        behind_export
            .and_then(|start| self.named(start))
            .or_else(|| self.named(start))
    }

    fn named(self, start: usize) -> Option<Found<'a>> {
        let behind = self.rest(start).trim_start_matches(is_of_name);
        let name_end = self.0.len() - behind.len();
        if name_end == start {
            return None;
        }
        let sign = self.skip_space(name_end);
        let value_start = if self.rest(sign).starts_with('=') {
            sign + 1
        } else {
            let space = behind.strip_prefix(':')?.chars().next()?;
            is_space(space).then(|| name_end + 1 + space.len_utf8())?
        };
        let (value, end) = self.value(value_start);
        Some(Found {
            name: &self.0[start..name_end],
            value,
            end,
        })
    }

    /// The text of the value that begins there, and where the assignment ends.
    fn value(self, start: usize) -> (&'a str, usize) {
        let quote_at = self.skip_space(start);
        let quoted = self
            .rest(quote_at)
            .chars()
            .next()
            .filter(|sign| QUOTES.contains(sign));
        let closings = quoted.map_or_else(Vec::new, |quote| self.closings(quote_at, quote));
        for closing in closings.into_iter().rev() {
            if let Some(end) = self.tail(closing + 1) {
                return (&self.0[start..=closing], end);
            }
        }
        let length = self.rest(start).find(['#', '\n']);
        let value_end = length.map_or(self.0.len(), |length| start + length);
        // Before a comment, a line break or the end of the text there is always a tail.
        (
            &self.0[start..value_end],
            self.tail(value_end).unwrap_or(value_end),
        )
    }

    /// Where the value may end that begins with that quotation mark: at each of the following ones up to the first that
    /// is not behind a backslash. One search ends where the next such value begins at the latest, which keeps the time
    /// for a whole text linear.
    fn closings(self, quote_at: usize, quote: char) -> Vec<usize> {
        let mut closings = Vec::new();
        let content = &self.0[quote_at + 1..];
        for (index, _) in content.match_indices(quote) {
            closings.push(quote_at + 1 + index);
            if !content[..index].ends_with('\\') {
                break;
            }
        }
        closings
    }

    /// The end of the assignment whose value ends there, if nothing follows but white space and a comment.
    fn tail(self, at: usize) -> Option<usize> {
        let next = self.skip_space(at);
        match self.rest(next).chars().next() {
            None => Some(next),
            Some('#') => Some(self.line_end(next)),
            Some(_) => self.0[at..next].rfind(is_line_end).map(|length| at + length),
        }
    }
}

/// Counts lines up to positions that only grow.
#[derive(Default)]
struct LineCounter {
    counted_to: usize,
    breaks: usize,
}

impl LineCounter {
    /// The number of the line that a position is on, from 1.
    fn at(&mut self, text: Text<'_>, position: usize) -> usize {
        self.breaks += text.0[self.counted_to..position].matches('\n').count();
        self.counted_to = position;
        self.breaks + 1
    }
}

/// The value of a text.
fn value_of(text: &str) -> String {
    let text = text.trim_matches(is_space);
    let value = without_quotes(text);
    if text.starts_with('"') {
        value.replace("\\n", "\n").replace("\\r", "\r")
    } else {
        value
    }
}

/// Drops a quotation mark at the start of a line and the last same one at the end of a line. A value has several lines
/// only between quotation marks, which are then the outermost, or if it contains U+2028 or U+2029.
fn without_quotes(text: &str) -> String {
    let last = QUOTES.map(|quote| (quote, last_at_line_end(text, quote)));
    let mut value = String::with_capacity(text.len());
    let (mut copied, mut line) = (0, Some(0));
    while let Some(start) = line {
        let opening = text[start..].chars().next();
        let closing = last
            .iter()
            .find_map(|(quote, last)| last.filter(|last| opening == Some(*quote) && *last > start));
        if let Some(closing) = closing {
            value.push_str(&text[copied..start]);
            value.push_str(&text[start + 1..closing]);
            copied = closing + 1;
        }
        line = Text(text).next_line(copied.max(start));
    }
    value.push_str(&text[copied..]);
    value
}

/// The last such quotation mark with the end of a line behind it.
fn last_at_line_end(text: &str, quote: char) -> Option<usize> {
    text.rmatch_indices(quote)
        .map(|(index, _)| index)
        .find(|index| text[index + 1..].chars().next().is_none_or(is_line_end))
}

/// `[\w.-]`
pub(super) fn is_of_name(sign: char) -> bool {
    sign.is_ascii_alphanumeric() || matches!(sign, '_' | '.' | '-')
}

/// `\s` of JavaScript.
pub(super) fn is_space(sign: char) -> bool {
    const NEXT_LINE: char = '\u{85}';
    const BYTE_ORDER_MARK: char = '\u{feff}';
    sign == BYTE_ORDER_MARK || (sign.is_whitespace() && sign != NEXT_LINE)
}

/// The characters that `^` matches behind and `$` before in JavaScript, `\r` aside, which is replaced first.
fn is_line_end(sign: char) -> bool {
    matches!(sign, '\n' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;
    use std::process::Command;
    use std::time::{Duration, Instant};

    use proptest::prelude::*;
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    use super::*;

    type Values = BTreeMap<String, String>;

    /// Texts, each with what the npm package reads in it.
    const CASES: &str = include_str!("../../../tests/npm/cases.json");

    fn cases() -> Vec<(String, Values)> {
        serde_json::from_str(CASES).unwrap()
    }

    fn values(text: &str) -> Values {
        let assignments = parse(text).assignments.into_iter();
        assignments
            .map(|Assignment { name, value, .. }| (name, value))
            .collect()
    }

    /// The values that front ends read in these texts, with the packages that `.ci/dotenv` installs; `None` without
    /// them.
    #[expect(
        clippy::print_stderr,
        reason = "who runs the tests should know what is not compared"
    )]
    pub(in crate::config::dotenv) fn read_with_npm(texts: &[String], reader: &str) -> Option<Vec<Values>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/npm");
        if !folder.join("node_modules/dotenv").is_dir() {
            eprintln!("skipped: the npm package dotenv is not installed; .ci/dotenv installs it");
            return None;
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), serde_json::to_vec(texts).unwrap()).unwrap();
        let node = Command::new("node")
            .arg(folder.join("read.mjs"))
            .arg(file.path())
            .arg(reader)
            .output();
        let Ok(output) = node else {
            eprintln!("skipped: node cannot be run");
            return None;
        };
        assert!(output.status.success(), "{output:?}");
        Some(serde_json::from_slice(&output.stdout).unwrap())
    }

    #[test]
    fn every_case_means_what_it_means_to_the_front_end() {
        let cases = cases();
        assert!(cases.len() >= 150);
        for (text, wanted) in cases {
            assert_eq!(values(&text), wanted, "{text:?}");
        }
    }

    #[test]
    fn the_npm_package_reads_every_case_as_it_is_stored() {
        let (texts, wanted): (Vec<_>, Vec<_>) = cases().into_iter().unzip();
        let Some(read) = read_with_npm(&texts, "dotenv") else {
            return;
        };
        for ((text, wanted), read) in texts.iter().zip(wanted).zip(read) {
            assert_eq!(read, wanted, "{text:?}");
        }
    }

    #[test]
    fn the_npm_package_reads_the_same_in_any_text() {
        const PIECES: [&str; 34] = [
            "A", "B", "=", "=", "=", ":", ": ", " ", "\t", "\n", "\n", "\n", "\r\n", "\r", "'", "'", "\"",
            "\"", "`", "\\", "\\'", "\\\"", "\\n", "#", "# ", "export ", "$", "x", "-", ".", "\u{2028}",
            "\u{a0}", "\u{feff}", "\u{85}",
        ];
        let mut runner = TestRunner::default();
        let text = prop::collection::vec(prop::sample::select(&PIECES[..]), 0..30);
        let texts: Vec<String> = (0..5_000)
            .map(|_| text.new_tree(&mut runner).unwrap().current().concat())
            .collect();
        let Some(read) = read_with_npm(&texts, "dotenv") else {
            return;
        };
        for (text, wanted) in texts.iter().zip(read) {
            assert_eq!(values(text), wanted, "{text:?}");
        }
    }

    #[test]
    fn lines_are_counted_and_those_that_assign_nothing_are_told() {
        let parsed = parse("\u{feff}A=1\r\n\r\n# note\rB='2\n2' # note\n\n?\n  C D\nexport E=5");
        let lines: Vec<_> = parsed
            .assignments
            .iter()
            .map(|found| (&*found.name, found.line))
            .collect();
        assert_eq!(lines, [("A", 1), ("B", 4), ("E", 9)]);
        let unread: Vec<_> = parsed
            .unread
            .iter()
            .map(|line| (&*line.text, line.line))
            .collect();
        assert_eq!(unread, [("?", 7), ("C D", 8)]);
    }

    proptest! {
        #[test]
        fn any_text_can_be_read(text in any::<String>()) {
            parse(&text);
        }
    }

    #[test]
    fn the_time_for_a_text_grows_with_its_length_alone() {
        let repeated = |piece: &str| piece.repeat(100_000 / piece.len());
        let started = Instant::now();
        for piece in [
            "\n",
            " ",
            "A",
            "A\n",
            "A=\n",
            "A='\n",
            "A=\"x\\\"\n",
            "A='\nB=\"\nC=`\n",
            "\\'",
            "export\n",
            "export ",
            "'\u{2028}",
            "A='x\u{2028}",
            "A=\n\n\n\n'",
            "A:\n",
            "\u{2028}#'",
        ] {
            for start in ["", "A='", "A=x", "A=\"\\\"", "A='\n"] {
                parse(&format!("{start}{}", repeated(piece)));
            }
        }
        // Together 8 MB: seconds, or minutes if the time grows with the square of the length.
        assert!(started.elapsed() < Duration::from_secs(30));
    }
}
