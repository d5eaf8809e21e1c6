//! The spans of a request for an OpenTelemetry collector: one of the server, and below it one for each call that was
//! made for the request. Names and attributes are those of the semantic conventions; query strings, bodies, tokens and
//! users are in none of them.

use std::cell::RefCell;
use std::time::{Duration, Instant, SystemTime};

use opentelemetry::trace::{
    Span, SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId,
    TraceState, Tracer, TracerProvider,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};

use thiserror::Error;

use super::Outcome;
use super::call::{Call, Part};
use super::spans::{Collector, RequestSpan, Spans};
use crate::context::RequestContext;
use crate::context::trace_parent::TraceParent;

/// How long stopping may wait for a collector.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// The endpoint of a collector is not a usable URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("is not a usable URL")]
pub struct UnusableEndpoint;

/// Makes spans and sends them in batches, from a thread of its own.
pub struct Otel {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    database: &'static str,
}

struct OtelSpan {
    tracer: SdkTracer,
    database: &'static str,
    span: RefCell<opentelemetry_sdk::trace::Span>,
    context: SpanContext,
    /// The same moment on both clocks: calls are measured with the one, spans are dated with the other.
    started: (Instant, SystemTime),
}

impl Otel {
    /// Spans for this collector, about requests that use this kind of database. Does not connect yet.
    ///
    /// # Errors
    /// The endpoint cannot be used.
    pub fn start(collector: &Collector, database: &'static str) -> Result<Self, UnusableEndpoint> {
        let endpoint = format!("{}/v1/traces", collector.endpoint.trim_end_matches('/'));
        let exporter = SpanExporter::builder()
            .with_http()
            .with_endpoint(endpoint)
            .build()
            // What the library says quotes the URL, which may hold credentials.
            .map_err(|_| UnusableEndpoint)?;
        let resource = Resource::builder()
            .with_service_name(collector.service_name.clone())
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource.build())
            .build();
        Ok(Self {
            tracer: provider.tracer("task-api"),
            provider,
            database,
        })
    }
}

impl Spans for Otel {
    fn begin(&self, parent: Option<&TraceParent>) -> Box<dyn RequestSpan> {
        let started = (Instant::now(), SystemTime::now());
        let parent = parent
            .and_then(remote_context)
            .map_or_else(Context::new, |parent| {
                Context::new().with_remote_span_context(parent)
            });
        let span = SpanBuilder::from_name("HTTP")
            .with_kind(SpanKind::Server)
            .with_start_time(started.1);
        let span = self.tracer.build_with_context(span, &parent);
        Box::new(OtelSpan {
            tracer: self.tracer.clone(),
            database: self.database,
            context: span.span_context().clone(),
            span: RefCell::new(span),
            started,
        })
    }

    fn flush(&self) {
        if let Err(error) = self.provider.shutdown_with_timeout(FLUSH_TIMEOUT) {
            tracing::warn!(%error, "not all spans could be sent");
        }
    }
}

impl OtelSpan {
    fn time_of(&self, moment: Instant) -> SystemTime {
        let (instant, time) = self.started;
        time + moment.saturating_duration_since(instant)
    }

    fn send_call(&self, call: &Call) {
        let Call { operation, .. } = *call;
        let (name, kind, mut attributes) = match call.part {
            Part::Authentication => (format!("{operation} token"), SpanKind::Internal, Vec::new()),
            Part::Database => {
                let attributes = vec![
                    KeyValue::new("db.system.name", self.database),
                    KeyValue::new("db.operation.name", operation),
                    KeyValue::new("db.collection.name", "tasks"),
                ];
                (format!("{operation} tasks"), SpanKind::Client, attributes)
            }
        };
        attributes.extend(call.error.map(|class| KeyValue::new("error.type", class)));
        let builder = SpanBuilder::from_name(name)
            .with_kind(kind)
            .with_attributes(attributes)
            .with_start_time(self.time_of(call.started));
        let parent = Context::new().with_remote_span_context(self.context.clone());
        let mut span = self.tracer.build_with_context(builder, &parent);
        if call.error.is_some() {
            span.set_status(Status::error(""));
        }
        span.end_with_timestamp(self.time_of(call.started + call.took));
    }
}

impl RequestSpan for OtelSpan {
    fn trace_id(&self) -> String {
        self.context.trace_id().to_string()
    }

    fn end(&self, request: &RequestContext, outcome: &Outcome, calls: &[Call]) {
        for call in calls {
            self.send_call(call);
        }
        let mut span = self.span.borrow_mut();
        span.update_name(match (outcome.method, &outcome.route) {
            ("_OTHER", _) => "HTTP".to_owned(),
            (method, Some(route)) => format!("{method} {route}"),
            (method, None) => method.to_owned(),
        });
        span.set_attributes([
            KeyValue::new("http.request.method", outcome.method),
            KeyValue::new("url.scheme", "http"),
            KeyValue::new("url.path", request.path().to_owned()),
            KeyValue::new("http.response.status_code", i64::from(outcome.status.as_u16())),
            KeyValue::new("http.response.header.x-request-id", request.id().to_owned()),
        ]);
        if let Some(route) = &outcome.route {
            span.set_attribute(KeyValue::new("http.route", route.clone()));
        }
        if let Some(error) = outcome.error_type() {
            span.set_attribute(KeyValue::new("error.type", error));
            span.set_status(Status::error(""));
        }
        span.end_with_timestamp(self.time_of(Instant::now()));
    }
}

fn remote_context(parent: &TraceParent) -> Option<SpanContext> {
    Some(SpanContext::new(
        TraceId::from_hex(&parent.trace_id).ok()?,
        SpanId::from_hex(&parent.parent_id).ok()?,
        TraceFlags::new(parent.flags) & TraceFlags::SAMPLED,
        true,
        TraceState::default(),
    ))
}
