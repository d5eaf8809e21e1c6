//! The list can be filtered, searched, sorted and counted, and a page is cut from what is left.

use serde_json::{Value, json};

use crate::{Answer, Api, User};

cases! { filters_cases in contract::tasks::filters:
    filters_come_before_the_page
    a_search_ignores_letter_case_in_every_script_and_knows_no_wildcards
    every_sort_order_can_be_paged_to_its_end
    updated_since_finds_what_changed
    a_total_is_counted_on_request_only
    parameters_that_make_no_sense_are_422
    an_empty_value_counts_as_no_parameter
    a_list_of_statuses_is_read_in_every_notation
    a_cursor_of_another_list_is_422
    a_cursor_is_judged_beside_other_errors_as_soon_as_its_list_is_known
}

async fn has(alice: &User, title: &str, status: &str) {
    let answer = alice
        .post("/api/tasks", &json!({ "title": title, "status": status }))
        .await;
    assert_eq!(answer.status, 201, "{answer:?}");
}

fn titles(answer: &Answer) -> Vec<String> {
    let list = answer.json();
    let tasks = list.as_array().expect("an array");
    tasks
        .iter()
        .map(|task| task["title"].as_str().expect("a title").to_owned())
        .collect()
}

async fn filters_come_before_the_page(api: &Api) {
    let alice = api.user("alice");
    for number in 0..9 {
        has(
            &alice,
            &format!("task {number}"),
            ["pending", "in_progress", "completed"][number % 3],
        )
        .await;
    }
    let first = alice.get("/api/tasks?status=completed&limit=2").await;
    assert_eq!(titles(&first), ["task 8", "task 5"]);
    let cursor = first.header("x-next-cursor");
    let next = alice
        .get(&format!("/api/tasks?status=completed&limit=2&cursor={cursor}"))
        .await;
    assert_eq!(titles(&next), ["task 2"]);
    let two = alice
        .get("/api/tasks?status=completed,pending&status=pending")
        .await;
    assert_eq!(titles(&two).len(), 6);
}

async fn a_search_ignores_letter_case_in_every_script_and_knows_no_wildcards(api: &Api) {
    let alice = api.user("alice");
    for title in ["École", "ΟΔΟΣ", "50% off", "50 off", "straße"] {
        has(&alice, title, "pending").await;
    }
    for (term, wanted) in [
        ("ÉCOLE", "École"),
        ("οδος", "ΟΔΟΣ"),
        ("50%25", "50% off"),
        ("STRAẞE", "straße"),
        ("%20%C3%A9co%20", "École"),
    ] {
        assert_eq!(
            titles(&alice.get(&format!("/api/tasks?q={term}")).await),
            [wanted],
            "{term}"
        );
    }
    assert!(titles(&alice.get("/api/tasks?q=5_%25").await).is_empty());
}

async fn every_sort_order_can_be_paged_to_its_end(api: &Api) {
    let alice = api.user("alice");
    for (title, status) in [
        ("b", "pending"),
        ("a", "completed"),
        ("B", "pending"),
        ("a", "in_progress"),
        ("c", "completed"),
    ] {
        has(&alice, title, status).await;
    }
    for (sort, wanted) in [
        ("title", ["B", "a", "a", "b", "c"]),
        ("-title", ["c", "b", "a", "a", "B"]),
        ("status", ["a", "c", "a", "b", "B"]),
        ("created_at", ["b", "a", "B", "a", "c"]),
        ("-updated_at", ["c", "a", "B", "a", "b"]),
    ] {
        let mut seen = Vec::new();
        let mut path = format!("/api/tasks?sort={sort}&limit=2");
        loop {
            let page = alice.get(&path).await;
            seen.extend(titles(&page));
            assert!(seen.len() <= 5, "{sort}: {seen:?}");
            match page.header("link").split(';').next() {
                Some(next) if page.header("link").contains("rel=\"next\"") => {
                    next.trim_matches(['<', '>']).clone_into(&mut path);
                }
                _ => break,
            }
        }
        assert_eq!(seen, wanted, "{sort}");
    }
}

async fn updated_since_finds_what_changed(api: &Api) {
    let alice = api.user("alice");
    alice.has_task("old").await;
    let task = alice.has_task("new").await;
    let since = task["updated_at"].as_str().expect("a time");
    let found = titles(&alice.get(&format!("/api/tasks?updated_since={since}")).await);
    assert!(found.contains(&"new".to_owned()), "{found:?}");
    let nothing = alice
        .get("/api/tasks?updated_since=2999-01-01T00:00:00%2B02:00")
        .await;
    assert!(titles(&nothing).is_empty());
}

async fn a_total_is_counted_on_request_only(api: &Api) {
    let alice = api.user("alice");
    for number in 0..3 {
        has(
            &alice,
            &format!("task {number}"),
            ["pending", "completed"][number % 2],
        )
        .await;
    }
    assert_eq!(alice.get("/api/tasks").await.header("x-total-count"), "");
    assert_eq!(
        alice
            .get("/api/tasks?count=exact&limit=1")
            .await
            .header("x-total-count"),
        "3"
    );
    assert_eq!(
        alice
            .get("/api/tasks?count=exact&status=pending")
            .await
            .header("x-total-count"),
        "2"
    );
}

async fn parameters_that_make_no_sense_are_422(api: &Api) {
    let alice = api.user("alice");
    let long = format!("q={}", "x".repeat(101));
    for (query, place, rule) in [
        ("status=done", "status", "enum"),
        ("status=pending,", "status", "enum"),
        ("sort=colour", "sort", "enum"),
        ("count=estimated", "count", "enum"),
        ("q=%20", "q", "string_too_short"),
        (&long, "q", "string_too_long"),
        ("q=a%00b", "q", "string_pattern_mismatch"),
        ("updated_since=yesterday", "updated_since", "datetime_parsing"),
        (
            "updated_since=2026-01-01T00:00:00",
            "updated_since",
            "datetime_parsing",
        ),
        ("sort=title&sort=status", "sort", "extra_forbidden"),
        ("limit[]=1", "limit[]", "extra_forbidden"),
        ("foo=", "foo", "extra_forbidden"),
        ("q=%FF", "q", "string_unicode"),
        ("status=%E2%82", "status", "string_unicode"),
        ("status[]=done", "status", "enum"),
        ("statsu=pending", "statsu", "extra_forbidden"),
    ] {
        let answer = alice.get(&format!("/api/tasks?{query}")).await;
        assert_eq!(answer.status, 422, "{query}");
        assert_eq!(
            answer.field_errors(),
            [(place.to_owned(), rule.to_owned())],
            "{query}"
        );
    }
}

async fn a_cursor_is_judged_beside_other_errors_as_soon_as_its_list_is_known(api: &Api) {
    let alice = api.user("alice");
    for title in ["milk", "more milk"] {
        has(&alice, title, "pending").await;
    }
    let page = alice.get("/api/tasks?limit=1&sort=title").await;
    let good = page.header("x-next-cursor");
    let limit = ("limit", "greater_than_equal");
    let count = ("count", "enum");
    let cursor = ("cursor", "cursor_invalid");
    for (query, wanted) in [
        ("cursor=AAAA&limit=0".to_owned(), &[limit, cursor][..]),
        (
            "limit=0&cursor=AAAA&count=all".to_owned(),
            &[limit, count, cursor],
        ),
        (format!("limit=0&sort=title&cursor={good}"), &[limit]),
        (format!("limit=0&sort=-title&cursor={good}"), &[limit, cursor]),
        // No one knows which list is meant.
        ("status=done&cursor=AAAA".to_owned(), &[("status", "enum")]),
        (
            "sort=size&limit=0&cursor=AAAA".to_owned(),
            &[("sort", "enum"), limit],
        ),
        (
            "statsu=done&cursor=AAAA".to_owned(),
            &[("statsu", "extra_forbidden")],
        ),
        (
            "cursor=AAAA&cursor=AAAA".to_owned(),
            &[("cursor", "extra_forbidden")],
        ),
    ] {
        let answer = alice.get(&format!("/api/tasks?{query}")).await;
        let wanted: Vec<_> = wanted
            .iter()
            .map(|(place, rule)| ((*place).to_owned(), (*rule).to_owned()))
            .collect();
        assert_eq!(answer.field_errors(), wanted, "{query}");
    }
}

async fn a_cursor_of_another_list_is_422(api: &Api) {
    let alice = api.user("alice");
    for title in ["milk", "more milk"] {
        has(&alice, title, "pending").await;
    }
    let page = alice.get("/api/tasks?limit=1&status=pending&sort=title").await;
    let cursor = page.header("x-next-cursor").to_owned();
    let good = alice
        .get(&format!(
            "/api/tasks?limit=7&status=pending&sort=title&count=exact&cursor={cursor}"
        ))
        .await;
    assert_eq!(good.status, 200);
    for other in [
        "status=pending",
        "sort=title",
        "status=pending&sort=-title",
        "status=pending&sort=title&q=milk",
    ] {
        let answer = alice
            .get(&format!("/api/tasks?limit=1&{other}&cursor={cursor}"))
            .await;
        assert_eq!(
            answer.field_errors(),
            [("cursor".to_owned(), "cursor_invalid".to_owned())],
            "{other}"
        );
    }
    let bob = api
        .user("bob")
        .get(&format!("/api/tasks?status=pending&sort=title&cursor={cursor}"))
        .await;
    assert_eq!(
        (bob.status.as_u16(), &bob.json()["code"]),
        (422, &Value::from("validation_error"))
    );
}

async fn an_empty_value_counts_as_no_parameter(api: &Api) {
    let alice = api.user("alice");
    alice.has_task("Buy milk").await;
    let plain = alice.get("/api/tasks").await;
    let query = "status=&status[]=&q=&sort=&limit=&cursor=&updated_since=&count=&q=milk";
    let answer = alice.get(&format!("/api/tasks?{query}")).await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, plain.json()));
    assert_eq!(answer.header("link"), "</api/tasks?q=milk>; rel=\"first\"");
}

async fn a_list_of_statuses_is_read_in_every_notation(api: &Api) {
    let alice = api.user("alice");
    for status in ["pending", "in_progress", "completed"] {
        let body = json!({ "title": status, "status": status });
        assert_eq!(alice.post("/api/tasks", &body).await.status, 201);
    }
    for query in [
        "status=pending,completed",
        "status=pending&status=completed",
        "status[]=pending&status[]=completed",
        "status%5B%5D=pending&status=completed",
    ] {
        let answer = alice.get(&format!("/api/tasks?sort=title&{query}")).await;
        let titles: Vec<_> = answer
            .json()
            .as_array()
            .expect("a list")
            .iter()
            .map(|task| task["title"].clone())
            .collect();
        assert_eq!(titles, ["completed", "pending"], "{query}");
    }
}
