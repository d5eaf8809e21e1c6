//! The demands of the seed specification that no storage but memory can show.

use std::sync::Arc;

use domain::storage::StorageError;
use domain::task::MockTaskRepository;
use proptest::test_runner::{Config, TestRunner};
use test_api::contract::seed::user_story_3::{each_list_equals_its_model, turns};
use test_api::{Api, Parts};

#[test]
fn us3_2_whatever_others_do_each_user_sees_only_their_own_tasks() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut runner = TestRunner::new(Config {
        failure_persistence: None,
        ..Config::with_cases(32)
    });
    let outcome = runner.run(&turns(30), |turns| {
        runtime.block_on(async {
            let api = Api::over_memory();
            each_list_equals_its_model(&api, &turns).await;
        });
        Ok(())
    });
    outcome.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn fr_013_a_failure_of_ours_is_500_without_its_cause() {
    let mut repository = MockTaskRepository::new();
    repository
        .expect_list()
        .returning(|_, _| Err(StorageError::Unexpected("hunter2".into())));
    let api = Api::serving(Parts {
        repository: Arc::new(repository),
        ..Parts::default()
    });
    let answer = api.user("alice").get("/api/tasks").await;
    assert_eq!(answer.status, 500);
    assert_eq!(answer.problem(), "internal_error");
    assert!(!answer.body.contains("hunter2"));
}
