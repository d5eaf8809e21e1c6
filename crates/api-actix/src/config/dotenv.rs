//! `.env`: finding it, and reading what can be read of it.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::ConfigError;

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
}

/// The `.env` of the working directory or of its nearest parent that has one.
///
/// # Errors
/// There is one that cannot be read, or one in a parent that somebody else could have put there: it would decide which
/// keys are good.
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
    let values = dotenv_values(&path)?;
    let origin = DotenvOrigin { path, doubt };
    Ok(Some(Dotenv { values, origin }))
}

/// Why a file may be somebody else's work.
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
