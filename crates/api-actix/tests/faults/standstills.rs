//! Nothing breaks, but something stands still for a while.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::proxy::Mood;
use crate::seconds;
use crate::support::{Answer, Api};
use crate::trial::Trial;

/// Longer than the time limit of a statement, and of a wait for a lock.
fn a_while() -> Duration {
    seconds(3, 5)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn sc_005_postgresql_stands_still() {
    let trial = Trial::of("PostgreSQL stopped in its tracks");
    trial
        .strikes(async |stage, _| {
            let _frozen = stage.freeze_database().await;
            sleep(seconds(2, 5)).await;
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn sc_005_the_table_is_locked() {
    let trial = Trial::of("table locked");
    trial
        .strikes(async |stage, _| {
            let _outsider = stage.outsider("BEGIN; LOCK TABLE tasks").await;
            sleep(a_while()).await;
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_locked_row_is_felt_by_no_one_but_its_owner() {
    let trial = Trial::of("one row locked (all but its owner)").warm_up(seconds(2, 5));
    let (report, answers) = trial
        .strikes(async |stage, _| {
            let owner = stage.api().user("owner");
            let id = owner.has_task("locked").await["id"]
                .as_str()
                .expect("an id")
                .to_owned();
            let _outsider = stage
                .outsider(&format!(
                    "BEGIN; SELECT * FROM tasks WHERE id = '{id}' FOR UPDATE"
                ))
                .await;
            changes_until(
                Instant::now() + a_while(),
                stage.api(),
                &format!("/api/tasks/{id}"),
            )
            .await
        })
        .await;
    println!("  the owner, four windows open, was answered {answers:?}");
    assert!(
        answers.keys().all(|status| [200, 503].contains(&status.as_u16())),
        "{answers:?}"
    );
    let (before, during) = report.times();
    let p99 = |times: &[Duration]| times[(times.len() - 1) * 99 / 100];
    let ratio = p99(&during).as_secs_f64() / p99(&before).as_secs_f64();
    println!(
        "  the others: p99 {:.1?} before, {:.1?} during: {ratio:.2} times; {} and {} requests",
        p99(&before),
        p99(&during),
        before.len(),
        during.len()
    );
    assert_eq!(report.count(|end| !end.is_success()), 0);
    // Less than the two seconds that a statement waits for a lock.
    assert!(
        report.slowest() < Duration::from_secs(2),
        "{:?}",
        report.slowest()
    );
}

/// The owner of a task changes it in four windows at once, over and over.
async fn changes_until(end: Instant, api: &Api, path: &str) -> BTreeMap<StatusCode, usize> {
    let mut windows = JoinSet::new();
    for window in 0..4 {
        let (owner, path) = (api.user("owner"), path.to_owned());
        windows.spawn(async move {
            let mut answers = Vec::new();
            while Instant::now() < end {
                let title = json!({ "title": format!("from window {window}") });
                answers.push(owner.put(&path, &title).await.status);
            }
            answers
        });
    }
    let mut count = BTreeMap::new();
    for status in windows.join_all().await.into_iter().flatten() {
        *count.entry(status).or_default() += 1;
    }
    count
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn five_hundred_callers_during_a_standstill_are_all_answered() {
    let trial = Trial::of("500 callers while the network stands still");
    let (_, answers) = trial
        .strikes(async |stage, _| {
            stage.network(Mood::Standing);
            let mut callers = JoinSet::new();
            for number in 0..500 {
                callers.spawn(calls(stage.api(), number));
            }
            sleep(Duration::from_secs(2)).await;
            stage.network(Mood::Forwarding);
            callers.join_all().await
        })
        .await;
    let slowest = answers.iter().map(|(_, took)| *took).max().expect("answers");
    let served = answers
        .iter()
        .filter(|(answer, _)| answer.status.is_success())
        .count();
    println!("  of 500 callers {served} were served, the others told to come back; slowest {slowest:.2?}");
    for (answer, took) in &answers {
        assert!(*took < Duration::from_secs(10), "{took:?}");
        if !answer.status.is_success() {
            assert_eq!(answer.status, 503, "{answer:?}");
            assert_eq!(answer.header("retry-after"), "1");
            answer.problem();
        }
    }
}

/// One of many callers: each has a user of its own, every second one writes.
fn calls(api: &Api, number: usize) -> impl Future<Output = (Answer, Duration)> + use<> {
    let user = api.user(&format!("caller-{number}"));
    let request = if number.is_multiple_of(2) {
        user.request(Method::POST, "/api/tasks")
            .json(&json!({ "title": "hurry" }))
    } else {
        user.request(Method::GET, "/api/tasks")
    };
    async move {
        let started = Instant::now();
        let answer = Answer::to(request.timeout(Duration::from_secs(15))).await;
        (answer, started.elapsed())
    }
}
