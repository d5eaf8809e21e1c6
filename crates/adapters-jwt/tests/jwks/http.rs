//! One fetch over HTTP.

use std::sync::Arc;
use std::time::{Duration, Instant};

use adapters_jwt::{
    FetchFailed, HttpKeySet, JwtVerifier, KeySetSettings, KeySetSource, KeySetTiming, KeySetUrl,
    MAX_KEY_SET_BYTES, VerifierSettings,
};
use domain::identity::TokenVerifier;
use domain::testing::{FixedClock, noon};
use rustls::{ClientConfig, RootCertStore};
use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::front_end::Verdict::{Accepted, KeysUnavailable};
use crate::front_end::{Key, Verdict};
use crate::issuer::key_set_settings;
use crate::key_server::{HttpServer, Reply};

async fn fetch(url: &str) -> Result<Vec<u8>, FetchFailed> {
    let url = KeySetUrl::parse(url).expect("a good address");
    key_set(url).fetch().await
}

/// Trusts no one: no server of these tests can prove itself.
fn key_set(url: KeySetUrl) -> HttpKeySet {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls_config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions of TLS")
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    HttpKeySet::at(url, tls_config).expect("a client")
}

/// The outcome of a fetch from a server that answers like this.
async fn fetched(reply: Reply) -> Result<Vec<u8>, FetchFailed> {
    let server = HttpServer::answering(reply).await;
    fetch(&server.url("/jwks")).await
}

async fn class_of(reply: Reply) -> &'static str {
    fetched(reply).await.expect_err("a failure").class()
}

#[tokio::test]
async fn a_document_comes_as_it_is_whatever_its_type() {
    for headers in [
        &["Content-Type: application/json"][..],
        &["Content-Type: text/html"],
        &[],
    ] {
        let document = fetched(Reply::of("200 OK", headers, r#"{"keys":[]}"#)).await;
        assert_eq!(document.expect("a document"), br#"{"keys":[]}"#);
    }
}

#[tokio::test]
async fn a_document_may_come_in_chunks() {
    let chunks =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n{\"keys\":\r\n3\r\n[]}\r\n0\r\n\r\n";
    let document = fetched(Reply::Bytes(chunks.into())).await;
    assert_eq!(document.expect("a document"), br#"{"keys":[]}"#);
}

#[tokio::test]
async fn a_request_says_what_it_wants_and_who_asks_and_nothing_more() {
    let server = HttpServer::answering(Reply::ok("{}")).await;
    fetch(&server.url("/api/auth/jwks?tenant=7#part"))
        .await
        .expect("a document");
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    let mut lines = requests[0].trim_end().lines();
    assert_eq!(lines.next(), Some("GET /api/auth/jwks?tenant=7 HTTP/1.1"));
    let mut names: Vec<_> = lines
        .map(|line| line.split(':').next().expect("a name").to_lowercase())
        .collect();
    names.sort();
    assert_eq!(names, ["accept", "host", "user-agent"]);
    assert!(requests[0].contains("user-agent: task-api/"), "{}", requests[0]);
}

#[tokio::test]
async fn a_redirection_is_not_followed() {
    for status in [
        "301 Moved Permanently",
        "302 Found",
        "303 See Other",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ] {
        let target = HttpServer::answering(Reply::ok(r#"{"keys":[]}"#)).await;
        let location = format!("Location: {}", target.url("/"));
        let failure = fetched(Reply::of(status, &[&location], ""))
            .await
            .expect_err("a failure");
        assert!(matches!(failure, FetchFailed::Status(300..=308)), "{failure:?}");
        assert!(target.requests().is_empty());
    }
}

#[tokio::test]
async fn every_status_but_200_is_a_failure() {
    for (status, number) in [
        ("201 Created", 201),
        ("204 No Content", 204),
        ("206 Partial Content", 206),
        ("304 Not Modified", 304),
        ("401 Unauthorized", 401),
        ("404 Not Found", 404),
        ("500 Internal Server Error", 500),
        ("503 Service Unavailable", 503),
    ] {
        let failure = fetched(Reply::of(status, &[], "")).await.expect_err("a failure");
        assert!(
            matches!(failure, FetchFailed::Status(status) if status == number),
            "{failure:?}"
        );
    }
}

#[tokio::test]
async fn a_server_that_is_asked_too_often_may_say_for_how_long() {
    for (header, seconds) in [
        ("X-Retry-After: 7", Some(7)),
        ("Retry-After: 9", Some(9)),
        ("x-retry-after:  0 ", Some(0)),
        ("X-Retry-After: 7\r\nRetry-After: 9", Some(7)),
        ("Retry-After: Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("Retry-After: -1", None),
        ("Retry-After: soon", None),
        ("X-Nothing: 1", None),
    ] {
        let failure = fetched(Reply::of("429 Too Many Requests", &[header], "")).await;
        let FetchFailed::TooManyRequests { retry_after } = failure.expect_err("a failure") else {
            panic!("{header}")
        };
        assert_eq!(retry_after, seconds.map(Duration::from_secs), "{header}");
    }
}

#[tokio::test]
async fn a_document_has_a_mebibyte_at_most() {
    let largest = "x".repeat(MAX_KEY_SET_BYTES);
    assert_eq!(
        fetched(Reply::ok(&largest)).await.expect("a document").len(),
        MAX_KEY_SET_BYTES
    );
    assert_eq!(class_of(Reply::ok(&format!("{largest}x"))).await, "too_large");
    assert_eq!(class_of(Reply::ok(&"x".repeat(8_000_000))).await, "too_large");
}

#[test]
fn the_limit_is_a_mebibyte() {
    assert_eq!(MAX_KEY_SET_BYTES, 1_048_576);
}

#[tokio::test]
async fn an_endless_document_is_not_read_to_its_end() {
    let until_close = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
    assert_eq!(class_of(Reply::Endless(until_close)).await, "too_large");
    let announced = "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n";
    assert_eq!(class_of(Reply::Endless(announced)).await, "too_large");
}

#[tokio::test]
async fn an_endless_head_is_not_read_to_its_end() {
    assert_eq!(
        class_of(Reply::Endless("HTTP/1.1 200 OK\r\nX-More: ")).await,
        "unreachable"
    );
}

#[tokio::test]
async fn a_connection_that_breaks_is_a_failure() {
    for bytes in [
        "",
        "HTTP/1.1 200",
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"keys\":",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
    ] {
        assert_eq!(
            class_of(Reply::Bytes(bytes.into())).await,
            "unreachable",
            "{bytes:?}"
        );
    }
}

#[tokio::test]
async fn nobody_at_the_address_is_a_failure_that_says_why_and_not_where() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let failure = fetch(&format!("http://{address}/jwks?key=hunter2")).await;
    let failure = failure.expect_err("a failure");
    assert_eq!(failure.class(), "unreachable");
    let shown = format!("{failure} {failure:?}");
    assert!(shown.contains("Connection refused"), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[tokio::test]
async fn plain_http_behind_https_is_a_failure() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await;
    let listener = listener.expect("a free port");
    let url = format!("https://{}/jwks", listener.local_addr().expect("an address"));
    let server = async {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let answer = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        answer.await.expect("a client that reads");
        stream
    };
    let (_stream, document) = tokio::join!(server, fetch(&url));
    assert_eq!(document.expect_err("a failure").class(), "unreachable");
}

/// A verifier of tokens over the real client.
fn verifier(server: &HttpServer, timeout: Duration) -> JwtVerifier {
    let url = KeySetUrl::parse(&server.url("/api/auth/jwks")).expect("a good address");
    let timing = KeySetTiming {
        timeout,
        ..KeySetTiming::default()
    };
    let settings = KeySetSettings {
        url: url.clone(),
        ..key_set_settings(None, timing)
    };
    let rules = VerifierSettings::default();
    JwtVerifier::new(rules, Arc::new(FixedClock::at(noon()))).with_key_set(settings, key_set(url))
}

#[tokio::test]
async fn a_token_is_verified_with_a_key_from_a_real_server() {
    let key = Key::new("a");
    let server = HttpServer::answering(Reply::ok(&json!({ "keys": [key.jwk()] }).to_string())).await;
    let verifier = verifier(&server, Duration::from_secs(3));
    assert_eq!(Verdict::from(verifier.verify(&key.token()).await), Accepted);
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_server_that_stops_in_the_middle_keeps_nobody_waiting_for_long() {
    let half = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"keys\":";
    for reply in [Reply::AndSilence(vec![]), Reply::AndSilence(half.into())] {
        let server = HttpServer::answering(reply).await;
        let verifier = verifier(&server, Duration::from_millis(200));
        let begin = Instant::now();
        let verdict = verifier.verify(&Key::new("a").token()).await;
        assert_eq!(Verdict::from(verdict), KeysUnavailable);
        // The time limit of a fetch is what ends it, not that of the request.
        assert!(begin.elapsed() < Duration::from_secs(4), "{:?}", begin.elapsed());
    }
}
