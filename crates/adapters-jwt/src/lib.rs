//! adapters-jwt
