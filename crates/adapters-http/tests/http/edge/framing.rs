//! Raw requests. A front end that frames a request differently than we do would let one user's bytes become another
//! user's request, so whatever can be understood in two ways is refused, and the connection with it.

use domain::testing::FakeTokenVerifier;
use test_api::{Answer, Api, Parts, Wire};

const BODY: &str = r#"{"title":"x"}"#;
const CHUNKED: &str = "d\r\n{\"title\":\"x\"}\r\n0\r\n\r\n";
const ALIVE: &str = "GET /livez HTTP/1.1\r\nHost: api\r\n\r\n";

/// A creation of Alice's, with these lines besides those that every creation has, and with that text behind its head.
fn creation(lines: &str, rest: &str) -> String {
    request("POST /api/tasks HTTP/1.1", &format!("Host: api\r\n{lines}"), rest)
}

fn request(line: &str, lines: &str, rest: &str) -> String {
    let token = FakeTokenVerifier::token_for("alice");
    format!("{line}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n{lines}\r\n{rest}")
}

/// A look at the process with these lines in the head.
fn look(lines: &str) -> String {
    format!("GET /livez HTTP/1.1\r\n{lines}\r\n")
}

/// Every answer to these bytes, up to the end of the connection.
fn answers(api: &Api, bytes: impl AsRef<[u8]>) -> Vec<Answer> {
    let mut wire = Wire::to(api);
    wire.send(bytes);
    wire.raw_answers_until_closed()
}

fn statuses(answers: &[Answer]) -> Vec<u16> {
    answers.iter().map(|answer| answer.status.as_u16()).collect()
}

/// The answers that an open connection gives to these bytes: it is shown to be open by one more request.
fn statuses_of_open(api: &Api, bytes: impl AsRef<[u8]>, count: usize) -> Vec<u16> {
    let mut wire = Wire::to(api);
    wire.send(bytes);
    let answers: Vec<_> = (0..count).map(|_| wire.raw_answer()).collect();
    wire.send(look("Host: api\r\nConnection: close\r\n"));
    let last = wire.raw_answers_until_closed();
    assert_eq!(statuses(&last), [200], "after {answers:?}");
    statuses(&answers)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_whose_end_can_be_seen_in_two_places_is_400_and_the_end_of_the_connection() {
    let api = Api::over_memory();
    let smuggled = format!("0\r\n\r\n{ALIVE}");
    for (lines, rest) in [
        ("Content-Length: 23\r\nTransfer-Encoding: chunked\r\n", CHUNKED),
        ("Transfer-Encoding: chunked\r\nContent-Length: 23\r\n", CHUNKED),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", &smuggled),
        ("Content-Length: 13\r\nContent-Length: 13\r\n", BODY),
        ("Content-Length: 13\r\nContent-Length: 14\r\n", BODY),
        ("Content-Length: 0\r\nContent-Length: 13\r\n", BODY),
        ("Content-Length: 13, 13\r\n", BODY),
        ("Content-Length: +13\r\n", BODY),
        ("Content-Length: -13\r\n", BODY),
        ("Content-Length: 0xd\r\n", BODY),
        ("Content-Length: 1 3\r\n", BODY),
        ("Content-Length: 13.0\r\n", BODY),
        ("Content-Length:\r\n", BODY),
        ("Content-Length: 18446744073709551629\r\n", BODY),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            CHUNKED,
        ),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
            CHUNKED,
        ),
        ("Transfer-Encoding: chunked, chunked\r\n", CHUNKED),
        ("Transfer-Encoding: chunked, identity\r\n", CHUNKED),
        ("Transfer-Encoding: gzip, chunked\r\n", CHUNKED),
        ("Transfer-Encoding: identity\r\n", BODY),
        ("Transfer-Encoding: identity\r\nContent-Length: 13\r\n", BODY),
        ("Transfer-Encoding: xchunked\r\n", CHUNKED),
        ("Transfer-Encoding: \"chunked\"\r\n", CHUNKED),
        ("Transfer-Encoding: \u{b}chunked\r\n", CHUNKED),
        ("Transfer-Encoding: chunked;q=1\r\n", CHUNKED),
        ("Transfer-Encoding:\r\n", BODY),
        ("Transfer-Encoding : chunked\r\n", CHUNKED),
        ("Transfer-Encoding:\r\n chunked\r\n", CHUNKED),
        // actix would read the body up to the end of the connection.
        ("Upgrade: websocket\r\nContent-Length: 13\r\n", BODY),
        ("Upgrade: websocket\r\nConnection: Upgrade\r\n", BODY),
    ] {
        let answers = answers(&api, creation(lines, &format!("{rest}{ALIVE}")));
        assert_eq!(statuses(&answers), [400], "{lines:?}");
    }
    for (version, lines, rest) in [
        ("HTTP/1.0", "Transfer-Encoding: chunked\r\n", CHUNKED),
        (
            "HTTP/1.0",
            "Transfer-Encoding: chunked\r\nContent-Length: 23\r\n",
            CHUNKED,
        ),
        ("HTTP/1.0", "", BODY),
    ] {
        let answers = answers(&api, request(&format!("POST /api/tasks {version}"), lines, rest));
        assert_eq!(statuses(&answers), [400], "{version} {lines:?}");
    }
    assert!(api.user("alice").titles().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_that_is_none_is_400_and_the_end_of_the_connection() {
    let api = Api::over_memory();
    for rest in [
        "\r\n{\"title\":\"x\"}\r\n0\r\n\r\n",
        "zz\r\n{\"title\":\"x\"}\r\n0\r\n\r\n",
        "-d\r\n{\"title\":\"x\"}\r\n0\r\n\r\n",
        "+d\r\n{\"title\":\"x\"}\r\n0\r\n\r\n",
        "0xd\r\n{\"title\":\"x\"}\r\n0\r\n\r\n",
        " d\r\n{\"title\":\"x\"}\r\n0\r\n\r\n",
        "d \u{1}\r\n{\"title\":\"x\"}\r\n0\r\n\r\n",
        "1000000000000000d\r\n{\"title\":\"x\"}\r\n0\r\n\r\n",
        "d\n{\"title\":\"x\"}\r\n0\r\n\r\n",
        "d\r{\"title\":\"x\"}\r\n0\r\n\r\n",
        "d;a\nb\r\n{\"title\":\"x\"}\r\n0\r\n\r\n",
        "d;a\u{0}b\r\n{\"title\":\"x\"}\r\n0\r\n\r\n",
        // The data is shorter or longer than its size says.
        "c\r\n{\"title\":\"x\"}\r\n0\r\n\r\n",
        "e\r\n{\"title\":\"x\"}\r\n0\r\n\r\n",
        "d\r\n{\"title\":\"x\"}\n0\r\n\r\n",
        "d\r\n{\"title\":\"x\"}0\r\n\r\n",
        "d\r\n{\"title\":\"x\"}\r\n0\n\n",
    ] {
        let answers = answers(
            &api,
            creation("Transfer-Encoding: chunked\r\n", &format!("{rest}{ALIVE}")),
        );
        assert_eq!(statuses(&answers), [400], "{rest:?}");
        assert_eq!(answers[0].problem(), "header_invalid", "{rest:?}");
    }
    assert!(api.user("alice").titles().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_is_malformed_is_400_and_the_end_of_the_connection() {
    let api = Api::over_memory();
    let heads: [&[u8]; 41] = [
        b"GET /livez HTTP/1.1\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: api\r\nHost: api\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: api\r\nhost: other\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost : api\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: api\r\nX : y\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: api\r\nX\t: y\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: api\r\nX: y\r\n folded\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: api\r\nX: y\r\n\tfolded\r\n\r\n",
        b"GET /livez HTTP/1.1\r\n X: y\r\nHost: api\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: api\r\nX\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: api\r\n: y\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: api\r\nX\0: y\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: api\r\nX[]: y\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: api\r\nX\xc3\xa9: y\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: api\r\nX: a\0b\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: api\r\nX: a\x01b\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: api\r\nX: a\x7fb\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: api\r\nX: a\rb\r\n\r\n",
        b"GET /livez HTTP/1.1\rHost: api\r\r",
        b"GET  /livez HTTP/1.1\r\nHost: api\r\n\r\n",
        b"GET /livez  HTTP/1.1\r\nHost: api\r\n\r\n",
        b"GET /li vez HTTP/1.1\r\nHost: api\r\n\r\n",
        b"GET\t/livez\tHTTP/1.1\r\nHost: api\r\n\r\n",
        b" GET /livez HTTP/1.1\r\nHost: api\r\n\r\n",
        b"GET /li\0vez HTTP/1.1\r\nHost: api\r\n\r\n",
        b"GET  HTTP/1.1\r\nHost: api\r\n\r\n",
        b"GET HTTP/1.1\r\nHost: api\r\n\r\n",
        b"G<T /livez HTTP/1.1\r\nHost: api\r\n\r\n",
        b"G\xc3\x89T /livez HTTP/1.1\r\nHost: api\r\n\r\n",
        b"GET http:// HTTP/1.1\r\nHost: api\r\n\r\n",
        // Other versions, other protocols.
        b"GET /livez\r\n\r\n",
        b"GET /livez HTTP/0.9\r\nHost: api\r\n\r\n",
        b"GET /livez HTTP/1.2\r\nHost: api\r\n\r\n",
        b"GET /livez HTTP/2.0\r\nHost: api\r\n\r\n",
        b"GET /livez HTTP/1\r\nHost: api\r\n\r\n",
        b"GET /livez HTTP/1.10\r\nHost: api\r\n\r\n",
        b"GET /livez http/1.1\r\nHost: api\r\n\r\n",
        b"GET /livez HTTPS/1.1\r\nHost: api\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
        b"\0",
    ];
    for head in heads {
        let answers = answers(&api, head);
        assert_eq!(statuses(&answers), [400], "{}", head.escape_ascii());
        assert_eq!(answers[0].body, "", "{}", head.escape_ascii());
    }
}

/// RFC 9112, 3.2. Nothing here depends on the host, but something in front of us may.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_none_is_400_and_the_end_of_the_connection() {
    let api = Api::over_memory();
    for host in [
        "a b", "a/b", "a?b", "a#b", "user@api", "<api>", "[::1", "::1", "a:b:c", "api:port", "é", "a\\b",
        "\"api\"",
    ] {
        let answers = answers(&api, look(&format!("Host: {host}\r\n")));
        assert_eq!(statuses(&answers), [400], "{host}");
        assert_eq!(answers[0].problem(), "header_invalid", "{host}");
    }
    for host in [
        "",
        "api",
        "api:8000",
        "API.example.",
        "127.0.0.1:80",
        "[::1]",
        "[::1]:8000",
        "a_b",
        "xn--bcher-kva",
    ] {
        assert_eq!(
            statuses_of_open(&api, look(&format!("Host: {host}\r\n")), 1),
            [200],
            "{host}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_unusual_and_means_one_thing_only_is_understood() {
    let api = Api::over_memory();
    let chunked = "Transfer-Encoding: chunked\r\n";
    for (lines, rest) in [
        ("Content-Length: 13\r\n", BODY),
        ("Content-Length:13\r\n", BODY),
        ("content-length: \t 13 \t\r\n", BODY),
        ("Content-Length: 013\r\n", BODY),
        (chunked, CHUNKED),
        ("Transfer-Encoding:\tcHuNkEd\r\n", CHUNKED),
        (chunked, "D\r\n{\"title\":\"x\"}\r\n0\r\n\r\n"),
        (chunked, "000d\r\n{\"title\":\"x\"}\r\n000\r\n\r\n"),
        (
            chunked,
            "d;name=value;flag\r\n{\"title\":\"x\"}\r\n0;last\r\n\r\n",
        ),
        (chunked, "d \r\n{\"title\":\"x\"}\r\n0\r\n\r\n"),
        (chunked, "3\r\n{\"t\r\na\r\nitle\":\"x\"}\r\n0\r\n\r\n"),
        // Fields behind the body have no meaning here, not even these.
        (
            chunked,
            "d\r\n{\"title\":\"x\"}\r\n0\r\nContent-Length: 5\r\nX-Request-Id: y\r\n\r\n",
        ),
        ("Expect: 200-ok\r\nContent-Length: 13\r\n", BODY),
    ] {
        assert_eq!(
            statuses_of_open(&api, creation(lines, rest), 1),
            [201],
            "{lines:?} {rest:?}"
        );
    }
    for (head, status) in [
        ("\r\n\r\nGET /livez HTTP/1.1\r\nHost: api\r\n\r\n", 200),
        // RFC 9112, 2.2: a line may end without its carriage return.
        ("GET /livez HTTP/1.1\nHost: api\n\n", 200),
        (
            "GET http://other.example/livez HTTP/1.1\r\nHost: api\r\n\r\n",
            200,
        ),
        ("GET /livez#fragment HTTP/1.1\r\nHost: api\r\n\r\n", 200),
        ("GET /livez HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200),
        ("GET /livez HTTP/1.1\r\nHost: api\r\nX: caf\u{e9}\r\n\r\n", 200),
        ("OPTIONS * HTTP/1.1\r\nHost: api\r\n\r\n", 404),
        ("GET livez HTTP/1.1\r\nHost: api\r\n\r\n", 404),
        ("TRACE /livez HTTP/1.1\r\nHost: api\r\n\r\n", 405),
        ("FROB /livez HTTP/1.1\r\nHost: api\r\n\r\n", 405),
    ] {
        assert_eq!(statuses_of_open(&api, head, 1), [status], "{head:?}");
    }
}

/// The bytes behind such a head are no HTTP, so nothing of it is taken for a request.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_to_become_something_else_is_answered_and_ends_the_connection() {
    let api = Api::over_memory();
    for (head, status) in [
        ("CONNECT other.example:443 HTTP/1.1\r\nHost: api\r\n\r\n", 404),
        ("CONNECT /livez HTTP/1.1\r\nHost: api\r\n\r\n", 405),
        (
            "GET /livez HTTP/1.1\r\nHost: api\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
            200,
        ),
    ] {
        assert_eq!(
            statuses(&answers(&api, format!("{head}{ALIVE}"))),
            [status],
            "{head:?}"
        );
    }
    let h2c = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n";
    let answers = answers(&api, look(&format!("Host: api\r\n{h2c}")));
    assert_eq!(statuses(&answers), [200]);
    assert_eq!(answers[0].header("connection"), "close");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_behind_one_another_are_answered_once_each_and_in_their_order() {
    let api = Api::over_memory();
    let mut wire = Wire::to(&api);
    for number in 0..40 {
        let body = format!(r#"{{"title":"task {number:02}"}}"#);
        wire.send(creation(&format!("Content-Length: {}\r\n", body.len()), &body));
        wire.send(ALIVE);
    }
    for number in 0..40 {
        assert_eq!(wire.raw_answer().json()["title"], format!("task {number:02}"));
        assert_eq!(wire.raw_answer().body, r#"{"status":"ok"}"#);
    }
    wire.send(format!("{ALIVE}nonsense\r\n\r\n{ALIVE}"));
    assert_eq!(statuses(&wire.raw_answers_until_closed()), [200, 400]);
    assert_eq!(api.user("alice").titles().await.len(), 40);
}

/// RFC 9112, 9.6.
#[tokio::test(flavor = "multi_thread")]
async fn behind_the_last_request_of_a_connection_nothing_is_processed() {
    let api = Api::over_memory();
    let creation = creation("Content-Length: 13\r\n", BODY);
    let not_json = request(
        "POST /api/tasks HTTP/1.1",
        "Host: api\r\nContent-Length: 13\r\n",
        BODY,
    )
    .replace("application/json", "text/plain");
    let of_old_times = "GET /livez HTTP/1.0\r\n\r\n".to_owned();
    for (last, status) in [
        (look("Host: api\r\nConnection: close\r\n"), 200),
        (of_old_times, 200),
        (not_json, 415),
    ] {
        let answers = answers(&api, format!("{last}{creation}"));
        assert_eq!(statuses(&answers), [status, 400]);
    }
    assert!(api.user("alice").titles().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_not_read_is_never_taken_for_a_request() {
    let api = Api::over_memory();
    let smuggled = creation("Content-Length: 13\r\n", BODY);
    let length = format!("Content-Length: {}\r\n", smuggled.len());
    let chunked = format!("{:x}\r\n{smuggled}\r\n0\r\n\r\n", smuggled.len());
    for line in [
        "GET /livez",
        "GET /nothing",
        "DELETE /livez",
        "POST /api/tasks",
        "GET /api/tasks",
    ] {
        for (framing, body) in [
            (length.as_str(), &smuggled),
            ("Transfer-Encoding: chunked\r\n", &chunked),
        ] {
            let head = format!("{line} HTTP/1.1\r\nHost: api\r\nConnection: close\r\n{framing}\r\n");
            let mut wire = Wire::to(&api);
            wire.send(format!("{head}{body}"));
            assert_eq!(wire.raw_answers_until_closed().len(), 1, "{line} {framing}");
        }
    }
    assert!(api.user("alice").titles().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_before_sending_a_body_is_told_to_go_on() {
    let api = Api::over_memory();
    let lines = "Expect: 100-continue\r\nContent-Length: 13\r\n";
    let mut wire = Wire::to(&api);
    wire.send(creation(lines, ""));
    assert_eq!(wire.raw_answer().status, 100);
    wire.send(BODY);
    assert_eq!(wire.raw_answer().status, 201);
    // The body of a stranger is not invited, and the refusal does not wait for it.
    wire.send(format!("POST /api/tasks HTTP/1.1\r\nHost: api\r\n{lines}\r\n"));
    assert_eq!(statuses(&wire.raw_answers_until_closed()), [401]);
}

/// There was no request yet, so there is no problem document.
#[tokio::test(flavor = "multi_thread")]
async fn a_head_may_have_96_fields_and_128_kib() {
    let api = Api::over_memory();
    let fields = |count: usize| look(&format!("Host: api\r\n{}", "X: y\r\n".repeat(count - 1)));
    let sized = |size: usize| {
        let head = look("Host: api\r\nX: \r\n");
        head.replace("X: ", &format!("X: {}", "y".repeat(size - head.len())))
    };
    for head in [fields(96), sized(130_000)] {
        assert_eq!(statuses_of_open(&api, head, 1), [200]);
    }
    for (head, status) in [
        (fields(97), 431),
        (sized(132_000), 431),
        (look(&format!("Host: api\r\n{}", "X: y\r\n".repeat(30_000))), 431),
        (
            format!("GET /{} HTTP/1.1\r\nHost: api\r\n\r\n", "x".repeat(66_000)),
            400,
        ),
    ] {
        let answers = answers(&api, head);
        assert_eq!(statuses(&answers), [status]);
        assert_eq!(answers[0].body, "");
    }
    let long_path = format!("GET /{} HTTP/1.1\r\nHost: api\r\n\r\n", "x".repeat(65_000));
    assert_eq!(statuses_of_open(&api, long_path, 1), [404]);
}

/// actix panics over such a name. That costs this connection, and no other client anything.
#[tokio::test(flavor = "multi_thread")]
async fn a_field_name_of_64_kib_ends_its_own_connection_only() {
    let api = Api::over_memory();
    let mut bystanders: Vec<_> = (0..8).map(|_| Wire::to(&api)).collect();
    for _ in 0..4 {
        let answers = answers(&api, look(&format!("Host: api\r\n{}: y\r\n", "x".repeat(70_000))));
        assert_eq!(statuses(&answers), [0; 0]);
    }
    for bystander in &mut bystanders {
        bystander.send(ALIVE);
        assert_eq!(bystander.raw_answer().status, 200);
    }
}

/// An API of one worker, so that every connection meets what the others leave behind.
fn of_one_worker() -> Api {
    Api::serving(Parts {
        workers: 1,
        ..Parts::default()
    })
}

const OF_OLD_TIMES: &str = "GET /livez HTTP/1.0\r\n\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_http_1_0_ends_no_connection_but_its_own() {
    let api = of_one_worker();
    let mut kept = Wire::to(&api);
    for _ in 0..20 {
        // As the health check of a load balancer, or one whose answer is an error.
        for look in [
            OF_OLD_TIMES,
            "GET /nothing HTTP/1.0\r\n\r\n",
            "GET /api/tasks HTTP/1.0\r\n\r\n",
        ] {
            assert_eq!(answers(&api, look).len(), 1);
            for path in ["/livez", "/nothing", "/api/me"] {
                kept.send(format!("GET {path} HTTP/1.1\r\nHost: api\r\n\r\n"));
                let answer = kept.raw_answer();
                assert_ne!(answer.status, 400, "{path} after {look:?}");
                assert_eq!(answer.header("connection"), "", "{path} after {look:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_http_1_0_keeps_serves_one_request_after_the_other() {
    let api = of_one_worker();
    let mut wire = Wire::to(&api);
    for _ in 0..50 {
        wire.send("GET /livez HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        let answer = wire.raw_answer();
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("connection"), "keep-alive");
    }
    wire.send(OF_OLD_TIMES);
    assert_eq!(statuses(&wire.raw_answers_until_closed()), [200]);
}

/// RFC 9112, 6.1: such a client does not know chunks.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_http_1_0_says_how_long_it_is_whatever_coding_the_client_takes() {
    let api = Api::over_memory();
    let alice = api.user("alice");
    for _ in 0..30 {
        alice.has_task(&"a long title ".repeat(15)).await;
    }
    for coding in ["gzip", "br", "deflate", "*"] {
        let lines = format!("Accept-Encoding: {coding}\r\nConnection: keep-alive\r\n");
        let mut wire = Wire::to(&api);
        for path in ["/api/tasks", "/openapi.json"] {
            wire.send(request(&format!("GET {path} HTTP/1.0"), &lines, ""));
            let answer = wire.raw_answer();
            assert_eq!(answer.header("transfer-encoding"), "", "{coding}");
            assert_eq!(answer.header("content-encoding"), "", "{coding}");
            assert!(answer.json().is_array() || answer.json().is_object(), "{coding}");
        }
    }
}
