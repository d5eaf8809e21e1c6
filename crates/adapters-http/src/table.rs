//! The table of operations: every path of the API, and what can be done there.

/// Hands the table to a macro. [`crate::routes`] makes handlers of its names and [`crate::openapi`] descriptions, so an
/// operation that lacks one of the two does not compile. HEAD is wherever GET is.
macro_rules! operation_table {
    ($make:ident) => {
        $make! {
            with_token below "/api" {
                "/tasks" { GET tasks::list, POST tasks::create, DELETE tasks::delete_many }
                // Before the ids: it can never be one.
                "/tasks/summary" { GET tasks::summary }
                "/tasks/{task_id}" { GET tasks::get, PUT tasks::put, PATCH tasks::patch, DELETE tasks::delete }
                "/me" { GET about::me }
            }
            // Compared before the above, because one of them begins like it.
            without_token_first below "" {
                "/" { GET about::service }
                "/health" { GET health::health }
                "/healthz" { GET health::healthz }
                "/api/health" { GET health::api_health }
            }
            without_token below "" {
                "/livez" { GET health::live }
                "/readyz" { GET health::ready }
                "/openapi.json" { GET docs::document }
                "/problems/{code}" { GET about::problem }
            }
        }
    };
}
pub(crate) use operation_table;
