//! The result of everything here that can fail.

/// A failure, told in one sentence: anyone who runs this reads it and helps themselves.
pub type Fallible<T> = Result<T, Box<dyn std::error::Error>>;
