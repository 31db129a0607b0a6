//! Is it up?

use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};

use crate::state::AppState;

/// `GET /healthz`: the process is up. Says nothing of the database, so that a dead database does not get the server restarted.
pub(crate) async fn read_health() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: the database answers, and the server is not about to stop.
pub(crate) async fn read_readiness(State(state): State<AppState>) -> Response {
    if state.drain.has_begun() {
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            [(RETRY_AFTER, HeaderValue::from_static("5"))],
            "stopping: send requests to another server\n",
        )
            .into_response();
    }
    match state.store.ping().await {
        Ok(()) => match state.store.clock_skew() {
            // Keys are judged right by secret and state; only what depends on a date is off by as much.
            Some(skew) => format!(
                "ready; the database's clock is {} s ahead of this machine's\n",
                skew.num_seconds()
            )
            .into_response(),
            None => "ready\n".into_response(),
        },
        Err(error) => {
            tracing::warn!(%error, "not ready");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                [(RETRY_AFTER, HeaderValue::from_static("5"))],
                "the database does not answer\n",
            )
                .into_response()
        }
    }
}
