//! The layers around every handler, from the outermost to the innermost.

pub(crate) mod authentication;
pub(crate) mod compression;
pub(crate) mod edge;
pub(crate) mod framing;
pub(crate) mod last_resort;
pub(crate) mod outgoing;
