//! The API as the real binary serves it.
//!
//! | Module | What it proves |
//! |---|---|
//! | `sqlite`, `postgres` | the contract of `test-api` |
//! | `edge` | many connections, unread answers, malformed requests in the log |
//! | `keys` | tokens of a front end with public keys |
//! | `seed` | the items of the seed about tokens, logs and rows |
//! | `tokens` | what the API says of real tokens |

mod edge;
mod keys;
mod seed;
#[path = "../support/mod.rs"]
mod support;
mod tokens;

mod sqlite {
    test_api::http_contract!(crate::over_sqlite);
    test_api::signed_tokens_contract!(crate::over_sqlite);
}

mod postgres {
    test_api::http_contract!(
        #[ignore = "needs PostgreSQL"]
        crate::over_postgres
    );
    test_api::signed_tokens_contract!(
        #[ignore = "needs PostgreSQL"]
        crate::over_postgres
    );
}

async fn over_sqlite() -> support::Api {
    support::api_over(support::Storage::Sqlite).await
}

async fn over_postgres() -> support::Api {
    support::api_over(support::Storage::Postgres).await
}
