//! `/healthz` and `/readyz`.

use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};

use crate::state::AppState;

/// `GET /healthz`: the process runs. Independent of the database, so that an outage of it does not restart the server.
pub(crate) async fn read_health() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: the database responds, changes can be committed, and the server does not drain.
pub(crate) async fn read_readiness(State(state): State<AppState>) -> Response {
    if state.drain.has_begun() {
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            [(RETRY_AFTER, HeaderValue::from_static("5"))],
            "stopping: send requests to another server\n",
        )
            .into_response();
    }
    let answers = state.store.ping().await;
    let (ready, why_not) = match answers {
        Ok(()) => (
            state.store.prove_writes().await,
            "the database takes no changes\n",
        ),
        Err(error) => (Err(error), "the database does not answer\n"),
    };
    match ready {
        Ok(()) => match state.store.clock_skew() {
            // The server is still ready: the skew affects only decisions that depend on a date.
            Some(skew) => format!(
                "ready; the database's clock is {} s ahead of this machine's\n",
                skew.num_seconds()
            )
            .into_response(),
            None => "ready\n".into_response(),
        },
        Err(error) => {
            tracing::warn!(%error, reason = why_not.trim_end(), "readiness check failed");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                [(RETRY_AFTER, HeaderValue::from_static("5"))],
                why_not,
            )
                .into_response()
        }
    }
}
