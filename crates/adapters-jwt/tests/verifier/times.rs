//! Step 4: `exp` and `nbf`. What depends on fractions of the clock or on a leeway is in `clock`.

use domain::identity::RefusalReason::{Expired, Malformed, NoExpiry, NotYetValid};

use crate::support::*;

cases! { Plain;
    exp_missing => Some(NoExpiry), |_| with_claims(r#"{"user_id":"usr_9f2c"}"#);
    exp_null => Some(NoExpiry), |_| with_exp("null");
    exp_a_text => Some(NoExpiry), |now| with_exp(format!(r#""{}""#, now + LIFETIME));
    exp_a_date_in_text => Some(NoExpiry), |_| with_exp(r#""2999-01-01T00:00:00Z""#);
    exp_true => Some(NoExpiry), |_| with_exp("true");
    exp_a_list => Some(NoExpiry), |now| with_exp(format!("[{}]", now + LIFETIME));
    exp_an_object => Some(NoExpiry), |_| with_exp("{}");
    exp_beyond_any_float => Some(Malformed), |_| with_exp("1e400");
    exp_not_a_number => Some(Malformed), |_| with_exp("NaN");
    exp_infinite => Some(Malformed), |_| with_exp("Infinity");
    exp_in_hexadecimal => Some(Malformed), |_| with_exp("0xffffffff");
    exp_twice => Some(Malformed), |now| with_more(now, &format!(r#""exp":{}"#, now + LIFETIME));
    exp_named_in_capitals => Some(NoExpiry),
        |now| with_claims(format!(r#"{{"user_id":"usr_9f2c","EXP":{}}}"#, now + LIFETIME));

    exp_now => Some(Expired), |now| with_exp(now);
    exp_a_second_ago => Some(Expired), |now| with_exp(now - 1);
    exp_half_a_second_ago => Some(Expired), |now| with_exp(format!("{}.5", now - 1));
    exp_a_microsecond_ago => Some(Expired), |now| with_exp(format!("{}.999999", now - 1));
    exp_zero => Some(Expired), |_| with_exp(0);
    exp_minus_zero => Some(Expired), |_| with_exp("-0.0");
    exp_negative => Some(Expired), |_| with_exp(-1);
    exp_an_hour_after_1970 => Some(Expired), |_| with_exp(3600);
    exp_hugely_negative => Some(Expired), |_| with_exp("-1e308");
    exp_the_smallest_integer => Some(Expired), |_| with_exp(i64::MIN);

    nbf_a_second_ahead => Some(NotYetValid), |now| with_more(now, &format!(r#""nbf":{}"#, now + 1));
    nbf_half_a_second_ahead => Some(NotYetValid), |now| with_more(now, &format!(r#""nbf":{now}.5"#));
    nbf_a_microsecond_ahead => Some(NotYetValid), |now| with_more(now, &format!(r#""nbf":{now}.000001"#));
    nbf_huge => Some(NotYetValid), |now| with_more(now, r#""nbf":1e308"#);
    nbf_the_largest_integer => Some(NotYetValid), |now| with_more(now, &format!(r#""nbf":{}"#, u64::MAX));
    nbf_null => Some(Malformed), |now| with_more(now, r#""nbf":null"#);
    nbf_a_text => Some(Malformed), |now| with_more(now, &format!(r#""nbf":"{}""#, now - 1));
    nbf_false => Some(Malformed), |now| with_more(now, r#""nbf":false"#);
    nbf_a_list => Some(Malformed), |now| with_more(now, r#""nbf":[0]"#);
    nbf_twice => Some(Malformed), |now| with_more(now, r#""nbf":0,"nbf":0"#);

    expired_and_not_yet_valid_is_not_called_expired => Some(NotYetValid),
        |now| with_claims(format!(r#"{{"user_id":"usr_9f2c","exp":{},"nbf":{}}}"#, now - 1, now + 1));
}
