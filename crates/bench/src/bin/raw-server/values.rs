//! Ids and times as PostgreSQL sends them, without a calendar in between.

use std::error::Error;
use std::time::{SystemTime, UNIX_EPOCH};

use actix_web::web::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};
use uuid::Uuid;

type Converted<T> = Result<T, Box<dyn Error + Sync + Send>>;

/// From 1970 to 2000, where PostgreSQL begins to count, in microseconds.
const EPOCH: i64 = 946_684_800_000_000;

/// The id of a task.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TaskId(pub(crate) Uuid);

impl TaskId {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Uuid::try_parse(text).ok().map(Self)
    }

    /// The millisecond inside the id.
    pub(crate) fn created_at(self) -> Micros {
        let milliseconds = self.0.as_u128() >> 80;
        Micros(i64::try_from(milliseconds).unwrap_or_default() * 1_000)
    }
}

impl ToSql for TaskId {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Converted<IsNull> {
        out.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    accepts!(UUID);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for TaskId {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Converted<Self> {
        Ok(Self(Uuid::from_slice(raw)?))
    }

    accepts!(UUID);
}

impl std::fmt::Display for TaskId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// Microseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Micros(pub(crate) i64);

impl Micros {
    pub(crate) fn now() -> Self {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since_1970.as_micros()).unwrap_or_default())
    }
}

impl ToSql for Micros {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Converted<IsNull> {
        out.extend_from_slice(&(self.0 - EPOCH).to_be_bytes());
        Ok(IsNull::No)
    }

    accepts!(TIMESTAMPTZ);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for Micros {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Converted<Self> {
        Ok(Self(i64::from_be_bytes(raw.try_into()?) + EPOCH))
    }

    accepts!(TIMESTAMPTZ);
}
