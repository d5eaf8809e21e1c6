//! Finding PostgreSQL's programs and a user that may run them.

use std::path::{Path, PathBuf};
use std::process::Command;

const MISSING: &str = "these tests need PostgreSQL's programs: install them (Debian and Ubuntu: apt-get install \
                       postgresql), or set PG_BIN to the folder of initdb, or TEST_DATABASE_URL to a server on \
                       which databases may be created";

/// The folder that holds `initdb`, `pg_ctl` and `postgres`.
pub(crate) fn folder() -> PathBuf {
    let named = std::env::var_os("PG_BIN").map(PathBuf::from);
    let on_path = std::env::var_os("PATH")
        .map(|path| std::env::split_paths(&path).collect::<Vec<_>>())
        .unwrap_or_default()
        .into_iter()
        // A link on the path leads to the folder where the other programs are.
        .filter_map(|folder| {
            folder
                .join("initdb")
                .canonicalize()
                .ok()?
                .parent()
                .map(Path::to_owned)
        });
    named
        .into_iter()
        .chain(on_path)
        .chain(debian_folders())
        .find(|folder| folder.join("initdb").is_file() && folder.join("pg_ctl").is_file())
        .expect(MISSING)
}

/// Debian keeps each major version in a folder of its own, outside `PATH`; the newest comes first.
fn debian_folders() -> Vec<PathBuf> {
    let mut folders: Vec<_> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .map(|entry| entry.path().join("bin"))
        .collect();
    folders.sort_by_key(|folder| {
        let version = folder
            .parent()
            .and_then(Path::file_name)
            .and_then(|name| name.to_str()?.parse().ok());
        std::cmp::Reverse(version.unwrap_or(0_u32))
    });
    folders
}

/// How to run one of the programs: as we are, or, if we are root, as someone who may.
pub(crate) struct Runner {
    folder: PathBuf,
    user: Option<String>,
}

impl Runner {
    pub(crate) fn new() -> Self {
        let user = is_root().then(|| {
            ["postgres", "nobody"]
                .into_iter()
                .find(|user| succeeds(Command::new("id").arg(user)))
                .expect("running PostgreSQL as root needs an unprivileged user named postgres or nobody")
                .to_owned()
        });
        Self {
            folder: folder(),
            user,
        }
    }

    /// Gives a folder to anyone who will run the programs.
    pub(crate) fn hand_over(&self, folder: &Path) {
        if let Some(user) = &self.user {
            assert!(
                succeeds(Command::new("chown").arg(user).arg(folder)),
                "chown {user} failed"
            );
        }
    }

    /// The words that start a program, before its own arguments.
    pub(crate) fn words(&self, program: &str) -> Vec<String> {
        self.words_of(&self.folder.join(program).to_string_lossy())
    }

    /// The same for a program that is elsewhere.
    pub(crate) fn words_of(&self, program: &str) -> Vec<String> {
        match &self.user {
            Some(user) => [
                "setpriv",
                &format!("--reuid={user}"),
                &format!("--regid={}", group_of(user)),
                "--clear-groups",
                program,
            ]
            .map(str::to_owned)
            .to_vec(),
            None => vec![program.to_owned()],
        }
    }

    pub(crate) fn command(&self, program: &str) -> Command {
        let words = self.words(program);
        let mut words = words.iter();
        let mut command = Command::new(words.next().expect("a program"));
        command.args(words);
        command
    }
}

fn is_root() -> bool {
    output_of(Command::new("id").arg("-u")) == "0"
}

fn group_of(user: &str) -> String {
    output_of(Command::new("id").args(["-g", user]))
}

fn output_of(command: &mut Command) -> String {
    let output = command.output().expect("running id");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}
