//! A list comes in pages, and anyone who follows them sees everything once.

use std::collections::HashSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::{Answer, Api, User, path_of};

cases! { pages_cases in contract::tasks::pages:
    a_page_holds_a_hundred_tasks_unless_a_limit_is_given
    following_the_cursor_visits_every_task_once_newest_first
    following_the_links_visits_the_same_pages
    a_page_that_ends_exactly_with_the_list_announces_no_next_one
    an_empty_list_is_an_empty_array_with_a_first_page
    a_page_ends_with_the_task_that_passes_a_mib_and_leads_on_from_there
    what_happens_elsewhere_in_the_list_does_not_disturb_who_follows_the_cursor
    the_limit_may_change_from_page_to_page
    a_cursor_outlives_the_task_it_points_behind
    a_cursor_that_is_edited_or_of_somebody_else_is_refused
}

/// Creates that many tasks; returns their ids, newest first.
async fn ids_of_new_tasks(user: &User, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..count {
        let task = user.has_task(&format!("Task {number}")).await;
        ids.insert(0, task["id"].as_str().expect("an id").to_owned());
    }
    ids
}

fn ids(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{answer:?}");
    let list = answer.json();
    let list = list.as_array().expect("an array");
    let id = |task: &Value| task["id"].as_str().expect("an id").to_owned();
    list.iter().map(id).collect()
}

/// The target of a link (RFC 8288), if there is one of that relation.
fn link(answer: &Answer, relation: &str) -> Option<String> {
    let links = answer.header("link").split(", ");
    links
        .filter_map(|link| link.split_once(">; rel="))
        .find_map(|(target, rel)| {
            (rel == format!("\"{relation}\"")).then(|| target.trim_start_matches('<').to_owned())
        })
}

async fn a_page_holds_a_hundred_tasks_unless_a_limit_is_given(api: &Api) {
    let alice = api.user("alice");
    let all = ids_of_new_tasks(&alice, 101).await;
    let first = alice.get("/api/tasks").await;
    assert_eq!(ids(&first), all[..100]);
    assert_eq!(first.header("x-page-limit"), "100");
    let cursor = first.header("x-next-cursor");
    assert_eq!(
        first.header("link"),
        format!("</api/tasks?cursor={cursor}>; rel=\"next\", </api/tasks>; rel=\"first\"")
    );
    let second = alice.get(&format!("/api/tasks?cursor={cursor}")).await;
    assert_eq!(ids(&second), all[100..]);
    assert_eq!(second.header("x-next-cursor"), "");
    assert_eq!(second.header("link"), "</api/tasks>; rel=\"first\"");
    let whole = alice.get("/api/tasks?limit=500").await;
    assert_eq!(ids(&whole), all);
    assert_eq!(whole.header("x-page-limit"), "500");
}

async fn following_the_cursor_visits_every_task_once_newest_first(api: &Api) {
    let alice = api.user("alice");
    api.user("bob").has_task("Not hers").await;
    let all = ids_of_new_tasks(&alice, 7).await;
    for limit in 1..=8 {
        let mut visited = Vec::new();
        let mut path = format!("/api/tasks?limit={limit}");
        loop {
            let page = alice.get(&path).await;
            assert_eq!(page.header("x-page-limit"), limit.to_string());
            visited.push(ids(&page));
            match page.header("x-next-cursor") {
                "" => break,
                cursor => path = format!("/api/tasks?limit={limit}&cursor={cursor}"),
            }
        }
        let pages: Vec<_> = all.chunks(limit).map(<[String]>::to_vec).collect();
        assert_eq!(visited, pages);
    }
}

async fn following_the_links_visits_the_same_pages(api: &Api) {
    let alice = api.user("alice");
    let all = ids_of_new_tasks(&alice, 5).await;
    // However the client wrote its query, the links lead to the same list.
    for start in [
        "/api/tasks?limit=2",
        "/api/tasks?&limit=2&",
        "/api/tasks?%6Cimit=%32",
        "/api/tasks?limit=%2B2",
    ] {
        let mut visited = Vec::new();
        let mut next = Some(start.to_owned());
        while let Some(path) = next {
            let page = alice.get(&path).await;
            visited.extend(ids(&page));
            let first = link(&page, "first").expect("a first page");
            assert_eq!(ids(&alice.get(&first).await), all[..2], "{first}");
            next = link(&page, "next");
        }
        assert_eq!(visited, all, "{start}");
    }
    let first = alice.get("/api/tasks?limit=2").await;
    let cursor = first.header("x-next-cursor");
    assert_eq!(
        first.header("link"),
        format!("</api/tasks?limit=2&cursor={cursor}>; rel=\"next\", </api/tasks?limit=2>; rel=\"first\"")
    );
    // A cursor whose name is written in another way is replaced all the same.
    let second = alice.get(&format!("/api/tasks?%63ursor={cursor}&limit=2")).await;
    let third = alice.get(&link(&second, "next").expect("a next page")).await;
    assert_eq!(ids(&third), all[4..]);
}

async fn a_page_that_ends_exactly_with_the_list_announces_no_next_one(api: &Api) {
    let alice = api.user("alice");
    let all = ids_of_new_tasks(&alice, 4).await;
    let first = alice.get("/api/tasks?limit=2").await;
    let cursor = first.header("x-next-cursor");
    let second = alice.get(&format!("/api/tasks?limit=2&cursor={cursor}")).await;
    for (page, wanted) in [
        (&second, &all[2..]),
        (&alice.get("/api/tasks?limit=4").await, &all[..]),
    ] {
        assert_eq!(ids(page), wanted);
        assert_eq!(page.header("x-next-cursor"), "");
        assert_eq!(link(page, "next"), None);
        assert!(link(page, "first").is_some());
    }
}

async fn an_empty_list_is_an_empty_array_with_a_first_page(api: &Api) {
    let answer = api.user("alice").get("/api/tasks").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body, "[]");
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "private, no-cache");
    assert_eq!(answer.header("x-page-limit"), "100");
    assert_eq!(answer.header("link"), "</api/tasks>; rel=\"first\"");
    assert_eq!(answer.header("x-next-cursor"), "");
}

/// In every order, by GET and HEAD alike, and whatever its characters take as JSON.
async fn a_page_ends_with_the_task_that_passes_a_mib_and_leads_on_from_there(api: &Api) {
    const MIB: usize = 1 << 20;
    for (owner, character, count) in [("alice", "\u{1}", 40), ("bob", "\u{1F95B}", 60)] {
        let user = api.user(owner);
        for number in 0..count {
            let task =
                json!({ "title": format!("Task {number:02}"), "description": character.repeat(10_000) });
            assert_eq!(user.post("/api/tasks", &task).await.status, 201);
        }
        for sort in ["-created_at", "created_at", "title", "-updated_at", "status"] {
            let start = format!("/api/tasks?limit=500&sort={sort}");
            let (mut visited, mut sizes) = (HashSet::new(), Vec::new());
            let mut path = start.clone();
            loop {
                let page = user.get(&path).await;
                assert_eq!(page.header("x-page-limit"), "500");
                visited.extend(ids(&page));
                sizes.push(page.body.len());
                let head = Answer::to(user.request(Method::HEAD, &path)).await;
                let tag = page.header("etag").to_owned();
                let same = user.request(Method::GET, &path).header("If-None-Match", &tag);
                let same = Answer::to(same).await;
                assert_eq!((head.status.as_u16(), same.status.as_u16()), (200, 304));
                assert_eq!((head.body.as_str(), same.body.as_str()), ("", ""));
                for name in [
                    "etag",
                    "link",
                    "x-next-cursor",
                    "x-page-limit",
                    "vary",
                    "cache-control",
                ] {
                    assert_eq!(head.header(name), page.header(name), "{name}");
                    assert_eq!(same.header(name), page.header(name), "{name}");
                }
                assert_eq!(head.header("content-type"), page.header("content-type"));
                assert_eq!(
                    link(&page, "next").is_some(),
                    !page.header("x-next-cursor").is_empty()
                );
                match page.header("x-next-cursor") {
                    "" => break,
                    cursor => path = format!("{start}&cursor={cursor}"),
                }
            }
            assert_eq!(visited.len(), count, "{sort}");
            let (last, full) = sizes.split_last().expect("a page");
            assert!(full.len() >= 2 && *last < MIB + 64 * 1024, "{sort}: {sizes:?}");
            assert!(
                full.iter().all(|size| (MIB + 2..MIB + 64 * 1024).contains(size)),
                "{sort}: {sizes:?}"
            );
        }
    }
}

async fn what_happens_elsewhere_in_the_list_does_not_disturb_who_follows_the_cursor(api: &Api) {
    let alice = api.user("alice");
    let all = ids_of_new_tasks(&alice, 6).await;
    let first = alice.get("/api/tasks?limit=3").await;
    assert_eq!(ids(&first), all[..3]);
    // Newer ones come, one that was seen goes, one that was not seen yet changes.
    alice.has_task("Newer").await;
    assert_eq!(alice.delete(&format!("/api/tasks/{}", all[1])).await.status, 204);
    let change = json!({ "title": "Changed" });
    assert_eq!(
        alice.put(&format!("/api/tasks/{}", all[5]), &change).await.status,
        200
    );
    let cursor = first.header("x-next-cursor");
    let second = alice.get(&format!("/api/tasks?limit=3&cursor={cursor}")).await;
    assert_eq!(ids(&second), all[3..]);
}

async fn the_limit_may_change_from_page_to_page(api: &Api) {
    let alice = api.user("alice");
    let all = ids_of_new_tasks(&alice, 6).await;
    let first = alice.get("/api/tasks?limit=1").await;
    let cursor = first.header("x-next-cursor").to_owned();
    let second = alice.get(&format!("/api/tasks?cursor={cursor}&limit=2")).await;
    assert_eq!(ids(&second), all[1..3]);
    let cursor = second.header("x-next-cursor").to_owned();
    let rest = alice.get(&format!("/api/tasks?cursor={cursor}")).await;
    assert_eq!(ids(&rest), all[3..]);
}

async fn a_cursor_outlives_the_task_it_points_behind(api: &Api) {
    let alice = api.user("alice");
    let all = ids_of_new_tasks(&alice, 4).await;
    let first = alice.get("/api/tasks?limit=2").await;
    for id in &all[..2] {
        alice.delete(&path_of(&json!({ "id": id }))).await;
    }
    let cursor = first.header("x-next-cursor");
    let second = alice.get(&format!("/api/tasks?cursor={cursor}")).await;
    assert_eq!(ids(&second), all[2..]);
}

async fn a_cursor_that_is_edited_or_of_somebody_else_is_refused(api: &Api) {
    let (alice, bob) = (api.user("alice"), api.user("bob"));
    ids_of_new_tasks(&alice, 2).await;
    ids_of_new_tasks(&bob, 2).await;
    let first = alice.get("/api/tasks?limit=1").await;
    let cursor = first.header("x-next-cursor");
    let edited: String = cursor.chars().rev().collect();
    let refused = [
        (&bob, cursor.to_owned()),
        (&alice, edited),
        (&alice, cursor.to_lowercase()),
        (&alice, cursor[1..].to_owned()),
        (&alice, format!("{cursor}A")),
        (&alice, format!("{cursor}=")),
        (&alice, format!("{cursor}%20")),
        (&alice, "1".to_owned()),
        (&alice, "%00".to_owned()),
        (&alice, "A".repeat(50_000)),
    ];
    let wanted = json!([{
        "loc": ["query", "cursor"], "type": "cursor_invalid",
        "msg": "Input should be a cursor of the previous page, used by the same user with the same list",
    }]);
    for (user, cursor) in refused {
        let answer = user.get(&format!("/api/tasks?cursor={cursor}")).await;
        assert_eq!(answer.errors(), wanted, "{cursor}");
    }
}
