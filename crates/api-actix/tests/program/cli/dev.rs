//! `task-api dev`: a server from nothing, with everything printed that is needed to try it.

use std::net::ToSocketAddrs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::{last_words, printed, text, unread};
use crate::support::{Answer, Binary, SECRET, Storage, TaskApi, token_for};

/// `dev` on a free port in that folder, with nothing else in its environment.
fn dev_in(folder: &Path) -> TaskApi {
    TaskApi::with(&["dev"]).in_folder(folder).env("PORT", "0")
}

/// The output of a running `dev`.
struct Welcome {
    token: String,
    /// Lines for a shell.
    curls: Vec<String>,
}

impl Welcome {
    async fn of(dev: &Binary) -> Self {
        for _ in 0..500 {
            if dev.printed().contains("Ctrl-C stops") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let printed = dev.printed();
        let token = printed
            .lines()
            .find_map(|line| line.strip_prefix("export TOKEN="));
        let curls = printed.lines().filter(|line| line.starts_with("curl "));
        Self {
            token: token.expect("a token").to_owned(),
            curls: curls.map(str::to_owned).collect(),
        }
    }

    /// Pastes a line into a shell.
    fn shell(&self, line: &str) -> String {
        let output = Command::new("sh")
            .args(["-c", line])
            .env("TOKEN", &self.token)
            .output();
        let output = output.expect("a shell");
        assert!(output.status.success(), "{line}: {output:?}");
        text(output.stdout)
    }
}

#[tokio::test]
async fn dev_needs_nothing_and_what_it_prints_works() {
    let folder = tempfile::tempdir().unwrap();
    let dev = dev_in(folder.path()).start().await;
    let welcome = Welcome::of(&dev).await;
    let alice = dev.api(Storage::Sqlite).bearer(&welcome.token);
    assert_eq!(
        alice.has_task("made with the printed token").await["user_id"],
        "dev-user"
    );
    assert_eq!(welcome.curls.len(), 2, "{}", dev.printed());
    assert!(
        welcome.curls.iter().all(|line| line.contains(dev.url())),
        "{}",
        dev.printed()
    );
}

#[tokio::test]
async fn dev_logs_each_request_and_says_how_it_is_called_here() {
    let folder = tempfile::tempdir().unwrap();
    let dev = dev_in(folder.path()).without("CARGO").start().await;
    let welcome = Welcome::of(&dev).await;
    let alice = dev.api(Storage::Sqlite).bearer(&welcome.token);
    alice.has_task("milk").await;
    alice.get("/api/nothing?q=s3cret").await;
    for wanted in [
        ["POST", "path=\"/api/tasks\"", "status=201", "duration_ms="],
        ["GET", "path=\"/api/nothing\"", "status=404", "duration_ms="],
    ] {
        let log = dev.logs(wanted[1]).await;
        let is_it = |line: &&str| wanted.iter().all(|part| line.contains(part));
        assert!(log.lines().any(|line| is_it(&line)), "{wanted:?}: {log}");
    }
    assert!(!dev.log().contains("s3cret"));
    let program = format!("{} token --user alice", env!("CARGO_BIN_EXE_task-api"));
    assert!(dev.printed().contains(&program), "{}", dev.printed());

    let dev = dev_in(folder.path()).env("CARGO", "cargo").start().await;
    Welcome::of(&dev).await;
    assert!(
        dev.printed().contains("cargo run --quiet -- token --user alice"),
        "{}",
        dev.printed()
    );
}

/// The output of `serve` on a terminal.
#[cfg(target_os = "linux")]
fn on_a_terminal(settings: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    // `script` gives a command a terminal; ten seconds are enough for the first lines.
    let line = format!("timeout 3 {} serve", env!("CARGO_BIN_EXE_task-api"));
    let output = Command::new("script")
        .args(["-qec", &line, "/dev/null"])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("TERM", "xterm")
        .envs(settings.iter().copied())
        .env("PORT", "0")
        .env("DATABASE_URL", "sqlite:tasks.db")
        .env("BETTER_AUTH_SECRET", SECRET)
        .current_dir(folder.path())
        .output()
        .expect("script");
    text(output.stdout)
}

#[cfg(target_os = "linux")]
#[test]
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
fn serve_writes_for_people_on_a_terminal_and_in_colours_unless_they_are_unwanted() {
    if Command::new("script").arg("--version").output().is_err() {
        println!("SKIPPED: there is no `script` to make a terminal with");
        return;
    }
    for (settings, is_json, is_coloured) in [
        (&[][..], false, true),
        (&[("NO_COLOR", "1")], false, false),
        (&[("NO_COLOR", "")], false, true),
        (&[("TERM", "dumb")], false, false),
        (&[("LOG_FORMAT", "json")], true, false),
    ] {
        let shown = on_a_terminal(settings);
        assert!(shown.contains("listening"), "{settings:?}: {shown}");
        assert_eq!(
            shown.contains("\"message\":\"listening\""),
            is_json,
            "{settings:?}: {shown}"
        );
        assert_eq!(shown.contains('\u{1b}'), is_coloured, "{settings:?}: {shown}");
    }
}

#[tokio::test]
async fn the_token_of_dev_is_shown_to_no_other_web_site() {
    let folder = tempfile::tempdir().unwrap();
    let dev = dev_in(folder.path())
        .env("CORS_ALLOWED_ORIGINS", "*")
        .start()
        .await;
    let api = dev.api(Storage::Sqlite);
    let get = async |path: &str, host: &str| {
        let request = api.anonymous().request(reqwest::Method::GET, path);
        let request = request
            .header("Host", host)
            .header("Origin", "https://evil.example");
        // Not as the document describes it: it does not describe every way to write a path.
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        (
            status,
            headers,
            String::from_utf8_lossy(&answer.bytes().await.unwrap()).into_owned(),
        )
    };
    let is_of_cors = |name: &reqwest::header::HeaderName| name.as_str().starts_with("access-control");
    for path in [
        "/docs",
        "/docs/",
        "//docs",
        "/%64ocs",
        "/docs/start.js",
        "/docs/swagger-ui.css",
    ] {
        let (status, headers, _) = get(path, "localhost:8000").await;
        assert_eq!(status, 200, "{path}");
        assert!(!headers.keys().any(is_of_cors), "{path}: {headers:?}");
        let (status, headers, body) = get(path, "evil.example:8000").await;
        assert_eq!(status, 421, "{path}");
        assert!(!headers.keys().any(is_of_cors), "{path}: {headers:?}");
        assert!(
            body.contains("host_not_allowed") && !body.contains("data-token"),
            "{path}: {body}"
        );
    }
    // Containers ask for the rest by its name.
    assert_eq!(get("/livez", "tasks:8000").await.0, 200);
    let (status, headers, _) = get("/api/tasks", "tasks:8000").await;
    let allowed = headers["access-control-allow-origin"].to_str().unwrap();
    assert_eq!((status, allowed), (401, "*"));
    let preflight = api
        .anonymous()
        .request(reqwest::Method::OPTIONS, "/docs/start.js");
    let preflight = preflight.header("Origin", "https://evil.example");
    let preflight = preflight
        .header("Access-Control-Request-Method", "GET")
        .send()
        .await
        .unwrap();
    assert!(!preflight.headers().keys().any(is_of_cors), "{preflight:?}");
}

/// Names that lead to this machine and to nowhere else, here and wherever these tests run.
fn names_of_this_machine() -> Vec<String> {
    // To us the second one is a name like any other, since it has too few parts for an address; every system resolves
    // it.
    let mut names = vec!["localhost".to_owned(), "127.1".to_owned()];
    if let Ok(output) = Command::new("hostname").output() {
        names.push(text(output.stdout).trim().to_owned());
    }
    let leads_here = |name: &String| {
        let addresses = (name.as_str(), 0).to_socket_addrs();
        addresses.is_ok_and(|mut addresses| addresses.all(|address| address.ip().is_loopback()))
    };
    names.retain(|name| !name.is_empty() && leads_here(name));
    names
}

#[tokio::test]
async fn the_documentation_of_dev_is_shown_under_the_name_in_host_and_under_no_other() {
    let names = names_of_this_machine();
    assert!(names.len() >= 2, "{names:?}");
    for name in names {
        let folder = tempfile::tempdir().unwrap();
        let dev = dev_in(folder.path()).env("HOST", &name).start().await;
        let api = dev.api(Storage::Sqlite);
        let get = async |host: &str| {
            let request = api.anonymous().request(reqwest::Method::GET, "/docs");
            Answer::to(request.header("Host", host)).await
        };
        for host in [
            name.clone(),
            format!("{name}:8000"),
            format!("{}.:8000", name.to_uppercase()),
        ] {
            let answer = get(&host).await;
            assert_eq!(answer.status, 200, "HOST={name}: {host}");
            assert!(answer.body.contains("data-token=\"ey"), "HOST={name}: {host}");
        }
        for host in [
            "elsewhere.example".to_owned(),
            format!("{name}.elsewhere.example:8000"),
            format!("elsewhere-{name}"),
        ] {
            let answer = get(&host).await;
            assert_eq!(answer.status, 421, "HOST={name}: {host}");
            assert_eq!(answer.problem(), "host_not_allowed", "HOST={name}: {host}");
        }
    }
}

/// Vite takes the next port if 5173 is taken.
#[tokio::test]
async fn dev_lets_pages_on_every_port_of_this_machine_read_answers_and_tells_which_others_it_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let dev = dev_in(folder.path()).env("LOG_FORMAT", "json").start().await;
    let url = format!("{}/api/tasks", dev.url());
    let preflight = async |origin: &str| {
        let request = reqwest::Client::new().request(reqwest::Method::OPTIONS, &url);
        let request = request
            .header("Origin", origin)
            .header("Access-Control-Request-Method", "POST");
        Answer::to(request).await
    };
    for origin in [
        "http://localhost:5174",
        "http://127.0.0.1:3001",
        "http://[::1]:8080",
        "https://localhost",
    ] {
        let answer = preflight(origin).await;
        assert_eq!(answer.status, 200, "{origin}");
        assert_eq!(answer.header("access-control-allow-origin"), origin);
    }
    let answer = preflight("https://evil.example").await;
    assert_eq!(answer.problem(), "origin_not_allowed");
    let detail = "The origin https://evil.example is not allowed: CORS_ALLOWED_ORIGINS does not list it.";
    assert_eq!(answer.json()["detail"], detail);
    let log = dev.logs(r#""event":"origin_not_allowed""#).await;
    let lines: Vec<Value> = log
        .lines()
        .filter(|line| line.contains(r#""event":"origin_not_allowed""#))
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert_eq!(lines[0]["origin"], "https://evil.example");
    assert_eq!(lines[0]["request_id"], answer.header("x-request-id"));
}

#[tokio::test]
async fn nothing_in_the_folder_of_dev_gets_into_a_repository() {
    let folder = tempfile::tempdir().unwrap();
    let dev = dev_in(folder.path()).start().await;
    let file = folder.path().join(".task-api/.gitignore");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "*\n");
    drop(dev);
    std::fs::write(&file, "secret\n").unwrap();
    drop(dev_in(folder.path()).start().await);
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        "secret\n",
        "what a developer wrote stays"
    );
}

#[tokio::test]
async fn dev_warns_of_an_address_that_others_reach_and_serves_the_page_under_that_host() {
    let folder = tempfile::tempdir().unwrap();
    let dev = dev_in(folder.path()).env("HOST", "0.0.0.0").start().await;
    assert!(dev.log().contains("HOST is no loopback address"), "{}", dev.log());
    let folder = tempfile::tempdir().unwrap();
    let dev = dev_in(folder.path()).start().await;
    assert!(!dev.log().contains("loopback"), "{}", dev.log());
}

#[tokio::test]
async fn the_documentation_of_dev_signs_requests_and_that_of_serve_does_not() {
    let token_of = async |binary: &Binary| {
        let page = binary.api(Storage::Sqlite).anonymous().get("/docs").await.body;
        let (_, rest) = page.split_once("data-token=\"").unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    };
    let folder = tempfile::tempdir().unwrap();
    let dev = dev_in(folder.path()).start().await;
    let alice = dev.api(Storage::Sqlite).bearer(&token_of(&dev).await);
    assert_eq!(alice.has_task("from the page").await["user_id"], "dev-user");

    let url = format!("sqlite:{}", folder.path().join("served.db").display());
    let served = TaskApi::serve_on(&url).start().await;
    assert_eq!(token_of(&served).await, "");
}

#[tokio::test]
async fn the_curl_lines_that_dev_prints_can_be_pasted() {
    if Command::new("curl").arg("--version").output().is_err() {
        return; // There is nothing to paste them for.
    }
    let folder = tempfile::tempdir().unwrap();
    let dev = dev_in(folder.path()).start().await;
    let welcome = Welcome::of(&dev).await;
    let created = welcome.shell(&welcome.curls[0]);
    assert!(created.starts_with("HTTP/1.1 201 "), "{created}");
    let listed = welcome.shell(&welcome.curls[1]);
    let (head, body) = listed.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{listed}");
    let tasks: Value = serde_json::from_str(body).unwrap();
    assert_eq!(tasks[0]["title"], "Buy milk", "{listed}");
}

#[tokio::test]
async fn a_second_dev_keeps_the_tasks_and_the_secret() {
    let folder = tempfile::tempdir().unwrap();
    let first = dev_in(folder.path()).start().await;
    let token = Welcome::of(&first).await.token;
    first
        .api(Storage::Sqlite)
        .bearer(&token)
        .has_task("from yesterday")
        .await;
    first.signal("TERM");
    assert_eq!(first.exit_code(Duration::from_secs(5)).await, Some(0));

    let second = dev_in(folder.path()).start().await;
    // The old token still counts, because the secret is the old one.
    let titles = second.api(Storage::Sqlite).bearer(&token).titles().await;
    assert_eq!(titles, ["from yesterday"]);
}

#[tokio::test]
async fn token_in_the_folder_of_dev_signs_with_its_secret() {
    let folder = tempfile::tempdir().unwrap();
    let dev = dev_in(folder.path()).start().await;
    let token = printed(&TaskApi::with(&["token", "--user", "bob"]).in_folder(folder.path()));
    let task = dev
        .api(Storage::Sqlite)
        .bearer(token.trim_end())
        .has_task("another user")
        .await;
    assert_eq!(task["user_id"], "bob");
}

#[cfg(unix)]
#[tokio::test]
async fn only_its_owner_may_read_what_dev_keeps() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let dev = dev_in(folder.path()).start().await;
    let token = Welcome::of(&dev).await.token;
    dev.api(Storage::Sqlite).bearer(&token).has_task("private").await;
    let kept: Vec<_> = std::fs::read_dir(folder.path().join(".task-api"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .collect();
    // The secret, the database, and the two files that SQLite keeps beside it while it is open.
    assert!(kept.len() >= 4, "{kept:?}");
    for file in kept {
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", file.file_name());
    }
}

#[tokio::test]
async fn dev_uses_the_secret_of_the_front_end_if_there_is_one_and_makes_none() {
    let folder = tempfile::tempdir().unwrap();
    let dev = dev_in(folder.path())
        .env("BETTER_AUTH_SECRET", SECRET)
        .start()
        .await;
    let api = dev.api(Storage::Sqlite);
    api.user("alice").has_task("with a token of the front end").await;
    let welcome = Welcome::of(&dev).await;
    api.bearer(&welcome.token).has_task("with the printed one").await;
    let keys = "verified with the shared secrets (BETTER_AUTH_SECRET, BETTER_AUTH_SECRETS).";
    assert!(dev.printed().contains(keys), "{}", dev.printed());
    assert!(!folder.path().join(".task-api/secret").exists());
    assert!(!dev.printed().contains(SECRET) && !dev.log().contains(SECRET));
}

#[tokio::test]
async fn every_dev_folder_has_a_secret_of_its_own() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (one, other) = (
        dev_in(one.path()).start().await,
        dev_in(other.path()).start().await,
    );
    let token = Welcome::of(&one).await.token;
    for stranger in [token, token_for("alice")] {
        let answer = other
            .api(Storage::Sqlite)
            .bearer(&stranger)
            .get("/api/tasks")
            .await;
        assert_eq!(answer.problem(), "token_invalid");
    }
}

#[test]
fn dev_goes_on_when_no_one_reads_what_it_prints() {
    let folder = tempfile::tempdir().unwrap();
    let mut dev = unread(&dev_in(folder.path()));
    std::thread::sleep(Duration::from_millis(500));
    assert!(dev.0.try_wait().unwrap().is_none(), "it should be serving");
    dev.0.kill().unwrap();
    assert!(!last_words(&mut dev).contains("panicked"));
}
