//! PostgreSQL: one pool, for several replicas of the server.

use sea_orm::{
    SqlxPostgresConnector,
    sqlx::{
        self, ConnectOptions, Connection,
        postgres::{PgConnectOptions, PgConnection, PgPoolOptions},
    },
};
use std::{str::FromStr, sync::Arc};

use super::{Connections, DATABASE_TIMEOUT, invalid_url, unavailable};
use crate::Error;

const CONNECTIONS: u32 = 10;

/// Milliseconds after which the server ends the transaction of a client that went silent in it, and frees its locks.
const IDLE_IN_TRANSACTION_TIMEOUT: &str = "30000";

pub(super) async fn connect(url: &str) -> Result<Connections, Error> {
    let timeout = DATABASE_TIMEOUT.as_millis().to_string();
    let options = PgConnectOptions::from_str(url)
        .map_err(|_| invalid_url())?
        .application_name("latchkey")
        .options([
            ("statement_timeout", timeout.as_str()),
            ("lock_timeout", timeout.as_str()),
            (
                "idle_in_transaction_session_timeout",
                IDLE_IN_TRANSACTION_TIMEOUT,
            ),
        ]);

    // The pool would answer every cause with "timed out"; a first connection of its own says what is wrong.
    tokio::time::timeout(DATABASE_TIMEOUT, async {
        options.connect().await?.close().await
    })
    .await
    .map_err(unavailable)?
    .map_err(unavailable)?;

    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(DATABASE_TIMEOUT)
        // After a fail-over the old primary may come back as a standby, which answers with what was true earlier.
        .after_connect(|connection, _| {
            Box::pin(async move {
                if is_standby(connection).await? {
                    Err(sqlx::Error::Configuration(
                        "the PostgreSQL server is a standby".into(),
                    ))
                } else {
                    Ok(())
                }
            })
        })
        // This question is asked in place of the usual ping, and finds a dead connection as well.
        .test_before_acquire(false)
        .before_acquire(|connection, _| Box::pin(async move { Ok(!is_standby(connection).await?) }))
        .connect_with(options)
        .await
        .map_err(unavailable)?;
    let connection = SqlxPostgresConnector::from_sqlx_postgres_pool(pool);
    Ok(Connections {
        reader: connection.clone(),
        writer: connection,
        file: None,
        notes: None,
        _lock: None,
        statements: Arc::default(),
    })
}

async fn is_standby(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT pg_is_in_recovery()")
        .fetch_one(connection)
        .await
}
