//! Connections in pools by purpose: checks, lookups, lists and changes. No pool waits for another.

pub(crate) mod file;
mod health;
pub(crate) mod lists;
mod pools;
mod postgres;
pub(crate) mod primary;
pub(crate) mod server_lock;
pub(crate) mod sqlite;
mod writer;

pub(crate) use writer::{WriteTransaction, Writer};

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend};
use std::{
    fmt,
    future::Future,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use self::{
    pools::{Connections, invalid_url},
    server_lock::HeldFile,
};
use super::{
    deadline,
    invalidation::{CacheValidity, Invalidation, replica::Replica, single_node::SingleNode},
    password,
    second_factor_options::SecondFactorOptions,
};
use crate::{Error, id::TenantId, key::format::KeyPrefix};
use lists::ListConnection;

/// The settings of a store. The `Debug` form omits the URL, which can contain a password.
#[derive(Clone)]
pub struct StoreOptions {
    /// `sqlite://FILE?mode=rwc` or `postgres://…`. A SQLite database in memory is refused, because it would be lost at exit.
    pub database_url: String,
    /// Whether this process verifies requests and caches reads. If so, it keeps other servers off a SQLite file; on PostgreSQL it is one of
    /// the replicas.
    pub serves: bool,
    /// The prefix of new secrets.
    pub key_prefix: KeyPrefix,
    /// The key limit of new tenants.
    pub default_key_limit: u32,
    /// A key with at most this many days left counts as expiring soon.
    pub expiring_soon_days: u32,
    /// The settings of second factors.
    pub second_factor: SecondFactorOptions,
}

impl fmt::Debug for StoreOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("StoreOptions")
            .field("serves", &self.serves)
            .field("key_prefix", &self.key_prefix)
            .field("default_key_limit", &self.default_key_limit)
            .field("expiring_soon_days", &self.expiring_soon_days)
            .field("second_factor", &self.second_factor)
            .finish_non_exhaustive()
    }
}

/// The open database.
pub(crate) struct Database {
    options: StoreOptions,
    connections: Connections,
    password_slots: password::Slots,
    invalidation: Invalidation,
    has_written: AtomicBool,
}

impl fmt::Debug for Database {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Database")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Database {
    /// Connects. The schema may be outdated, and nothing may be cached before [`Self::start_invalidation`].
    ///
    /// # Errors
    /// [`Error::Invalid`] for a URL of neither engine; [`Error::Unavailable`].
    pub(crate) async fn connect(options: StoreOptions) -> Result<Self, Error> {
        let url = options.database_url.as_str();
        let connections = if url.starts_with("sqlite:") {
            sqlite::connect(url, options.serves).await?
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            postgres::connect(url).await?
        } else {
            return Err(invalid_url());
        };
        Ok(Self {
            options,
            connections: connections.counted(),
            password_slots: password::Slots::for_this_machine(),
            invalidation: Invalidation::Off,
            has_written: AtomicBool::new(false),
        })
    }

    /// Starts to track changes if this process serves, so that it may cache reads. The schema must be up to date.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub(crate) async fn start_invalidation(&mut self) -> Result<(), Error> {
        // Only the process that holds the server lock has this reader.
        if let Some(reader) = self.connections.change_reader.take() {
            let writer = self.connections.writer.clone();
            let node = SingleNode::begin(reader, writer).await?;
            self.invalidation = Invalidation::SingleNode(Arc::new(node));
        }
        if let Some(postgres) = self.connections.postgres.take()
            && self.options.serves
        {
            let replica =
                Replica::begin(postgres.options, postgres.primary, &self.connections.checks);
            self.invalidation = Invalidation::Replica(Arc::new(replica));
        }
        // Writes by a migration and by the change log's marker need no confirmation.
        *self.has_written.get_mut() = false;
        Ok(())
    }

    /// Decides whether a cached read is still valid; `None` if nothing may be cached.
    pub(crate) fn validity(&self) -> Option<&CacheValidity> {
        self.invalidation.validity()
    }

    /// The mechanism that invalidates cached reads in this process.
    pub(crate) const fn invalidation(&self) -> &Invalidation {
        &self.invalidation
    }

    /// The database file; `None` on PostgreSQL.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.connections.file.as_deref()
    }

    /// The handle on which the server lock of the file is held and tested; `None` on PostgreSQL.
    pub(crate) const fn held_file(&self) -> Option<&HeldFile> {
        self.connections.held.as_ref()
    }

    /// Whether this process has ended a write since [`Self::start_invalidation`].
    pub(crate) fn has_written(&self) -> bool {
        self.has_written.load(Ordering::Relaxed)
    }

    /// Number of statements sent since the database was opened.
    pub(crate) fn statements(&self) -> u64 {
        self.connections.statements.load(Ordering::Relaxed)
    }

    pub(crate) const fn options(&self) -> &StoreOptions {
        &self.options
    }

    /// The slots in which passwords are hashed.
    pub(crate) const fn password_slots(&self) -> &password::Slots {
        &self.password_slots
    }

    /// Checks that the database responds to a query of a table.
    pub(crate) async fn ping(&self) -> Result<(), Error> {
        self.with_timeout(
            self.checks()
                .execute_unprepared("SELECT id FROM tenants LIMIT 1"),
        )
        .await?;
        Ok(())
    }

    /// The database engine.
    pub(crate) fn backend(&self) -> DbBackend {
        self.connections.checks.get_database_backend()
    }

    /// Connections for key verification, readiness, and the server's own maintenance. On SQLite they refuse to write. Every use must be
    /// wrapped in [`Self::with_timeout`].
    pub(crate) const fn checks(&self) -> &DatabaseConnection {
        &self.connections.checks
    }

    /// Connections for sessions, sign-in, and single rows that an index finds for any client input. On SQLite they refuse to write. Every
    /// use must be wrapped in [`Self::with_timeout`].
    pub(crate) const fn lookups(&self) -> &DatabaseConnection {
        &self.connections.lookups
    }

    /// A connection for a statement whose cost depends on the tenant's data or on the client's query; `None` stands for the whole
    /// installation. Every use must be wrapped in [`ListConnection::with_timeout`].
    ///
    /// # Errors
    /// [`Error::TooManyRequests`] if too many requests of that tenant run and wait; [`Error::Unavailable`] if requests of other tenants
    /// hold every connection.
    pub(crate) async fn lists(&self, tenant: Option<TenantId>) -> Result<ListConnection, Error> {
        self.connections.lists.enter(tenant).await
    }

    /// Waits for `work` on the database for at most [`DATABASE_TIMEOUT`], so that no caller hangs with the database:
    ///
    /// ```ignore
    /// let row = database.with_timeout(tenant::Entity::find_by_id(id).one(database.lookups())).await?;
    /// let both = database.with_timeout(async { …; Ok::<_, Error>(both) }).await?;
    /// ```
    ///
    /// [`Self::write`] has its own limits and must not be wrapped.
    ///
    /// # Errors
    /// The error of `work`; [`Error::Unavailable`] if it takes too long.
    pub(crate) async fn with_timeout<T, E: Into<Error>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Error> {
        deadline::with_timeout(work).await
    }

    /// The writer, which begins write transactions; for `write.rs` only.
    pub(crate) const fn writer(&self) -> &Writer {
        &self.connections.writer
    }

    /// Records that a write ends: it commits, or found the state as it should be. A command then waits for the server's confirmation.
    pub(crate) fn note_write(&self) {
        self.has_written.store(true, Ordering::Relaxed);
    }
}
