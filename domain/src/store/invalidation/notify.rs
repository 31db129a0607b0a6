//! `LISTEN`/`NOTIFY`: a notification makes a replica poll at once instead of at the next interval.
//!
//! Correctness does not depend on it. A notification that is lost or late delays a poll by a quarter of a second; a superfluous one costs
//! a poll.

use sea_orm::sqlx::{
    self, Executor as _,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
};
use std::{
    io::{self, ErrorKind},
    time::Duration,
};
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};

use crate::store::deadline::DATABASE_TIMEOUT;

/// The channel that the triggers notify (`migration/m0006_replicas.rs`).
const CHANNEL: &str = "latchkey_key_state";
/// Time without a notification after which the connection is tested.
const SILENCE: Duration = Duration::from_secs(5);
/// Maximum wait for the response to that test, and for a notification that this connection requested itself.
const PATIENCE: Duration = Duration::from_secs(1);
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// Wakes `poll` at each notification. Never returns.
pub(super) async fn listen(options: PgConnectOptions, poll: &Notify) {
    let mut is_delivered = true;
    loop {
        let problem = match listen_on_a_new_connection(&options, poll, &mut is_delivered).await {
            Ok(never) => match never {},
            Err(error) => error,
        };
        tracing::debug!(%problem, "notification connection lost, reconnecting");
        sleep(RETRY_AFTER).await;
    }
}

async fn listen_on_a_new_connection(
    options: &PgConnectOptions,
    poll: &Notify,
    is_delivered: &mut bool,
) -> Result<std::convert::Infallible, sqlx::Error> {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .max_lifetime(None)
        .idle_timeout(None)
        .acquire_timeout(DATABASE_TIMEOUT)
        .connect_lazy_with(options.clone());
    let mut listener = PgListener::connect_with(&pool).await?;
    // The caller reconnects.
    listener.eager_reconnect(false);
    with_timeout(PATIENCE, listener.listen(CHANNEL)).await?;
    // A pooler in transaction mode accepts LISTEN and then gives the session to another client, so the channel is tested.
    with_timeout(PATIENCE, listener.execute("NOTIFY latchkey_key_state")).await?;
    let arrived = matches!(
        with_timeout(PATIENCE, listener.try_recv()).await,
        Ok(Some(_))
    );
    if *is_delivered && !arrived {
        tracing::warn!(
            "PostgreSQL notifications not delivered (a pooler in transaction mode?): changes by other replicas are applied up to 250 ms later"
        );
    }
    *is_delivered = arrived;
    // Polls for changes committed before this connection listened.
    poll.notify_one();
    loop {
        match timeout(SILENCE, listener.try_recv()).await {
            Ok(notification) => {
                notification?
                    .ok_or_else(|| sqlx::Error::from(io::Error::from(ErrorKind::UnexpectedEof)))?;
                poll.notify_one();
            }
            Err(_) => {
                with_timeout(PATIENCE, listener.execute("SELECT 1")).await?;
            }
        }
    }
}

async fn with_timeout<T>(
    patience: Duration,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    timeout(patience, work)
        .await
        .unwrap_or(Err(sqlx::Error::PoolTimedOut))
}
