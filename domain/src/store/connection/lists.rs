//! Connections for lists and searches, with a bound for each tenant.
//!
//! The cost of such a statement depends on the tenant: on the number of its rows and on its query. These statements therefore have
//! connections of their own. Each tenant gets some of them, and some more of its requests may wait; further ones are refused. No key
//! verification, no sign-in and no other tenant waits behind them.

use sea_orm::DatabaseConnection;
use std::{
    fmt,
    future::Future,
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep, timeout_at},
};

use crate::{
    Error,
    fair_share::{Bounds, FairShares, Turn},
    id::TenantId,
    store::{deadline::DATABASE_TIMEOUT, error::unavailable},
};

/// Number of connections.
pub(super) const LANES: usize = 4;

/// A tenant's share of the connections. A page needs one connection at a time.
const BY_TENANT: Bounds = Bounds {
    at_once: LANES / 2,
    queue: 16,
    patience: Duration::from_secs(1),
};

/// Delay of a refusal, so that a client that retries at once causes little load.
const REFUSAL_PAUSE: Duration = Duration::from_millis(250);

/// The connections, and the share of each tenant.
pub(super) struct Lists {
    tenants: FairShares<Option<TenantId>>,
    /// One permit for each connection in `idle`.
    free: Arc<Semaphore>,
    idle: Arc<Idle>,
}

type Idle = Mutex<Vec<DatabaseConnection>>;

impl Lists {
    pub(super) fn new(lanes: Vec<DatabaseConnection>) -> Self {
        Self {
            tenants: FairShares::new(BY_TENANT),
            free: Arc::new(Semaphore::new(lanes.len())),
            idle: Arc::new(Mutex::new(lanes)),
        }
    }

    /// The connections; none while a [`ListConnection`] exists.
    pub(super) fn lanes(&mut self) -> impl Iterator<Item = &mut DatabaseConnection> {
        Arc::get_mut(&mut self.idle)
            .map(|idle| idle.get_mut().unwrap_or_else(PoisonError::into_inner))
            .into_iter()
            .flatten()
    }

    /// Waits for a connection for `tenant`.
    ///
    /// # Errors
    /// [`Error::TooManyRequests`], [`Error::Unavailable`].
    pub(super) async fn enter(&self, tenant: Option<TenantId>) -> Result<ListConnection, Error> {
        let deadline = Instant::now() + DATABASE_TIMEOUT;
        let Some(turn) = self.tenants.enter(tenant).await else {
            sleep(REFUSAL_PAUSE).await;
            return Err(Error::TooManyRequests);
        };
        let free = timeout_at(deadline, Arc::clone(&self.free).acquire_owned())
            .await
            .map_err(unavailable)?
            .map_err(unavailable)?;
        let connection = lock(&self.idle).pop();
        let connection =
            connection.ok_or_else(|| unavailable("there is no connection for a list"))?;
        Ok(ListConnection {
            connection,
            idle: Arc::clone(&self.idle),
            deadline,
            _free: free,
            _turn: turn,
        })
    }
}

/// A connection for the lists of one request. When it is dropped, the database stops the statement that still runs on it.
pub(crate) struct ListConnection {
    connection: DatabaseConnection,
    idle: Arc<Idle>,
    deadline: Instant,
    // Released after the connection: the holder of a permit always finds an idle connection.
    _free: OwnedSemaphorePermit,
    _turn: Turn<Option<TenantId>>,
}

impl ListConnection {
    /// Waits for `work` until [`DATABASE_TIMEOUT`] has passed since the request for the connection.
    ///
    /// # Errors
    /// The error of `work`; [`Error::Unavailable`] if it takes too long.
    pub(crate) async fn with_timeout<T, E: Into<Error>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Error> {
        match timeout_at(self.deadline, work).await {
            Ok(result) => result.map_err(Into::into),
            Err(elapsed) => Err(unavailable(elapsed)),
        }
    }
}

impl Deref for ListConnection {
    type Target = DatabaseConnection;

    fn deref(&self) -> &DatabaseConnection {
        &self.connection
    }
}

impl Drop for ListConnection {
    fn drop(&mut self) {
        lock(&self.idle).push(self.connection.clone());
    }
}

impl fmt::Debug for ListConnection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ListConnection")
            .finish_non_exhaustive()
    }
}

/// Ignores poisoning: the lock is held for a push or a pop only, which a panic cannot leave half done.
fn lock(idle: &Idle) -> MutexGuard<'_, Vec<DatabaseConnection>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
    use std::time::Duration;
    use tokio::time::{Instant, sleep, timeout};

    use crate::store::test_store::{TestStore, on_every_database};

    /// Half of the second that the acceptance criterion allows.
    const SOON: Duration = Duration::from_millis(500);

    async fn is_running(fixture: &TestStore, endless: &str) -> bool {
        let database = fixture.store.database();
        let question = Statement::from_sql_and_values(
            DbBackend::Postgres,
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query = $1",
            [endless.into()],
        );
        let row = database.lookups().query_one_raw(question).await;
        row.expect("an answer").is_some()
    }

    #[tokio::test]
    async fn p72_a_statement_that_nobody_waits_for_any_more_is_stopped() {
        on_every_database(async |fixture| {
            let tenant = fixture.tenant("acme").await.tenant().id;
            let database = fixture.store.database();
            let is_sqlite = database.backend() == DbBackend::Sqlite;
            let endless = if is_sqlite {
                "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers) SELECT count(*) FROM numbers"
            } else {
                "SELECT count(*) FROM generate_series(1, 1000000000000) WHERE random() < 0"
            };
            let lists = database.lists(Some(tenant)).await.expect("a connection");
            let lane = (*lists).clone();
            let work = lists.execute_unprepared(endless);
            assert!(timeout(SOON, work).await.is_err(), "it is endless");
            let given_up = Instant::now();
            drop(lists);
            // The connection is available again when its statement has ended; on PostgreSQL, another connection may have replaced it.
            lane.execute_unprepared("SELECT 1").await.expect("an answer");
            while !is_sqlite && is_running(fixture, endless).await {
                sleep(Duration::from_millis(10)).await;
            }
            // Without the stop, SQLite would run for ever, and PostgreSQL until `statement_timeout`, 3 s after the start.
            let ended = given_up.elapsed();
            assert!(ended < Duration::from_secs(2), "{ended:?}");
            eprintln!("{:?}: ended {ended:.1?} after the last waiter left", database.backend());
        })
        .await;
    }
}
