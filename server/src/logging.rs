//! Where log lines go, and in which form.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::{EnvFilter, layer::SubscriberExt as _, util::SubscriberInitExt as _};

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
        registry.with(lines.with_target(false)).try_init()
    } else {
        registry
            .with(
                lines
                    .json()
                    .flatten_event(true)
                    .with_current_span(false)
                    .with_span_list(true),
            )
            .try_init()
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
