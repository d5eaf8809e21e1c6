//! The tables as diesel sees them. A test compares this file with a migrated database.
//!
//! Every `INTEGER` is a `BigInt` here: in SQLite it has 64 bits whatever it is called, so a number out of our range
//! is seen when a row is read and not cut off.

diesel::table! {
    tasks (user_id, id) {
        user_id -> Text,
        id -> Binary,
        created_at -> BigInt,
        updated_at -> BigInt,
        version -> BigInt,
        status -> Text,
        title -> Text,
        description -> Nullable<Text>,
        idempotency_key -> Nullable<Text>,
        idempotency_fingerprint -> Nullable<Binary>,
    }
}
