//! Functional requirements 5 and 6: what only a real token can show.

use chrono::TimeDelta;

use crate::{Api, SECRET, signed, signed_with, token_signed_with};

cases! { signed_tokens_cases in contract::seed::signed_tokens:
    fr_005_a_token_is_good_only_with_the_signature_of_the_shared_secret
    fr_005_a_part_of_the_secret_signs_nothing
    fr_006_the_user_id_is_taken_from_the_token_exactly_as_it_stands_there
}

const HS256: &str = r#"{"alg":"HS256","typ":"JWT"}"#;
/// A second in the year 2096.
const LATER: i64 = 4_000_000_000;

async fn fr_005_a_token_is_good_only_with_the_signature_of_the_shared_secret(api: &Api) {
    let in_a_minute = TimeDelta::minutes(1);
    let good = token_signed_with(SECRET, "alice", in_a_minute);
    assert_eq!(api.bearer(&good).get("/api/tasks").await.status, 200);
    for other in [
        SECRET.to_uppercase(),
        format!("{SECRET}x"),
        SECRET.chars().rev().collect(),
    ] {
        let bad = token_signed_with(&other, "alice", in_a_minute);
        assert_eq!(api.bearer(&bad).get("/api/tasks").await.status, 401, "{other}");
    }
}

async fn fr_006_the_user_id_is_taken_from_the_token_exactly_as_it_stands_there(api: &Api) {
    let named = [
        (r#""user_id":"usr_9f2c""#, "usr_9f2c"),
        (r#""sub":"usr_9f2c""#, "usr_9f2c"),
        (r#""user_id":"first","sub":"second""#, "first"),
        (r#""user_id":" Alice@Example.ORG ""#, " Alice@Example.ORG "),
        (r#""user_id":"用户-😀""#, "用户-😀"),
    ];
    for (claims, owner) in named {
        let token = signed(HS256, &format!(r#"{{"exp":{LATER},{claims}}}"#));
        let task = api.bearer(&token).has_task("Buy milk").await;
        assert_eq!(task["user_id"], owner, "{claims}");
    }
    // A claim that is there but wrong is never passed over for the next; others never name the user.
    for claims in [
        r#""user_id":null,"sub":"alice""#,
        r#""user_id":7"#,
        r#""user_id":"""#,
        r#""id":"alice","userId":"alice","email":"alice""#,
    ] {
        let token = signed(HS256, &format!(r#"{{"exp":{LATER},{claims}}}"#));
        assert_eq!(api.bearer(&token).get("/api/tasks").await.status, 401, "{claims}");
    }
}

/// The key of the token must be the whole secret: a prefix, the empty secret and no signature are none.
async fn fr_005_a_part_of_the_secret_signs_nothing(api: &Api) {
    let claims = format!(r#"{{"exp":{LATER},"user_id":"alice"}}"#);
    for length in 0..SECRET.len() {
        let token = signed_with(&SECRET[..length], HS256, &claims);
        assert_eq!(api.bearer(&token).get("/api/tasks").await.status, 401, "{length}");
    }
}
