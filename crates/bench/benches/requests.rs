//! Whole requests without a socket and without a database: `cargo bench -p bench`.
//!
//! What a handler does with its request and its answer cannot be told from the layers around it by a user, so it is
//! measured with them: reading bodies, cursors, writing one task, a list of a hundred, a problem. What verifying a token
//! costs with each algorithm: `cargo bench -p adapters-jwt`.
#![expect(clippy::expect_used, reason = "in a benchmark a broken set-up should panic")]

use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::test::{TestRequest, init_service, read_body};
use actix_web::{Error, rt, web};
use adapters_jwt::{JwtVerifier, SharedSecret, VerifierSettings};
use api_actix::app::{App, http_app};
use api_actix::observe::Observers;
use api_actix::policy::Policy;
use api_actix::routes::health::Readiness;
use api_actix::system::{RandomTaskIds, SystemClock};
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
        observers: Observers::default(),
    }
}

/// A request of the user who has the tasks.
fn request(method: &str, target: &str, bearer: &str) -> TestRequest {
    let request = TestRequest::with_uri(target).insert_header((header::AUTHORIZATION, bearer));
    match method {
        "POST" => request
            .method(actix_web::http::Method::POST)
            .insert_header((header::CONTENT_TYPE, "application/json"))
            .set_payload(NEW_TASK),
        _ => request,
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
    let bearer = Tokens::new(SECRET).bearer(&user(0)).expect("a signature");
    let (app, id, next) = runtime.block_on(async {
        let app = init_service(http_app(web::Data::new(app().await))).await;
        let page = app.call(request("GET", "/api/tasks?limit=100", &bearer).to_request());
        let page = page.await.expect("a page");
        let next = page.headers().get("x-next-cursor").expect("a further page");
        let next = next.to_str().expect("text").to_owned();
        let tasks: serde_json::Value = serde_json::from_slice(&read_body(page).await).expect("JSON");
        let id = tasks.pointer("/0/id").and_then(|id| id.as_str()).expect("an id");
        (app, id.to_owned(), next)
    });
    let one = format!("/api/tasks/{id}");
    let next_page = format!("/api/tasks?limit=100&cursor={next}");
    for (name, method, target, wanted) in [
        ("no path below /", "GET", "/nowhere", StatusCode::NOT_FOUND),
        ("a task", "GET", one.as_str(), StatusCode::OK),
        (
            "no such task: a problem",
            "GET",
            "/api/tasks/none",
            StatusCode::NOT_FOUND,
        ),
        ("a list of 100", "GET", "/api/tasks?limit=100", StatusCode::OK),
        ("the next 100", "GET", &next_page, StatusCode::OK),
        ("a new task", "POST", "/api/tasks", StatusCode::CREATED),
    ] {
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| runtime.block_on(answer(&app, request(method, target, &bearer), wanted)));
        });
    }
}

criterion_group! {
    name = whole_requests;
    config = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    targets = requests
}
criterion_main!(whole_requests);
