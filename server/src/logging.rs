//! The log: lines on standard error, as JSON or for a terminal.

use std::{
    fmt,
    io::{self, IsTerminal as _, Write as _},
    sync::{OnceLock, mpsc},
    thread,
    time::Duration,
};

use serde::Serialize;
use tracing::{Event, Subscriber};
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
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

use crate::request_id::{RequestContext, current};

/// The capacity of the queue before standard error. Further lines are dropped and counted, so that a blocked log never blocks requests.
const MAX_WAITING_LINES: usize = 8_192;
/// The limit on writing the queued lines at the end of the process.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

static DROPPED: OnceLock<ErrorCounter> = OnceLock::new();

/// The number of dropped log lines.
pub(crate) fn dropped_lines() -> u64 {
    let dropped = DROPPED.get().map_or(0, ErrorCounter::dropped_lines);
    u64::try_from(dropped).unwrap_or(u64::MAX)
}

/// The log. Dropping it writes the queued lines.
#[must_use]
pub struct Log(Option<WorkerGuard>);

impl Drop for Log {
    fn drop(&mut self) {
        let guard = self.0.take();
        // Dropping the guard can block on standard error, so it gets a time limit.
        with_timeout(FLUSH_TIMEOUT, move || drop(guard));
    }
}

/// Writes lines to standard error; gives up if it blocks.
pub(crate) fn report(lines: String) {
    with_timeout(FLUSH_TIMEOUT, move || {
        let _ = io::stderr().write_all(lines.as_bytes());
    });
}

/// Runs `work`, which may block forever, on its own thread and waits at most `time`.
fn with_timeout(time: Duration, work: impl FnOnce() + Send + 'static) {
    let (done, is_done) = mpsc::channel();
    thread::spawn(move || {
        work();
        let _ = done.send(());
    });
    let _ = is_done.recv_timeout(time);
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Text if standard error is a terminal, else JSON.
    Auto,
    /// Lines for people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Sends log lines and panics to standard error. `filter` is the setting `RUST_LOG`.
pub fn start(filter: &str, format: LogFormat) -> Log {
    // The steps of a migration are logged only if the filter names them.
    let quiet = if filter.contains("sea_orm_migration") {
        filter.to_owned()
    } else {
        format!("{filter},sea_orm_migration=warn")
    };
    let filter = EnvFilter::builder()
        .parse(quiet)
        // The settings validate the filter; a defect there must not silence the log.
        .unwrap_or_else(|_| EnvFilter::new("info"));
    let registry = tracing_subscriber::registry().with(filter);
    let (writer, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(MAX_WAITING_LINES)
        .thread_name("log")
        .finish(io::stderr());
    let _ = DROPPED.set(writer.error_counter());
    let is_terminal = io::stderr().is_terminal();
    let is_text = match format {
        LogFormat::Auto => is_terminal,
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(writer)
        .with_ansi(is_terminal);
    // A second call has no effect: the first subscriber stays.
    let _ = if is_text {
        let lines = lines.with_target(false).fmt_fields(WithRequestFields);
        registry.with(lines).try_init()
    } else {
        let lines = lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(true)
            .map_event_format(JsonWithRequest);
        registry.with(lines).try_init()
    };
    // The default hook would write several lines, none of them JSON.
    std::panic::set_hook(Box::new(|panic| {
        tracing::error!(
            location = panic.location().map(tracing::field::display),
            "panicked: {}",
            panic.payload_as_str().unwrap_or("without a message")
        );
    }));
    Log(Some(guard))
}

/// Formats lines for a terminal, with the request's fields at the end.
struct WithRequestFields;

impl<'writer> FormatFields<'writer> for WithRequestFields {
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

/// Formats lines as JSON, with the request's fields.
struct JsonWithRequest<Format>(Format);

impl<S, N, Format> FormatEvent<S, N> for JsonWithRequest<Format>
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

fn in_json(request: &RequestContext) -> String {
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
