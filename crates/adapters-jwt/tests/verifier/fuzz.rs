//! Good tokens, spoiled in every way that chance finds.

use domain::identity::Owner;
use proptest::prelude::*;
use serde_json::Value;

use crate::support::*;

/// One change: where, how much of the old is dropped, what comes instead.
type Edit = (prop::sample::Index, usize, Vec<u8>);

fn edits(bytes: &'static [u8]) -> impl Strategy<Value = Vec<Edit>> {
    let scrap = prop::collection::vec(prop::sample::select(bytes), 0..4);
    prop::collection::vec((any::<prop::sample::Index>(), 0_usize..4, scrap), 1..6)
}

fn edited(text: &str, edits: &[Edit]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for (place, dropped, scrap) in edits {
        let start = place.index(bytes.len() + 1);
        let end = (start + dropped).min(bytes.len());
        bytes.splice(start..end, scrap.iter().copied());
    }
    String::from_utf8(bytes).expect("edits in ASCII")
}

const OF_TOKENS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/~ ";
const OF_HEADERS: &[u8] = b"{}[]:,\"\\ abcghlrtypkidnoeHSREJWT0123456-";

proptest! {
    #[test]
    fn any_edit_of_a_good_token_is_refused(edits in edits(OF_TOKENS)) {
        let token = good_token(noon_secs());
        let spoiled = edited(&token, &edits);
        // Some edits change nothing.
        prop_assert_eq!(judge(&verifier(), &spoiled).is_ok(), spoiled == token, "{}", spoiled);
    }

    /// The signature is good, so the header alone decides.
    #[test]
    fn any_edit_of_a_good_header_leaves_it_good_or_is_refused(edits in edits(OF_HEADERS)) {
        let header = edited(HEADER, &edits);
        if judge(&verifier(), &with_header(&header, noon_secs())).is_ok() {
            let header: Value = serde_json::from_str(&header).expect("accepted headers are JSON");
            prop_assert_eq!(&header["alg"], "HS256");
            let is_plain = header.get("typ").is_none_or(|typ| typ.as_str().is_some_and(|typ| typ.eq_ignore_ascii_case("JWT")));
            prop_assert!(is_plain && header.get("crit").is_none() && header.get("b64").is_none());
        }
    }

    #[test]
    fn any_edit_of_good_claims_names_a_caller_or_is_refused(edits in edits(OF_HEADERS)) {
        let claims = edited(&format!(r#"{{"user_id":"alice","exp":{}}}"#, noon_secs() + 60), &edits);
        if let Ok(caller) = judge(&verifier(), &with_claims(&claims)) {
            prop_assert!(Owner::parse(caller.owner.as_str()).is_ok());
            prop_assert!(caller.expires_at.timestamp() > noon_secs());
        }
    }
}
