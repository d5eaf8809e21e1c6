//! Addresses of key sets.

use adapters_jwt::{BetterAuthUrl, InvalidSetting, KeySetUrl};

fn url(text: &str) -> KeySetUrl {
    KeySetUrl::parse(text).expect("a good address")
}

#[test]
fn an_address_begins_with_http_or_https() {
    for text in [
        "http://localhost:3000/jwks",
        "https://app.example/api/auth/jwks?tenant=7",
    ] {
        assert!(KeySetUrl::parse(text).is_ok(), "{text}");
    }
    for text in [
        "",
        "app.example/jwks",
        "localhost:3000",
        "/api/auth/jwks",
        "ftp://app.example/jwks",
        "file:///etc/passwd",
        "data:application/json,{}",
        "https://",
        "https:// app.example",
        "https://app.example:port/",
    ] {
        assert_eq!(KeySetUrl::parse(text), Err(InvalidSetting::NoHttpUrl), "{text}");
        assert_eq!(
            BetterAuthUrl::parse(text).err(),
            Some(InvalidSetting::NoHttpUrl),
            "{text}"
        );
    }
}

#[test]
fn an_address_holds_no_credentials() {
    for text in [
        "https://user:hunter2@app.example/",
        "https://user@app.example/",
        "https://:hunter2@app.example/",
    ] {
        let error = KeySetUrl::parse(text).expect_err("a refusal");
        assert_eq!(error, InvalidSetting::Credentials, "{text}");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
        assert_eq!(
            BetterAuthUrl::parse(text).err(),
            Some(InvalidSetting::Credentials),
            "{text}"
        );
    }
}

#[test]
fn what_an_address_shows_is_its_place_and_not_its_query() {
    let url = url("https://app.example/api/auth/jwks?key=hunter2#part");
    assert_eq!(url.to_string(), "https://app.example/api/auth/jwks");
    assert_eq!(format!("{url:?}"), "KeySetUrl(https://app.example/api/auth/jwks)");
}

#[test]
fn the_origin_of_better_auth_is_issuer_audience_and_place_of_the_keys() {
    for (text, origin) in [
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://localhost:3000/", "http://localhost:3000"),
        ("http://localhost:3000/api/auth", "http://localhost:3000"),
        ("http://localhost:3000/app/auth?x=1#y", "http://localhost:3000"),
        ("https://APP.example:443/x", "https://app.example"),
        ("http://[::1]:3000/", "http://[::1]:3000"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
    ] {
        let better_auth = BetterAuthUrl::parse(text).expect("a good address");
        assert_eq!(better_auth.origin().as_str(), origin, "{text}");
        assert_eq!(
            better_auth.key_set().to_string(),
            format!("{origin}/api/auth/jwks"),
            "{text}"
        );
    }
}

#[test]
fn plain_http_to_another_machine_is_open_to_tampering() {
    for open in [
        "http://app.example/jwks",
        "http://10.0.0.7/jwks",
        "http://localhost.example/",
        "http://[2001:db8::1]/",
    ] {
        assert!(url(open).is_open_to_tampering(), "{open}");
    }
    for safe in [
        "https://app.example/jwks",
        "http://localhost:3000/jwks",
        "http://app.localhost/jwks",
        "http://127.0.0.1:3000/jwks",
        "http://127.8.9.1/jwks",
        "http://[::1]:3000/jwks",
    ] {
        assert!(!url(safe).is_open_to_tampering(), "{safe}");
    }
}
