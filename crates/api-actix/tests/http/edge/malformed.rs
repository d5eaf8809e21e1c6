//! Requests that are refused before they are requests, as the log tells of them.

use crate::support::{Storage, TaskApi, Wire};

/// Any client could fill the log with errors otherwise. Refused tokens stay in the audit log.
#[tokio::test(flavor = "multi_thread")]
async fn malformed_requests_are_no_errors_of_ours_in_the_log() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("sqlite:{}", folder.path().join("tasks.db").display());
    let binary = TaskApi::serve_on(&url).start().await;
    let api = binary.api(Storage::Sqlite);
    for bytes in [
        "nonsense\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
    ] {
        let mut wire = Wire::to(&api);
        wire.send(bytes);
        let answers = wire.raw_answers_until_closed();
        assert_eq!(answers.len(), 1, "{answers:?}");
        assert_eq!(answers[0].status, 400);
    }
    assert_eq!(api.anonymous().get("/api/tasks").await.status, 401);
    let log = binary.logs("auth_failed").await;
    assert!(!log.contains("ERROR"), "{log}");
}
