//! The settings about the log.

use std::env;

use super::{ConfigError, Source};
use crate::telemetry::{LogConfig, LogFormat, LogLevel};

impl LogConfig {
    /// Reads `LOG_LEVEL` and `LOG_FORMAT`.
    ///
    /// # Errors
    /// The first one that cannot be used.
    pub fn from_source(source: &Source, default_format: LogFormat) -> Result<Self, ConfigError> {
        source.reading(|| {
            let default_format = match default_format {
                LogFormat::Json => "json",
                LogFormat::Text => "text",
            };
            let format = match source.text_or("LOG_FORMAT", default_format).as_str() {
                "json" => LogFormat::Json,
                "text" => LogFormat::Text,
                _ => return Err(ConfigError::new("LOG_FORMAT", "must be json or text")),
            };
            let filter = source.text_or("LOG_LEVEL", "info,actix_server=warn,actix_http::h1=off");
            match LogLevel::parse(&filter) {
                Ok(filter) => Ok(Self {
                    filter,
                    format,
                    colours: wants_colours(),
                }),
                Err(error) => Err(ConfigError::new("LOG_LEVEL", error.to_string())),
            }
        })
    }
}

/// Not by `NO_COLOR` (no-color.org: any text but an empty one), nor on a terminal that has none. They are settings of
/// the terminal, so `.env` does not count.
fn wants_colours() -> bool {
    let is_unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let is_dumb = env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
    !is_unwanted && !is_dumb
}
