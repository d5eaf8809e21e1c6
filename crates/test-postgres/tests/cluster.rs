//! The throwaway server itself.

use test_postgres::{Cluster, ClusterOptions, StopMode};

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn a_fresh_database_is_empty_and_keeps_what_is_written() {
    let database = test_postgres::fresh_database().await;
    let client = database.client().await;
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(client.query_one(tables, &[]).await.unwrap().get::<_, i64>(0), 0);
    client
        .batch_execute("CREATE TABLE t (n int); INSERT INTO t VALUES (7)")
        .await
        .unwrap();
    let other = database.client().await;
    assert_eq!(
        other
            .query_one("SELECT n FROM t", &[])
            .await
            .unwrap()
            .get::<_, i32>(0),
        7
    );
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn a_cluster_keeps_its_data_over_a_restart_and_disappears_with_its_value() {
    let cluster = Cluster::start(&ClusterOptions::default());
    let database = cluster.fresh_database().await;
    database
        .client()
        .await
        .batch_execute("CREATE TABLE t (n int)")
        .await
        .unwrap();
    cluster.stop(StopMode::Fast);
    cluster.resume();
    let tables = "SELECT count(*) FROM t";
    assert_eq!(
        database
            .client()
            .await
            .query_one(tables, &[])
            .await
            .unwrap()
            .get::<_, i64>(0),
        0
    );
    let url = database.url().to_owned();
    drop(cluster);
    assert!(
        tokio_postgres::connect(&url, tokio_postgres::NoTls)
            .await
            .is_err()
    );
}
