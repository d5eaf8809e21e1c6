use proptest::prelude::*;

use super::*;

fn parsed(text: &str) -> DatabaseUrl {
    DatabaseUrl::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn fr_003_the_url_that_neon_hands_out_is_understood() {
    let url = parsed(
        "postgresql://user:pw@ep-cool-name-123456-pooler.eu-central-1.aws.neon.tech/neondb?sslmode=require&channel_binding=require",
    );
    assert!(url.uses_tls());
    assert!(url.may_be_asleep());
    assert_eq!(url.database(), "neondb");
    assert_eq!(
        url.config().get_channel_binding(),
        tokio_postgres::config::ChannelBinding::Require
    );
    assert_eq!(url.dropped_parameters(), [""; 0]);
}

#[test]
fn both_schemes_are_understood() {
    for scheme in ["postgres", "postgresql"] {
        assert_eq!(parsed(&format!("{scheme}://u@localhost/db")).hosts(), "localhost");
    }
}

#[test]
fn other_schemes_are_refused() {
    for text in [
        "",
        "mysql://u@h/db",
        "host=localhost user=u",
        "sqlite:tasks.db",
        "POSTGRES",
    ] {
        assert_eq!(
            DatabaseUrl::parse(text).unwrap_err(),
            InvalidDatabaseUrl::Scheme,
            "{text}"
        );
    }
}

#[test]
fn every_ssl_mode_of_libpq_is_understood_and_no_other() {
    for (mode, tls) in [
        ("disable", false),
        ("allow", true),
        ("prefer", true),
        ("require", true),
        ("verify-ca", true),
        ("verify-full", true),
    ] {
        assert_eq!(
            parsed(&format!("postgres://u@db.example/d?sslmode={mode}")).uses_tls(),
            tls,
            "{mode}"
        );
    }
    let refused = DatabaseUrl::parse("postgres://u@db.example/d?sslmode=off");
    assert_eq!(refused.unwrap_err(), InvalidDatabaseUrl::SslMode);
}

#[test]
fn plain_text_leaves_the_machine_only_when_it_is_written_so() {
    assert!(parsed("postgres://u@db.example/d").uses_tls());
    assert!(parsed("postgres://u@10.0.0.7/d?sslmode=prefer").uses_tls());
    assert!(parsed("postgres://u@localhost.example/d").uses_tls());
    assert!(parsed("postgres://u@localhost,db.example/d").uses_tls());
    assert!(parsed("postgres://u@localhost/d?hostaddr=192.0.2.1").uses_tls());
    assert!(!parsed("postgres://u@db.example/d?sslmode=disable").uses_tls());
}

#[test]
fn a_loopback_address_or_a_socket_needs_no_tls() {
    for host in [
        "localhost",
        "127.0.0.1",
        "127.9.9.9",
        "[::1]",
        "%2Fvar%2Frun%2Fpostgresql",
    ] {
        assert!(!parsed(&format!("postgres://u@{host}/d")).uses_tls(), "{host}");
    }
    assert!(!parsed("postgres://u@/d?host=/tmp").uses_tls());
    assert!(parsed("postgres://u@localhost/d?sslmode=require").uses_tls());
}

#[test]
fn foreign_parameters_are_dropped_by_name() {
    let url = parsed(
        "postgres://u@h/d?pgbouncer=true&connection_limit=1&pool_timeout=5&statement_timeout=9&application_name=x",
    );
    let foreign = [
        "pgbouncer",
        "connection_limit",
        "pool_timeout",
        "statement_timeout",
    ];
    assert_eq!(url.dropped_parameters(), foreign);
    assert_eq!(url.config().get_application_name(), Some("x"));
}

#[test]
fn a_schema_is_refused_with_the_parameter_that_does_what_it_is_meant_to_do() {
    for text in [
        "postgres://u@h/d?schema=public",
        "postgres://u@h/d?pgbouncer=true&schema=s3cret",
    ] {
        let message = DatabaseUrl::parse(text).unwrap_err().to_string();
        assert!(message.contains("options=-c%20search_path%3DNAME"), "{message}");
        assert!(!message.contains("s3cret"), "{message}");
    }
    let url = parsed("postgres://u@h/d?options=-c%20search_path%3Dtasks");
    assert_eq!(url.config().get_options(), Some("-c search_path=tasks"));
}

#[test]
fn a_host_or_a_port_in_the_query_replaces_that_of_the_address_as_in_libpq() {
    for (text, hosts, ports) in [
        (
            "postgres://u:p@a.example:6000/d?host=b.example",
            "b.example",
            &[6000][..],
        ),
        ("postgres://u:p@:5433/d?host=/sock", "/sock", &[5433]),
        ("postgres://u:p@:5433/d?host=%2Fvar%2Frun", "/var/run", &[5433]),
        ("postgres:///d?host=/sock&user=u", "/sock", &[]),
        ("postgres://u@a.example/d?host=/sock&port=6432", "/sock", &[6432]),
        ("postgres://u@a.example:1/d?port=6432", "a.example", &[6432]),
        (
            "postgres://u@a.example,b.example:2/d?port=6432",
            "a.example,b.example",
            &[6432],
        ),
        (
            "postgres://u@a.example:1,b.example/d?host=c.example,d.example",
            "c.example,d.example",
            &[1, 5432],
        ),
        ("postgres://u@[::1]:6000/d?port=6432", "::1", &[6432]),
        ("postgres://u@/d?host=a.example&host=b.example", "b.example", &[]),
        ("postgres://u@%2Fsock/d?port=6432", "/sock", &[6432]),
    ] {
        let url = parsed(text);
        assert_eq!(url.hosts(), hosts, "{text}");
        assert_eq!(url.config().get_ports(), ports, "{text}");
        assert_eq!(
            (url.database(), url.config().get_user()),
            ("d", Some("u")),
            "{text}"
        );
    }
    assert!(!parsed("postgres://u@db.example/d?host=/sock").uses_tls());
    assert!(parsed("postgres://u@localhost/d?host=db.example").uses_tls());
}

#[test]
fn a_broken_escape_is_refused_at_once() {
    for url in [
        "postgresql://u:hunter2%@localhost/db",
        "postgresql://u:hunter2%2@localhost/db",
        "postgresql://u:hunter2%zz@localhost/db",
        "postgresql://u:100%\u{e9}@localhost/db",
        "postgresql://u:p@localhost/db%00",
        "postgresql://u@localhost/db?password=%x1",
    ] {
        let error = DatabaseUrl::parse(url).unwrap_err();
        assert_eq!(error, InvalidDatabaseUrl::Escape, "{url}");
        assert!(!error.to_string().contains("hunter2"));
    }
    assert!(DatabaseUrl::parse("postgresql://u:100%25%C3%a9@localhost/db").is_ok());
}

#[test]
fn percent_encoded_credentials_are_decoded() {
    let url = parsed("postgres://us%40er:p%2Fw%3F@h/d");
    assert_eq!(url.config().get_user(), Some("us@er"));
    assert_eq!(url.config().get_password(), Some("p/w?".as_bytes()));
}

#[test]
fn several_hosts_for_a_failover_are_kept() {
    let url = parsed("postgres://u@a.example:5432,b.example:5433/d?target_session_attrs=read-write");
    assert_eq!(url.hosts(), "a.example,b.example");
}

#[test]
fn a_peer_that_is_gone_is_noticed_within_half_a_minute_unless_the_url_says_otherwise() {
    let url = parsed("postgres://u@h/d");
    let config = url.config();
    assert!(config.get_keepalives());
    assert_eq!(config.get_keepalives_idle(), Duration::from_secs(15));
    assert_eq!(config.get_keepalives_interval(), Some(Duration::from_secs(5)));
    assert_eq!(config.get_keepalives_retries(), Some(2));
    assert_eq!(config.get_tcp_user_timeout(), Some(&Duration::from_secs(1)));

    let url = parsed("postgres://u@h/d?keepalives_count=7");
    assert_eq!(url.config().get_keepalives_retries(), Some(7));

    let url = parsed("postgres://u@h/d?keepalives_idle=60&tcp_user_timeout=30");
    assert_eq!(url.config().get_keepalives_idle(), Duration::from_secs(60));
    assert_eq!(
        url.config().get_tcp_user_timeout(),
        Some(&Duration::from_secs(30))
    );
    assert_eq!(url.config().get_keepalives_retries(), Some(2));
}

#[test]
fn what_the_driver_cannot_read_is_named_without_its_value() {
    for text in [
        "postgres://u:s3cret@h:notaport/d",
        "postgres://u:s3cret@h/d?connect_timeout=s3cret",
        "postgres://u:s3cret@h/d?target_session_attrs=s3cret",
        "postgres://u:s3cret@h/d?flag",
        // A password with a question mark.
        "postgres://u:1?s3cret=x@h/d",
        "postgres://u:1?a=b&s3cret=x@h/d",
        "postgres://u:1?host=s3cret@h/d",
        // And one with an at sign.
        "postgres://u:1@s3cret@h/d",
    ] {
        let message = DatabaseUrl::parse(text).unwrap_err().to_string();
        assert!(
            !message.contains("s3cret") && !message.contains("notaport"),
            "{message}"
        );
    }
}

#[test]
fn debug_output_shows_no_credentials() {
    let text = format!("{:?}", parsed("postgres://user:s3cret@h/d"));
    assert!(!text.contains("s3cret") && !text.contains("user"), "{text}");
}

mod fuzz {
    use super::*;

    /// A URL with two secrets in its password, and everything else as chance wants it.
    fn any_url(secrets: [&'static str; 2]) -> impl Strategy<Value = String> {
        let scraps = prop::sample::select(vec![
            "?",
            "/",
            ":",
            "@",
            "#",
            "%",
            "%40",
            "&",
            "=",
            ",",
            "[",
            "]",
            " ",
            "1",
            "localhost",
            "db.example",
            "[::1]",
            "5432",
            "tasks",
            "sslmode=disable",
            "sslmode=require",
            "sslmode=",
            "host=",
            "hostaddr=127.0.0.1",
            "options=",
            "pgbouncer=true",
            "é",
        ]);
        let noise = move |most| {
            prop_oneof![
                prop::collection::vec(scraps.clone(), 0..most).prop_map(|scraps| scraps.concat()),
                any::<String>(),
            ]
        };
        let [one, two] = secrets;
        (noise(3), noise(3), noise(8)).prop_map(move |(between, behind, rest)| {
            format!("postgres://user:{one}{between}{two}{behind}@{rest}")
        })
    }

    proptest! {
        #[test]
        fn any_database_url_is_read_or_refused_without_showing_its_password(
            text in prop_oneof![any_url(["hunter", "swordfish"]), any_url(["4711", "swordfish"])],
        ) {
            let shown = match DatabaseUrl::parse(&text) {
                Ok(url) => format!("{url:?} {:?}", url.dropped_parameters()),
                Err(error) => format!("{error} {error:?}"),
            };
            prop_assert!(!shown.contains("hunter") && !shown.contains("swordfish"), "{}", shown);
        }

        #[test]
        fn any_database_url_is_encrypted_unless_it_is_local_or_says_otherwise(
            host in prop::sample::select(vec!["localhost", "127.0.0.1", "[::1]", "db.example", "10.0.0.7", "a,b"]),
            parameters in prop::collection::vec(prop::sample::select(vec![
                "sslmode=disable", "sslmode=prefer", "sslmode=require", "%73slmode=disable", "SSLMODE=disable",
                "hostaddr=192.0.2.1", "host=other.example", "host=/tmp", "channel_binding=disable", "x=y",
            ]), 0..4),
        ) {
            if let Ok(url) = DatabaseUrl::parse(&format!("postgres://u@{host}/d?{}", parameters.join("&"))) {
                let last = parameters.iter().rfind(|parameter| parameter.starts_with("sslmode="));
                let host = parameters
                    .iter()
                    .rev()
                    .find_map(|parameter| parameter.strip_prefix("host="))
                    .unwrap_or(host);
                let is_local = ["localhost", "127.0.0.1", "[::1]", "/tmp"].contains(&host)
                    && !parameters.contains(&"hostaddr=192.0.2.1");
                let wanted = match last {
                    Some(&"sslmode=disable") => false,
                    Some(&"sslmode=require") => true,
                    _ => !is_local,
                };
                prop_assert_eq!(url.uses_tls(), wanted);
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            let _ = DatabaseUrl::parse(&text);
        }
    }
}
