//! Where settings come from: `.env.example` tells the truth about them, and the binary reads `.env` as FR-003 and
//! FR-005 ask for.
#![expect(clippy::expect_used, reason = "in tests a broken set-up should panic")]

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use crate::support::{Binary, SECRET, Storage, TaskApi, token_signed_with};
use api_actix::config::{Config, LogConfig, LogFormat, SETTINGS, Source};

const EXAMPLE: &str = include_str!("../../../../.env.example");

/// A line of `.env.example`: the name, and the value, whether it is commented out or not.
fn setting(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.strip_prefix('#').unwrap_or(line).split_once('=')?;
    let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    is_name(name).then_some((name, value))
}

/// Settings with which everything is asked for.
fn source(values: impl IntoIterator<Item = (&'static str, &'static str)>) -> Source {
    let complete = [
        ("DATABASE_URL", "postgresql://user@localhost/tasks"),
        ("BETTER_AUTH_SECRET", SECRET),
    ];
    let values = values.into_iter().chain(complete);
    let values = values.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Source::of_layers(HashMap::new(), values.collect())
}

/// Everything that is read from the settings, as text; secrets are not shown.
fn meaning_of(source: &Source) -> String {
    let config = Config::from_source(source).expect("good settings");
    let log = LogConfig::from_source(source, LogFormat::Json).expect("good settings");
    format!("{config:#?} {log:#?}")
}

#[test]
fn the_example_lists_exactly_the_settings_that_the_code_asks_for_each_once() {
    let source = source([]);
    meaning_of(&source);
    let mut listed: Vec<_> = EXAMPLE
        .lines()
        .filter_map(setting)
        .map(|(name, _)| name)
        .collect();
    listed.sort_unstable();
    let asked: Vec<_> = source.asked().into_keys().collect();
    assert_eq!(listed, asked);
}

#[test]
fn the_list_of_settings_has_those_of_the_example_and_those_of_copy() {
    let mut wanted: Vec<_> = EXAMPLE
        .lines()
        .filter_map(setting)
        .map(|(name, _)| name)
        .collect();
    wanted.extend(["COPY_FROM", "COPY_FROM_FILE", "COPY_TO", "COPY_TO_FILE"]);
    wanted.sort_unstable();
    assert_eq!(SETTINGS.to_vec(), wanted);
}

#[test]
fn the_example_shows_the_real_defaults() {
    let shown = EXAMPLE
        .lines()
        .filter(|line| line.starts_with('#'))
        .filter_map(setting);
    let shown: Vec<_> = shown.filter(|(_, value)| !value.is_empty()).collect();
    assert!(shown.len() > 8, "{shown:?}");
    assert_eq!(meaning_of(&source(shown)), meaning_of(&source([])));
}

#[test]
fn the_document_lists_exactly_the_settings_that_the_code_asks_for_with_their_defaults() {
    let source = source([]);
    meaning_of(&source);
    let document = include_str!("../../../../docs/configuration.md");
    let mut listed = Vec::new();
    for line in document.lines() {
        let Some((name, rest)) = line.strip_prefix("| `").and_then(|line| line.split_once("` | ")) else {
            continue;
        };
        let shown = rest
            .strip_prefix('`')
            .and_then(|default| default.split('`').next());
        let default = source.asked().remove(name).flatten();
        // It depends on the machine.
        if name != "WORKERS" {
            assert_eq!(shown.map(str::to_owned), default, "{name}");
        }
        listed.push(name);
    }
    listed.sort_unstable();
    let asked: Vec<_> = source.asked().into_keys().collect();
    assert_eq!(listed, asked);
}

#[test]
fn every_setting_of_the_example_is_explained_above_it() {
    let lines: Vec<_> = EXAMPLE.lines().collect();
    for (index, line) in lines.iter().enumerate() {
        if let Some((name, _)) = setting(line) {
            let block = lines[..index].iter().rev().take_while(|line| !line.is_empty());
            let is_explained = block.into_iter().any(|line| line.starts_with("# "));
            assert!(is_explained, "{name}");
        }
    }
}

#[test]
fn a_copy_of_the_example_asks_for_the_secret_and_for_nothing_else() {
    let values: HashMap<_, _> = EXAMPLE
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(setting)
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let read = |values| Config::from_source(&Source::of_layers(values, HashMap::new()));
    let error = read(values.clone()).unwrap_err().to_string();
    assert!(error.starts_with("BETTER_AUTH_SECRET is not set"), "{error}");
    let mut filled = values;
    filled.insert("BETTER_AUTH_SECRET".to_owned(), SECRET.to_owned());
    read(filled).unwrap();
}

/// A folder with a `.env` and, deeper in it, another folder to start from.
struct Project {
    root: tempfile::TempDir,
}

impl Project {
    /// `.env` keeps tasks in the folder, and has these lines besides.
    fn with(lines: &str) -> Self {
        let root = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir_all(root.path().join("apps/web")).expect("folders");
        let database = root.path().join("tasks.db");
        let text = format!("{lines}\nDATABASE_URL=sqlite:{}\nPORT=0\n", database.display());
        fs::write(root.path().join(".env"), text).expect("a file");
        Self { root }
    }

    /// `serve` with nothing in its environment, started in this folder of the project.
    fn serve_from(&self, folder: &str) -> TaskApi {
        TaskApi::with(&["serve"]).in_folder(&self.root.path().join(folder))
    }

    fn has(&self, file: &str) -> bool {
        self.root.path().join(file).exists()
    }
}

/// Whether tokens signed with that secret are good.
async fn trusts(binary: &Binary, secret: &str) -> bool {
    let token = token_signed_with(secret, "alice", chrono::TimeDelta::minutes(1));
    let api = binary.api(Storage::Sqlite);
    api.bearer(&token).get("/api/tasks").await.status == 200
}

#[tokio::test]
async fn fr_003_fr_005_the_binary_reads_dotenv_from_its_folder_and_from_a_parent() {
    for folder in ["", "apps/web"] {
        let project = Project::with(&format!("BETTER_AUTH_SECRET={SECRET}"));
        let binary = project.serve_from(folder).start().await;
        assert!(project.has("tasks.db"), "{folder:?}");
        assert!(trusts(&binary, SECRET).await, "{folder:?}");
    }
}

#[tokio::test]
async fn the_nearest_dotenv_counts_alone() {
    let project = Project::with("BETTER_AUTH_SECRET=the-outer-secret-0123456789-0123456789");
    let inner = project.root.path().join("apps/web");
    let text = format!("BETTER_AUTH_SECRET={SECRET}\nDATABASE_URL=sqlite:inner.db\nPORT=0\n");
    fs::write(inner.join(".env"), text).unwrap();
    let binary = project.serve_from("apps/web").start().await;
    assert!(trusts(&binary, SECRET).await);
    assert!(project.has("apps/web/inner.db") && !project.has("tasks.db"));
}

#[tokio::test]
async fn fr_003_the_environment_counts_before_dotenv_and_a_blank_value_counts_as_none() {
    let project = Project::with("BETTER_AUTH_SECRET=the-secret-of-the-file-0123456789-0123456789");
    let elsewhere = format!("sqlite:{}", project.root.path().join("other.db").display());
    let task_api = project
        .serve_from("")
        .env("BETTER_AUTH_SECRET", SECRET)
        .env("DATABASE_URL", &elsewhere);
    let binary = task_api.start().await;
    assert!(trusts(&binary, SECRET).await);
    assert!(!trusts(&binary, "the-secret-of-the-file-0123456789-0123456789").await);
    assert!(project.has("other.db") && !project.has("tasks.db"));

    let binary = project.serve_from("").env("BETTER_AUTH_SECRET", "").start().await;
    assert!(trusts(&binary, "the-secret-of-the-file-0123456789-0123456789").await);
}

#[tokio::test]
async fn lines_that_only_the_front_end_understands_do_not_matter() {
    let lines = format!(
        "NEXT_PUBLIC_NAME=two words\nNEXT_PUBLIC_TITLE=Alice's tasks\n# don't touch\nNEXT_PUBLIC_QUOTE=\"open\n\
         NEXT_PUBLIC_MODE\nlog_format=yaml\nbetter_auth_secret=of-another-program\nBETTER_AUTH_SECRET={SECRET}"
    );
    let project = Project::with(&lines);
    let binary = project.serve_from("").start().await;
    assert!(trusts(&binary, SECRET).await);
}

#[tokio::test]
async fn a_value_is_what_the_front_end_reads() {
    // What is signed with is compared with the text before `#`, without the quotation marks and with what is in them.
    for (value, secret) in [
        ("abcdefgh#ijkl-0123456789-0123456789", "abcdefgh"),
        (
            r#""abcdefgh#ijkl-0123456789-0123456789" # note"#,
            "abcdefgh#ijkl-0123456789-0123456789",
        ),
        (
            "`abc-0123456789-0123456789-01234567`",
            "abc-0123456789-0123456789-01234567",
        ),
        (
            r#"a"b"c-0123456789-0123456789-0123456"#,
            r#"a"b"c-0123456789-0123456789-0123456"#,
        ),
        (
            "abc'def-0123456789-0123456789-01234",
            "abc'def-0123456789-0123456789-01234",
        ),
        (
            r"ab\cd-0123456789-0123456789-0123456",
            r"ab\cd-0123456789-0123456789-0123456",
        ),
        (
            "two words-0123456789-0123456789-012",
            "two words-0123456789-0123456789-012",
        ),
        (
            "${OTHER}-0123456789-0123456789-0123",
            "${OTHER}-0123456789-0123456789-0123",
        ),
    ] {
        let project = Project::with(&format!("OTHER=other\nexport BETTER_AUTH_SECRET={value}"));
        let binary = project.serve_from("").start().await;
        assert!(trusts(&binary, secret).await, "{value}");
        let notes = binary.entries(
            ".env: BETTER_AUTH_SECRET in line 2 contains a $ that stands for itself here, but Next.js and Vite read it \
             as the start of a variable, even between quotation marks, and so have another value: set \
             BETTER_AUTH_SECRET without a $, or in the environment",
        );
        assert_eq!(notes.len(), usize::from(value.contains('$')), "{}", binary.log());
    }
}

#[test]
fn a_line_of_ours_that_cannot_be_read_ends_the_start_with_its_number_and_without_its_text() {
    let project = Project::with("OTHER=1\nBETTER_AUTH_SECRET: hunter2\nexport PORT hunter2");
    for command in ["serve", "check-config"] {
        let (output, _) = TaskApi::with(&[command]).in_folder(project.root.path()).output();
        assert_eq!(output.status.code(), Some(78), "{output:?}");
        let complaint = String::from_utf8(output.stderr).expect("text");
        let wanted = "task-api: .env cannot be read in line 3: PORT has no value there; write PORT=value\n";
        assert_eq!(complaint, wanted);
    }
}

#[test]
fn check_config_tells_what_is_probably_meant_differently() {
    let project =
        Project::with("BETTER_AUTH_SECRET='pa$word-0123456789-0123456789-0123'\nTITLE=\"a\nWORKERS=1\n\"");
    let check = |task_api: TaskApi| {
        let (output, _) = task_api.in_folder(project.root.path()).output();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let printed = String::from_utf8(output.stdout).expect("text");
        assert!(!printed.contains("pa$word"), "{printed}");
        printed
    };
    let printed = check(TaskApi::with(&["check-config"]));
    let warnings: Vec<_> = printed
        .lines()
        .filter(|line| line.starts_with("warning: "))
        .collect();
    assert_eq!(warnings.len(), 2, "{printed}");
    assert!(
        warnings[0].starts_with("warning: .env: BETTER_AUTH_SECRET in line 1 contains a $"),
        "{printed}"
    );
    assert!(
        warnings[1].starts_with("warning: .env: WORKERS in line 3 is not set"),
        "{printed}"
    );
    // What the environment replaces does not matter.
    let printed = check(TaskApi::with(&["check-config"]).env("BETTER_AUTH_SECRET", SECRET));
    assert!(!printed.contains("contains a $"), "{printed}");
}

/// Not even the administrator can read this one.
#[cfg(target_os = "linux")]
#[test]
fn a_dotenv_that_cannot_be_read_is_an_error_of_every_command_that_wants_settings_and_of_no_other() {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/proc/self/mem", folder.path().join(".env")).unwrap();
    let ended = |arguments: &[&str]| {
        let task_api = TaskApi::with(arguments).env("BETTER_AUTH_SECRET", SECRET);
        let (output, _) = task_api.in_folder(folder.path()).output();
        (
            output.status.code(),
            String::from_utf8(output.stderr).expect("text"),
        )
    };
    for arguments in [
        &["serve"][..],
        &["check-config"],
        &["token", "--user", "alice"],
        &["healthcheck"],
    ] {
        let (code, complaint) = ended(arguments);
        assert_eq!(code, Some(78), "{arguments:?}: {complaint}");
        assert!(
            complaint.starts_with("task-api: .env cannot be read: "),
            "{complaint}"
        );
    }
    for arguments in [
        &["openapi"][..],
        &["completions", "bash"],
        &["--help"],
        &["--version"],
    ] {
        assert_eq!(ended(arguments), (Some(0), String::new()), "{arguments:?}");
    }
}

#[test]
fn a_folder_without_dotenv_is_no_error_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    assert!(!Path::new(&folder.path().join(".env")).exists());
    let (output, _) = TaskApi::with(&["token", "--user", "alice"])
        .env("BETTER_AUTH_SECRET", SECRET)
        .in_folder(folder.path())
        .output();
    assert!(output.status.success(), "{output:?}");
}

/// A folder with a `.env` of these rights, and a folder in it.
#[cfg(unix)]
fn nested(rights: u32) -> (tempfile::TempDir, std::path::PathBuf) {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join(".env");
    fs::write(&file, format!("BETTER_AUTH_SECRET={SECRET}\n")).expect("a file");
    fs::set_permissions(&file, fs::Permissions::from_mode(rights)).expect("rights");
    let inner = folder.path().join("inner");
    fs::create_dir(&inner).expect("a folder");
    (folder, inner)
}

#[cfg(unix)]
fn server_in(folder: &Path) -> TaskApi {
    let server = TaskApi::serve_on("sqlite:tasks.db").without("BETTER_AUTH_SECRET");
    server.in_folder(folder)
}

#[cfg(unix)]
#[tokio::test]
async fn the_log_says_which_dotenv_counts() {
    let (folder, inner) = nested(0o600);
    let server = server_in(&inner).start().await;
    let entries = server.entries("settings are read from .env");
    let wanted = folder.path().canonicalize().expect("a path").join(".env");
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0]["path"].as_str(), wanted.to_str());
}

#[cfg(unix)]
#[test]
fn a_dotenv_of_a_parent_folder_that_others_could_have_written_is_refused() {
    let refusal = |inner: &Path| {
        let (output, _) = server_in(inner).output();
        assert_eq!(output.status.code(), Some(78), "{output:?}");
        String::from_utf8(output.stderr).expect("text")
    };
    let (_folder, inner) = nested(0o666);
    let line = refusal(&inner);
    assert!(
        line.starts_with("task-api: .env ") && line.contains("may be written by all"),
        "{line}"
    );
    assert!(!line.contains(SECRET), "{line}");
    let (folder, inner) = nested(0o600);
    // Only root can give a file away.
    if std::os::unix::fs::chown(folder.path().join(".env"), Some(12_345), None).is_ok() {
        let line = refusal(&inner);
        assert!(line.contains("belongs to another user"), "{line}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_dotenv_of_the_working_folder_that_others_could_have_written_is_read_with_a_warning() {
    let (folder, _) = nested(0o666);
    let server = server_in(folder.path()).start().await;
    assert_eq!(
        server.entries(".env may be written by all users").len(),
        1,
        "{}",
        server.log()
    );
}
