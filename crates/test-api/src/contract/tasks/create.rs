//! The rules of each member of a creation, and what becomes of members that a client may not set.

use reqwest::Method;
use serde_json::{Value, json};

use crate::Api;

cases! { create_cases in contract::tasks::create:
    whatever_the_read_only_members_say_they_are_ignored
    every_status_can_be_given_and_pending_is_the_default
    an_empty_description_stays_empty_and_an_absent_or_null_one_is_null
    a_refused_creation_stores_nothing
    each_broken_rule_of_a_member_has_its_type
    line_breaks_are_welcome_in_a_description_and_every_control_character_but_nul
    a_member_that_is_given_twice_is_refused_even_if_both_agree
}

async fn whatever_the_read_only_members_say_they_are_ignored(api: &Api) {
    let alice = api.user("alice");
    for nonsense in [
        json!(null),
        json!(-1),
        json!("text"),
        json!([[]]),
        json!({ "a": 1 }),
    ] {
        let mut body = json!({ "title": "Buy milk" });
        for name in ["id", "created_at", "updated_at", "version"] {
            body[name] = nonsense.clone();
        }
        let created = alice.post("/api/tasks", &body).await;
        assert_eq!(created.status, 201, "{nonsense}");
        assert_eq!(created.json()["version"], 1);
        for name in ["id", "created_at", "updated_at"] {
            assert_ne!(created.json()[name], nonsense, "{name}");
        }
    }
}

async fn every_status_can_be_given_and_pending_is_the_default(api: &Api) {
    let alice = api.user("alice");
    for status in ["pending", "in_progress", "completed"] {
        let body = json!({ "title": "Buy milk", "status": status });
        assert_eq!(alice.post("/api/tasks", &body).await.json()["status"], status);
    }
    assert_eq!(alice.has_task("Buy milk").await["status"], "pending");
}

async fn an_empty_description_stays_empty_and_an_absent_or_null_one_is_null(api: &Api) {
    let alice = api.user("alice");
    for (sent, stored) in [
        (json!({ "title": "t", "description": "" }), json!("")),
        (json!({ "title": "t", "description": null }), Value::Null),
        (json!({ "title": "t" }), Value::Null),
    ] {
        let created = alice.post("/api/tasks", &sent).await;
        assert_eq!(created.json()["description"], stored, "{sent}");
        assert_eq!(
            alice.get(created.header("location")).await.json()["description"],
            stored
        );
    }
}

async fn a_refused_creation_stores_nothing(api: &Api) {
    let alice = api.user("alice");
    for body in [
        json!({ "title": "" }),
        json!({ "title": "fine", "status": "done" }),
        json!({ "title": "fine", "description": 1 }),
        json!({ "title": "fine", "colour": 1 }),
        json!({ "title": "fine", "user_id": "bob" }),
    ] {
        assert_eq!(alice.post("/api/tasks", &body).await.status, 422, "{body}");
    }
    assert!(alice.titles().await.is_empty());
}

async fn each_broken_rule_of_a_member_has_its_type(api: &Api) {
    let alice = api.user("alice");
    let texts = |length: usize| "x".repeat(length);
    let cases: Vec<(&str, Value, &str)> = vec![
        ("title", json!(null), "string_type"),
        ("title", json!(7), "string_type"),
        ("title", json!(true), "string_type"),
        ("title", json!(["Buy milk"]), "string_type"),
        ("title", json!({ "text": "Buy milk" }), "string_type"),
        ("title", json!(""), "string_too_short"),
        ("title", json!("   "), "string_too_short"),
        ("title", json!("\u{a0}\u{2003}\u{3000}"), "string_too_short"),
        ("title", json!("\u{2028}"), "string_pattern_mismatch"),
        ("title", json!(texts(256)), "string_too_long"),
        ("title", json!(" ".repeat(256)), "string_too_long"),
        ("title", json!("a\0b"), "string_pattern_mismatch"),
        ("title", json!("a\nb"), "string_pattern_mismatch"),
        ("title", json!("a\tb"), "string_pattern_mismatch"),
        ("title", json!("a\u{7f}b"), "string_pattern_mismatch"),
        ("title", json!("a\u{85}b"), "string_pattern_mismatch"),
        ("title", json!("\n\t"), "string_pattern_mismatch"),
        ("title", json!("a\u{2028}b"), "string_pattern_mismatch"),
        ("title", json!("\u{2029}"), "string_pattern_mismatch"),
        ("title", json!("\u{200b}"), "string_too_short"),
        ("title", json!(" \u{feff}\u{3164}"), "string_too_short"),
        ("title", json!("\u{2028}".repeat(256)), "string_too_long"),
        ("description", json!(7), "string_type"),
        ("description", json!(false), "string_type"),
        ("description", json!([]), "string_type"),
        ("description", json!(texts(10_001)), "string_too_long"),
        ("description", json!("a\0b"), "string_pattern_mismatch"),
        ("status", json!("done"), "enum"),
        ("status", json!("Pending"), "enum"),
        ("status", json!("pending "), "enum"),
        ("status", json!(""), "enum"),
        ("status", json!(null), "string_type"),
        ("status", json!(1), "string_type"),
        ("status", json!(["pending"]), "string_type"),
        ("user_id", json!("bob"), "owner_mismatch"),
        ("user_id", json!(null), "owner_mismatch"),
        ("colour", json!(1), "extra_forbidden"),
        ("Title", json!("x"), "extra_forbidden"),
        ("title ", json!("x"), "extra_forbidden"),
        ("", json!("x"), "extra_forbidden"),
        ("$ne", json!("x"), "extra_forbidden"),
        ("__proto__", json!({}), "extra_forbidden"),
    ];
    for (member, value, rule) in cases {
        let mut body = json!({ "title": "Buy milk" });
        body[member] = value.clone();
        let answer = alice.post("/api/tasks", &body).await;
        assert_eq!(answer.status, 422, "{member} {value}");
        assert_eq!(
            answer.field_errors(),
            [(member.to_owned(), rule.to_owned())],
            "{value}"
        );
    }
}

async fn line_breaks_are_welcome_in_a_description_and_every_control_character_but_nul(api: &Api) {
    let alice = api.user("alice");
    let text: String = (1..0x20).chain(0x7f..0xa0).filter_map(char::from_u32).collect();
    let created = alice
        .post("/api/tasks", &json!({ "title": "t", "description": text }))
        .await;
    assert_eq!(created.json()["description"], text);
}

async fn a_member_that_is_given_twice_is_refused_even_if_both_agree(api: &Api) {
    let alice = api.user("alice");
    for (body, member) in [
        (r#"{"title":"Buy milk","title":"Buy milk"}"#, "title"),
        (r#"{"title":"Buy milk","version":1,"version":1}"#, "version"),
        (r#"{"title":"Buy milk","\u0074itle":"Sell milk"}"#, "title"),
    ] {
        let answer = alice.sends(Method::POST, "/api/tasks", body).await;
        assert_eq!(answer.status, 422, "{body}");
        assert_eq!(
            answer.field_errors(),
            [(member.to_owned(), "duplicate_key".to_owned())],
            "{body}"
        );
    }
}
