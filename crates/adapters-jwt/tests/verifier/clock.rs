//! The clock to the microsecond, and the leeway.

use std::sync::Arc;

use adapters_jwt::{JwtVerifier, Leeway};
use chrono::{DateTime, TimeDelta, Utc};
use domain::identity::RefusalReason::{Expired, NotYetValid};
use domain::testing::{FixedClock, noon};

use crate::support::*;

/// A verifier whose clock shows noon and so many microseconds.
fn micros_after_noon(micros: i64, leeway: u64) -> JwtVerifier {
    let mut settings = settings(Rules::Plain);
    settings.leeway = Leeway::from_secs(leeway).expect("a valid leeway");
    let now = noon() + TimeDelta::microseconds(micros);
    JwtVerifier::new(settings, Arc::new(FixedClock::at(now)))
}

#[test]
fn a_token_is_good_until_the_last_microsecond_before_exp() {
    let token = with_exp(noon_secs() + 1);
    assert!(judge(&micros_after_noon(999_999, 0), &token).is_ok());
    assert_eq!(refused(&micros_after_noon(1_000_000, 0), &token).reason, Expired);
}

#[test]
fn exp_counts_to_the_microsecond_however_floats_round() {
    for micros in [1, 3, 5, 7, 250_000, 333_333, 499_999, 500_001, 999_999] {
        let token = with_exp(format!("{}.{micros:06}", noon_secs()));
        assert!(
            judge(&micros_after_noon(micros - 1, 0), &token).is_ok(),
            "{micros}"
        );
        assert_eq!(
            refused(&micros_after_noon(micros, 0), &token).reason,
            Expired,
            "{micros}"
        );
    }
}

/// From 2038 on, floats are so coarse that the nearest one to a microsecond may lie half a microsecond below
/// it.
#[test]
fn exp_counts_to_the_microsecond_in_later_years_too() {
    const LATER: i64 = 2_200_000_000;
    for micros in 1..50 {
        let now =
            DateTime::from_timestamp(LATER, 0).expect("a valid time") + TimeDelta::microseconds(micros - 1);
        let verifier = JwtVerifier::new(settings(Rules::Plain), Arc::new(FixedClock::at(now)));
        let token = |micros| with_exp(format!("{LATER}.{micros:06}"));
        assert!(judge(&verifier, &token(micros)).is_ok(), "{micros}");
        assert_eq!(refused(&verifier, &token(micros - 1)).reason, Expired, "{micros}");
    }
}

#[test]
fn a_token_is_good_from_the_very_microsecond_of_nbf() {
    for micros in [1, 3, 333_333, 999_999] {
        let token = with_more(noon_secs(), &format!(r#""nbf":{}.{micros:06}"#, noon_secs()));
        assert_eq!(
            refused(&micros_after_noon(micros - 1, 0), &token).reason,
            NotYetValid,
            "{micros}"
        );
        assert!(judge(&micros_after_noon(micros, 0), &token).is_ok(), "{micros}");
    }
}

#[test]
fn with_a_leeway_a_token_is_good_for_as_much_longer() {
    let token = with_exp(noon_secs() - 60);
    assert!(judge(&micros_after_noon(-1, 60), &token).is_ok());
    assert_eq!(refused(&micros_after_noon(0, 60), &token).reason, Expired);
    assert_eq!(refused(&micros_after_noon(-1, 59), &token).reason, Expired);
}

#[test]
fn with_a_leeway_a_token_is_good_as_much_earlier() {
    let token = with_more(noon_secs(), &format!(r#""nbf":{}"#, noon_secs() + 60));
    assert!(judge(&micros_after_noon(0, 60), &token).is_ok());
    assert_eq!(refused(&micros_after_noon(-1, 60), &token).reason, NotYetValid);
    assert_eq!(refused(&micros_after_noon(0, 59), &token).reason, NotYetValid);
}

#[test]
fn a_leeway_does_not_change_when_the_caller_expires() {
    let caller = judge(&micros_after_noon(0, 60), &with_exp(noon_secs() - 10)).expect("an accepted token");
    assert_eq!(caller.expires_at, noon() - TimeDelta::seconds(10));
}

#[test]
fn the_clock_is_asked_for_each_token() {
    let clock = Arc::new(FixedClock::at(noon()));
    let verifier = JwtVerifier::new(settings(Rules::Plain), clock.clone());
    let token = with_exp(noon_secs() + 1);
    assert!(judge(&verifier, &token).is_ok());
    clock.advance(TimeDelta::seconds(1));
    assert_eq!(refused(&verifier, &token).reason, Expired);
}

#[test]
fn a_clock_at_the_end_of_time_does_not_break_a_leeway() {
    for end in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
        let mut settings = settings(Rules::Plain);
        settings.leeway = Leeway::from_secs(60).expect("a valid leeway");
        let verifier = JwtVerifier::new(settings, Arc::new(FixedClock::at(end)));
        let _ = judge(&verifier, &with_more(0, r#""nbf":0"#));
    }
}
