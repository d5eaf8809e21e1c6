//! The inbound adapter, served from this process over the in-memory repository, with a verifier of tokens that knows no
//! cryptography. The contract is that of `test-api`; the rest needs no other storage, or parts of the test's own.
//!
//! | Module | What it proves |
//! |---|---|
//! | `memory` | the contract |
//! | `base_path` | behind a proxy that serves the API below a path |
//! | `edge` | framing, slow clients, time limits, unread responses |
//! | `exchange` | other origins, HEAD and OPTIONS, compression, limits of rate |
//! | `metrics` | what is counted, and under which labels |
//! | `openapi` | the document: complete, true, the one that is committed, the paths of the router, the page `/docs` |
//! | `problems` | what is answered when something is wrong |
//! | `seed` | the items of the seed that only memory can show |
//! | `tasks` | rules about tasks, where one storage is enough |

mod base_path;
mod edge;
mod exchange;
mod metrics;
mod openapi;
mod problems;
mod seed;
mod tasks;

mod memory {
    test_api::http_contract!(crate::over_memory);
}

async fn over_memory() -> test_api::Api {
    test_api::Api::over_memory()
}
