//! Log output: to standard error, so that standard output stays with what commands print. Lines that are written while
//! a request is handled carry its id and its trace.

pub(crate) mod buffer;
mod line;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;
use std::{panic, thread};

use thiserror::Error;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::fmt::format::{self, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter, layer};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry};

use crate::telemetry::buffer::{Kind, LogBuffer, Lost};
use crate::telemetry::line::{LONGEST, json_line, text_line};
use adapters_http::admin;
use adapters_http::observe::current;
use adapters_http::observe::panic_message;
use adapters_http::observe::snapshot::LostLines;

/// How to log.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// The lines to log: a level, or directives of tracing's `EnvFilter`.
    pub filter: EnvFilter,
    /// In which form.
    pub format: LogFormat,
    /// Whether readable lines may have colours, if a terminal shows them.
    pub colours: bool,
}

/// In which form to log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line, for machines.
    Json,
    /// One readable line, for people.
    Text,
}

impl LogFormat {
    /// The default of servers: lines for people if a terminal shows them.
    #[must_use]
    pub fn for_servers() -> Self {
        if io::stderr().is_terminal() {
            Self::Text
        } else {
            Self::Json
        }
    }
}

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
        // A word alone would be a target of which everything is logged, and then nothing else is: `warning`.
        let is_meant = |directive: &str| match directive.rsplit_once('=') {
            // The fields of a span have values too.
            Some(_) if directive.ends_with(']') => true,
            Some((_, level)) => is_level(level),
            None => is_level(directive),
        };
        let directives = text
            .split(',')
            .map(str::trim)
            .filter(|directive| !directive.is_empty());
        let mut directives = directives.peekable();
        if directives.peek().is_none() || !directives.all(is_meant) {
            return Err(InvalidLogLevel);
        }
        EnvFilter::try_new(text).map_err(|_| InvalidLogLevel)
    }
}

impl admin::LogLevel for LogLevel {
    fn get(&self) -> String {
        self.0.with_current(ToString::to_string).unwrap_or_default()
    }

    fn set(&self, text: &str) -> Option<()> {
        let filter = Self::parse(text).ok()?;
        // It fails only when logging itself is gone.
        let _ = self.0.reload(filter);
        Some(())
    }
}

fn is_level(word: &str) -> bool {
    ["off", "error", "warn", "info", "debug", "trace"]
        .iter()
        .any(|level| word.eq_ignore_ascii_case(level))
}

/// Starts logging. Call it once; later calls change nothing.
pub(crate) fn start(config: LogConfig) -> LogLevel {
    let LogConfig {
        filter,
        format,
        colours,
    } = config;
    let (filter, handle) = reload::Layer::new(filter);
    let lines = lines(
        format,
        Buffered,
        colours && io::stderr().is_terminal(),
        current_request,
    );
    let started = tracing_subscriber::registry().with(filter).with(lines).try_init();
    // Only tests start it twice.
    if started.is_ok() {
        // Without threads nothing else will start either; lines are then counted as lost.
        let _ = BUFFER.empty_into(standard_error(), tell_of_lost_lines);
        log_panics();
    }
    LogLevel(handle)
}

/// Waits until what was logged is written, but not long if no one takes it. At the end of a process.
pub(crate) fn flush() {
    BUFFER.flush(LAST_WORDS);
}

/// How many lines were lost since the start of the process, because no one took them.
pub(crate) fn lost_lines() -> LostLines {
    let Lost { audit, others } = BUFFER.lost();
    LostLines { audit, others }
}

static BUFFER: LogBuffer = LogBuffer::new();
/// The time that lines may still take when the process ends. A stop has ten seconds, and requests under way may use
/// nine of them.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Standard error under a name of its own: a writer of the other one takes a lock, and would wait for a line that
/// no one reads.
fn standard_error() -> Box<dyn Write + Send> {
    #[cfg(unix)]
    let own = std::os::fd::AsFd::as_fd(&io::stderr()).try_clone_to_owned();
    #[cfg(windows)]
    let own = std::os::windows::io::AsHandle::as_handle(&io::stderr()).try_clone_to_owned();
    match own {
        Ok(own) => Box::new(File::from(own)),
        Err(_) => Box::new(io::stderr()),
    }
}

fn tell_of_lost_lines(Lost { audit, others }: Lost) {
    tracing::error!(
        target: AUDIT,
        event = "log_lines_lost",
        audit,
        others,
        "lines of the log were lost: nobody took them"
    );
}

/// Panics are lines of the log too. What Rust prints about one waits for standard error, and so would the request. If
/// backtraces are asked for (`RUST_BACKTRACE`), it is printed nevertheless.
fn log_panics() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        let message = panic_message(panic.payload());
        let at = panic.location().map(ToString::to_string);
        tracing::error!(target: "panic", at, thread = thread::current().name(), "{message}");
        if Backtrace::capture().status() == BacktraceStatus::Captured {
            usual(panic);
        }
    }));
}

/// The target of the audit log.
const AUDIT: &str = "audit";

/// Makes each line wait in the buffer.
struct Buffered;

/// One line on its way into the buffer.
struct OneLine(Kind);

impl MakeWriter<'_> for Buffered {
    type Writer = OneLine;

    fn make_writer(&self) -> OneLine {
        OneLine(Kind::Other)
    }

    fn make_writer_for(&self, line: &Metadata<'_>) -> OneLine {
        OneLine(if line.target() == AUDIT {
            Kind::Audit
        } else {
            Kind::Other
        })
    }
}

impl Write for OneLine {
    /// Takes the whole line, which comes at once.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        BUFFER.push(self.0, line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn lines<S, W>(
    format: LogFormat,
    writer: W,
    colours: bool,
    current: CurrentRequest,
) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let output = layer().with_writer(writer).log_internal_errors(false);
    match format {
        LogFormat::Json => {
            let lines = format::json().flatten_event(true).with_current_span(false);
            let output = output.json();
            output
                .event_format(WithRequest {
                    lines,
                    current,
                    end: "}\n",
                    fields: json_fields,
                    line: json_line,
                })
                .boxed()
        }
        LogFormat::Text => {
            let lines = format::format().compact().with_ansi(colours);
            output
                .event_format(WithRequest {
                    lines,
                    current,
                    end: "\n",
                    fields: text_fields,
                    line: text_line,
                })
                .boxed()
        }
    }
}

/// The ids of the request during which a line was written.
struct RequestIds {
    id: String,
    trace_id: Option<String>,
}

/// Finds the request that is being handled where a line is written.
type CurrentRequest = fn() -> Option<RequestIds>;

fn current_request() -> Option<RequestIds> {
    current::context().map(|request| RequestIds {
        id: request.id().to_owned(),
        trace_id: request.trace_id().map(str::to_owned),
    })
}

/// Lines of another format, none too long, each with the request during which it was written unless it names one
/// itself.
struct WithRequest<F> {
    lines: F,
    current: CurrentRequest,
    /// With what those lines end.
    end: &'static str,
    /// The fields of a request in that format.
    fields: fn(&mut String, &RequestIds) -> fmt::Result,
    /// A line without its end, and such fields, as one line.
    line: fn(String, &str) -> String,
}

fn json_fields(line: &mut String, request: &RequestIds) -> fmt::Result {
    // Neither needs escapes.
    write!(line, r#","request_id":"{}""#, request.id)?;
    match &request.trace_id {
        Some(trace_id) => write!(line, r#","trace_id":"{trace_id}""#),
        None => Ok(()),
    }
}

fn text_fields(line: &mut String, request: &RequestIds) -> fmt::Result {
    write!(line, " request_id={}", request.id)?;
    match &request.trace_id {
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
        mut output: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut bare = String::with_capacity(LONGEST / 2);
        self.lines.format_event(context, Writer::new(&mut bare), event)?;
        if bare.ends_with(self.end) {
            bare.truncate(bare.len() - self.end.len());
        }
        let mut fields = String::new();
        if event.metadata().fields().field("request_id").is_none()
            && let Some(request) = (self.current)()
        {
            (self.fields)(&mut fields, &request)?;
        }
        output.write_str(&(self.line)(bare, &fields))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_word_that_is_no_level_is_refused_before_it_silences_everything() {
        for text in [
            "warning",
            "verbose",
            "",
            ",",
            "info,api_actix",
            "api_actix=warning",
            "api_actix=",
            "info,x=y",
            "INFO,audit=none",
            "warn info",
        ] {
            assert_eq!(LogLevel::parse(text).map(drop), Err(InvalidLogLevel), "{text}");
        }
        for text in [
            "warn",
            "INFO",
            "off",
            "info,",
            "info,audit=warn",
            "info,adapters_postgres=debug",
            "info,actix_http::h1=off",
            "info,[request]=trace",
            "info,[request{id=7}]",
        ] {
            assert!(LogLevel::parse(text).is_ok(), "{text}");
        }
    }

    thread_local! {
        static IS_INSIDE: Cell<bool> = const { Cell::new(false) };
    }

    fn in_test() -> Option<RequestIds> {
        IS_INSIDE.get().then(|| RequestIds {
            id: "test".to_owned(),
            trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736".to_owned()),
        })
    }

    /// The lines logged before, during and after a request.
    fn logged(format: LogFormat) -> Vec<String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        let writer = Arc::new(file.reopen().unwrap());
        let logs = tracing_subscriber::registry().with(lines(format, writer, false, in_test));
        let logging = tracing::subscriber::set_default(logs);
        tracing::info!("outside");
        IS_INSIDE.set(true);
        tracing::info!(colour = "red", "inside");
        tracing::info!(request_id = "its-own", "named");
        IS_INSIDE.set(false);
        tracing::info!("outside again");
        drop(logging);
        let text = std::fs::read_to_string(file.path()).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    #[tokio::test]
    async fn json_lines_of_a_request_name_it_and_its_trace() {
        let lines = logged(LogFormat::Json);
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
        let lines = logged(LogFormat::Text);
        let end = " request_id=test trace_id=4bf92f3577b34da6a3ce929d0e0e4736";
        let named: Vec<_> = lines.iter().map(|line| line.ends_with(end)).collect();
        assert_eq!(named, [false, true, false, false], "{lines:?}");
    }
}
