//! Commands for containers and shells: `healthcheck`, secrets in files, and completions.

use std::net::TcpListener;
use std::time::Duration;

use super::{complaint, printed};
use crate::support::{Binary, SECRET, Storage, TaskApi, token_signed_with};

fn healthcheck(url: &str) -> TaskApi {
    let port = url.rsplit_once(':').expect("a port").1;
    TaskApi::with(&["healthcheck"]).env("PORT", port)
}

async fn server(folder: &tempfile::TempDir) -> Binary {
    let url = format!("sqlite:{}", folder.path().join("tasks.db").display());
    TaskApi::serve_on(&url).start().await
}

#[tokio::test]
async fn a_ready_server_is_healthy_wherever_it_listens() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(&folder).await;
    for host in ["127.0.0.1", "localhost", "0.0.0.0", "127.1", "0"] {
        assert_eq!(
            printed(&healthcheck(server.url()).env("HOST", host)),
            "",
            "{host}"
        );
    }
}

#[tokio::test]
async fn a_ready_server_on_ipv6_is_healthy() {
    // Not every machine has it.
    if TcpListener::bind("[::1]:0").is_err() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("tasks.db").display());
    for listening in ["::", "[::]", "[::1]"] {
        let server = TaskApi::serve_on(&url).env("HOST", listening).start().await;
        assert!(server.url().starts_with("http://[::"), "{}", server.url());
        for host in ["::", "::1", "[::]", "[::1]"] {
            assert_eq!(
                printed(&healthcheck(server.url()).env("HOST", host)),
                "",
                "{host}"
            );
        }
    }
}

#[tokio::test]
async fn a_server_that_is_stopping_or_gone_is_not_healthy() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(&folder).await;
    server.signal("TERM");
    server.exit_code(Duration::from_secs(10)).await;
    let words = complaint(&healthcheck(server.url()), 1);
    assert!(words.contains("is not ready: "), "{words}");
}

#[test]
fn something_else_at_that_port_is_not_healthy() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || drop(listener.accept()));
    let words = complaint(&healthcheck(&url), 1);
    assert!(words.contains("is not ready"), "{words}");
}

/// Whether tokens signed with that secret are good.
async fn trusts(binary: &Binary, secret: &str) -> bool {
    let token = token_signed_with(secret, "alice", chrono::TimeDelta::minutes(1));
    let api = binary.api(Storage::Sqlite);
    api.bearer(&token).get("/api/tasks").await.status == 200
}

#[tokio::test]
async fn secrets_may_stand_in_files_and_the_line_break_at_the_end_does_not_count() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let url = format!("sqlite:{}\r\n", folder.path().join("tasks.db").display());
    let older = "the-older-secret-0123456789-0123456789";
    let binary = TaskApi::with(&["serve"])
        .env("PORT", "0")
        .env("DATABASE_URL_FILE", &file("url", &url))
        .env("BETTER_AUTH_SECRET_FILE", &file("secret", &format!("{SECRET}\n")))
        .env(
            "BETTER_AUTH_SECRETS_FILE",
            &file("secrets", &format!("1:{older}")),
        )
        .start()
        .await;
    assert!(trusts(&binary, SECRET).await && trusts(&binary, older).await);
    assert!(folder.path().join("tasks.db").exists());
}

#[tokio::test]
async fn fr_005_while_the_secret_is_changed_both_are_good_and_afterwards_only_the_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("tasks.db").display());
    let (old, new) = (SECRET, "the-new-secret-0123456789-0123456789abc");
    let serve = async |name: &str, value: &str| {
        let task_api = TaskApi::serve_on(&url)
            .without("BETTER_AUTH_SECRET")
            .env(name, value);
        task_api.start().await
    };
    let trusted = async |binary: &Binary| (trusts(binary, old).await, trusts(binary, new).await);

    let before = serve("BETTER_AUTH_SECRET", old).await;
    assert_eq!(trusted(&before).await, (true, false));
    let meanwhile = serve("BETTER_AUTH_SECRETS", &format!("2:{new},1:{old}")).await;
    assert_eq!(trusted(&meanwhile).await, (true, true));
    let after = serve("BETTER_AUTH_SECRET", new).await;
    assert_eq!(trusted(&after).await, (false, true));
}

#[test]
fn a_secret_that_is_given_twice_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, SECRET).unwrap();
    let task_api =
        TaskApi::serve_on("sqlite:tasks.db").env("BETTER_AUTH_SECRET_FILE", &file.display().to_string());
    assert_eq!(
        complaint(&task_api, 78),
        "task-api: BETTER_AUTH_SECRET_FILE is set, and so is BETTER_AUTH_SECRET: keep one of them\n"
    );
}

#[test]
fn a_secret_file_that_is_missing_or_blank_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    let task_api = TaskApi::serve_on("sqlite:tasks.db")
        .without("BETTER_AUTH_SECRET")
        .env("BETTER_AUTH_SECRET_FILE", &file.display().to_string());
    let missing = complaint(&task_api, 78);
    assert!(
        missing.contains("BETTER_AUTH_SECRET_FILE names a file that cannot be read: "),
        "{missing}"
    );
    std::fs::write(&file, " \n").unwrap();
    let blank = complaint(&task_api, 78);
    assert_eq!(
        blank,
        "task-api: BETTER_AUTH_SECRET_FILE names a file that is blank\n"
    );
}

#[test]
fn completions_name_every_command_for_every_shell() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = printed(&TaskApi::with(&["completions", shell]));
        for command in ["serve", "check-config", "healthcheck", "token"] {
            assert!(script.contains(command), "{shell}: {command}");
        }
    }
}

#[test]
fn bash_reads_its_completions() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("task-api.bash");
    std::fs::write(&file, printed(&TaskApi::with(&["completions", "bash"]))).unwrap();
    let bash = std::process::Command::new("bash").arg("-n").arg(&file).output();
    let Ok(output) = bash else { return };
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test]
async fn arguments_count_before_the_settings() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = |task_api: TaskApi| {
        task_api
            .in_folder(folder.path())
            .env("HOST", "192.0.2.1")
            .env("PORT", "1")
    };
    let url = format!("sqlite:{}", folder.path().join("tasks.db").display());
    let arguments = ["--host", "127.1", "--port", "0"];
    for command in ["serve", "dev"] {
        let task_api = TaskApi::with(&[&[command][..], &arguments].concat());
        let task_api = elsewhere(task_api)
            .env("DATABASE_URL", &url)
            .env("BETTER_AUTH_SECRET", SECRET);
        let server = task_api.start().await;
        let port = server
            .url()
            .strip_prefix("http://127.0.0.1:")
            .expect("that address")
            .to_owned();
        let healthcheck = TaskApi::with(&["healthcheck", "--host=127.0.0.1", "--port", &port]);
        assert_eq!(printed(&elsewhere(healthcheck)), "", "{command}");
        assert!(!server.log().contains("no loopback address"), "{}", server.log());
    }
    for (argument, value) in [
        ("--host", "http://localhost"),
        ("--host", ""),
        ("--port", "65536"),
        ("--port", "http"),
    ] {
        let (output, _) = TaskApi::with(&["serve", argument, value]).output();
        assert_eq!(output.status.code(), Some(2), "{argument} {value}");
    }
    let help = printed(&TaskApi::with(&["dev", "--help"]));
    assert!(
        help.contains("--host <HOST>") && help.contains("--port <PORT>"),
        "{help}"
    );
}
