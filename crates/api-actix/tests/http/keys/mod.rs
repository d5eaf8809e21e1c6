//! The real binary with the public keys of a front end: user story 4 with an unmodified Better Auth, and SC-001 while
//! its server is unavailable.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "in tests a broken set-up should panic, and measurements are printed"
)]

mod front_end;

use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::support::{Answer, Api, Binary, SECRET, Storage, TaskApi, token_for};
use front_end::{Authority, Key, KeyServer};
use serde_json::{Value, json};
use test_postgres::a_free_port;

/// A server on an empty SQLite file, with these settings besides the usual ones.
struct Server {
    binary: Binary,
    api: Api,
    _folder: tempfile::TempDir,
}

impl Server {
    async fn start(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!("sqlite:{}", folder.path().join("tasks.db").display());
        let with = |task_api: TaskApi, (name, value): &(&str, &str)| task_api.env(name, value);
        let binary = settings.iter().fold(TaskApi::serve_on(&url), with).start().await;
        Self {
            api: binary.api(Storage::Sqlite),
            binary,
            _folder: folder,
        }
    }

    /// The answer to the bearer of a token.
    async fn answer_to(&self, token: &str) -> Answer {
        self.api.bearer(token).get("/api/me").await
    }

    /// The entries of the log about the request with this answer.
    async fn entries(&self, answer: &Answer) -> Vec<Value> {
        let id = answer.header("x-request-id");
        let log = self.binary.logs(&format!("\"{id}\"")).await;
        let entries = log.lines().filter_map(|line| serde_json::from_str(line).ok());
        entries
            .filter(|entry: &Value| entry["target"] == "audit" && entry["request_id"] == id)
            .collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn us4_1_a_token_of_an_unmodified_better_auth_passes() {
    let key = Key::new("N8z1");
    let keys = KeyServer::with(&[&key]);
    let server = Server::start(&[("BETTER_AUTH_URL", &keys.origin())]).await;
    let answer = server
        .answer_to(&key.token_from(&keys.origin(), "usr_9f2c"))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["user_id"], "usr_9f2c");
    assert_eq!(answer.json()["issuer"], keys.origin());
    let requests = keys.requests();
    assert_eq!(requests.len(), 1);
    assert!(
        requests[0].starts_with("GET /api/auth/jwks HTTP/1.1\r\n"),
        "{requests:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn us4_1_the_keys_are_enough_and_so_is_the_secret() {
    let key = Key::new("N8z1");
    let keys = KeyServer::with(&[&key]);
    let url = format!("{}/api/auth/jwks", keys.origin());
    let keys_alone = Server::start(&[("BETTER_AUTH_SECRET", ""), ("JWKS_URL", &url)]).await;
    assert_eq!(
        keys_alone.answer_to(&key.token("alice", &json!({}))).await.status,
        200
    );
    assert_eq!(
        keys_alone.answer_to(&token_for("alice")).await.problem(),
        "token_invalid"
    );
    let secret_alone = Server::start(&[("BETTER_AUTH_URL", &keys.origin()), ("JWKS_URL", "off")]).await;
    assert_eq!(secret_alone.answer_to(&token_for("alice")).await.status, 200);
    let refused = secret_alone.answer_to(&key.token("alice", &json!({}))).await;
    assert_eq!(refused.problem(), "token_invalid");
    let entry = &secret_alone.entries(&refused).await[0];
    assert_eq!(entry["reason"], "no_key_source");
    assert!(
        entry["hint"]
            .as_str()
            .is_some_and(|hint| hint.contains("JWKS_URL")),
        "{entry}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn us4_2_tokens_of_the_keys_must_come_from_the_front_end_and_be_meant_for_it() {
    let key = Key::new("N8z1");
    let keys = KeyServer::with(&[&key]);
    let origin = keys.origin();
    let server = Server::start(&[("BETTER_AUTH_URL", &origin)]).await;
    for (reason, claims) in [
        ("bad_issuer", json!({ "aud": origin })),
        (
            "bad_issuer",
            json!({ "iss": "https://evil.example", "aud": origin }),
        ),
        ("bad_audience", json!({ "iss": origin })),
        ("bad_audience", json!({ "iss": origin, "aud": "oauth-client-1" })),
    ] {
        let refused = server.answer_to(&key.token("alice", &claims)).await;
        assert_eq!(refused.problem(), "token_invalid", "{claims}");
        let entry = &server.entries(&refused).await[0];
        assert_eq!(
            (&entry["reason"], &entry["wanted"]),
            (&json!(reason), &json!(origin))
        );
    }
    assert_eq!(
        server.answer_to(&token_for("alice")).await.status,
        200,
        "the seed's tokens have neither"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn us4_2_refused_tokens_of_a_key_are_one_line_each_without_what_they_claim() {
    let (key, forger, stranger) = (Key::new("N8z1"), Key::new("N8z1"), Key::new("stranger"));
    let keys = KeyServer::with(&[&key]);
    let origin = keys.origin();
    let server = Server::start(&[("BETTER_AUTH_URL", &origin)]).await;
    for (reason, kid, code, token) in [
        (
            "bad_signature",
            "N8z1",
            "token_invalid",
            forger.token_from(&origin, "usr_forged"),
        ),
        (
            "unknown_kid",
            "stranger",
            "token_invalid",
            stranger.token_from(&origin, "usr_forged"),
        ),
        (
            "expired",
            "N8z1",
            "token_expired",
            key.token("usr_forged", &json!({ "exp": 1, "iss": origin, "aud": origin })),
        ),
    ] {
        let refused = server.answer_to(&token).await;
        assert_eq!(refused.status, 401, "{refused:?}");
        assert_eq!(refused.problem(), code);
        let entries = server.entries(&refused).await;
        assert_eq!(entries.len(), 1, "{entries:?}");
        let entry = &entries[0];
        assert_eq!(entry["event"], "auth_failed");
        assert_eq!(entry["target"], "audit");
        assert_eq!(entry["reason"], reason);
        assert_eq!((&entry["alg"], &entry["kid"]), (&json!("EdDSA"), &json!(kid)));
        assert!(!server.binary.log().contains("usr_forged"));
        assert!(!server.binary.log().contains(&token[token.len() - 40..]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sc_001_the_server_starts_and_serves_while_the_front_end_is_away_and_finds_it_when_it_comes() {
    let key = Key::new("N8z1");
    let port = a_free_port();
    let origin = format!("http://localhost:{port}");
    let server = Server::start(&[("BETTER_AUTH_URL", &origin)]).await;
    assert!(server.binary.startup() < Duration::from_secs(5));
    assert_eq!(
        server.api.anonymous().get("/health").await.json(),
        json!({ "status": "ok" })
    );
    assert_eq!(server.api.anonymous().get("/readyz").await.status, 200);
    assert_eq!(server.answer_to(&token_for("alice")).await.status, 200);

    let token = key.token_from(&origin, "alice");
    let unjudged = server.answer_to(&token).await;
    assert_eq!(unjudged.status, 503, "{unjudged:?}");
    assert_eq!(unjudged.problem(), "keys_unavailable");
    assert_eq!(unjudged.header("retry-after"), "5");
    assert_eq!(
        unjudged.header("www-authenticate"),
        "",
        "the caller should not sign out"
    );
    let entries = server.entries(&unjudged).await;
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!(entries[0]["event"], "keys_unavailable");
    assert_eq!(entries[0]["level"], "ERROR");
    assert!(
        entries[0]["cause"]
            .as_str()
            .is_some_and(|cause| cause.contains("unreachable")),
        "{entries:?}"
    );

    let _keys = KeyServer::on_port(port, &[&key]);
    let came = Instant::now();
    let answer = server.answer_to(&token).await;
    let took = came.elapsed();
    println!("the first good token passed {took:?} after the key server came");
    assert_eq!(answer.status, 200, "{answer:?}");
    // Three seconds are the promise; the rest is for a machine that builds meanwhile.
    assert!(took < Duration::from_secs(6), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_front_end_that_is_away_is_warned_about_once_a_minute_with_its_address_and_the_reason() {
    let url = format!("http://localhost:{}/jwks?key=hunter2", a_free_port());
    let server = Server::start(&[("JWKS_URL", &url), ("JWT_AUDIENCE", "https://app.example")]).await;
    // Every one of these provokes a fetch.
    for _ in 0..2 {
        let unjudged = server
            .answer_to(&Key::new("N8z1").token("alice", &json!({})))
            .await;
        assert_eq!(unjudged.problem(), "keys_unavailable");
    }
    let warnings = server
        .binary
        .entries("the keys that verify tokens cannot be fetched");
    assert_eq!(warnings.len(), 1, "{}", server.binary.log());
    assert_eq!(warnings[0]["level"], "WARN");
    assert_eq!(warnings[0]["class"], "unreachable");
    assert_eq!(warnings[0]["url"], url.split('?').next().expect("an address"));
    assert!(!server.binary.log().contains("hunter2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_works_with_its_first_token_on_every_worker() {
    let (old, new) = (Key::new("old"), Key::new("new"));
    let keys = KeyServer::with(&[&old]);
    let origin = keys.origin();
    let server = Server::start(&[("BETTER_AUTH_URL", &origin), ("WORKERS", "4")]).await;
    assert_eq!(
        server.answer_to(&old.token_from(&origin, "alice")).await.status,
        200
    );
    keys.publish(&[&old, &new]);
    let token = new.token_from(&origin, "alice");
    let requests = (0..40).map(|_| server.answer_to(&token));
    for answer in futures_util::future::join_all(requests).await {
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    assert_eq!(keys.requests().len(), 2, "one fetch for all of them");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_come_over_https_from_a_server_whose_certificate_is_trusted_and_from_no_other() {
    let key = Key::new("N8z1");
    let authority = Authority::new();
    let keys = KeyServer::with_tls(&authority, &[&key]);
    let origin = keys.origin();
    let token = key.token_from(&origin, "alice");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("authority.pem");
    std::fs::write(&file, &authority.pem).expect("a file");
    let file = file.display().to_string();
    let trusting = Server::start(&[("BETTER_AUTH_URL", &origin), ("SSL_CERT_FILE", &file)]).await;
    assert_eq!(
        trusting.answer_to(&token).await.status,
        200,
        "{}",
        trusting.binary.log()
    );
    let wary = Server::start(&[("BETTER_AUTH_URL", &origin)]).await;
    assert_eq!(wary.answer_to(&token).await.problem(), "keys_unavailable");
    let warnings = wary
        .binary
        .entries("the keys that verify tokens cannot be fetched");
    assert!(
        warnings[0]["error"]
            .as_str()
            .is_some_and(|error| error.contains("certificate")),
        "{warnings:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn proxies_of_the_environment_see_nothing_of_it() {
    let key = Key::new("N8z1");
    let keys = KeyServer::with(&[&key]);
    let proxy = KeyServer::with(&[]);
    let origin = keys.origin();
    let server = Server::start(&[
        ("BETTER_AUTH_URL", &origin),
        ("HTTP_PROXY", &proxy.origin()),
        ("http_proxy", &proxy.origin()),
        ("ALL_PROXY", &proxy.origin()),
    ])
    .await;
    assert_eq!(
        server.answer_to(&key.token_from(&origin, "alice")).await.status,
        200
    );
    assert!(proxy.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_without_an_audience_and_keys_over_plain_http_are_warned_about_once() {
    // An address for documentation (RFC 5737), which no machine has.
    let server = Server::start(&[("JWKS_URL", "http://192.0.2.1/jwks")]).await;
    let log = server.binary.log();
    let warnings = |text: &str| log.lines().filter(|line| line.contains(text)).count();
    assert_eq!(warnings("accepted for every audience"), 1, "{log}");
    assert_eq!(warnings("over plain HTTP"), 1, "{log}");

    let key = Key::new("N8z1");
    let keys = KeyServer::with(&[&key]);
    let server = Server::start(&[("BETTER_AUTH_URL", &keys.origin())]).await;
    assert_eq!(
        server
            .answer_to(&key.token_from(&keys.origin(), "alice"))
            .await
            .status,
        200
    );
    assert!(!server.binary.log().contains("WARN"), "{}", server.binary.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_that_hangs_does_not_keep_the_server_from_stopping() {
    // Connections wait in the backlog of a listener that is not served.
    let silent = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let origin = format!("http://{}", silent.local_addr().expect("an address"));
    let server = Server::start(&[("BETTER_AUTH_URL", &origin)]).await;
    server.binary.signal("TERM");
    assert_eq!(server.binary.exit_code(Duration::from_secs(5)).await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn dev_takes_tokens_of_the_front_end_and_its_own() {
    let key = Key::new("N8z1");
    let keys = KeyServer::with(&[&key]);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dev = TaskApi::with(&["dev"])
        .in_folder(folder.path())
        .env("PORT", "0")
        .env("BETTER_AUTH_URL", &keys.origin())
        .start()
        .await;
    let api = dev.api(Storage::Sqlite);
    let of_the_front_end = key.token_from(&keys.origin(), "alice");
    assert_eq!(api.bearer(&of_the_front_end).get("/api/me").await.status, 200);
    let deadline = Instant::now() + Duration::from_secs(5);
    while !dev.printed().contains("Ctrl-C stops") && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let printed = dev.printed();
    let its_own = printed
        .lines()
        .find_map(|line| line.strip_prefix("export TOKEN="));
    let answer = api.bearer(its_own.expect("a token")).get("/api/me").await;
    assert_eq!(answer.json()["user_id"], "dev-user");
    assert!(
        printed.contains(&format!("the keys at {}/api/auth/jwks", keys.origin())),
        "{printed}"
    );
}

#[tokio::test]
async fn a_token_for_development_is_not_made_if_no_one_would_take_it() {
    let (output, _) = TaskApi::with(&["token", "--user", "alice"])
        .env("BETTER_AUTH_SECRET", SECRET)
        .env("BETTER_AUTH_URL", "https://app.example")
        .env("JWT_ALGORITHMS", "EdDSA")
        .output();
    assert_eq!(output.status.code(), Some(78));
    let complaint = String::from_utf8(output.stderr).expect("text");
    assert!(
        complaint.starts_with("task-api: JWT_ALGORITHMS leaves out HS256"),
        "{complaint}"
    );
}
