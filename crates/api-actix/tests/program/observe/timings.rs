//! `Server-Timing`: how long the parts of a request took, for callers, if an operator allows it.

use super::Watched;

/// The metrics of the header, in order, with their durations in milliseconds.
fn durations(header: &str) -> Vec<(&str, f64)> {
    let metric = |text: &'_ str| -> Option<(usize, f64)> {
        let (name, duration) = text.split_once(";dur=")?;
        Some((name.len(), duration.parse().ok()?))
    };
    let metrics = header.split(", ").filter(|text| !text.is_empty());
    metrics
        .map(|text| {
            let (length, duration) = metric(text).expect("a name and a duration");
            (&text[..length], duration)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_one_is_told_by_default() {
    let watched = Watched::on_sqlite(&[]).await;
    let answer = watched.api.user("alice").get("/api/tasks").await;
    assert_eq!(answer.header("server-timing"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_parts_of_a_request_are_named_and_fit_into_the_whole() {
    let watched = Watched::on_sqlite(&[("SERVER_TIMING", "true")]).await;
    let answer = watched.api.user("alice").get("/api/tasks?count=exact").await;
    let parts = durations(answer.header("server-timing"));
    let names: Vec<_> = parts.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["auth", "db", "total"]);
    assert!(parts.iter().all(|(_, duration)| *duration > 0.0), "{parts:?}");
    assert!(parts[0].1 + parts[1].1 <= parts[2].1, "{parts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_told_of_the_parts_that_it_had() {
    let watched = Watched::on_sqlite(&[("SERVER_TIMING", "true")]).await;
    let names = |header: &str| -> Vec<String> {
        durations(header)
            .into_iter()
            .map(|(name, _)| name.to_owned())
            .collect()
    };
    let live = watched.api.anonymous().get("/livez").await;
    assert_eq!(names(live.header("server-timing")), ["total"]);
    let refused = watched.api.bearer("a.b.c").get("/api/tasks").await;
    assert_eq!(refused.status, 401);
    assert_eq!(names(refused.header("server-timing")), ["auth", "total"]);
    let missing = watched.api.user("alice").get("/api/tasks/none").await;
    assert_eq!(names(missing.header("server-timing")), ["auth", "total"]);
}
