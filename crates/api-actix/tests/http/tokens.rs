//! The responses of the API to real tokens.

use crate::support::{Storage, api_over, signed};

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_outlives_the_calendar_is_good_for_its_last_second() {
    let api = api_over(Storage::Sqlite).await;
    for expires in ["253402300800", "999999999999"] {
        let claims = format!(r#"{{"user_id":"alice","exp":{expires}}}"#);
        let token = signed(r#"{"alg":"HS256"}"#, &claims);
        let me = api.bearer(&token).get("/api/me").await.json();
        assert_eq!(me["expires_at"], "9999-12-31T23:59:59.000000Z", "{expires}");
    }
}
