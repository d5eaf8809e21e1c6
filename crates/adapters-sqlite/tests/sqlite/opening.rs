//! Opening a file, or being told why not, and migrating it.

use std::error::Error as _;
use std::fs;
use std::path::Path;
use std::sync::Barrier;
use std::thread;

use adapters_sqlite::{OpenError, SchemaState, SqliteDatabase, SqliteSettings};
use diesel::connection::{Connection, SimpleConnection};
use diesel::sqlite::SqliteConnection;

fn open(path: &Path) -> Result<SqliteDatabase, OpenError> {
    SqliteDatabase::open(path, SqliteSettings::default())
}

#[test]
fn an_empty_path_and_memory_are_refused() {
    for path in ["", ":memory:"] {
        let error = open(Path::new(path)).unwrap_err();
        assert!(matches!(error, OpenError::NotAFile(_)), "{error:?}");
    }
}

#[test]
fn a_folder_is_no_database() {
    let folder = tempfile::tempdir().unwrap();
    let error = open(folder.path()).unwrap_err();
    assert!(matches!(error, OpenError::IsAFolder(_)), "{error:?}");
}

#[test]
fn a_missing_folder_is_named_and_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let error = open(&missing.join("tasks.db")).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "the folder {} of the database file does not exist",
            missing.display()
        )
    );
    assert!(!missing.exists());
}

#[test]
fn a_file_that_is_no_database_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    let text = "these are notes, not tasks\n".repeat(100);
    fs::write(&path, &text).unwrap();
    let error = open(&path).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("cannot use {} as the database", path.display())
    );
    assert_eq!(
        error.source().expect("a cause").to_string(),
        "file is not a database"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn characters_that_mean_something_in_a_uri_are_just_characters() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a b?mode=memory&x=#%41.db");
    open(&path).unwrap().migrate().unwrap();
    assert!(path.metadata().unwrap().len() > 0);
}

#[test]
fn a_database_tells_the_version_of_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(&folder.path().join("tasks.db")).unwrap();
    assert!(database.version().starts_with("3."), "{}", database.version());
}

#[test]
fn opening_tells_which_migrations_are_missing_and_which_are_new_and_makes_no_table() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tasks.db");
    let database = open(&path).unwrap();
    let SchemaState { pending, unknown } = database.schema().clone();
    assert_eq!(unknown, [""; 0]);
    assert_eq!(
        open(&path).unwrap().schema(),
        database.schema(),
        "nothing was made"
    );
    assert_eq!(database.migrate().unwrap(), pending);
    drop(database);
    assert_eq!(*open(&path).unwrap().schema(), SchemaState::default());

    let mut stranger = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    stranger
        .batch_execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('29991231000000')")
        .unwrap();
    let newer = SchemaState {
        unknown: vec!["29991231000000".to_owned()],
        ..SchemaState::default()
    };
    let database = open(&path).unwrap();
    assert_eq!(*database.schema(), newer);
    assert_eq!(database.migrate().unwrap(), [""; 0]);
}

#[cfg(unix)]
#[test]
fn nobody_else_may_read_the_files() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let database = open(&folder.path().join("tasks.db")).unwrap();
    database.migrate().unwrap();
    for name in ["tasks.db", "tasks.db-wal", "tasks.db-shm"] {
        let mode = fs::metadata(folder.path().join(name))
            .expect(name)
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[cfg(unix)]
#[test]
fn the_mode_of_a_file_that_was_there_stays() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tasks.db");
    fs::write(&path, "").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    open(&path).unwrap().migrate().unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
}

#[test]
fn of_many_who_start_on_a_new_file_at_once_one_migrates_and_all_come_up() {
    const OPENERS: usize = 6;
    for round in 0..10 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tasks.db");
        let start = Barrier::new(OPENERS);
        let opener = || {
            start.wait();
            let database = open(&path).expect("an open database");
            database.migrate().expect("a migrated database")
        };
        let applied: Vec<_> = thread::scope(|scope| {
            let openers: Vec<_> = (0..OPENERS).map(|_| scope.spawn(opener)).collect();
            openers
                .into_iter()
                .map(|opener| opener.join().expect("no panic"))
                .collect()
        });
        let migrated = applied.iter().filter(|names| !names.is_empty()).count();
        assert_eq!(migrated, 1, "round {round}: {applied:?}");
    }
}
