//! api-actix
