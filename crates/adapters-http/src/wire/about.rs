//! The bodies that describe the API itself and its caller.

use std::borrow::Cow;

use serde::Serialize;
use utoipa::ToSchema;

use crate::schema;

/// The service, and where it is described.
#[derive(Serialize, ToSchema)]
#[schema(as = Service)]
pub(crate) struct ServiceBody {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    /// The path of the documentation for people.
    pub(crate) docs: Cow<'static, str>,
    /// The path of the OpenAPI document.
    pub(crate) openapi: Cow<'static, str>,
}

/// Who sent the token.
#[derive(Serialize, ToSchema)]
#[schema(as = Me)]
pub(crate) struct MeBody<'a> {
    #[schema(schema_with = schema::user_id)]
    pub(crate) user_id: &'a str,
    #[schema(schema_with = schema::expires_at)]
    pub(crate) expires_at: String,
    /// Who issued the token; `null` if it does not say.
    #[schema(required)]
    pub(crate) issuer: Option<&'a str>,
}

/// The meaning of a code.
#[derive(Serialize, ToSchema)]
#[schema(as = Explanation)]
pub(crate) struct ExplanationBody {
    #[schema(schema_with = schema::problem_code)]
    pub(crate) code: &'static str,
    #[schema(schema_with = schema::problem_status)]
    pub(crate) status: u16,
    pub(crate) title: &'static str,
    pub(crate) detail: &'static str,
}

/// How the process is.
#[derive(Serialize, ToSchema)]
#[schema(as = Health)]
pub(crate) struct HealthBody {
    #[schema(schema_with = schema::health_status)]
    pub(crate) status: &'static str,
}
