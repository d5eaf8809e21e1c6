//! The tables as the migrations leave them; `tests/schema_rules.rs` compares this file with a real database.

diesel::table! {
    tasks (user_id, id) {
        user_id -> Text,
        id -> Uuid,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        version -> Int4,
        status -> Text,
        title -> Text,
        description -> Nullable<Text>,
        idempotency_key -> Nullable<Text>,
        idempotency_fingerprint -> Nullable<Bytea>,
    }
}
