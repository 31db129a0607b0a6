//! `LISTEN`: PostgreSQL says at once that something has changed, so that nobody waits for the next beat.
//!
//! It is a hint and no more. One that is lost, late, doubled or made up costs a question, or a quarter of a second.

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

/// The channel of the triggers (`migration/m0006_replicas.rs`).
const CHANNEL: &str = "latchkey_key_state";
/// How long it may be silent before it is asked whether it is still there.
const SILENCE: Duration = Duration::from_secs(5);
/// How long an answer to that may take, and a hint that was asked for.
const PATIENCE: Duration = Duration::from_secs(1);
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// Tells `news` of each hint, for ever.
pub(super) async fn listen(options: PgConnectOptions, news: &Notify) {
    let mut can_hear = true;
    loop {
        let problem = match listen_on_a_new_connection(&options, news, &mut can_hear).await {
            Ok(never) => match never {},
            Err(error) => error,
        };
        tracing::debug!(%problem, "the connection for notices ended");
        sleep(RETRY_AFTER).await;
    }
}

async fn listen_on_a_new_connection(
    options: &PgConnectOptions,
    news: &Notify,
    can_hear: &mut bool,
) -> Result<std::convert::Infallible, sqlx::Error> {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .max_lifetime(None)
        .idle_timeout(None)
        .acquire_timeout(DATABASE_TIMEOUT)
        .connect_lazy_with(options.clone());
    let mut listener = PgListener::connect_with(&pool).await?;
    // What goes wrong is answered here, by a new connection.
    listener.eager_reconnect(false);
    with_timeout(PATIENCE, listener.listen(CHANNEL)).await?;
    // A pooler in between may say yes to this and hand the session to somebody else.
    with_timeout(PATIENCE, listener.execute("NOTIFY latchkey_key_state")).await?;
    let hears = matches!(
        with_timeout(PATIENCE, listener.try_recv()).await,
        Ok(Some(_))
    );
    if *can_hear && !hears {
        tracing::warn!(
            "PostgreSQL's notices do not arrive, as behind a pooler in transaction mode: what changes elsewhere is found a quarter of a second later"
        );
    }
    *can_hear = hears;
    // What was noted before this connection listened.
    news.notify_one();
    loop {
        match timeout(SILENCE, listener.try_recv()).await {
            Ok(hint) => {
                hint?
                    .ok_or_else(|| sqlx::Error::from(io::Error::from(ErrorKind::UnexpectedEof)))?;
                news.notify_one();
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
