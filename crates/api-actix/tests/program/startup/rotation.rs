//! Secrets in files that change while the server runs.

use std::fs;

use crate::support::{Storage, TaskApi};

const OLD: &str = "the-older-secret-0123456789-0123456789";
const NEW: &str = "the-newer-secret-0123456789-0123456789";

fn token_of(secret: &str) -> String {
    let (output, _) = TaskApi::with(&["token", "--user", "alice"])
        .env("BETTER_AUTH_SECRET", secret)
        .output();
    String::from_utf8(output.stdout)
        .expect("a token")
        .trim()
        .to_owned()
}

#[tokio::test]
async fn a_secret_that_is_written_into_its_file_counts_without_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("secret");
    fs::write(&file, OLD).expect("a file");
    let url = format!("sqlite:{}", folder.path().join("tasks.db").display());
    let server = TaskApi::serve_on(&url)
        .without("BETTER_AUTH_SECRET")
        .env("BETTER_AUTH_SECRET_FILE", file.to_str().expect("a path"))
        .start()
        .await;
    let api = server.api(Storage::Sqlite);
    let status = async |secret: &str| api.bearer(&token_of(secret)).get("/api/me").await.status.as_u16();
    assert_eq!((status(OLD).await, status(NEW).await), (200, 401));

    // As tools do it that write secrets: the new file takes the place of the old one.
    let next = folder.path().join("next");
    fs::write(&next, format!("{NEW}\n")).expect("a file");
    fs::rename(&next, &file).expect("a replaced file");
    assert_eq!(status(NEW).await, 200);

    // A file that is no longer there, or that holds nothing, leaves the secret that was read last.
    for text in [None, Some("")] {
        match text {
            None => fs::remove_file(&file).expect("no file"),
            Some(text) => fs::write(&file, text).expect("a file"),
        }
        assert_eq!((status(OLD).await, status(NEW).await), (401, 200), "{text:?}");
    }
    let log = server.log();
    assert!(log.contains("the shared secrets have changed"), "{log}");
    assert!(log.contains("the shared secrets cannot be read anew"), "{log}");
    assert!(!log.contains(NEW) && !log.contains(OLD), "{log}");
}
