//! The connections to one database, for both engines.

use sea_orm::{DatabaseConnection, sqlx::postgres::PgConnectOptions};
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{
    lists::Lists,
    primary::Primary,
    server_lock::{HeldFile, ServerLock},
    writer::Writer,
};
use crate::Error;

/// The connections to one database, opened by the module of its engine.
pub(super) struct Connections {
    /// For key verification, readiness and maintenance.
    pub(super) checks: DatabaseConnection,
    /// For sessions, sign-in and single rows.
    pub(super) lookups: DatabaseConnection,
    /// For lists and searches.
    pub(super) lists: Lists,
    pub(super) writer: Writer,
    /// The file; SQLite only.
    pub(super) file: Option<PathBuf>,
    /// Reads the change log; SQLite only, if this process holds the server lock.
    pub(super) change_reader: Option<DatabaseConnection>,
    /// Options for further connections; PostgreSQL only.
    pub(super) postgres: Option<Postgres>,
    /// Keeps other servers off the file until it is dropped.
    pub(super) _lock: Option<ServerLock>,
    /// The handle on which the server lock is tested; SQLite only.
    pub(super) held: Option<HeldFile>,
    /// Number of statements sent over all of these connections.
    pub(super) statements: Arc<AtomicU64>,
}

impl Connections {
    /// Counts every statement that is sent over these connections.
    pub(super) fn counted(mut self) -> Self {
        let readers = [&mut self.checks, &mut self.lookups];
        for connection in readers
            .into_iter()
            .chain(self.lists.lanes())
            .chain([&mut self.writer.connection])
        {
            let statements = Arc::clone(&self.statements);
            connection.set_metric_callback(move |_| {
                statements.fetch_add(1, Ordering::Relaxed);
            });
        }
        self
    }
}

/// Access to a PostgreSQL database outside the pools.
pub(super) struct Postgres {
    pub(super) options: PgConnectOptions,
    pub(super) primary: Arc<Primary>,
}

pub(super) fn invalid_url() -> Error {
    Error::invalid(
        "database_url",
        "Must be sqlite://FILE?mode=rwc or postgres://…",
    )
}
