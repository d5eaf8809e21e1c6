//! The description of the API (OpenAPI 3.1), made from the code that it describes.
//!
//! | Room | What stands there |
//! |---|---|
//! | here | the document and the table of its paths |
//! | `operations` | one function for each operation: what it is for, what it takes, what it answers |
//! | `parameters`, `headers`, `failures` | what operations have in common |
//! | `schemas` | the bodies of requests and the rules of members; the types of answers derive theirs |

mod components;
mod failures;
mod headers;
mod operations;
mod parameters;

use std::sync::OnceLock;

use utoipa::openapi::info::LicenseBuilder;
use utoipa::openapi::path::{HttpMethod, OperationBuilder, PathItem, PathItemBuilder, Paths, PathsBuilder};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::tag::{Tag, TagBuilder};
use utoipa::openapi::{Components, ComponentsBuilder, InfoBuilder, OpenApi, OpenApiBuilder, Server};

use operations::about::{SERVICE, USER};
use operations::tasks::TASKS;
use operations::{BEARER, about, tasks};

/// The document as JSON, laid out for people. It is made once.
#[must_use]
pub fn json() -> &'static str {
    static JSON: OnceLock<String> = OnceLock::new();
    // Texts, numbers and maps with texts as keys always become JSON.
    JSON.get_or_init(|| document().to_pretty_json().unwrap_or_default())
}

fn document() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Task API")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(include_str!("description.md")))
        .license(Some(
            LicenseBuilder::new()
                .name(env!("CARGO_PKG_LICENSE"))
                .identifier(Some(env!("CARGO_PKG_LICENSE")))
                .build(),
        ));
    OpenApiBuilder::new()
        .info(info.build())
        // Relative to where the document comes from, which may be below a path of a proxy.
        .servers(Some([Server::new(".")]))
        .tags(Some([
            tag(TASKS, "The tasks of the user whose token is sent."),
            tag(USER, "Whose token it is."),
            tag(
                SERVICE,
                "Health, and what the API says about itself. None of this needs a token.",
            ),
        ]))
        .paths(paths())
        .components(Some(components()))
        .build()
}

/// Every path and what can be done there; called like the handlers in [`crate::routes`]. HEAD is wherever GET is.
fn paths() -> Paths {
    use HttpMethod::{Delete, Get, Patch, Post, Put};
    let a_task = [
        (Get, tasks::get()),
        (Put, tasks::put()),
        (Patch, tasks::patch()),
        (Delete, tasks::delete()),
    ];
    let all_tasks = [
        (Get, tasks::list()),
        (Post, tasks::create()),
        (Delete, tasks::delete_many()),
    ];
    PathsBuilder::new()
        .path("/api/tasks", path(all_tasks))
        .path("/api/tasks/summary", path([(Get, tasks::summary())]))
        .path("/api/tasks/{task_id}", path(a_task))
        .path("/api/me", path([(Get, about::me())]))
        .path("/", path([(Get, about::service())]))
        .path("/health", path([(Get, about::health("getHealth"))]))
        .path("/healthz", path([(Get, about::health("getHealthz"))]))
        .path("/api/health", path([(Get, about::health("getApiHealth"))]))
        .path("/livez", path([(Get, about::live())]))
        .path("/readyz", path([(Get, about::ready())]))
        .path("/openapi.json", path([(Get, about::document())]))
        .path("/problems/{code}", path([(Get, about::problem())]))
        .build()
}

fn path<const N: usize>(operations: [(HttpMethod, OperationBuilder); N]) -> PathItem {
    operations
        .into_iter()
        .fold(PathItemBuilder::new(), |path, (method, operation)| {
            path.operation(method, operation)
        })
        .parameter_refs(Some([parameters::reference("X-Request-Id")]))
        .build()
}

fn components() -> Components {
    let mut components = ComponentsBuilder::new()
        .security_scheme(BEARER, bearer())
        .schemas_from_iter(components::all())
        .responses_from_iter(failures::all());
    for (name, parameter) in parameters::all() {
        components = components.parameter(name, parameter);
    }
    for (name, header) in headers::all() {
        components = components.header(name, header);
    }
    components.build()
}

fn bearer() -> SecurityScheme {
    SecurityScheme::Http(
        HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some(
                "A JSON Web Token of the front end's Better Auth. For development: `task-api token --user \
                 alice`.",
            ))
            .build(),
    )
}

fn tag(name: &str, description: &str) -> Tag {
    TagBuilder::new()
        .name(name)
        .description(Some(description))
        .build()
}
