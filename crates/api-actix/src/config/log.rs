//! The settings about the log.

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
                Ok(filter) => Ok(Self { filter, format }),
                Err(error) => Err(ConfigError::new("LOG_LEVEL", error.to_string())),
            }
        })
    }
}
