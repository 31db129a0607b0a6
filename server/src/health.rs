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

/// `GET /readyz`: the database answers, changes can be committed, and the server is not about to stop.
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
                why_not,
            )
                .into_response()
        }
    }
}
