//! `.env`: finding it, and reading it as the front end does.

mod grammar;

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::ConfigError;
use super::names::SETTINGS;
use grammar::{Assignment, Unread, is_of_name, is_space};

/// A `.env` that settings come from.
#[derive(Debug, Clone)]
pub(super) struct Dotenv {
    pub(super) values: HashMap<String, String>,
    pub(super) origin: DotenvOrigin,
}

/// Where it is, and who else could have written it.
#[derive(Debug, Clone)]
pub(crate) struct DotenvOrigin {
    pub(crate) path: PathBuf,
    pub(crate) doubt: Option<&'static str>,
    /// Its lines that are probably meant differently.
    pub(crate) notes: Vec<Note>,
}

/// A sentence about something in a `.env` that is probably meant differently.
#[derive(Debug, Clone)]
pub(crate) struct Note {
    /// The setting whose value it is about: if the environment sets it, the note does not matter.
    pub(crate) variable: Option<&'static str>,
    line: usize,
    pub(crate) text: String,
}

/// The `.env` of the working directory or of its nearest parent that has one.
///
/// # Errors
/// There is one that cannot be read or has a line that cannot be read, or one in a parent that another user could have
/// put there: it would decide which keys are good.
pub(super) fn nearest() -> Result<Option<Dotenv>, ConfigError> {
    let Ok(folder) = std::env::current_dir() else {
        return Ok(None);
    };
    let Some(path) = nearest_dotenv(&folder) else {
        return Ok(None);
    };
    let doubt = doubt_about(&path);
    if let Some(doubt) = doubt
        && path.parent() != Some(&folder)
    {
        let place = path.display();
        let reason =
            format!("is {place}, in a parent folder, and {doubt}: it is not read. Change that, or move it");
        return Err(ConfigError::new(".env", reason));
    }
    let (values, notes) = read(&path)?;
    let origin = DotenvOrigin { path, doubt, notes };
    Ok(Some(Dotenv { values, origin }))
}

/// Why a file may be another user's work.
#[cfg(unix)]
fn doubt_about(file: &Path) -> Option<&'static str> {
    use std::os::unix::fs::MetadataExt;
    // What cannot be looked at cannot be read either, which is said there. A link and what it leads to both count.
    let (link, target) = (file.symlink_metadata().ok()?, file.metadata().ok()?);
    let us = rustix::process::geteuid().as_raw();
    doubt(us, target.mode(), [link.uid(), target.uid()])
}

/// Elsewhere rights are not that simple.
#[cfg(not(unix))]
fn doubt_about(_: &Path) -> Option<&'static str> {
    None
}

#[cfg(unix)]
fn doubt(us: u32, mode: u32, owners: [u32; 2]) -> Option<&'static str> {
    const ROOT: u32 = 0;
    const ALL_MAY_WRITE: u32 = 0o002;
    if owners.into_iter().any(|owner| owner != us && owner != ROOT) {
        Some("belongs to another user")
    } else if mode & ALL_MAY_WRITE != 0 {
        Some("may be written by all users")
    } else {
        None
    }
}

fn nearest_dotenv(folder: &Path) -> Option<PathBuf> {
    folder
        .ancestors()
        .map(|folder| folder.join(".env"))
        .find(|file| file.is_file())
}

/// The assignments of a `.env`.
///
/// # Errors
/// It cannot be read, or one of its lines may be meant for us and assigns nothing. The message names the line and
/// quotes nothing of it: it may contain a secret.
fn read(file: &Path) -> Result<(HashMap<String, String>, Vec<Note>), ConfigError> {
    let bytes = match std::fs::read(file) {
        Ok(bytes) => bytes,
        // Removed just now.
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(ConfigError::new(".env", format!("cannot be read: {error}"))),
    };
    let parsed = grammar::parse(&String::from_utf8_lossy(&bytes));
    if let Some(reason) = parsed.unread.iter().find_map(reason_against) {
        return Err(ConfigError::new(".env", reason));
    }
    let mut last: HashMap<String, Assignment> = HashMap::new();
    let mut notes = Vec::new();
    for assignment in parsed.assignments {
        notes.extend(notes_about_hidden_settings(&assignment));
        last.insert(assignment.name.clone(), assignment);
    }
    notes.extend(last.values().filter_map(note_about_dollars));
    notes.sort_by_key(|note| note.line);
    let value = |(name, assignment): (String, Assignment)| (name, assignment.value);
    Ok((last.into_iter().map(value).collect(), notes))
}

/// The fault of a line that assigns nothing, unless it certainly belongs to another program.
fn reason_against(Unread { text, line }: &Unread) -> Option<String> {
    if let Some(name) = mentioned_setting(text) {
        return Some(format!(
            "cannot be read in line {line}: {name} has no value there; write {name}=value"
        ));
    }
    // The front end's library passes over `NAME`, `NAME value` and `NAME:value`, and so do we if the name is not ours.
    let behind = text.trim_start_matches(is_of_name);
    let next = behind.chars().next();
    let is_named = behind.len() < text.len() && next.is_none_or(|next| next == ':' || is_space(next));
    (!is_named).then(|| {
        format!("cannot be read in line {line}: it is neither NAME=value nor a comment, which begins with #")
    })
}

/// The setting of ours that a line begins with, or that stands before a `=` or `:` further on (`set PORT=1`).
fn mentioned_setting(text: &str) -> Option<&'static str> {
    let mut rest = text.trim_start_matches(|sign| !is_of_name(sign));
    let mut is_first = true;
    while !rest.is_empty() {
        let behind = rest.trim_start_matches(is_of_name);
        let word = &rest[..rest.len() - behind.len()];
        let is_assigned = behind.trim_start_matches(is_space).starts_with(['=', ':']);
        if is_first || is_assigned {
            let setting = SETTINGS.into_iter().find(|name| *name == word);
            if setting.is_some() {
                return setting;
            }
        }
        is_first &= word == "export";
        rest = behind.trim_start_matches(|sign| !is_of_name(sign));
    }
    None
}

/// Settings of ours on lines that belong to the value of another variable.
fn notes_about_hidden_settings(assignment: &Assignment) -> Vec<Note> {
    let Assignment { name, line, .. } = assignment;
    let lines = assignment
        .further_lines
        .iter()
        .flat_map(|lines| lines.split('\n'));
    let hidden = lines.enumerate().filter_map(|(index, text)| {
        let text = text.trim_start();
        let text = text.strip_prefix("export ").unwrap_or(text).trim_start();
        let setting = SETTINGS
            .into_iter()
            .find(|name| text.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with('=')))?;
        let hidden_line = line + index;
        Some(Note {
            variable: None,
            line: hidden_line,
            text: format!(
                ".env: {setting} in line {hidden_line} is not set, because the value of {name} that begins in line \
                 {line} goes on to there"
            ),
        })
    });
    hidden.collect()
}

/// Whether programs that replace `$NAME` in values, as Next.js and Vite do wherever it stands, read another value.
fn note_about_dollars(
    Assignment {
        name, value, line, ..
    }: &Assignment,
) -> Option<Note> {
    let mut before = None;
    let mut signs = value.chars().peekable();
    let mut is_replaced = false;
    while let Some(sign) = signs.next() {
        let next = signs.peek().copied();
        is_replaced |= match (sign, before) {
            ('$', Some('\\')) => true,
            ('$', _) => next.is_some_and(|next| next == '{' || next == '_' || next.is_ascii_alphanumeric()),
            _ => false,
        };
        before = Some(sign);
    }
    let setting = SETTINGS.into_iter().find(|setting| setting == name)?;
    is_replaced.then(|| Note {
        variable: Some(setting),
        line: *line,
        text: format!(
            ".env: {setting} in line {line} contains a $ that stands for itself here, but Next.js and Vite read it as \
             the start of a variable, even between quotation marks, and so have another value: set {setting} without a \
             $, or in the environment"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a `.env` with this text assigns, with the sentences about it, or why it is refused.
    fn read_text(text: &str) -> Result<(HashMap<String, String>, Vec<String>), String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(".env");
        std::fs::write(&file, text).unwrap();
        let (values, notes) = read(&file).map_err(|error| error.to_string())?;
        Ok((values, notes.into_iter().map(|note| note.text).collect()))
    }

    #[test]
    fn what_only_the_front_end_wants_does_not_matter_wherever_it_cannot_be_read() {
        for text in [
            "NEXT_PUBLIC_NAME=two words\nTITLE=Alice's tasks\n# don't\nTEXT=\"open\nPORT=1",
            "NAME\nexport NAME\nexport  NAME\nNAME value\nNAME:value\n\u{feff}  NAME\t# note\nPORT=1",
            "X-PORT\nPORTS 1\nNEXT_PUBLIC_PORT\nport 1\nNAME of the PORT\nPORT=1",
        ] {
            let (values, notes) = read_text(text).unwrap();
            assert_eq!(values.get("PORT").map(String::as_str), Some("1"), "{text}");
            assert_eq!(notes, [""; 0], "{text}");
        }
    }

    #[test]
    fn a_line_of_ours_that_cannot_be_read_is_named_and_not_quoted() {
        for (text, setting) in [
            ("A=1\n\nBETTER_AUTH_SECRET hunter2", "BETTER_AUTH_SECRET"),
            ("A=1\r\n\r\nBETTER_AUTH_SECRET:hunter2", "BETTER_AUTH_SECRET"),
            ("A=1\n\nexport BETTER_AUTH_SECRET", "BETTER_AUTH_SECRET"),
            ("A='1\n'\n\"DATABASE_URL\"=hunter2", "DATABASE_URL"),
            ("A=1\n# note\nset PORT=hunter2", "PORT"),
            ("A=1\n# note\n- PORT : hunter2", "PORT"),
            ("A=1\n# note\nPORT? hunter2\nPORT=1", "PORT"),
        ] {
            let wanted =
                format!(".env cannot be read in line 3: {setting} has no value there; write {setting}=value");
            assert_eq!(read_text(text).unwrap_err(), wanted, "{text}");
        }
        for text in ["\n=hunter2", "\nMY+KEY=hunter2", "\n\"hunter2\"", "\n$A hunter2"] {
            let wanted =
                ".env cannot be read in line 2: it is neither NAME=value nor a comment, which begins with #";
            assert_eq!(read_text(text).unwrap_err(), wanted, "{text}");
        }
    }

    #[test]
    fn a_setting_within_the_value_of_another_variable_is_noticed() {
        let text =
            "\nTITLE=\"open\nPORT=1\n  export HOST = x\nBETTER_AUTH_SECRETS_OF=1\n# PORT=2\n\"\nWORKERS=2";
        let (values, notes) = read_text(text).unwrap();
        assert!(!values.contains_key("PORT"));
        assert_eq!(values.get("WORKERS").map(String::as_str), Some("2"));
        let sentence = |setting: &str, line: usize| {
            format!(
                ".env: {setting} in line {line} is not set, because the value of TITLE that begins in line 2 goes on \
                 to there"
            )
        };
        assert_eq!(notes, [sentence("PORT", 3), sentence("HOST", 4)]);
        let (_, notes) = read_text("TITLE:\nPORT=1").unwrap();
        assert_eq!(notes.len(), 1);
    }

    /// Values, and what Next.js makes of them if that is something else.
    const DOLLARS: [(&str, Option<&str>); 16] = [
        ("a$HOME_OF_NOBODY", Some("a")),
        ("a${HOME_OF_NOBODY}b", Some("ab")),
        ("'a$HOME_OF_NOBODY'", Some("a")),
        ("\"a$HOME_OF_NOBODY\"", Some("a")),
        ("`a$HOME_OF_NOBODY`", Some("a")),
        ("$2b$10$abc", Some("")),
        ("a\\$b", Some("a$b")),
        ("'a\\$\\$b'", Some("a$$b")),
        ("a$$b", Some("a$")),
        ("a${b:-c}d", Some("acd")),
        ("a$", None),
        ("a$$", None),
        ("a$-b", None),
        ("a$ b", None),
        ("a$/b", None),
        ("a$\u{e9}", None),
    ];

    #[test]
    fn a_dollar_stays_as_it_is_and_is_noticed_if_next_js_has_another_value() {
        for (value, next) in DOLLARS {
            let (values, notes) = read_text(&format!("PORT={value}\nOTHER={value}")).unwrap();
            let text = value.trim_matches(['\'', '"', '`']);
            assert_eq!(values.get("PORT").map(String::as_str), Some(text), "{value}");
            assert_eq!(notes.len(), usize::from(next.is_some()), "{value}");
            let named = notes.iter().all(|note| note.starts_with(".env: PORT in line 1 "));
            assert!(
                named && notes.iter().all(|note| !note.contains(text)),
                "{notes:?}"
            );
        }
    }

    #[test]
    fn next_js_makes_of_a_dollar_what_is_said_here() {
        let Some(read) =
            grammar::tests::read_with_npm(&DOLLARS.map(|(value, _)| format!("PORT={value}")), "next")
        else {
            return;
        };
        for ((value, next), read) in DOLLARS.into_iter().zip(read) {
            let text = value.trim_matches(['\'', '"', '`']);
            assert_eq!(read["PORT"], next.unwrap_or(text), "{value}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_of_another_user_or_of_all_is_doubtful_and_one_of_ours_or_of_root_is_not() {
        let (us, other) = (1_000, 1_001);
        assert_eq!(doubt(us, 0o100_644, [us, us]), None);
        assert_eq!(doubt(us, 0o100_664, [0, us]), None);
        assert_eq!(
            doubt(us, 0o100_666, [us, us]),
            Some("may be written by all users")
        );
        for owners in [[other, us], [us, other]] {
            assert_eq!(doubt(us, 0o100_600, owners), Some("belongs to another user"));
        }
        assert_eq!(doubt(0, 0o100_600, [us, us]), Some("belongs to another user"));
    }

    #[test]
    fn dotenv_is_found_in_a_parent() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        std::fs::create_dir_all(&inner).unwrap();
        let file = folder.path().join(".env");
        std::fs::write(&file, "A=1").unwrap();
        assert_eq!(nearest_dotenv(&inner), Some(file));
    }
}
