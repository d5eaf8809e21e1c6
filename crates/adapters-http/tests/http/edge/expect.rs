//! `Expect: 100-continue`: a client that may not send a body is not asked for one.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use adapters_http::context::base_path::BasePath;
use adapters_http::policy::Policy;
use domain::testing::FakeTokenVerifier;
use test_api::{Api, Parts};

const BODY: &str = r#"{"title":"Buy milk"}"#;

/// Sends a head that asks before it sends its body, and returns the connection and the first head that comes back.
fn ask(api: &Api, path: &str, more: &str) -> (TcpStream, String) {
    let address = api.url().strip_prefix("http://").expect("an address");
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .expect("a time limit");
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Expect: 100-continue\r\n{more}\r\n",
        BODY.len()
    );
    stream.write_all(head.as_bytes()).expect("a request");
    let head = head_of(&mut stream);
    (stream, head)
}

fn head_of(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        assert_eq!(
            stream.read(&mut byte).expect("an answer"),
            1,
            "the end of the connection"
        );
        head.extend_from_slice(&byte);
    }
    String::from_utf8(head).expect("text")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_answered_401_and_never_told_to_continue() {
    let api = Api::over_memory();
    for path in ["/api/tasks", "/api/nothing", "//api/tasks", "/%61pi/tasks"] {
        for token in ["", "Authorization: Bearer a.bad.token\r\n"] {
            let (mut stream, head) = ask(&api, path, token);
            assert!(head.starts_with("HTTP/1.1 401 "), "{path}: {head}");
            for header in [
                "www-authenticate: Bearer",
                "x-request-id: ",
                "application/problem+json",
            ] {
                assert!(head.contains(header), "{path}: {head}");
            }
            // It is unknown whether a body follows.
            assert!(head.contains("connection: close"), "{head}");
            let mut body = String::new();
            stream
                .read_to_string(&mut body)
                .expect("the end of the connection");
            assert!(body.contains("\"code\":\"token_"), "{body}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn below_a_base_path_a_stranger_is_not_told_to_continue_either() {
    let api = Api::serving(Parts {
        policy: Policy {
            base_path: BasePath::parse("/backend").ok(),
            ..Policy::default()
        },
        ..Parts::default()
    });
    for path in ["/backend/api/tasks", "/backend//api/tasks", "/api/tasks"] {
        let (_, head) = ask(&api, path, "");
        assert!(head.starts_with("HTTP/1.1 401 "), "{path}: {head}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_told_to_continue_and_the_body_is_taken() {
    let api = Api::over_memory();
    let token = format!(
        "Authorization: Bearer {}\r\n",
        FakeTokenVerifier::token_for("alice")
    );
    let (mut stream, head) = ask(&api, "/api/tasks", &token);
    assert!(head.starts_with("HTTP/1.1 100 "), "{head}");
    stream.write_all(BODY.as_bytes()).expect("a body");
    let head = head_of(&mut stream);
    assert!(head.starts_with("HTTP/1.1 201 "), "{head}");
}
