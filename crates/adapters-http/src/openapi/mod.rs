//! The description of the API (OpenAPI 3.1), made from the code that it describes.
//!
//! | Module | Purpose |
//! |---|---|
//! | here | the document; its paths are those of the table of operations |
//! | `operations` | one function for each operation: what it is for, what it takes, what it returns |
//! | `parameters`, `headers`, `failures` | what operations have in common |
//! | `components` | the list of bodies; each is described where it is read or written, in [`crate::wire`] |

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
use utoipa::openapi::{Components, ComponentsBuilder, InfoBuilder, OpenApi, OpenApiBuilder};

use crate::table::operation_table;
use operations::{BEARER, SERVICE, TASKS, USER, about, docs, health, tasks};

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

/// Makes the paths of the document of the table. Its names are those of the descriptions here.
macro_rules! paths {
    ($($group:ident below $scope:literal { $($path:literal { $($method:ident $operation:path),+ })+ })+) => {
        fn paths() -> Paths {
            PathsBuilder::new()
                $($(.path(concat!($scope, $path), path([$((method!($method), $operation())),+])))+)+
                .build()
        }
    };
}

macro_rules! method {
    (GET) => {
        HttpMethod::Get
    };
    (POST) => {
        HttpMethod::Post
    };
    (PUT) => {
        HttpMethod::Put
    };
    (PATCH) => {
        HttpMethod::Patch
    };
    (DELETE) => {
        HttpMethod::Delete
    };
}

operation_table!(paths);

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
