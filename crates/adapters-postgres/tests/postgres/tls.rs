//! TLS: whom we trust, and what the server says about it.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "in tests a broken set-up should panic"
)]

use std::sync::OnceLock;
use std::time::Duration;

use crate::support::{settings, unavailable};
use adapters_postgres::{DatabaseUrl, PostgresDatabase, PostgresSettings, ServerInfo, TlsFiles};
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
    authority_pem: String,
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
        let authority_pem = certificate.pem();

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
        Server {
            cluster,
            authority,
            authority_pem,
        }
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
    let authorities = || {
        let mut authorities = RootCertStore::empty();
        authorities.add(server().authority.clone()).expect("an authority");
        authorities
    };
    PostgresSettings {
        authorities,
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

    // The certificate does not speak of this name.
    for mode in ["require", "verify-full"] {
        let database = PostgresDatabase::new(trusting_settings(
            &server.url("127.0.0.1", &format!("sslmode={mode}")),
        ));
        let error = database.probe().await.expect_err("another name");
        assert!(error.is_refusal());
        let error = error.to_string();
        let wanted = "error performing TLS handshake: invalid peer certificate: certificate not valid for name \"127.0.0.1\"";
        assert!(error.starts_with(wanted), "{error}");
        assert!(error.contains("sslmode=verify-ca"), "{error}");
    }
    let any_name = server.url("127.0.0.1", "sslmode=verify-ca");
    assert!(connected(&any_name, "t5", &socket).await.tls);
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
            "error performing TLS handshake: invalid peer certificate: UnknownIssuer: set sslrootcert to the file of its \
             authority's certificate, or of its own if it is self-signed"
        );
    }
}

/// A file of that text, and the folder that goes with it.
fn a_file(text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a file.pem");
    std::fs::write(&path, text).expect("a file");
    let escaped = path.to_str().expect("a path").replace(' ', "%20");
    (folder, escaped)
}

async fn why_not(url: &str) -> String {
    let error = PostgresDatabase::new(trusting_settings(url)).probe().await;
    let error = error.expect_err("a refusal");
    assert!(error.is_refusal(), "{error}");
    error.to_string()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn the_certificates_of_a_file_replace_all_others() {
    let server = server().with_a_user().await;
    let socket = server.cluster.url("postgres");
    let (_folder, right) = a_file(&server.authority_pem);
    let (_other_folder, other) = a_file(&self_signed().0);
    // Nothing but the file is trusted here.
    let url = server.url("localhost", &format!("sslrootcert={right}"));
    let database = PostgresDatabase::new(settings(&url));
    assert!(database.probe().await.expect("a connection").tls);
    assert!(
        connected(
            &server.url("localhost", "sslmode=require&sslrootcert=system"),
            "f1",
            &socket
        )
        .await
        .tls
    );
    // The settings trust the right authority, but the file counts.
    for mode in ["require", "verify-ca", "verify-full"] {
        let query = format!("sslmode={mode}&sslrootcert={other}");
        let reason = why_not(&server.url("localhost", &query)).await;
        assert!(reason.contains("set sslrootcert to the file"), "{reason}");
    }
    let url = server.url("localhost", "");
    let files = TlsFiles {
        root_certificates: Some(right.replace("%20", " ").into()),
        ..TlsFiles::default()
    };
    let parsed = DatabaseUrl::parse_with(&format!("{url}sslmode=verify-full"), &files).expect("a URL");
    let database = PostgresDatabase::new(PostgresSettings {
        url: parsed,
        ..settings(&url)
    });
    assert!(database.probe().await.expect("a connection").tls);
}

/// As `openssl req -new -x509 -nodes -subj /CN=…` makes it: of an authority, for no name that counts.
fn self_signed() -> (String, KeyPair) {
    let mut params = CertificateParams::new([]).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    (params.self_signed(&key).expect("a certificate").pem(), key)
}

/// A cluster that proves itself with this certificate, asks `mutual` for one and trusts all others.
fn cluster_with(certificate: &str, key: &KeyPair) -> Cluster {
    Cluster::start(&ClusterOptions {
        settings: vec![
            "ssl = on".to_owned(),
            "ssl_cert_file = 'server.pem'".to_owned(),
            "ssl_key_file = 'key.pem'".to_owned(),
            "ssl_ca_file = 'server.pem'".to_owned(),
        ],
        files: vec![
            ("server.pem".to_owned(), certificate.to_owned()),
            ("key.pem".to_owned(), key.serialize_pem()),
            (
                "pg_hba.conf".to_owned(),
                "local all all trust\nhostssl all mutual 127.0.0.1/32 cert\nhostssl all all 127.0.0.1/32 trust\n".to_owned(),
            ),
        ],
        tcp_port: Some(a_free_port()),
    })
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_server_whose_own_certificate_is_the_trusted_one_is_accepted_until_that_expires() {
    let (certificate, key) = self_signed();
    let cluster = cluster_with(&certificate, &key);
    let (_folder, file) = a_file(&certificate);
    let url = |mode: &str, file: &str| {
        format!(
            "{}?sslmode={mode}&sslrootcert={file}",
            cluster.tcp_url("postgres")
        )
    };
    for mode in ["require", "verify-ca"] {
        let database = PostgresDatabase::new(settings(&url(mode, &file)));
        let info = database
            .probe()
            .await
            .unwrap_or_else(|error| panic!("{mode}: {error}"));
        assert!(info.tls);
    }
    let reason = why_not(&url("verify-full", &file)).await;
    assert!(reason.contains("certificate not valid for name"), "{reason}");
    let reason = why_not(&url("require", "system")).await;
    assert!(reason.contains("set sslrootcert to the file"), "{reason}");
    // Another one of the same name.
    let (_other_folder, other) = a_file(&self_signed().0);
    let reason = why_not(&url("verify-ca", &other)).await;
    assert!(reason.contains("set sslrootcert to the file"), "{reason}");

    let mut params = CertificateParams::new([]).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    params.not_before = rcgen::date_time_ymd(2019, 1, 1);
    let expired = params.self_signed(&key).expect("a certificate").pem();
    let cluster = cluster_with(&expired, &key);
    let (_folder, file) = a_file(&expired);
    let reason = why_not(&format!(
        "{}?sslmode=verify-ca&sslrootcert={file}",
        cluster.tcp_url("postgres")
    ))
    .await;
    assert!(reason.contains("certificate expired"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_server_that_asks_who_we_are_is_shown_the_certificate_of_the_url() {
    let mut params = CertificateParams::new([]).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let authority = params.self_signed(&key).expect("an authority").pem();
    let cluster = cluster_with(&authority, &key);
    let issuer = Issuer::new(params, key);
    let mut params = CertificateParams::new([]).expect("parameters");
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, "mutual");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&key, &issuer).expect("a certificate").pem();
    let (client, connection) = tokio_postgres::connect(&cluster.url("postgres"), tokio_postgres::NoTls)
        .await
        .expect("a connection");
    tokio::spawn(connection);
    client
        .batch_execute("CREATE ROLE mutual LOGIN")
        .await
        .expect("a role");

    let (_folder, roots) = a_file(&authority);
    let (_certificate_folder, certificate) = a_file(&certificate);
    let (_key_folder, key) = a_file(&key.serialize_pem());
    let url = cluster.tcp_url("postgres").replacen("postgres@", "mutual@", 1);
    let url = format!("{url}?sslmode=verify-ca&sslrootcert={roots}");
    let reason = why_not(&url).await;
    assert!(reason.contains("requires a valid client certificate"), "{reason}");
    let url = format!("{url}&sslcert={certificate}&sslkey={key}");
    assert!(
        PostgresDatabase::new(settings(&url))
            .probe()
            .await
            .expect("a connection")
            .tls
    );

    let (_other_folder, other) = a_file(&KeyPair::generate().expect("a key").serialize_pem());
    for (query, wanted) in [
        (
            "sslcert=/absent&sslkey=/absent".to_owned(),
            "sslcert names a file that cannot be read",
        ),
        (
            format!("sslcert={certificate}"),
            "sslcert is given without sslkey",
        ),
        (format!("sslkey={key}"), "sslkey is given without sslcert"),
        (
            format!("sslcert={certificate}&sslkey={other}"),
            "sslkey is not the private key of the certificate",
        ),
        (
            format!("sslcert={certificate}&sslkey={certificate}"),
            "sslkey names a file without a private key",
        ),
        (
            format!("sslcert={key}&sslkey={key}"),
            "sslcert names a file without a certificate",
        ),
        (
            "sslrootcert=/absent".to_owned(),
            "sslrootcert names a file that cannot be read",
        ),
        (
            format!("sslrootcert={key}"),
            "sslrootcert names a file without a certificate",
        ),
        (
            "sslrootcert=".to_owned(),
            "a parameter after the question mark has no value",
        ),
    ] {
        let error = DatabaseUrl::parse(&format!("postgresql://u@db.example/d?{query}"));
        let error = error.expect_err("a file that cannot be used").to_string();
        assert!(error.contains(wanted), "{query}: {error}");
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
