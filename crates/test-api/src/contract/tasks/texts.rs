//! Text is stored exactly as it was sent, or refused.

use serde_json::json;

use crate::{Api, path_of};

cases! { texts_cases in contract::tasks::texts:
    text_is_stored_exactly_as_it_was_sent
    white_space_around_a_title_stays
    texts_that_look_alike_are_not_made_equal
}

const TEXTS: [&str; 14] = [
    "Milch kaufen für Zoë",
    "купить молоко",
    "牛乳を買う",
    "شراء الحليب — عاجل",
    "קנה חלב \u{202e}הפוך\u{202c}",
    "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 \u{1f1e9}\u{1f1ea}",
    "e\u{301} is not é",
    "it's \"quoted\", `ticked` and \\escaped\\",
    "'; DROP TABLE tasks; --",
    "100 % _under_ %s {} $1 ?",
    "<script>alert('x')</script> &amp;",
    "\u{feff}starts with a byte order mark",
    "zero\u{200b}width and soft\u{ad}hyphen",
    "\u{10ffff} is the last, \u{e000} is private, \u{fffd} replaces",
];

async fn text_is_stored_exactly_as_it_was_sent(api: &Api) {
    let alice = api.user("alice");
    for text in TEXTS {
        let sent = json!({ "title": text, "description": format!("{text}\r\n\t{text}") });
        let created = alice.post("/api/tasks", &sent).await;
        assert_eq!(created.status, 201, "{text}");
        let stored = alice.get(created.header("location")).await.json();
        assert_eq!(stored["title"], sent["title"]);
        assert_eq!(stored["description"], sent["description"]);
    }
    let newest_first: Vec<&str> = TEXTS.into_iter().rev().collect();
    assert_eq!(alice.titles().await, newest_first);
}

async fn white_space_around_a_title_stays(api: &Api) {
    let alice = api.user("alice");
    let task = alice.has_task("  Buy milk\u{a0} ").await;
    assert_eq!(
        alice.get(&path_of(&task)).await.json()["title"],
        "  Buy milk\u{a0} "
    );
}

/// A change from one spelling to another is a change.
async fn texts_that_look_alike_are_not_made_equal(api: &Api) {
    let alice = api.user("alice");
    let task = alice.has_task("é").await;
    for (version, title) in [(2, "e\u{301}"), (3, "E\u{301}"), (4, "É"), (5, "É ")] {
        let changed = alice.put(&path_of(&task), &json!({ "title": title })).await;
        assert_eq!(changed.json()["title"], title);
        assert_eq!(changed.json()["version"], version);
    }
}
