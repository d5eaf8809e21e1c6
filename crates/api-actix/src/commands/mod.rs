//! The commands of `task-api`.

mod archive;
mod arguments;
pub(crate) mod check_config;
pub(crate) mod copy;
pub(crate) mod dev;
mod dev_folder;
pub(crate) mod healthcheck;
pub(crate) mod output;
pub(crate) mod serve;
pub(crate) mod token;
pub(crate) mod user;
