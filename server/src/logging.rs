//! Where log lines go, and in which form.

use std::{
    fmt,
    io::{self, IsTerminal as _},
};

use serde::Serialize;
use tracing::{Event, Subscriber};
use tracing_subscriber::{
    EnvFilter,
    field::RecordFields,
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::{DefaultFields, Writer},
    },
    layer::SubscriberExt as _,
    registry::LookupSpan,
    util::SubscriberInitExt as _,
};

use crate::request_id::{NamedRequest, current};

/// Sends log lines, and what panics say, to standard error: for people where that is a terminal, else one JSON object a line, in which whatever a client
/// sent is escaped. `filter` is the setting `RUST_LOG`.
pub fn start(filter: &str) {
    // The filter was judged when it was read; the fallback keeps a defect there from silencing the log.
    let filter = EnvFilter::builder()
        .parse(filter)
        .unwrap_or_else(|_| EnvFilter::new("info"));
    let registry = tracing_subscriber::registry().with(filter);
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    // A second call changes nothing: the first subscriber stays.
    let _ = if io::stderr().is_terminal() {
        let lines = lines.with_target(false).fmt_fields(FieldsOfRequest);
        registry.with(lines).try_init()
    } else {
        let lines = lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(true)
            .map_event_format(ObjectOfRequest);
        registry.with(lines).try_init()
    };
    // A panic is a log line like the others: the default hook would write several, and none of them JSON.
    std::panic::set_hook(Box::new(|panic| {
        tracing::error!(
            location = panic.location().map(tracing::field::display),
            "panicked: {}",
            panic.payload_as_str().unwrap_or("without a message")
        );
    }));
}

/// Lines for people, each with the request that it is about at its end.
struct FieldsOfRequest;

impl<'writer> FormatFields<'writer> for FieldsOfRequest {
    fn format_fields<R: RecordFields>(
        &self,
        mut writer: Writer<'writer>,
        fields: R,
    ) -> fmt::Result {
        DefaultFields::new().format_fields(writer.by_ref(), fields)?;
        let written = current(|request| {
            write!(
                writer,
                " request_id={} method={} route={:?} client={}",
                request.id,
                request.method,
                request.route(),
                request.client
            )
        });
        written.unwrap_or(Ok(()))
    }
}

/// Lines for programs, each with the request that it is about among its fields.
struct ObjectOfRequest<Format>(Format);

impl<S, N, Format> FormatEvent<S, N> for ObjectOfRequest<Format>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'writer> FormatFields<'writer> + 'static,
    Format: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let Some(request) = current(in_json) else {
            return self.0.format_event(context, writer, event);
        };
        let mut line = String::new();
        self.0
            .format_event(context, Writer::new(&mut line), event)?;
        let object = line.trim_end();
        match (object.strip_suffix('}'), request.strip_prefix('{')) {
            (Some(object), Some(request)) => writeln!(writer, "{object},{request}"),
            _ => writeln!(writer, "{object}"),
        }
    }
}

fn in_json(request: &NamedRequest) -> String {
    #[derive(Serialize)]
    struct Shown<'a> {
        request_id: String,
        method: &'a str,
        route: &'a str,
        client: String,
    }
    let shown = Shown {
        request_id: request.id.to_string(),
        method: request.method.as_str(),
        route: request.route(),
        client: request.client.to_string(),
    };
    serde_json::to_string(&shown).unwrap_or_default()
}
