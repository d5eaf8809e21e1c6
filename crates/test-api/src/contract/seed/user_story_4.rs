//! User story 4: only who brings a good token is let in, and the token says who that is.

use serde_json::json;

use crate::Api;

cases! { user_story_4_cases in contract::seed::user_story_4:
    us4_1_a_valid_token_is_let_in_and_its_user_id_is_the_owner
    us4_2_an_invalid_token_is_401
    us4_3_no_token_is_401
    us4_4_an_expired_token_is_401_and_says_so
}

async fn us4_1_a_valid_token_is_let_in_and_its_user_id_is_the_owner(api: &Api) {
    let token = api.tokens().good("alice@example.org");
    let created = api
        .bearer(&token)
        .post("/api/tasks", &json!({ "title": "Buy milk" }))
        .await;
    assert_eq!(created.status, 201);
    assert_eq!(created.json()["user_id"], "alice@example.org");
}

async fn us4_2_an_invalid_token_is_401(api: &Api) {
    let forged = api.tokens().forged("alice");
    let answer = api.bearer(&forged).get("/api/tasks").await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.problem(), "token_invalid");
    assert_eq!(
        answer.header("www-authenticate"),
        r#"Bearer realm="tasks", error="invalid_token", error_description="The token is not valid""#
    );
}

async fn us4_3_no_token_is_401(api: &Api) {
    let answer = api.anonymous().get("/api/tasks").await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.problem(), "token_missing");
    // RFC 6750, 3.1: without a token there is nothing to be wrong with it.
    assert_eq!(answer.header("www-authenticate"), r#"Bearer realm="tasks""#);
}

async fn us4_4_an_expired_token_is_401_and_says_so(api: &Api) {
    let expired = api.tokens().expired("alice");
    let answer = api.bearer(&expired).get("/api/tasks").await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.problem(), "token_expired");
    assert_eq!(answer.json()["detail"], "The token has expired.");
    assert_eq!(
        answer.header("www-authenticate"),
        r#"Bearer realm="tasks", error="invalid_token", error_description="The token has expired""#
    );
}
