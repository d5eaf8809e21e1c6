//! The reference server does what the product does, and what does not is not measured.
#![expect(clippy::expect_used, reason = "in tests a broken set-up should panic")]

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use bench::behaviour;
use bench::data::{Storage, Tokens};
use bench::load::{self, Turn};
use bench::operations::{Operation, Requests};
use bench::programs::{Kind, Programs};
use bench::servers::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const DATABASE: &str = "raw";

fn tokens() -> Tokens {
    Tokens::new("a secret of at least thirty-two bytes")
}

async fn storage_with_tasks() -> Storage {
    let storage = Storage::start().await.expect("a PostgreSQL");
    storage.create(DATABASE).await.expect("a database");
    let (client, connection) = tokio_postgres::connect(&storage.url(DATABASE), tokio_postgres::NoTls)
        .await
        .expect("a connection");
    tokio::spawn(connection);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations/postgres");
    let mut migrations: Vec<_> = std::fs::read_dir(folder)
        .expect("the migrations")
        .map(|entry| entry.expect("a migration").path().join("up.sql"))
        .filter(|path| path.is_file())
        .collect();
    migrations.sort();
    for migration in migrations {
        let script = std::fs::read_to_string(migration).expect("a migration");
        client.batch_execute(&script).await.expect("a sound migration");
    }
    storage.fill(DATABASE, 0..2, 200).await.expect("tasks");
    storage
}

async fn raw_server(storage: &Storage) -> Server {
    let folder = Path::new(env!("CARGO_BIN_EXE_raw-server")).parent();
    let programs = Programs::in_folder(folder.expect("a folder"));
    Server::start(Kind::Raw, &programs, &storage.url(DATABASE), &tokens())
        .await
        .expect("a server that starts")
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn the_reference_server_behaves_and_answers_every_request_of_the_load() {
    let storage = storage_with_tasks().await;
    let server = raw_server(&storage).await;
    behaviour::check(server.address, &tokens())
        .await
        .expect("sound behaviour");

    let tasks = storage.known_tasks(DATABASE).await.expect("tasks");
    let requests = Requests::new(tasks.clone(), &tokens()).expect("requests");
    for operation in [
        Operation::Get,
        Operation::List,
        Operation::Put,
        Operation::Patch,
        Operation::Post,
        Operation::Mixed,
        Operation::Delete,
    ] {
        requests.will_delete(
            storage
                .add_tasks_to_delete(DATABASE, 20_000)
                .await
                .expect("tasks"),
        );
        let measured = load::run(Turn {
            address: server.address,
            operation,
            requests: &requests,
            connections: 4,
            duration: Duration::from_millis(50),
            server: &server.processes,
            storage: &storage,
            database: DATABASE,
        });
        let measured = measured.await.expect("a measurement");
        assert!(measured.requests > 0, "{operation}");
        assert_eq!(measured.failures, 0, "{operation}");
    }
}

/// Returns everything with a 200 and an empty object.
async fn yes_man() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            while stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
                stream.write_all(answer).await.expect("a client");
            }
        }
    });
    address
}

#[tokio::test]
async fn a_server_that_lets_everybody_in_is_not_measured() {
    let wrong = behaviour::check(yes_man().await, &tokens()).await.unwrap_err();
    assert_eq!(
        wrong.to_string(),
        "GET /api/tasks : 200 instead of 401: {}",
        "the first thing that is checked"
    );
}
