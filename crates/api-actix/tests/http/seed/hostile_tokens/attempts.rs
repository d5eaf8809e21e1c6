//! The table of hostile tokens and headers.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;

use super::{CLAIMS, HS256};
use crate::support::{SECRET, signed, signed_with, token_for, token_signed_with};

const OTHER_SECRET: &str = "a secret of another server, 0123456789abcdef";

/// One way to ask, and the code of the 401 that it must get.
pub(super) struct Attempt {
    pub(super) what: &'static str,
    pub(super) headers: Vec<Vec<u8>>,
    pub(super) code: &'static str,
}

fn missing(what: &'static str, header: impl Into<Vec<u8>>) -> Attempt {
    Attempt {
        what,
        headers: vec![header.into()],
        code: "token_missing",
    }
}

fn invalid(what: &'static str, header: impl Into<Vec<u8>>) -> Attempt {
    Attempt {
        what,
        headers: vec![header.into()],
        code: "token_invalid",
    }
}

fn token(what: &'static str, token: impl AsRef<str>) -> Attempt {
    invalid(what, format!("Bearer {}", token.as_ref()))
}

fn header(what: &'static str, header: &str) -> Attempt {
    token(what, signed(header, CLAIMS))
}

fn claims(what: &'static str, claims: &str) -> Attempt {
    token(what, signed(HS256, claims))
}

fn expired(what: &'static str, claims: &str) -> Attempt {
    Attempt {
        code: "token_expired",
        ..token(what, signed(HS256, claims))
    }
}

pub(super) fn attempts() -> Vec<Attempt> {
    [headers(), forms(), algorithms(), signatures(), said()]
        .into_iter()
        .flatten()
        .collect()
}

/// Faults around a token that is good.
fn headers() -> Vec<Attempt> {
    let good = token_for("alice");
    let two = |first: String, second: String| Attempt {
        what: "two headers",
        headers: vec![first.into(), second.into()],
        code: "token_invalid",
    };
    vec![
        Attempt {
            what: "no header",
            headers: vec![],
            code: "token_missing",
        },
        missing("an empty header", ""),
        missing("a header of spaces", "   "),
        missing("the token alone", good.as_str()),
        missing("Basic", "Basic YWxpY2U6c2VjcmV0"),
        missing("Basic with a token", format!("Basic {good}")),
        missing("Digest", "Digest username=\"alice\""),
        missing("Token", format!("Token {good}")),
        missing("JWT", format!("JWT {good}")),
        missing("the scheme without a space", format!("Bearer{good}")),
        missing("a tab instead of the space", format!("Bearer\t{good}")),
        missing("a colon after the scheme", format!("Bearer: {good}")),
        missing("the scheme in quotes", format!("\"Bearer\" {good}")),
        missing("another scheme before it", format!("Basic YTpi, Bearer {good}")),
        invalid("Bearer alone", "Bearer"),
        invalid("Bearer and spaces", "Bearer    "),
        invalid("the scheme twice", format!("Bearer Bearer {good}")),
        invalid("two tokens with a comma", format!("Bearer {good},{good}")),
        invalid(
            "two schemes with a comma",
            format!("Bearer {good}, Bearer {good}"),
        ),
        invalid("two tokens with a space", format!("Bearer {good} {good}")),
        invalid("a comma after the token", format!("Bearer {good},")),
        invalid("the token in quotes", format!("Bearer \"{good}\"")),
        invalid("the token as a parameter", format!("Bearer token={good}")),
        invalid("a tab after the token", format!("Bearer {good}\tx")),
        invalid(
            "a byte beyond ASCII",
            [b"Bearer ".as_slice(), good.as_bytes(), b"\xff"].concat(),
        ),
        invalid("a letter beyond ASCII", format!("Bearer {good}é")),
        invalid("a percent sign", format!("Bearer {good}%20")),
        two(format!("Bearer {good}"), format!("Bearer {good}")),
        two(format!("Bearer {good}"), "Basic YTpi".to_owned()),
        two("Basic YTpi".to_owned(), format!("Bearer {good}")),
        two(format!("Bearer {good}"), String::new()),
    ]
}

/// Texts that are no compact token, or not one that we read.
fn forms() -> Vec<Attempt> {
    let good = token_for("alice");
    let (message, _) = good.rsplit_once('.').expect("a signature");
    vec![
        token("a session token", "mWkXQ8gTn4pYb2RcVzLd5HsJf7KuEa1o"),
        token("one dot", "a.b"),
        token("two dots alone", ".."),
        token("ten thousand dots", ".".repeat(10_000)),
        token("without a signature", message),
        token("with an empty signature", format!("{message}.")),
        token("four parts", format!("{good}.AAAA")),
        token("five parts: encrypted", format!("{good}.AAAA.AAAA")),
        token("padding", format!("{good}=")),
        token("truncated by a letter", &good[..good.len() - 1]),
        token("truncated by half", &good[..good.len() / 2]),
        token("a letter more", format!("{good}A")),
        token("four letters more", format!("{good}AAAA")),
        token(
            "17 KiB",
            signed(
                HS256,
                &format!(
                    r#"{{"exp":4000000000,"user_id":"alice","x":"{}"}}"#,
                    "x".repeat(13_000)
                ),
            ),
        ),
        token("64 KiB", "a".repeat(64 * 1024)),
    ]
}

/// Algorithms that we do not take, and headers that ask for more than we can honour.
fn algorithms() -> Vec<Attempt> {
    let unsigned = |algorithm: &str| {
        let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"{algorithm}"}}"#));
        format!("{header}.{}.", URL_SAFE_NO_PAD.encode(CLAIMS))
    };
    vec![
        token("none, unsigned", unsigned("none")),
        token("None, unsigned", unsigned("None")),
        header("none, signed", r#"{"alg":"none"}"#),
        header("hs256 in small letters", r#"{"alg":"hs256"}"#),
        header("HS384", r#"{"alg":"HS384"}"#),
        header("HS512", r#"{"alg":"HS512"}"#),
        header("RS256 with the secret", r#"{"alg":"RS256"}"#),
        header("PS256 with the secret", r#"{"alg":"PS256"}"#),
        header("ES256 with the secret", r#"{"alg":"ES256"}"#),
        header("EdDSA with the secret", r#"{"alg":"EdDSA"}"#),
        header("no algorithm", r#"{"typ":"JWT"}"#),
        header("the algorithm twice", r#"{"alg":"none","alg":"HS256"}"#),
        header("another type", r#"{"alg":"HS256","typ":"at+jwt"}"#),
        header("a critical extension", r#"{"alg":"HS256","crit":["exp"]}"#),
        header("a header that is no JSON", "HS256"),
    ]
}

fn signatures() -> Vec<Attempt> {
    let good = token_for("alice");
    let (_, signature) = good.rsplit_once('.').expect("a signature");
    let with_the_secret = |secret| signed_with(secret, HS256, CLAIMS);
    let brought_along = format!(
        r#"{{"alg":"HS256","jwk":{{"kty":"oct","k":"{}"}}}}"#,
        URL_SAFE_NO_PAD.encode(OTHER_SECRET)
    );
    let unsigned = signed(HS256, CLAIMS);
    let (message, _) = unsigned.rsplit_once('.').expect("a signature");
    vec![
        token("another secret", with_the_secret(OTHER_SECRET)),
        token("the empty secret", with_the_secret("")),
        token("a prefix of the secret", with_the_secret(&SECRET[..32])),
        token("the signature of another token", format!("{message}.{signature}")),
        token("a signature of zeros", format!("{message}.{}", "A".repeat(43))),
        token(
            "a key brought along",
            signed_with(OTHER_SECRET, &brought_along, CLAIMS),
        ),
        token(
            "expired and forged: not called expired",
            token_signed_with(OTHER_SECRET, "alice", TimeDelta::hours(-1)),
        ),
    ]
}

/// Claims that a token with a good signature may not have.
fn said() -> Vec<Attempt> {
    vec![
        expired("expired long ago", r#"{"exp":1,"user_id":"alice"}"#),
        expired("expired before 1970", r#"{"exp":-1,"user_id":"alice"}"#),
        Attempt {
            code: "token_expired",
            ..token(
                "expired a second ago",
                token_signed_with(SECRET, "alice", TimeDelta::seconds(-1)),
            )
        },
        Attempt {
            code: "token_expired",
            ..token(
                "expires now",
                token_signed_with(SECRET, "alice", TimeDelta::zero()),
            )
        },
        claims("no expiry", r#"{"user_id":"alice"}"#),
        claims(
            "an expiry that is a text",
            r#"{"exp":"4000000000","user_id":"alice"}"#,
        ),
        claims("an expiry that is null", r#"{"exp":null,"user_id":"alice"}"#),
        claims(
            "not valid yet",
            r#"{"exp":4000000000,"nbf":3999999999,"user_id":"alice"}"#,
        ),
        claims("no user", r#"{"exp":4000000000}"#),
        claims("an empty user", r#"{"exp":4000000000,"user_id":""}"#),
        claims("a blank user", r#"{"exp":4000000000,"user_id":"  "}"#),
        claims("a user that is a number", r#"{"exp":4000000000,"user_id":7}"#),
        claims(
            "a user that is a list",
            r#"{"exp":4000000000,"user_id":["alice"]}"#,
        ),
        claims(
            "a user that is null, and a subject",
            r#"{"exp":4000000000,"user_id":null,"sub":"alice"}"#,
        ),
        claims("a subject that is a number", r#"{"exp":4000000000,"sub":1}"#),
        claims(
            "a user with a NUL",
            r#"{"exp":4000000000,"user_id":"alice\u0000"}"#,
        ),
        claims(
            "a user of 256 letters",
            &format!(r#"{{"exp":4000000000,"user_id":"{}"}}"#, "a".repeat(256)),
        ),
        claims(
            "the user twice",
            r#"{"exp":4000000000,"user_id":"alice","user_id":"bob"}"#,
        ),
        claims("only an e-mail address", r#"{"exp":4000000000,"email":"alice"}"#),
        claims(
            "a key that it is bound to",
            r#"{"exp":4000000000,"user_id":"alice","cnf":{"jkt":"x"}}"#,
        ),
        claims("claims that are a list", r#"["alice"]"#),
        claims("claims that are no JSON", "alice"),
    ]
}
