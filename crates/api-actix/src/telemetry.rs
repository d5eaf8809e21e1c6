//! Log output: to standard error, so that standard output stays with what commands print. Lines that are written while
//! a request is handled carry its id and its trace.

use std::fmt;
use std::io::IsTerminal;

use thiserror::Error;
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{self, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter, layer};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry};

use crate::config::{LogConfig, LogFormat};
use crate::request_context::RequestContext;

/// Says what is logged, while the process runs.
#[derive(Clone)]
pub(crate) struct LogLevel(reload::Handle<EnvFilter, Registry>);

/// A text that is no level and no list of directives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be error, warn, info, debug, trace, or directives such as info,adapters_postgres=debug")]
pub(crate) struct InvalidLogLevel;

impl LogLevel {
    /// Reads what to log.
    ///
    /// # Errors
    /// The text says nothing of the kind.
    pub(crate) fn parse(text: &str) -> Result<EnvFilter, InvalidLogLevel> {
        EnvFilter::try_new(text).map_err(|_| InvalidLogLevel)
    }

    /// From now on logs this, until it is changed again or the process ends.
    pub(crate) fn set(&self, filter: EnvFilter) {
        // It fails only when logging itself is gone.
        let _ = self.0.reload(filter);
    }
}

impl fmt::Display for LogLevel {
    /// What is logged now, as directives.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .with_current(ToString::to_string)
            .unwrap_or_default()
            .fmt(f)
    }
}

/// Starts logging. Call it once; later calls change nothing.
pub(crate) fn start(LogConfig { filter, format }: LogConfig) -> LogLevel {
    let (filter, handle) = reload::Layer::new(filter);
    let lines = lines(format, std::io::stderr, std::io::stderr().is_terminal());
    let started = tracing_subscriber::registry().with(filter).with(lines).try_init();
    // Only tests start it twice.
    drop(started);
    LogLevel(handle)
}

fn lines<S, W>(format: LogFormat, writer: W, colours: bool) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let output = layer()
        .with_writer(writer)
        // Whoever closed standard error wants no more lines. The default would panic over each of them, inside of
        // requests.
        .log_internal_errors(false)
        .with_ansi(colours);
    match format {
        LogFormat::Json => {
            let lines = format::json().flatten_event(true).with_current_span(false);
            let end = "}\n";
            let output = output.json();
            output
                .event_format(WithRequest {
                    lines,
                    end,
                    fields: json_fields,
                })
                .boxed()
        }
        LogFormat::Text => {
            let lines = format::format().compact();
            let end = "\n";
            output
                .event_format(WithRequest {
                    lines,
                    end,
                    fields: text_fields,
                })
                .boxed()
        }
    }
}

/// Lines of another format, each with the request during which it was written unless it names one itself.
struct WithRequest<F> {
    lines: F,
    /// With what those lines end.
    end: &'static str,
    /// The fields of a request in that format.
    fields: fn(&mut Writer<'_>, &RequestContext) -> fmt::Result,
}

fn json_fields(line: &mut Writer<'_>, request: &RequestContext) -> fmt::Result {
    // Neither needs escapes.
    write!(line, r#","request_id":"{}""#, request.id())?;
    match request.trace_id() {
        Some(trace_id) => write!(line, r#","trace_id":"{trace_id}""#),
        None => Ok(()),
    }
}

fn text_fields(line: &mut Writer<'_>, request: &RequestContext) -> fmt::Result {
    write!(line, " request_id={}", request.id())?;
    match request.trace_id() {
        Some(trace_id) => write!(line, " trace_id={trace_id}"),
        None => Ok(()),
    }
}

impl<S, N, F> FormatEvent<S, N> for WithRequest<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut line: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let request = if event.metadata().fields().field("request_id").is_some() {
            None
        } else {
            RequestContext::current()
        };
        let Some(request) = request else {
            return self.lines.format_event(context, line, event);
        };
        let mut bare = String::new();
        self.lines.format_event(context, Writer::new(&mut bare), event)?;
        line.write_str(bare.strip_suffix(self.end).unwrap_or(&bare))?;
        (self.fields)(&mut line, &request)?;
        line.write_str(self.end)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// What is logged before, during and after a request.
    async fn logged(format: LogFormat) -> Vec<String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        let writer = Arc::new(file.reopen().unwrap());
        let logs = tracing_subscriber::registry().with(lines(format, writer, false));
        let logging = tracing::subscriber::set_default(logs);
        tracing::info!("outside");
        let request = RequestContext::for_tests("/");
        request
            .scope(async {
                tracing::info!(colour = "red", "inside");
                tracing::info!(request_id = "its-own", "named");
            })
            .await;
        tracing::info!("outside again");
        drop(logging);
        let text = std::fs::read_to_string(file.path()).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    #[tokio::test]
    async fn json_lines_of_a_request_name_it_and_its_trace() {
        let lines = logged(LogFormat::Json).await;
        let entries: Vec<serde_json::Value> = lines
            .iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let ids: Vec<_> = entries.iter().map(|entry| entry["request_id"].as_str()).collect();
        assert_eq!(ids, [None, Some("test"), Some("its-own"), None]);
        assert_eq!(entries[1]["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(
            (&entries[1]["message"], &entries[1]["colour"]),
            (&"inside".into(), &"red".into())
        );
    }

    #[tokio::test]
    async fn readable_lines_of_a_request_end_with_it_and_its_trace() {
        let lines = logged(LogFormat::Text).await;
        let end = " request_id=test trace_id=4bf92f3577b34da6a3ce929d0e0e4736";
        let named: Vec<_> = lines.iter().map(|line| line.ends_with(end)).collect();
        assert_eq!(named, [false, true, false, false], "{lines:?}");
    }
}
