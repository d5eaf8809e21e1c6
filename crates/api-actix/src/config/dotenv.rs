//! `.env`: finding it, and reading what can be read of it.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::ConfigError;

/// The values of the `.env` of the working directory or of its nearest parent that has one; none if there is none.
///
/// # Errors
/// There is one that cannot be read.
pub(super) fn nearest_values() -> Result<HashMap<String, String>, ConfigError> {
    let folder = std::env::current_dir().ok();
    match folder.and_then(|folder| nearest_dotenv(&folder)) {
        Some(file) => dotenv_values(&file),
        None => Ok(HashMap::new()),
    }
}

fn nearest_dotenv(folder: &Path) -> Option<PathBuf> {
    folder
        .ancestors()
        .map(|folder| folder.join(".env"))
        .find(|file| file.is_file())
}

/// The values of a `.env`. Lines that we cannot read belong to somebody else's program; they are passed over, because
/// a message about them might quote a secret.
fn dotenv_values(file: &Path) -> Result<HashMap<String, String>, ConfigError> {
    let bytes = match std::fs::read(file) {
        Ok(bytes) => bytes,
        // Removed just now.
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(ConfigError::new(".env", format!("cannot be read: {error}"))),
    };
    let text = String::from_utf8_lossy(&bytes);
    let readable: Vec<_> = text
        .trim_start_matches('\u{feff}')
        .lines()
        .filter(|line| stands_alone(line))
        .collect();
    // All of them at once, because a value may mention those above it.
    let readable = readable.join("\n");
    let values = dotenvy::from_read_iter(readable.as_bytes());
    Ok(values.filter_map(Result::ok).collect())
}

/// Whether a line is readable by itself. The apostrophe of `TITLE=Alice's` would else swallow the lines below it; none
/// of our values has several lines.
fn stands_alone(line: &str) -> bool {
    dotenvy::from_read_iter(line.as_bytes()).all(|value| value.is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_dotenv_that_we_cannot_read_hides_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(".env");
        std::fs::write(&file, "A=1\nNEXT_PUBLIC_NAME=two words\n# note\nB='x y'\n").unwrap();
        let values = dotenv_values(&file).unwrap();
        assert_eq!(values.get("A").map(String::as_str), Some("1"));
        assert_eq!(values.get("B").map(String::as_str), Some("x y"));
    }

    #[test]
    fn a_quote_that_nobody_closes_swallows_no_other_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(".env");
        std::fs::write(
            &file,
            "\u{feff}A=1\nTITLE=Alice's tasks\n# don't\nTEXT=\"open\nB=${A}2\nC='3'",
        )
        .unwrap();
        let values = dotenv_values(&file).unwrap();
        let value = |name: &str| values.get(name).map(String::as_str);
        assert_eq!(
            [value("A"), value("B"), value("C")],
            [Some("1"), Some("12"), Some("3")]
        );
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
