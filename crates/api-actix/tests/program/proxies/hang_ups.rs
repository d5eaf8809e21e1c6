//! Clients that leave in the middle of an answer, or of a request, cost others nothing and leave nothing behind.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::json;
use tokio::task::JoinSet;

use super::{Scene, Way, a_request_id};
use crate::support::{Answer, token_for};

/// How many of each kind leave. Together the answers that they leave unread are more than a user may have in memory.
const LEAVING: usize = 40;
/// How many of them there are at once.
const AT_ONCE: usize = 4;

/// Lets them leave, and returns how many requests of others were answered meanwhile.
pub(crate) async fn cost_others_nothing(scene: &Scene) -> usize {
    let mut answered = 0;
    for way in &scene.ways {
        let page = way.directly("alice").get("/api/tasks?limit=500").await;
        assert!(page.body.len() > 1 << 20, "{} bytes", page.body.len());
        let mut leaving = JoinSet::new();
        for _ in 0..AT_ONCE {
            let (port, prefix) = (scene.proxy.port(), way.prefix);
            leaving.spawn_blocking(move || {
                for _ in 0..LEAVING / AT_ONCE {
                    leave_the_answer(port, prefix);
                    leave_the_request(port, prefix);
                }
            });
        }
        while leaving.try_join_next().is_none() {
            answered += works(scene, way, answered).await;
        }
        leaving.join_all().await;
        let api = scene.api(way);
        let again = through(
            api.user("alice")
                .request(reqwest::Method::GET, "/api/tasks?limit=500"),
        )
        .await;
        assert_eq!(again.status, 200, "{again:?}");
        assert!(again.body == page.body, "another page: {again:?}");
        let carol = way.directly("carol");
        assert_eq!(carol.titles().await, [""; 0], "half a request was taken for one");
    }
    answered
}

/// One task of a user who stays.
async fn works(scene: &Scene, way: &Way, number: usize) -> usize {
    let dora = scene.api(way).user("dora");
    let title = format!("Task {number}");
    let created = through(
        dora.request(reqwest::Method::POST, "/api/tasks")
            .json(&json!({ "title": title })),
    )
    .await;
    assert_eq!(created.status, 201, "{created:?}");
    assert_eq!(created.json()["title"], title, "{created:?}");
    let path = format!("/api/tasks/{}", created.json()["id"].as_str().expect("an id"));
    let read = through(dora.request(reqwest::Method::GET, &path)).await;
    assert_eq!(read.json(), created.json(), "{read:?}");
    let deleted = through(dora.request(reqwest::Method::DELETE, &path)).await;
    assert_eq!(deleted.status, 204, "{deleted:?}");
    3
}

/// The answer, which must belong to the request.
async fn through(request: reqwest::RequestBuilder) -> Answer {
    let id = a_request_id();
    let response = request
        .header("x-request-id", &id)
        .send()
        .await
        .expect("an answer");
    let answer = Answer {
        status: response.status(),
        headers: response.headers().clone(),
        body: response.text().await.expect("a whole answer"),
    };
    assert_eq!(answer.header("x-request-id"), id, "{answer:?}");
    answer
}

/// Asks for a page and goes after its beginning.
fn leave_the_answer(port: u16, prefix: &str) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    let token = token_for("alice");
    let head = format!(
        "GET {prefix}/api/tasks?limit=500 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("a proxy that reads");
    let mut beginning = [0; 4_096];
    stream
        .read_exact(&mut beginning)
        .expect("the beginning of an answer");
    assert!(beginning.starts_with(b"HTTP/1.1 200"), "another answer");
}

/// Announces a body and goes after a part that could be one.
fn leave_the_request(port: u16, prefix: &str) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    let token = token_for("carol");
    let head = format!(
        "POST {prefix}/api/tasks HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: 4000\r\n\r\n{{\"title\": \"half\"}}"
    );
    stream.write_all(head.as_bytes()).expect("a proxy that reads");
}
