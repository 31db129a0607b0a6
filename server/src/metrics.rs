//! `/metrics` for Prometheus, on its own listener. It contains no tenant data, so it needs no sign-in.

use std::fmt::Write as _;

use axum::{
    Router, extract::State, http::header::CONTENT_TYPE, response::IntoResponse, routing::get,
};
use chrono::{DateTime, Utc};
use domain::{store::Store, verify::Verifier};

use crate::logging;

#[derive(Clone)]
struct Source {
    store: Store,
    verifier: Verifier,
    started: DateTime<Utc>,
}

/// `GET /metrics` in Prometheus's text format.
pub(crate) fn router(store: Store, verifier: Verifier, started: DateTime<Utc>) -> Router {
    Router::new()
        .route("/metrics", get(read_metrics))
        .with_state(Source {
            store,
            verifier,
            started,
        })
}

async fn read_metrics(State(source): State<Source>) -> impl IntoResponse {
    let mut text = String::new();
    let mut metric = |name: &str, kind: &str, help: &str, labels: &str, value: String| {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "# HELP {name} {help}\n# TYPE {name} {kind}\n{name}{labels} {value}"
        );
    };
    metric(
        "latchkey_build_info",
        "gauge",
        "Which version runs.",
        concat!("{version=\"", env!("CARGO_PKG_VERSION"), "\"}"),
        "1".to_owned(),
    );
    metric(
        "process_start_time_seconds",
        "gauge",
        "When it was started, in seconds since 1970.",
        "",
        source.started.timestamp().to_string(),
    );
    metric(
        "latchkey_database_reads_total",
        "counter",
        "How often a presented key was looked up in the database.",
        "",
        source.verifier.database_reads().to_string(),
    );
    metric(
        "latchkey_database_statements_total",
        "counter",
        "How many statements were sent to the database.",
        "",
        source.store.statements().to_string(),
    );
    metric(
        "latchkey_cached_keys",
        "gauge",
        "How many keys are kept in memory.",
        "",
        source.verifier.cached_keys().to_string(),
    );
    metric(
        "latchkey_known_secrets",
        "gauge",
        "How many secrets exist or existed; each other one is refused without a query. 0 while they are loaded.",
        "",
        source.store.known_secrets().unwrap_or(0).to_string(),
    );
    metric(
        "latchkey_lease_held",
        "gauge",
        "1 where what is kept in memory may be used, 0 where every check asks the database.",
        "",
        u8::from(source.store.cache_is_valid()).to_string(),
    );
    metric(
        "latchkey_log_lines_dropped_total",
        "counter",
        "How many log lines were dropped because standard error took no more.",
        "",
        logging::dropped_lines().to_string(),
    );
    (
        [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        text,
    )
}
