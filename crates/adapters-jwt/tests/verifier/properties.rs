//! Laws that hold for every token.

use domain::identity::Owner;
use proptest::prelude::*;
use serde_json::{Map, Number, Value, json};

use crate::support::*;

#[test]
fn a_good_token_with_any_character_changed_is_refused() {
    let verifier = verifier();
    let token = good_token(noon_secs());
    assert!(judge(&verifier, &token).is_ok());
    for place in 0..token.len() {
        for byte in (b' '..=b'~').filter(|byte| *byte != token.as_bytes()[place]) {
            let mut changed = token.clone();
            changed.replace_range(place..=place, &char::from(byte).to_string());
            assert!(judge(&verifier, &changed).is_err(), "{changed}");
        }
    }
}

#[test]
fn a_good_token_without_its_end_is_refused() {
    let token = good_token(noon_secs());
    for end in 0..token.len() {
        assert!(judge(&verifier(), &token[..end]).is_err(), "{end}");
    }
}

/// Numbers around every border that matters, besides arbitrary ones.
fn numbers() -> impl Strategy<Value = Value> {
    let now = noon_secs();
    prop_oneof![
        (now - 2..now + 3).prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| Number::from_f64(number).map_or(Value::Null, Value::Number)),
    ]
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        3 => numbers(),
        3 => any::<String>().prop_map(Value::from),
        1 => Just(json!(APP)),
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((".{0,8}", inner), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn objects(names: &'static [&'static str]) -> impl Strategy<Value = Map<String, Value>> {
    let name = prop_oneof![9 => prop::sample::select(names).prop_map(str::to_owned), 1 => any::<String>()];
    prop::collection::vec((name, values()), 0..8).prop_map(|fields| fields.into_iter().collect())
}

/// Noon as JSON counts.
const NOON: f64 = 1_768_478_400.0;

proptest! {
    #[test]
    fn no_text_is_a_token(text in any::<String>()) {
        prop_assert!(judge(&verifier(), &text).is_err());
    }

    #[test]
    fn nothing_shaped_like_a_token_is_one(text in "[A-Za-z0-9_=-]{0,60}(\\.[A-Za-z0-9_=-]{0,60}){0,6}") {
        prop_assert!(judge(&verifier(), &text).is_err());
    }

    #[test]
    fn well_signed_bytes_never_panic(header in any::<Vec<u8>>(), claims in any::<Vec<u8>>()) {
        prop_assert!(judge(&verifier(), &token(header, &claims)).is_err());
        prop_assert!(judge(&verifier(), &with_claims(claims)).is_err());
    }

    #[test]
    fn a_header_is_accepted_only_with_our_algorithm_and_nothing_special(
        header in objects(&["alg", "typ", "kid", "crit", "b64", "jwk"])
    ) {
        let token = with_header(Value::from(header.clone()).to_string(), noon_secs());
        let accepted = judge(&verifier(), &token).is_ok();
        prop_assert!(!accepted || header.get("alg") == Some(&json!("HS256")));
        prop_assert!(!accepted || !header.contains_key("crit"));
    }

    /// The rules once more, said in another way: whatever is accepted is alive and names its caller.
    #[test]
    fn accepted_claims_are_alive_and_name_the_caller(
        mut claims in objects(&["exp", "nbf", "iss", "aud", "cnf", "user_id", "sub", "id"]),
        alive in any::<bool>(),
    ) {
        if alive {
            claims.insert("exp".to_owned(), json!(noon_secs() + 1));
        }
        let verdict = judge(&verifier(), &with_claims(Value::from(claims.clone()).to_string()));
        if let Ok(caller) = verdict {
            let named = claims.get("user_id").or(claims.get("sub")).and_then(Value::as_str);
            prop_assert_eq!(named, Some(caller.owner.as_str()));
            prop_assert!(claims["exp"].as_f64().is_some_and(|exp| exp > NOON));
            let begin = claims.get("nbf").map_or(Some(NOON), Value::as_f64);
            prop_assert!(begin.is_some_and(|begin| begin <= NOON));
            prop_assert!(!claims.contains_key("cnf"));
        }
    }

    #[test]
    fn every_owner_is_accepted_exactly_as_it_is(text in any::<String>()) {
        let token = with_user(noon_secs(), &format!(r#""user_id":{}"#, json!(text)));
        let caller = judge(&verifier(), &token);
        match Owner::parse(&text) {
            Ok(owner) => prop_assert_eq!(caller.expect("an accepted token").owner, owner),
            Err(_) => prop_assert!(caller.is_err()),
        }
    }
}
