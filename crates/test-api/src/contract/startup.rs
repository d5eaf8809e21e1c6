//! A server that has started.

use serde_json::json;

use crate::Api;

cases! { startup_cases in contract::startup:
    us1_3_the_server_starts_and_answers_health_checks
}

async fn us1_3_the_server_starts_and_answers_health_checks(api: &Api) {
    for path in ["/health", "/healthz", "/api/health", "/livez", "/readyz"] {
        let answer = api.anonymous().get(path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        assert_eq!(answer.json(), json!({ "status": "ok" }), "{path}");
    }
}
