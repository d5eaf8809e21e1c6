//! An operator's settings for observing the process.

use crate::config::{ConfigError, Source};
use adapters_http::observe::access_log::AccessLog;
use adapters_http::observe::spans::Collector;

/// The kinds of records, and where they can be had.
#[derive(Debug, Clone, Default)]
pub struct ObserveConfig {
    /// Where metrics, health and the log level can be had: `host:port`; nowhere by default.
    pub admin_address: Option<String>,
    /// Which requests are logged.
    pub access_log: AccessLog,
    /// Whether callers are told how long the parts of their requests took.
    pub server_timing: bool,
    /// Where spans go.
    pub collector: Option<Collector>,
}

impl ObserveConfig {
    /// Reads `ADMIN_ADDR`, `ACCESS_LOG`, `SERVER_TIMING`, `OTEL_EXPORTER_OTLP_ENDPOINT` and `OTEL_SERVICE_NAME`.
    ///
    /// # Errors
    /// The first one that cannot be used.
    pub fn from_source(source: &Source) -> Result<Self, ConfigError> {
        source.reading(|| {
            let access_log = source.text_or("ACCESS_LOG", "errors");
            let service_name = source.text_or("OTEL_SERVICE_NAME", "task-api");
            Ok(Self {
                admin_address: admin_address(source)?,
                access_log: access_log
                    .parse()
                    .map_err(|error| ConfigError::new("ACCESS_LOG", format!("{error}")))?,
                server_timing: source.flag("SERVER_TIMING", false)?,
                collector: endpoint(source)?.map(|endpoint| Collector {
                    endpoint,
                    service_name,
                }),
            })
        })
    }
}

fn admin_address(source: &Source) -> Result<Option<String>, ConfigError> {
    const VARIABLE: &str = "ADMIN_ADDR";
    let Some(address) = source.text(VARIABLE) else {
        return Ok(None);
    };
    let is_sound = address
        .rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    if is_sound {
        Ok(Some(address))
    } else {
        Err(ConfigError::new(
            VARIABLE,
            "must be a host and a port such as 127.0.0.1:9090",
        ))
    }
}

fn endpoint(source: &Source) -> Result<Option<String>, ConfigError> {
    const VARIABLE: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
    let Some(endpoint) = source.text(VARIABLE) else {
        return Ok(None);
    };
    let is_url = ["http://", "https://"]
        .iter()
        .any(|scheme| endpoint.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()));
    if is_url {
        Ok(Some(endpoint))
    } else {
        Err(ConfigError::new(
            VARIABLE,
            "must be the URL of a collector that speaks OTLP over HTTP, such as http://localhost:4318",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, value: &str) -> Result<ObserveConfig, ConfigError> {
        ObserveConfig::from_source(&Source::of_environment(&[(name, value)]))
    }

    #[test]
    fn by_default_failures_are_logged_and_nothing_else_is_offered() {
        let config = read("PORT", "1").unwrap();
        assert!(matches!(config.access_log, AccessLog::Errors));
        assert!(config.admin_address.is_none() && !config.server_timing && config.collector.is_none());
    }

    #[test]
    fn an_admin_address_is_a_host_and_a_port() {
        for address in ["127.0.0.1:9090", "localhost:0", "[::1]:9090"] {
            let config = read("ADMIN_ADDR", address).unwrap();
            assert_eq!(config.admin_address.as_deref(), Some(address));
        }
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (name, value) in [
            ("ADMIN_ADDR", "9091"),
            ("ADMIN_ADDR", ":9091"),
            ("ADMIN_ADDR", "localhost:http"),
            ("ACCESS_LOG", "everything"),
            ("ACCESS_LOG", "sampled"),
            ("SERVER_TIMING", "perhaps"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4317"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://"),
        ] {
            let error = read(name, value).unwrap_err().to_string();
            assert!(error.starts_with(name) && !error.contains(value), "{error}");
        }
    }
}
