//! TLS: whom we trust, and what the server says about it.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "in tests a broken set-up should panic"
)]

use std::sync::OnceLock;
use std::time::Duration;

use crate::support::{settings, trusting, unavailable};
use adapters_postgres::{PostgresDatabase, PostgresSettings, ServerInfo};
use domain::health::StorageHealth;
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use test_postgres::{Cluster, ClusterOptions, a_free_port};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A server whose certificate is for `localhost`, and the certificate of the authority that says so.
struct Server {
    cluster: Cluster,
    authority: CertificateDer<'static>,
}

const RULES: &str =
    "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\nhostnossl all all 127.0.0.1/32 trust\n";

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let mut params = CertificateParams::new([]).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("an authority");
        let authority = certificate.der().clone();

        let issuer = Issuer::new(params, key);
        let mut params = CertificateParams::new(["localhost".to_owned()]).expect("parameters");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &issuer).expect("a certificate");
        let cluster = Cluster::start(&ClusterOptions {
            settings: vec![
                "ssl = on".to_owned(),
                "ssl_cert_file = 'server.pem'".to_owned(),
                "ssl_key_file = 'key.pem'".to_owned(),
                "password_encryption = 'scram-sha-256'".to_owned(),
            ],
            files: vec![
                ("server.pem".to_owned(), certificate.pem()),
                ("key.pem".to_owned(), key.serialize_pem()),
                ("pg_hba.conf".to_owned(), RULES.to_owned()),
            ],
            tcp_port: Some(a_free_port()),
        });
        Server { cluster, authority }
    })
}

impl Server {
    fn url(&self, host: &str, query: &str) -> String {
        let url = self.cluster.tcp_url("postgres");
        let url = url.replacen("postgres@127.0.0.1", &format!("app:r1ght@{host}"), 1);
        format!("{url}?{query}")
    }

    async fn with_a_user(&self) -> &Self {
        let (client, connection) =
            tokio_postgres::connect(&self.cluster.url("postgres"), tokio_postgres::NoTls)
                .await
                .expect("a connection");
        tokio::spawn(connection);
        // Another test may be doing the same.
        let _ = client
            .batch_execute("CREATE ROLE app LOGIN PASSWORD 'r1ght'")
            .await;
        self
    }
}

/// Whether the sessions of that application are encrypted, as the server sees it.
async fn is_encrypted(application: &str, socket: &str) -> bool {
    let (client, connection) = tokio_postgres::connect(socket, tokio_postgres::NoTls)
        .await
        .expect("a connection");
    tokio::spawn(connection);
    let sessions =
        "SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = $1";
    let row = client.query_one(sessions, &[&application]).await;
    row.expect("sessions of one kind").get(0)
}

/// Connects, and compares what we say about it with what the server says.
async fn connected(url: &str, mark: &str, socket: &str) -> ServerInfo {
    let mut settings = trusting_settings(&format!("{url}&application_name={mark}"));
    settings.connect_timeout = Some(Duration::from_secs(10));
    let database = PostgresDatabase::new(settings);
    let info = database
        .probe()
        .await
        .unwrap_or_else(|error| panic!("{mark}: {error}"));
    let repository = database.worker();
    let answer = unavailable(repository.check().await);
    assert!(
        answer.contains("SQLSTATE 42P01"),
        "there are no tables, and it says so: {answer}"
    );
    assert_eq!(is_encrypted(mark, socket).await, info.tls, "{mark}");
    info
}

/// Settings for that address that trust the authority of [`server`].
fn trusting_settings(url: &str) -> PostgresSettings {
    let tls_config = || {
        let mut authorities = RootCertStore::empty();
        authorities.add(server().authority.clone()).expect("an authority");
        trusting(authorities)
    };
    PostgresSettings {
        tls_config,
        ..settings(url)
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_server_whose_authority_and_name_are_right_is_trusted() {
    let server = server().with_a_user().await;
    let socket = server.cluster.url("postgres");
    for (mark, query) in [
        ("t1", "sslmode=require"),
        ("t2", "sslmode=verify-ca"),
        ("t3", "sslmode=verify-full"),
        ("t4", "sslmode=require&channel_binding=require"),
    ] {
        assert!(
            connected(&server.url("localhost", query), mark, &socket)
                .await
                .tls,
            "{query}"
        );
    }

    // The certificate does not speak of this name, whichever mode is asked for.
    for mode in ["require", "verify-ca", "verify-full"] {
        let database = PostgresDatabase::new(trusting_settings(
            &server.url("127.0.0.1", &format!("sslmode={mode}")),
        ));
        let error = database.probe().await.expect_err("another name");
        assert!(error.is_refusal());
        let error = error.to_string();
        let wanted = "error performing TLS handshake: invalid peer certificate: certificate not valid for name \"127.0.0.1\"";
        assert!(error.starts_with(wanted), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_server_whose_authority_no_one_knows_is_refused() {
    let server = server().with_a_user().await;
    for mode in ["require", "verify-ca", "verify-full"] {
        let database = PostgresDatabase::new(settings(&server.url("localhost", &format!("sslmode={mode}"))));
        let error = database.probe().await.expect_err("a stranger");
        assert!(error.is_refusal());
        assert_eq!(
            error.to_string(),
            "error performing TLS handshake: invalid peer certificate: UnknownIssuer"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_loopback_address_is_spoken_to_in_plain_text_unless_the_url_says_otherwise() {
    let server = server().with_a_user().await;
    let socket = server.cluster.url("postgres");
    for (mark, host, query) in [("p1", "localhost", ""), ("p2", "127.0.0.1", "sslmode=prefer")] {
        assert!(!connected(&server.url(host, query), mark, &socket).await.tls);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_tls_is_not_spoken_to_in_plain_text_instead() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let heard = tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.expect("a connection");
        let mut request = [0; 8];
        client.read_exact(&mut request).await.expect("a request for TLS");
        client.write_all(b"N").await.expect("an answer");
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).await.expect("the end");
        rest
    });
    let url = format!("postgresql://u:s3cret@localhost:{port}/d?sslmode=require");
    let error = PostgresDatabase::new(settings(&url)).probe().await;
    let error = error.expect_err("a refusal");
    assert!(error.is_refusal());
    assert_eq!(
        error.to_string(),
        "error performing TLS handshake: server does not support TLS"
    );
    assert_eq!(heard.await.expect("no panic"), b"", "not a word in plain text");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_up_while_it_shakes_hands_is_no_refusal() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.expect("a connection");
        let mut request = [0; 8];
        client.read_exact(&mut request).await.expect("a request for TLS");
        client.write_all(b"S").await.expect("an answer");
        client.read_exact(&mut [0; 16]).await.expect("a hand");
    });
    let url = format!("postgresql://u@localhost:{port}/d?sslmode=require");
    let error = PostgresDatabase::new(settings(&url))
        .probe()
        .await
        .expect_err("an end");
    assert!(
        error.to_string().starts_with("error performing TLS handshake"),
        "{error}"
    );
    assert!(!error.is_refusal());
}
