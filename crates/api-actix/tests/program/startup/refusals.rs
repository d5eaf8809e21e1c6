//! Settings that cannot be used. Each answer is one line that names the variable and never shows its value.

use std::net::TcpListener;

use super::GaveUp;
use crate::support::TaskApi;

const PASSWORD: &str = "hunter2";

/// A server that would start if it were left alone.
fn sound() -> (tempfile::TempDir, TaskApi) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("sqlite:{}", folder.path().join("tasks.db").display());
    (folder, TaskApi::serve_on(&url))
}

#[test]
fn edge_case_a_missing_or_blank_database_url_is_named_with_a_way_out() {
    let wanted = "DATABASE_URL is not set (set it, or run `task-api dev` for a local SQLite file)";
    assert_eq!(GaveUp::refusal(&TaskApi::serve()), wanted);
    for blank in ["", "  \t"] {
        assert_eq!(GaveUp::refusal(&TaskApi::serve_on(blank)), wanted, "{blank:?}");
    }
}

#[test]
fn edge_case_us2_2_a_malformed_database_url_is_named_without_its_value() {
    for url in [
        "postgresql://user:hunter2@db.example:port/tasks",
        "postgresql://user:hunter2@/tasks",
        "postgresql://user:hunter2@db.example/tasks?sslmode=hunter2",
        "postgresql://user:hunter2@db.example/tasks?connect_timeout=hunter2",
        "postgresql://user:hunter2@db.example/tasks?hunter2",
        "postgresql://user:hunter2%zz@db.example/tasks",
        "postgresql://user:hunter2%@db.example/tasks",
        "postgresql:user:hunter2@db.example/tasks",
        "hunter2",
    ] {
        let line = GaveUp::refusal(&TaskApi::serve_on(url));
        assert!(line.starts_with("DATABASE_URL "), "{line}");
        assert!(!line.contains(PASSWORD) && !line.contains("db.example"), "{line}");
    }
}

#[test]
fn edge_case_us2_2_an_unsupported_scheme_is_answered_with_the_supported_ones() {
    for url in ["mysql://user:hunter2@db.example/tasks", "file:/hunter2/tasks.db"] {
        let line = GaveUp::refusal(&TaskApi::serve_on(url));
        assert_eq!(
            line,
            "DATABASE_URL must begin with postgresql://, postgres:// or sqlite:"
        );
    }
}

#[test]
fn an_in_memory_database_is_refused_because_every_connection_would_have_its_own() {
    for url in [
        "sqlite::memory:",
        "sqlite://:memory:",
        "sqlite:tasks.db?mode=memory",
    ] {
        let line = GaveUp::refusal(&TaskApi::serve_on(url));
        assert!(
            line.starts_with("DATABASE_URL must name a file after sqlite:"),
            "{line}"
        );
    }
    let line = GaveUp::refusal(&TaskApi::serve_on("sqlite:"));
    assert_eq!(line, "DATABASE_URL names no file after sqlite:");
}

#[test]
fn a_sqlite_file_in_a_missing_folder_is_refused_and_no_folder_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("mistyped");
    let url = format!("sqlite:{}", missing.join("tasks.db").display());
    let line = GaveUp::refusal(&TaskApi::serve_on(&url));
    assert!(
        line.starts_with("DATABASE_URL cannot be used: the folder "),
        "{line}"
    );
    assert!(!line.contains("tasks.db"), "{line}");
    assert!(!missing.exists());
}

#[test]
fn a_sqlite_file_that_is_none_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("notes.txt");
    let text = "no database at all, but text that is still needed\n".repeat(100);
    std::fs::write(&file, &text).unwrap();
    let line = GaveUp::refusal(&TaskApi::serve_on(&format!("sqlite:{}", file.display())));
    assert!(line.starts_with("DATABASE_URL cannot be used: "), "{line}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
}

#[test]
fn edge_case_a_missing_or_blank_secret_is_named_with_what_may_stand_for_it() {
    let (_folder, task_api) = sound();
    for task_api in [
        task_api.clone().without("BETTER_AUTH_SECRET"),
        task_api.clone().env("BETTER_AUTH_SECRET", ""),
        task_api
            .env("BETTER_AUTH_SECRET", " \t ")
            .env("BETTER_AUTH_SECRETS", " "),
    ] {
        let line = GaveUp::refusal(&task_api);
        assert!(
            line.starts_with(
                "BETTER_AUTH_SECRET is not set, nor is BETTER_AUTH_SECRETS, BETTER_AUTH_URL or JWKS_URL"
            ),
            "{line}"
        );
    }
}

#[test]
fn edge_case_the_published_default_of_better_auth_is_refused() {
    let published = "better-auth-secret-12345678901234567890";
    let (_folder, task_api) = sound();
    let line = GaveUp::refusal(&task_api.clone().env("BETTER_AUTH_SECRET", published));
    assert!(line.starts_with("BETTER_AUTH_SECRET cannot be used"), "{line}");
    assert!(!line.contains(published), "{line}");
    let listed = format!("2:{published},1:the-older-secret-of-the-tests-0123456789");
    let line = GaveUp::refusal(&task_api.env("BETTER_AUTH_SECRETS", &listed));
    assert!(line.starts_with("BETTER_AUTH_SECRETS cannot be used"), "{line}");
    assert!(
        !line.contains(published) && !line.contains("the-older-secret"),
        "{line}"
    );
}

#[test]
fn every_other_setting_is_named_as_well_and_its_value_is_not_shown() {
    for (variable, value) in [
        ("PORT", "70000"),
        ("PORT", "eight-thousand"),
        ("WORKERS", "1000"),
        ("SHUTDOWN_DELAY", "a while"),
        ("MIGRATE_ON_START", "perhaps"),
        ("DB_STARTUP_TIMEOUT", "10 parsecs"),
        ("DB_CONNECT_TIMEOUT", "-7s"),
        ("DB_POOL_ACQUIRE_TIMEOUT", "0h"),
        ("DB_POOL_SIZE", "70000"),
        ("DB_MAX_IN_FLIGHT", "-512"),
        ("JWT_LEEWAY_SECS", "3600"),
        ("JWT_ISSUER", "https://issuer.example,/"),
        ("BETTER_AUTH_URL", "app.example"),
        ("JWKS_URL", "https://user:hunter2@app.example/jwks"),
        ("JWT_ALGORITHMS", "HS256,RS384"),
        ("JWKS_REFRESH_SECS", "7777777"),
        ("JWKS_MAX_STALE_SECS", "7777777"),
        ("JWKS_TIMEOUT_MS", "7777777"),
        ("LOG_FORMAT", "yaml"),
        ("LOG_LEVEL", "chatty=chatty=chatty"),
        ("LOG_LEVEL", "chatty"),
        ("LOG_LEVEL", "info,audit=chatty"),
    ] {
        let (_folder, task_api) = sound();
        let line = GaveUp::refusal(&task_api.env(variable, value));
        assert!(line.starts_with(&format!("{variable} ")), "{line}");
        assert!(!line.contains(value), "{line}");
    }
}

#[test]
fn a_port_in_use_is_refused_with_the_names_of_the_settings() {
    let other = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = other.local_addr().unwrap().port().to_string();
    let (folder, task_api) = sound();
    let gave_up = GaveUp::of(&task_api.env("PORT", &port));
    assert_eq!(gave_up.exit_code, Some(78), "{}", gave_up.stderr);
    // The port came before the database, which is as it was.
    assert!(!folder.path().join("tasks.db").exists());
    let line = gave_up.stderr.lines().last().unwrap();
    assert!(
        line.starts_with(&format!(
            "task-api: HOST and PORT: cannot listen on 127.0.0.1:{port}: "
        )),
        "{line}"
    );
    let hint = "; another program listens there: stop it, or choose another port with PORT=8001 or --port 8001 (0: any \
                free one)";
    assert!(line.ends_with(hint), "{line}");
}

#[test]
fn an_address_of_another_machine_is_refused_with_the_names_of_the_settings() {
    let (_folder, task_api) = sound();
    // An address for documentation (RFC 5737), which no machine has.
    let gave_up = GaveUp::of(&task_api.env("HOST", "192.0.2.1"));
    assert_eq!(gave_up.exit_code, Some(78), "{}", gave_up.stderr);
    let line = gave_up.stderr.lines().last().unwrap();
    assert!(line.starts_with("task-api: HOST and PORT: "), "{line}");
    assert!(
        line.ends_with("; this machine has no such address (0.0.0.0 and [::] are all of it)"),
        "{line}"
    );
}

#[test]
fn what_is_no_host_is_refused_before_a_resolver_is_asked() {
    for host in ["localhost:8000", "http://localhost", "[::1", "256.0.0.1", "*"] {
        let (_folder, task_api) = sound();
        let gave_up = GaveUp::of(&task_api.env("HOST", host));
        assert_eq!(gave_up.exit_code, Some(78), "{}", gave_up.stderr);
        let line = gave_up.stderr.lines().last().unwrap();
        assert!(
            line.starts_with("task-api: HOST must be a name or an address such as "),
            "{line}"
        );
    }
}
