//! Through a proxy everything is answered as without it: in every version of HTTP, coded and not, small and large.

use reqwest::Method;
use serde_json::{Value, json};

use super::exchange::{Curl, Request, Version};
use super::{Scene, Way, a_request_id};
use crate::support::{Answer, Storage, token_for};

/// Headers that a proxy must not change.
const KEPT: [&str; 12] = [
    "allow",
    "cache-control",
    "content-type",
    "link",
    "location",
    "retry-after",
    "vary",
    "www-authenticate",
    "x-content-type-options",
    "x-next-cursor",
    "x-page-limit",
    "x-request-id",
];
/// The description of each task, in bytes: with it a hundred tasks are about a page.
const DESCRIPTION: usize = 9_900;

/// How one client asks.
#[derive(Debug, Clone, Copy)]
struct Manner {
    version: Version,
    is_compressed: bool,
}

/// Compares answers, and returns how many there were.
pub(crate) async fn is_kept(scene: &Scene, curl: &Curl) -> usize {
    let mut count = 0;
    for way in &scene.ways {
        let path = fill(way).await;
        for version in curl.versions() {
            for is_compressed in [false, true] {
                let manner = Manner {
                    version: *version,
                    is_compressed,
                };
                let client = Client {
                    scene,
                    way,
                    curl,
                    manner,
                };
                count += client.reads(&path).await;
                count += client.writes().await;
            }
        }
    }
    count
}

/// Makes a page of tasks, and returns the path of one of them.
async fn fill(way: &Way) -> String {
    let alice = way.directly("alice");
    let mut path = String::new();
    for number in 0..107 {
        let parts: Vec<_> = (0..DESCRIPTION / 10)
            .map(|part| format!("{:010}", part * number))
            .collect();
        let description = parts.concat();
        let body = json!({ "title": format!("Straße {number}"), "description": description });
        let created = alice.post("/api/tasks", &body).await;
        assert_eq!(created.status, 201, "{created:?}");
        path = format!("/api/tasks/{}", created.json()["id"].as_str().expect("an id"));
    }
    path
}

struct Client<'a> {
    scene: &'a Scene,
    way: &'a Way,
    curl: &'a Curl,
    manner: Manner,
}

impl Client<'_> {
    /// What asks the same again and again, good and bad.
    async fn reads(&self, path: &str) -> usize {
        let absent = "/api/tasks/01939f6e-2f4b-7c1d-9a55-7f1f2b8e6d10";
        let requests = [
            ("GET", "/api/tasks?limit=500"),
            ("GET", "/api/tasks?limit=2&status=pending&q=stra%C3%9Fe"),
            ("GET", "/api/tasks?limit=0&colour=red"),
            ("HEAD", "/api/tasks?limit=2"),
            ("GET", path),
            ("HEAD", path),
            ("GET", absent),
            ("DELETE", absent),
            ("GET", "/api/nowhere/at%20all"),
            ("PUT", "/api/tasks"),
            ("OPTIONS", "/api/tasks"),
            ("GET", "/api/me"),
            ("GET", "/problems/task-not-found"),
            ("GET", "/health"),
            ("GET", "/openapi.json"),
            ("GET", "/docs"),
            ("GET", "/"),
        ];
        for (method, target) in requests {
            let token = token_for("alice");
            self.is_alike(method, target, Some(&token)).await;
        }
        self.is_alike("GET", "/api/tasks", None).await;
        self.is_alike("GET", "/api/tasks", Some("not.a.token")).await;
        requests.len() + 2
    }

    /// The same request through the proxy and past it.
    async fn is_alike(&self, method: &'static str, target: &str, token: Option<&str>) {
        let id = a_request_id();
        let mut headers = vec![("X-Request-Id", id.clone())];
        headers.extend(token.map(|token| ("Authorization", format!("Bearer {token}"))));
        let through = self.asks(method, target, headers.clone(), None).await;
        let server = self.way.server.binary().api(Storage::Sqlite).anonymous();
        let mut request = server.request(method.parse::<Method>().expect("a method"), target);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let directly = Answer::to(request.header("X-Forwarded-Prefix", self.way.prefix)).await;
        let what = format!("{method} {target}, {:?}", self.manner);
        assert_eq!(through.status, directly.status, "{what}: {through:?}");
        for name in KEPT {
            let values = |answer: &Answer| {
                let values = answer.headers.get_all(name).iter();
                let values = values.map(|value| value.to_str().expect("text").to_owned());
                // A list has white space behind its commas or none (RFC 9110, 5.6.1).
                let lists = values.map(|value| value.replace(", ", ","));
                lists.collect::<Vec<_>>().join(",")
            };
            let (wanted, found) = (values(&directly), values(&through));
            // Whoever compresses adds a name to it.
            let is_kept = found == wanted || name == "vary" && found.contains(&wanted);
            assert!(is_kept, "{name} of {what}: {found} instead of {wanted}");
        }
        assert_eq!(opaque(&through), opaque(&directly), "etag of {what}");
        assert!(
            through.body == directly.body,
            "body of {what}: {through:?} instead of {directly:?}"
        );
    }

    /// One task from its creation to its end, by the tags that the client is shown.
    async fn writes(&self) -> usize {
        let (bob, title) = (token_for("bob"), format!("Bread for {:?}", self.manner));
        let task = json!({ "title": title, "description": "a".repeat(2_000) });
        let sends = async |method, target: &str, tag: Option<(&'static str, &str)>, body: Option<&Value>| {
            let id = a_request_id();
            let mut headers = vec![
                ("Authorization", format!("Bearer {bob}")),
                ("X-Request-Id", id.clone()),
            ];
            headers.extend(tag.map(|(name, tag)| (name, tag.to_owned())));
            if body.is_some() {
                headers.push(("Content-Type", "application/json".to_owned()));
                if self.manner.version == Version::Http11 {
                    headers.push(("Transfer-Encoding", "chunked".to_owned()));
                }
            }
            let answer = self
                .asks(method, target, headers, body.map(Value::to_string))
                .await;
            assert_eq!(answer.header("x-request-id"), id, "{answer:?}");
            answer
        };
        let created = sends("POST", "/api/tasks", None, Some(&task)).await;
        assert_eq!(created.status, 201, "{created:?}");
        let location = created.header("location");
        let path = location.strip_prefix(self.way.prefix).expect("the prefix");
        let read = sends("GET", path, None, None).await;
        assert_eq!(read.json(), created.json(), "{:?}", self.manner);
        let tag = read.header("etag");
        let known = sends("GET", path, Some(("If-None-Match", tag)), None).await;
        assert_eq!(known.status, 304, "{tag}: {known:?}");
        let list = sends("GET", "/api/tasks", None, None).await;
        assert_eq!(list.json(), json!([created.json()]), "{:?}", self.manner);
        let list_tag = list.header("etag");
        let known = sends("GET", "/api/tasks", Some(("If-None-Match", list_tag)), None).await;
        assert_eq!(known.status, 304, "{list_tag}: {known:?}");
        let change = json!({ "status": "completed" });
        let changed = sends("PUT", path, Some(("If-Match", tag)), Some(&change)).await;
        assert_eq!(changed.status, 200, "{tag}: {changed:?}");
        assert_eq!(changed.json()["version"], 2);
        let again = sends(
            "PATCH",
            path,
            Some(("If-Match", tag)),
            Some(&json!({ "title": "x" })),
        )
        .await;
        assert_eq!(again.json()["code"], "version_mismatch", "{tag}: {again:?}");
        let invalid = sends("POST", "/api/tasks", None, Some(&json!({ "title": 1 }))).await;
        assert_eq!(invalid.status, 422, "{invalid:?}");
        let deleted = sends("DELETE", path, Some(("If-Match", changed.header("etag"))), None).await;
        assert_eq!(deleted.status, 204, "{deleted:?}");
        9
    }

    async fn asks(
        &self,
        method: &'static str,
        target: &str,
        headers: Vec<(&'static str, String)>,
        body: Option<String>,
    ) -> Answer {
        let proxy = &self.scene.proxy;
        let port = match self.manner.version {
            Version::Http2 => proxy.port_of_http_2(),
            Version::Http10 | Version::Http11 => proxy.port(),
        };
        let request = Request {
            version: self.manner.version,
            is_compressed: self.manner.is_compressed,
            method,
            url: format!("http://127.0.0.1:{port}{}{target}", self.way.prefix),
            headers,
            body,
        };
        self.curl.sends(&request).await
    }
}

/// The tag without its weakness and without the coding that a proxy writes behind it.
fn opaque(answer: &Answer) -> &str {
    let tag = answer.header("etag").trim_start_matches("W/").trim_matches('"');
    tag.trim_end_matches("-gzip")
}
