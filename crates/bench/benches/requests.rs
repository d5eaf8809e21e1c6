//! Whole requests without a socket and without a database: `cargo bench -p bench`.
//!
//! What a handler does with its request and its answer cannot be told from the layers around it by a user, so it is
//! measured with them. What one part costs is the difference of two lines:
//!
//! | Part | Line | Without it |
//! |---|---|---|
//! | verifying the token, and routing below `/api` | an empty list | no path below / |
//! | one task as JSON | a task | no such task |
//! | a list of 100 as JSON | a list of 100 | an empty list |
//! | reading a cursor | a cursor of another list | a limit of 0 |
//! | reading a body | a body that is read and refused | no body |
//! | a problem | no such task | |
//!
//! What verifying costs with each algorithm: `cargo bench -p adapters-jwt`.
#![expect(clippy::expect_used, reason = "in a benchmark a broken set-up should panic")]

use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::test::{TestRequest, init_service, read_body};
use actix_web::{Error, rt, web};
use adapters_http::app::http_app;
use adapters_http::policy::Policy;
use adapters_http::readiness::Readiness;
use adapters_http::state::App;
use adapters_jwt::{JwtVerifier, SharedSecret, VerifierSettings};
use api_actix::clock_and_ids::{RandomTaskIds, SystemClock};
use bench::data::{Tokens, user};
use criterion::{Criterion, criterion_group, criterion_main};
use domain::identity::Owner;
use domain::task::{TaskRepository, TaskService};
use domain::testing::{InMemoryTaskRepository, a_task};

/// The one of the product.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SECRET: &str = "a secret that signs the tokens of this measurement";
const TASKS: usize = 200;
/// Its last member is none, so that all of it is read and nothing is stored.
const REFUSED: &str = r#"{"title":"A title of an ordinary length","description":"A description that says a little more about what is to be done.","status":"in_progress","titel":""}"#;
const NEW_TASK: &str = r#"{"title":"A title of an ordinary length","description":"A description that says a little more about what is to be done.","status":"in_progress"}"#;

/// The application over a repository in memory with some tasks of one user.
async fn app() -> App {
    let repository = InMemoryTaskRepository::default();
    let owner = Owner::parse(&user(0)).expect("a user");
    for number in 0..TASKS {
        let task = a_task(&owner, &format!("A title of an ordinary length, {number}"));
        repository.insert(&task, None).await.expect("a new task");
    }
    let settings = VerifierSettings {
        secrets: vec![SharedSecret::new(SECRET.into()).expect("a secret")],
        ..VerifierSettings::default()
    };
    let repository = Arc::new(repository);
    let ids = Arc::new(RandomTaskIds::default());
    App {
        tasks: TaskService::new(repository.clone(), Arc::new(SystemClock), ids),
        tokens: Arc::new(JwtVerifier::new(settings, Arc::new(SystemClock))),
        storage: repository,
        readiness: Readiness::default(),
        lifecycle: Arc::default(),
        policy: Policy::default(),
        observers: Arc::default(),
    }
}

/// A request of a user: a creation if there is a body, else a reading.
fn request(target: &str, bearer: &str, body: Option<&'static str>) -> TestRequest {
    let request = TestRequest::with_uri(target).insert_header((header::AUTHORIZATION, bearer));
    match body {
        Some(body) => request
            .method(actix_web::http::Method::POST)
            .insert_header((header::CONTENT_TYPE, "application/json"))
            .set_payload(body),
        None => request,
    }
}

async fn answer<S, B>(app: &S, request: TestRequest, wanted: StatusCode) -> Vec<u8>
where
    S: Service<actix_http::Request, Response = ServiceResponse<B>, Error = Error>,
    B: actix_web::body::MessageBody,
{
    let answer = app.call(request.to_request()).await.expect("an answer");
    assert_eq!(answer.status(), wanted);
    read_body(answer).await.to_vec()
}

fn requests(criterion: &mut Criterion) {
    let runtime = rt::System::new();
    let bearer_of = |number| Tokens::new(SECRET).bearer(&user(number)).expect("a signature");
    let (bearer, other) = (bearer_of(0), bearer_of(1));
    let (app, id, next) = runtime.block_on(async {
        let app = init_service(http_app(web::Data::new(app().await))).await;
        let page = app.call(request("/api/tasks?limit=100", &bearer, None).to_request());
        let page = page.await.expect("a page");
        let next = page.headers().get("x-next-cursor").expect("a further page");
        let next = next.to_str().expect("text").to_owned();
        let tasks: serde_json::Value = serde_json::from_slice(&read_body(page).await).expect("JSON");
        let id = tasks.pointer("/0/id").and_then(|id| id.as_str()).expect("an id");
        (app, id.to_owned(), next)
    });
    let one = format!("/api/tasks/{id}");
    // Refused, but only after it was read.
    let other_list = format!("/api/tasks?sort=title&cursor={next}");
    let (all, none, page) = ("/api/tasks", "/api/tasks/none", "/api/tasks?limit=100");
    for (name, target, bearer, body, wanted) in [
        (
            "no path below /",
            "/nowhere",
            &bearer,
            None,
            StatusCode::NOT_FOUND,
        ),
        ("a task", &one, &bearer, None, StatusCode::OK),
        ("no such task", none, &bearer, None, StatusCode::NOT_FOUND),
        ("an empty list", page, &other, None, StatusCode::OK),
        ("a list of 100", page, &bearer, None, StatusCode::OK),
        (
            "a limit of 0",
            "/api/tasks?limit=0",
            &bearer,
            None,
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            "a cursor of another list",
            &other_list,
            &bearer,
            None,
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            "no body",
            all,
            &bearer,
            Some(""),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            "a body that is read and refused",
            all,
            &bearer,
            Some(REFUSED),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        ("a new task", all, &bearer, Some(NEW_TASK), StatusCode::CREATED),
    ] {
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| runtime.block_on(answer(&app, request(target, bearer, body), wanted)));
        });
    }
}

criterion_group! {
    name = whole_requests;
    config = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    targets = requests
}
criterion_main!(whole_requests);
