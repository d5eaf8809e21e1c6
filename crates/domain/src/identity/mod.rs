//! Who is asking.

mod caller;
mod owner;
mod refusal;
mod token_verifier;

pub use caller::Caller;
pub use owner::{InvalidOwner, Owner};
pub use refusal::{Refusal, RefusalReason};
pub use token_verifier::{AuthError, TokenVerifier};
