//! Connections, by what they are for: checks, lookups, lists, changes. None of them waits for another.

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
    time::Duration,
};
use tokio::task::{JoinError, JoinHandle};

use self::{
    pools::{Connections, invalid_url},
    server_lock::HeldFile,
};
use super::{
    deadline::{self, DATABASE_TIMEOUT},
    invalidation::{
        CacheValidity, Invalidation, barrier::Barrier, replica::Replica, single_node::SingleNode,
    },
    password,
};
use crate::{Error, id::TenantId, key::format::KeyPrefix, propagation::Propagation};
use lists::ListConnection;

/// How a store is opened, and the settings that its rules depend on. Its `Debug` form leaves the URL out: it can hold a password.
#[derive(Clone)]
pub struct StoreOptions {
    /// `sqlite://FILE?mode=rwc` or `postgres://…`. A SQLite database in memory is refused: it would be gone at exit.
    pub database_url: String,
    /// Judge requests by it, and so keep what was read. Another server is kept off a SQLite file then; on PostgreSQL this is one of the
    /// replicas.
    pub serves: bool,
    /// The prefix of new secrets.
    pub key_prefix: KeyPrefix,
    /// The key limit of new tenants.
    pub default_key_limit: u32,
    /// So many days left or fewer are soon.
    pub expiring_soon_days: u32,
}

impl fmt::Debug for StoreOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("StoreOptions")
            .field("serves", &self.serves)
            .field("key_prefix", &self.key_prefix)
            .field("default_key_limit", &self.default_key_limit)
            .field("expiring_soon_days", &self.expiring_soon_days)
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

/// What a commit waits for before it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Until {
    /// What it has changed itself holds.
    OwnChangesHold,
    /// And what others have changed that it may have found done.
    AllChangesHold,
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
            let replica = Replica::begin(postgres.options, postgres.primary);
            self.invalidation = Invalidation::Replica(Arc::new(replica));
        }
        // What a migration or the change log's marker wrote needs no confirmation.
        *self.has_written.get_mut() = false;
        Ok(())
    }

    /// Decides whether a cached read is still valid; `None` where nothing may be cached.
    pub(crate) fn validity(&self) -> Option<&CacheValidity> {
        self.invalidation.validity()
    }

    /// How this process learns of changes.
    pub(crate) const fn invalidation(&self) -> &Invalidation {
        &self.invalidation
    }

    /// The file, on SQLite.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.connections.file.as_deref()
    }

    /// The handle on which the server lock of the file is held and tested, on SQLite.
    pub(crate) const fn held_file(&self) -> Option<&HeldFile> {
        self.connections.held.as_ref()
    }

    /// Whether anything was committed since it was opened.
    pub(crate) fn has_written(&self) -> bool {
        self.has_written.load(Ordering::Relaxed)
    }

    /// How many statements were sent since it was opened.
    pub(crate) fn statements(&self) -> u64 {
        self.connections.statements.load(Ordering::Relaxed)
    }

    pub(crate) const fn options(&self) -> &StoreOptions {
        &self.options
    }

    /// Where passwords are hashed.
    pub(crate) const fn password_slots(&self) -> &password::Slots {
        &self.password_slots
    }

    /// Whether the database answers a question about a table.
    pub(crate) async fn ping(&self) -> Result<(), Error> {
        self.with_timeout(
            self.checks()
                .execute_unprepared("SELECT id FROM tenants LIMIT 1"),
        )
        .await?;
        Ok(())
    }

    /// Which engine it is.
    pub(crate) fn backend(&self) -> DbBackend {
        self.connections.checks.get_database_backend()
    }

    /// Connections for the check of a key, for readiness, and for the server's own upkeep. SQLite's refuse to write. Every use stands in
    /// [`Self::with_timeout`].
    pub(crate) const fn checks(&self) -> &DatabaseConnection {
        &self.connections.checks
    }

    /// Connections for sessions, sign-in, and single rows that an index finds, whatever a client sends. SQLite's refuse to write. Every
    /// use stands in [`Self::with_timeout`].
    pub(crate) const fn lookups(&self) -> &DatabaseConnection {
        &self.connections.lookups
    }

    /// A connection for a statement whose cost depends on how much a tenant has or on what a client asks for; `None` is the whole
    /// installation. Every use stands in [`ListConnection::with_timeout`].
    ///
    /// # Errors
    /// [`Error::TooManyRequests`] where too many of that tenant's run and wait; [`Error::Unavailable`] where those of others take
    /// every connection.
    pub(crate) async fn lists(&self, tenant: Option<TenantId>) -> Result<ListConnection, Error> {
        self.connections.lists.enter(tenant).await
    }

    /// Waits for `work` on the database for at most [`DATABASE_TIMEOUT`], so that a database that hangs hangs nobody:
    ///
    /// ```ignore
    /// let row = database.with_timeout(tenant::Entity::find_by_id(id).one(database.lookups())).await?;
    /// let both = database.with_timeout(async { …; Ok::<_, Error>(both) }).await?;
    /// ```
    ///
    /// [`Self::begin_write`] and [`Self::commit`] look after themselves and stay outside.
    ///
    /// # Errors
    /// What `work` fails with; [`Error::Unavailable`] where it takes too long.
    pub(crate) async fn with_timeout<T, E: Into<Error>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Error> {
        deadline::with_timeout(work).await
    }

    /// Begins a transaction that writes: `BEGIN IMMEDIATE` on SQLite, one at a time. Dropped without [`Self::commit`], it is rolled
    /// back.
    pub(crate) async fn begin_write(&self) -> Result<WriteTransaction, Error> {
        self.connections.writer.begin().await
    }

    /// Whether changes can be committed: by a commit that others can see, one a second at most.
    ///
    /// # Errors
    /// [`Error::Unavailable`], [`Error::OutcomeUnknown`]: not now.
    pub(crate) async fn prove_writes(&self) -> Result<(), Error> {
        let attempt = async {
            let transaction = self.begin_write().await?;
            let write = match transaction.get_database_backend() {
                // Written although it stays as it is: a page in the write-ahead log, and a sync.
                DbBackend::Sqlite => "PRAGMA user_version = 0",
                // A record in the write-ahead log that changes no table.
                _ => "SELECT pg_logical_emit_message(true, 'latchkey', '')",
            };
            let written = self
                .with_timeout(transaction.execute_unprepared(write))
                .await;
            self.end(transaction, written).await?;
            Ok(())
        };
        self.connections.writer.health.prove(attempt).await
    }

    /// Ends what [`Self::begin_write`] began: commits where it was done, else takes it back before anybody is answered. What it held,
    /// such as the token of a request that counts once, is free then, for who mends the input and sends it again.
    ///
    /// # Errors
    /// That of `made`; those of [`Self::commit`].
    pub(crate) async fn end<T>(
        &self,
        transaction: WriteTransaction,
        made: Result<T, Error>,
    ) -> Result<T, Error> {
        match made {
            Ok(made) => {
                self.commit(transaction).await?;
                Ok(made)
            }
            Err(error) => Err(transaction.roll_back_for(error).await),
        }
    }

    /// [`Self::end`], for what changes the state of a key, a group or a tenant, or finds it changed as it should be.
    ///
    /// Who is told that a key is revoked or was edited waits as well: it is to hold everywhere for whoever has heard of it.
    ///
    /// # Errors
    /// Those of [`Self::end`].
    pub(crate) async fn end_change<T>(
        &self,
        transaction: WriteTransaction,
        made: Result<T, Error>,
    ) -> Result<(T, Option<Propagation>), Error> {
        match made {
            Ok(made) => Ok((made, self.commit_change(transaction).await?)),
            Err(error @ (Error::KeyRevoked | Error::Stale)) => {
                // Nothing is written in it: the rows are locked, and not as they should be.
                self.commit_change(transaction).await?;
                Err(error)
            }
            Err(error) => Err(transaction.roll_back_for(error).await),
        }
    }

    /// Commits what [`Self::begin_write`] began; what keeps anything that was read knows of it when this returns.
    ///
    /// # Errors
    /// [`Error::OutcomeUnknown`] where the database does not say in time whether it committed. After any other error nothing was changed.
    pub(crate) async fn commit(&self, transaction: WriteTransaction) -> Result<(), Error> {
        self.commit_until(transaction, Until::OwnChangesHold)
            .await
            .map(drop)
    }

    /// [`Self::commit`], for what changes the state of a key, a group or a tenant, or finds it changed as it should be: what somebody
    /// else changed a moment ago holds as well when this returns. With what the replicas said of it, where there are replicas.
    ///
    /// # Errors
    /// Those of [`Self::commit`].
    pub(crate) async fn commit_change(
        &self,
        transaction: WriteTransaction,
    ) -> Result<Option<Propagation>, Error> {
        self.commit_until(transaction, Until::AllChangesHold).await
    }

    /// [`Self::commit`], for what takes longer than any request may, such as a new schema.
    ///
    /// # Errors
    /// Those of [`Self::commit`].
    pub(crate) async fn commit_at_length(
        &self,
        transaction: WriteTransaction,
    ) -> Result<(), Error> {
        let committing = self.start_commit(transaction, Until::OwnChangesHold, None);
        finished(committing.await).map(drop)
    }

    async fn commit_until(
        &self,
        transaction: WriteTransaction,
        until: Until,
    ) -> Result<Option<Propagation>, Error> {
        let is_file = transaction.get_database_backend() == DbBackend::Sqlite;
        let committing = self.start_commit(transaction, until, Some(DATABASE_TIMEOUT));
        if !is_file {
            // It looks after its own time, of which the wait for the replicas is a part.
            return finished(committing.await);
        }
        match tokio::time::timeout(DATABASE_TIMEOUT, committing).await {
            Ok(committed) => finished(committed),
            Err(elapsed) => {
                let error = Error::OutcomeUnknown(Box::new(elapsed));
                self.connections.writer.health.failed(&error);
                Err(error)
            }
        }
    }

    /// Commits in a task of its own: a caller who goes away, such as a client that hangs up, must not leave a commit that nobody hears
    /// of. PostgreSQL has to answer within `patience`.
    fn start_commit(
        &self,
        transaction: WriteTransaction,
        until: Until,
        patience: Option<Duration>,
    ) -> JoinHandle<Result<Option<Propagation>, Error>> {
        self.has_written.store(true, Ordering::Relaxed);
        match transaction.get_database_backend() {
            DbBackend::Sqlite => {
                let node = match &self.invalidation {
                    Invalidation::SingleNode(node) => Some(Arc::clone(node)),
                    _ => None,
                };
                tokio::spawn(commit_to_file(transaction, node))
            }
            _ => {
                let replica = match &self.invalidation {
                    Invalidation::Replica(replica) => Some(Arc::clone(replica)),
                    _ => None,
                };
                let reader = self.checks().clone();
                let health = Arc::clone(&self.connections.writer.health);
                tokio::spawn(async move {
                    commit_to_postgres(transaction, until, patience, reader, replica)
                        .await
                        .inspect_err(|error| health.failed(error))
                })
            }
        }
    }
}

/// What came of a commit in a task of its own.
fn finished(
    committed: Result<Result<Option<Propagation>, Error>, JoinError>,
) -> Result<Option<Propagation>, Error> {
    committed.unwrap_or_else(|error| Err(Error::OutcomeUnknown(Box::new(error))))
}

async fn commit_to_file(
    transaction: WriteTransaction,
    node: Option<Arc<SingleNode>>,
) -> Result<Option<Propagation>, Error> {
    let committed = transaction.commit().await;
    // Also where it failed: perhaps it did not.
    if let Some(node) = node {
        #[cfg(test)]
        node.pause.here().await;
        node.catch_up().await;
    }
    committed?;
    Ok(None)
}

async fn commit_to_postgres(
    transaction: WriteTransaction,
    until: Until,
    patience: Option<Duration>,
    reader: DatabaseConnection,
    replica: Option<Arc<Replica>>,
) -> Result<Option<Propagation>, Error> {
    let waits_for_all = until == Until::AllChangesHold;
    let barrier = deadline::with_timeout(Barrier::of(&transaction, waits_for_all)).await?;
    let committing = transaction.commit();
    match patience {
        Some(patience) => tokio::time::timeout(patience, committing)
            .await
            .unwrap_or_else(|elapsed| Err(Error::OutcomeUnknown(Box::new(elapsed))))?,
        None => committing.await?,
    }
    if barrier.is_empty() && !waits_for_all {
        return Ok(None);
    }
    let receipt = barrier.wait(&reader, replica.as_deref()).await;
    Ok(Some(receipt))
}
