//! Which bodies are read at all: their media type, their coding, their JSON.

use reqwest::Method;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE};
use serde_json::json;

use test_api::{Answer, Api, User, Wire};

const GOOD: &str = r#"{"title":"Buy milk"}"#;

async fn posts(user: &User, media_type: Option<&str>, body: impl Into<reqwest::Body>) -> Answer {
    let mut request = user.request(Method::POST, "/api/tasks").body(body);
    if let Some(media_type) = media_type {
        request = request.header(CONTENT_TYPE, media_type);
    }
    Answer::to(request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn json_is_read_however_its_media_type_is_written() {
    let api = Api::over_memory();
    let alice = api.user("alice");
    for media_type in [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
        "application/json; charset=\"utf-8\"",
        "application/json; charset=utf8",
        "application/json ; charset=utf-8",
        "application/json; version=1",
        "application/json;",
    ] {
        assert_eq!(
            posts(&alice, Some(media_type), GOOD).await.status,
            201,
            "{media_type}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_other_media_type_is_415_and_the_header_accept_names_the_right_one() {
    let api = Api::over_memory();
    let alice = api.user("alice");
    for media_type in [
        None,
        Some(""),
        Some("text/plain"),
        Some("text/json"),
        Some("application/x-www-form-urlencoded"),
        Some("multipart/form-data; boundary=x"),
        Some("application/problem+json"),
        Some("application/merge-patch+json"),
        Some("application/jsonp"),
        Some("application/json, text/plain"),
        Some("application/json; charset=latin1"),
        Some("application/json; charset=utf-16"),
        Some("*/*"),
    ] {
        let answer = posts(&alice, media_type, GOOD).await;
        assert_eq!(answer.status, 415, "{media_type:?}");
        assert_eq!(answer.problem(), "unsupported_media_type", "{media_type:?}");
        assert_eq!(answer.header("accept"), "application/json", "{media_type:?}");
    }
    assert!(alice.titles().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coded_body_is_415_and_identity_is_no_coding() {
    let api = Api::over_memory();
    let alice = api.user("alice");
    for (coding, status) in [
        ("gzip", 415),
        ("GZIP", 415),
        ("br", 415),
        ("deflate", 415),
        ("identity, gzip", 415),
        ("unknown", 415),
        ("identity", 201),
        ("Identity", 201),
    ] {
        let request = alice
            .request(Method::POST, "/api/tasks")
            .header(CONTENT_TYPE, "application/json")
            .header(CONTENT_ENCODING, coding);
        assert_eq!(Answer::to(request.body(GOOD)).await.status, status, "{coding}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_body_is_a_missing_body_with_and_without_a_media_type() {
    let api = Api::over_memory();
    let alice = api.user("alice");
    let wanted = json!([{ "pointer": "", "loc": ["body"], "type": "missing", "msg": "Field required" }]);
    for method in [Method::POST, Method::PUT] {
        let path = if method == Method::POST {
            "/api/tasks"
        } else {
            super::UNKNOWN
        };
        for media_type in [None, Some("application/json")] {
            for body in [None, Some("")] {
                let mut request = alice.request(method.clone(), path);
                if let Some(media_type) = media_type {
                    request = request.header(CONTENT_TYPE, media_type);
                }
                if let Some(body) = body {
                    request = request.body(body);
                }
                assert_eq!(
                    Answer::to(request).await.errors(),
                    wanted,
                    "{method} {media_type:?} {body:?}"
                );
            }
        }
    }
    // The end of a chunked body that has no chunk.
    let mut wire = Wire::to(&api);
    wire.send_head(
        "POST /api/tasks",
        &["Content-Type: application/json", "Transfer-Encoding: chunked"],
    );
    wire.send_chunk(b"");
    assert_eq!(wire.answer().errors(), wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_json_is_json_invalid() {
    let api = Api::over_memory();
    let alice = api.user("alice");
    let broken: [&[u8]; 27] = [
        b"{",
        b"}",
        b" ",
        b"\0",
        b"nul",
        b"undefined",
        b"NaN",
        b"{\"title\"}",
        b"{\"title\":}",
        b"{\"title\":\"x\",}",
        b"{title:\"x\"}",
        b"{'title':'x'}",
        b"{\"title\":\"x\"}{}",
        b"{\"title\":\"x\"} x",
        b"{\"title\":\"x\"}\0",
        b"{\"title\":\"x\" \"status\":\"pending\"}",
        b"{\"title\":\"a\nb\"}",
        b"{\"title\":\"\\x41\"}",
        b"{\"title\":\"\\ud800\"}",
        b"{\"\\udfff\":1}",
        b"{\"title\":\"\xff\"}",
        b"{\"title\":\"\xc0\xaf\"}",
        b"{\"title\":\"\xed\xa0\x80\"}",
        b"{\"id\":01}",
        b"{\"id\":1e999}",
        b"// a comment\n{\"title\":\"x\"}",
        b"title=x",
    ];
    let marks = [b"\xef\xbb\xbf\xef\xbb\xbf".as_slice(), GOOD.as_bytes()].concat();
    let utf_16: Vec<u8> = GOOD.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for body in broken.into_iter().chain([marks.as_slice(), &utf_16]) {
        let answer = posts(&alice, Some("application/json"), body.to_vec()).await;
        let what = String::from_utf8_lossy(body);
        assert_eq!(
            answer.field_errors(),
            [("body".to_owned(), "json_invalid".to_owned())],
            "{what}"
        );
        assert_eq!(answer.errors()[0]["pointer"], "", "{what}");
    }
    assert!(alice.titles().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn json_that_is_no_object_is_another_error() {
    let api = Api::over_memory();
    let alice = api.user("alice");
    for body in [
        "null",
        "true",
        "7",
        "-1.5e3",
        "\"text\"",
        "[]",
        "[{\"title\":\"x\"}]",
        " [ ] ",
    ] {
        let answer = posts(&alice, Some("application/json"), body).await;
        let wanted = [("body".to_owned(), "model_attributes_type".to_owned())];
        assert_eq!(answer.field_errors(), wanted, "{body}");
    }
    // In a list, too, what is no JSON is no JSON.
    for body in [
        b"[\"\xff\"]".to_vec(),
        b"[\"\\ud800\"]".to_vec(),
        b"[1,]".to_vec(),
        b"[".to_vec(),
    ] {
        let answer = posts(&alice, Some("application/json"), body.clone()).await;
        let wanted = [("body".to_owned(), "json_invalid".to_owned())];
        assert_eq!(
            answer.field_errors(),
            wanted,
            "{}",
            String::from_utf8_lossy(&body)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn json_may_be_nested_sixteen_levels_deep() {
    let api = Api::over_memory();
    let alice = api.user("alice");
    let nested = |levels: usize| {
        let (open, close) = ("[".repeat(levels - 1), "]".repeat(levels - 1));
        format!(r#"{{"title":"x","version":{open}{close}}}"#)
    };
    assert_eq!(
        posts(&alice, Some("application/json"), nested(16)).await.status,
        201
    );
    for levels in [17, 127, 128, 129, 100_000] {
        let answer = posts(&alice, Some("application/json"), nested(levels)).await;
        let wanted = [("body".to_owned(), "json_invalid".to_owned())];
        assert_eq!(answer.field_errors(), wanted, "{levels}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_and_deleting_ignore_a_body_whatever_it_is() {
    let api = Api::over_memory();
    let alice = api.user("alice");
    for body in ["broken {".to_owned(), "x".repeat(300 * 1024), GOOD.to_owned()] {
        for media_type in ["application/json", "text/plain"] {
            let task = alice.has_task("Buy milk").await;
            let path = format!("/api/tasks/{}", task["id"].as_str().expect("an id"));
            for (method, path, status) in [
                (Method::GET, "/api/tasks", 200),
                (Method::GET, &path, 200),
                (Method::GET, "/health", 200),
                (Method::DELETE, &path, 204),
            ] {
                let request = alice
                    .request(method.clone(), path)
                    .header(CONTENT_TYPE, media_type);
                let answer = Answer::to(request.body(body.clone())).await;
                assert_eq!(answer.status, status, "{method} {path}");
            }
        }
    }
}

/// A body that has arrived is skipped, one that has not ends the connection; it is never taken for the next request.
#[tokio::test(flavor = "multi_thread")]
async fn an_ignored_body_is_not_the_next_request() {
    let api = Api::over_memory();
    let smuggled = "GET /nothing HTTP/1.1\r\nHost: api\r\n\r\n";
    let length = format!("Content-Length: {}", smuggled.len());
    for _ in 0..20 {
        let mut wire = Wire::to(&api);
        wire.send_head("GET /api/tasks", &[&length]);
        wire.send(smuggled);
        let answer = wire.answer();
        assert_eq!(answer.status, 200);
        if answer.header("connection") != "close" {
            wire.send_head("GET /health", &["Connection: close"]);
            assert_eq!(wire.answer().status, 200);
        }
        assert!(wire.is_closed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_byte_order_mark_before_json_is_passed_over() {
    let api = Api::over_memory();
    let alice = api.user("alice");
    let body = [b"\xef\xbb\xbf".as_slice(), GOOD.as_bytes()].concat();
    assert_eq!(posts(&alice, Some("application/json"), body).await.status, 201);
    let answer = posts(&alice, Some("application/json"), b"\xef\xbb\xbf".to_vec()).await;
    assert_eq!(answer.status, 422);
}
