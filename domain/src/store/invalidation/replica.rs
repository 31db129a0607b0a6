//! Invalidation on one of several servers of a PostgreSQL database.
//!
//! Four times a second, and at once after a notification, the replica polls for changes (`poll.rs`), applies them to its versions, and
//! renews its lease, counted from before the poll was sent. If polls fail, the lease expires and every verification queries the database.

use chrono::TimeDelta;
use sea_orm::{
    DatabaseConnection,
    sqlx::{
        self, ConnectOptions as _,
        postgres::{PgConnectOptions, PgConnection},
    },
};
use std::{
    collections::HashMap,
    convert::Infallible,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::Notify,
    task::AbortHandle,
    time::{Instant, sleep, timeout},
};
use uuid::Uuid;

use super::{
    CacheValidity, clock,
    fingerprint_load::keep_loaded,
    fingerprint_pages::PostgresPages,
    lease::{Lease, Moment},
    notify,
    orphaned_backend::Backend,
    poll::{self, Changes, Cursor},
};
use crate::{
    Error,
    store::{connection::primary::Primary, random},
};

/// Time between polls without a notification.
const POLL_INTERVAL: Duration = Duration::from_millis(250);
/// Maximum wait for a poll before the connection is replaced. Below the length of a lease, because a later result renews none; close to it,
/// because waiting for a busy database is better than a new connection.
const PATIENCE: Duration = Duration::from_millis(800);
const RETRY_AFTER: Duration = Duration::from_millis(50);
/// Time between checks for silent replicas.
const SILENCE_CHECK_INTERVAL: Duration = Duration::from_millis(500);
/// Time without a poll, on this machine's clock, after which another replica is deregistered: twice the length of its lease. A replica that
/// still runs finds its row missing, expires its lease and registers again.
const GONE_AFTER: Duration = Duration::from_secs(2);
/// Clock skew between replica and database above which a warning is logged.
const MOST_SKEW: TimeDelta = TimeDelta::seconds(2);

/// A replica. When dropped, it stops polling and its lease ends.
pub(crate) struct Replica {
    shared: Arc<Shared>,
    /// The options contain a password, so `Debug` must not show them.
    options: PgConnectOptions,
    tasks: [AbortHandle; 3],
}

impl fmt::Debug for Replica {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Replica")
            .field("shared", &self.shared)
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Shared {
    /// Identifier of the current registration, if any.
    id: Arc<Mutex<Option<Uuid>>>,
    validity: Arc<CacheValidity>,
    primary: Arc<Primary>,
    /// The backend of the last connection.
    backend: Mutex<Option<Backend>>,
    /// Requests a poll before the interval ends.
    wake: Notify,
    /// Microseconds by which the database's clock is ahead.
    skew: AtomicI64,
    /// The place at which it serves. A later process may serve at the same place.
    place: OnceLock<String>,
    /// Whether it has deregistered its predecessor.
    has_replaced_predecessor: AtomicBool,
    /// The other replicas: the number of polls of each, and the time at which that number was first read.
    others: Mutex<HashMap<Uuid, (i64, Instant)>>,
}

impl Replica {
    /// Starts polling and listening. `checks` are the connections for checks of keys.
    pub(crate) fn begin(
        options: PgConnectOptions,
        primary: Arc<Primary>,
        checks: &DatabaseConnection,
    ) -> Self {
        let shared = Arc::new(Shared {
            id: Arc::default(),
            validity: Arc::new(CacheValidity::with(Lease::expired())),
            primary,
            backend: Mutex::default(),
            wake: Notify::new(),
            skew: AtomicI64::new(0),
            place: OnceLock::new(),
            has_replaced_predecessor: AtomicBool::new(false),
            others: Mutex::default(),
        });
        let poller = Arc::clone(&shared);
        // The names appear in `pg_stat_activity`.
        let poller_options = options.clone().application_name("latchkey poll");
        let pages = PostgresPages {
            pool: checks.get_postgres_connection_pool().clone(),
            registration: Arc::clone(&shared.id),
            began_as: None,
        };
        let load = keep_loaded(Arc::clone(&shared.validity), pages);
        let listener = Arc::clone(&shared);
        let listener_options = options.clone().application_name("latchkey notify");
        Self {
            tasks: [
                tokio::spawn(async move { poller.poll_for_ever(poller_options).await })
                    .abort_handle(),
                tokio::spawn(async move { notify::listen(listener_options, &listener.wake).await })
                    .abort_handle(),
                tokio::spawn(load).abort_handle(),
            ],
            shared,
            options,
        }
    }

    pub(crate) fn validity(&self) -> &Arc<CacheValidity> {
        &self.shared.validity
    }

    /// Polls without waiting for the interval, because this process has changed something.
    pub(crate) fn poll_now(&self) {
        self.shared.wake.notify_one();
    }

    /// Sets the place at which this replica serves: `place` identifies its listener, which no other process can have at the same time.
    pub(crate) fn set_place(&self, place: String) {
        // Set once; a second call changes nothing.
        let _ = self.shared.place.set(place);
        self.shared.wake.notify_one();
    }

    /// The lead of the database's clock over this machine's (negative: behind), if it exceeds [`MOST_SKEW`].
    pub(crate) fn skew(&self) -> Option<TimeDelta> {
        let skew = TimeDelta::microseconds(self.shared.skew.load(Ordering::Relaxed));
        (skew.abs() > MOST_SKEW).then_some(skew)
    }

    /// Stops polling, ends the lease permanently, and deregisters, so that no change waits for this replica.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: changes then wait for this replica for a few seconds.
    pub(crate) async fn deregister(&self) -> Result<(), Error> {
        self.stop();
        let deregistering = async {
            // A registration that is in flight could follow the deregistration.
            while !self.tasks.iter().all(AbortHandle::is_finished) {
                sleep(RETRY_AFTER).await;
            }
            let id = *locked(&self.shared.id);
            let Some(id) = id else {
                return Ok(());
            };
            let mut connection = self.options.connect().await?;
            poll::deregister(&mut connection, id).await
        };
        match timeout(PATIENCE, deregistering).await {
            Ok(result) => result.map_err(|error| Error::Unavailable(Box::new(error))),
            Err(elapsed) => Err(Error::Unavailable(Box::new(elapsed))),
        }
    }

    fn stop(&self) {
        for task in &self.tasks {
            task.abort();
        }
        self.shared.validity.lease.close();
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    /// Polls, and reconnects when the connection is lost. Never returns.
    async fn poll_for_ever(&self, options: PgConnectOptions) {
        let mut has_lost_lease = false;
        loop {
            let connected = timeout(PATIENCE, self.connect(&options)).await;
            let problem = match connected {
                Ok(Ok(connection)) => match self.poll_on(connection, &mut has_lost_lease).await {
                    Ok(never) => match never {},
                    Err(error) => error,
                },
                Ok(Err(error)) => error,
                Err(_) => sqlx::Error::PoolTimedOut,
            };
            if !has_lost_lease && !self.validity.is_usable() {
                has_lost_lease = true;
                tracing::warn!(
                    %problem,
                    "replica lease lost: cache disabled, verifying against PostgreSQL"
                );
            }
            sleep(RETRY_AFTER).await;
        }
    }

    async fn connect(&self, options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
        let mut connection = options.connect().await?;
        self.primary.prepare(&mut connection).await?;
        let before = *locked(&self.backend);
        let backend = Backend::take_over(&mut connection, before).await?;
        *locked(&self.backend) = Some(backend);
        Ok(connection)
    }

    /// Polls on one connection until it is lost. The next connection may lead to a primary that restarted after a crash, or to another
    /// primary, either of which may lack changes that were read here. So each connection registers anew and invalidates the whole cache.
    async fn poll_on(
        &self,
        mut connection: PgConnection,
        has_lost_lease: &mut bool,
    ) -> Result<Infallible, sqlx::Error> {
        let mut cursor = self.register(&mut connection).await?;
        let mut silence_checked = Instant::now();
        let mut recorded_place = None;
        loop {
            let asked = clock::now();
            let result = with_timeout(poll::poll(&mut connection, &cursor)).await?;
            let Some(result) = result else {
                // The database was replaced, or this replica was silent for so long that it was deregistered.
                self.validity.lease.expire();
                sleep(RETRY_AFTER).await;
                cursor = self.register(&mut connection).await?;
                continue;
            };
            let has_changes = result.changes != Changes::None;
            match result.changes {
                Changes::None => {}
                Changes::Some(changed, secrets) => {
                    self.validity.invalidate(&changed);
                    self.validity.add_secrets(secrets);
                }
                Changes::All => self.validity.invalidate_all(),
            }
            cursor = result.cursor;
            // Renewed after the versions: a request that reads this lease reads these versions too.
            self.validity.lease.renew(asked);
            if *has_lost_lease {
                *has_lost_lease = false;
                tracing::info!("replica lease restored: cache enabled");
            }
            self.record_skew(result.at - clock::wall_clock(), asked);
            if recorded_place != Some(cursor.id)
                && let Some(place) = self.place.get()
            {
                with_timeout(self.take_place(&mut connection, cursor.id, place)).await?;
                recorded_place = Some(cursor.id);
            }
            if silence_checked.elapsed() >= SILENCE_CHECK_INTERVAL {
                silence_checked = Instant::now();
                with_timeout(self.remove_silent_replicas(&mut connection, cursor.id)).await?;
            }
            if has_changes {
                // The next poll confirms the changes, and a barrier may be waiting for that.
                continue;
            }
            // A wake-up that arrives before this wait is kept.
            let _ = timeout(POLL_INTERVAL, self.wake.notified()).await;
        }
    }

    async fn register(&self, connection: &mut PgConnection) -> Result<Cursor, sqlx::Error> {
        let id = random::identifier();
        // Stored before the registration: a deregistration must also cover a registration whose result was lost.
        let before = locked(&self.id).replace(id);
        with_timeout(poll::register(connection, before, id)).await
    }

    async fn take_place(
        &self,
        connection: &mut PgConnection,
        id: Uuid,
        place: &str,
    ) -> Result<(), sqlx::Error> {
        if !self.has_replaced_predecessor.load(Ordering::Relaxed) {
            if poll::replace_predecessor(connection, id, place).await? {
                tracing::info!("deregistered the previous replica at this place");
            }
            self.has_replaced_predecessor.store(true, Ordering::Relaxed);
        }
        poll::record_place(connection, id, place).await
    }

    /// Records the clock skew. `ahead` is the lead of the database's clock when the result arrived of the poll that was sent at `asked`.
    fn record_skew(&self, ahead: TimeDelta, asked: Moment) {
        let took = TimeDelta::from_std(clock::now().since(asked)).unwrap_or_default();
        // The database read its clock at some time in between.
        let skew = ahead + took / 2;
        let before = self.skew.swap(
            skew.num_microseconds().unwrap_or(i64::MAX),
            Ordering::Relaxed,
        );
        let was_too_much = TimeDelta::microseconds(before).abs() > MOST_SKEW;
        if skew.abs() > MOST_SKEW && !was_too_much {
            tracing::warn!(
                skew_seconds = skew.num_seconds(),
                "the database's clock differs from this machine's (positive: ahead): stored times are off by that much"
            );
        }
    }

    /// Deregisters replicas that stopped polling without deregistering. Silence is measured on this machine's monotonic clock, so that
    /// setting a clock cannot deregister a running replica.
    async fn remove_silent_replicas(
        &self,
        connection: &mut PgConnection,
        own: Uuid,
    ) -> Result<(), sqlx::Error> {
        let now = Instant::now();
        let replicas = poll::other_replicas(connection, own).await?;
        let silent: Vec<_> = {
            let mut others = locked(&self.others);
            let before = std::mem::take(&mut *others);
            for (id, polls) in replicas {
                let seen = match before.get(&id) {
                    Some((same, since)) if *same == polls => (polls, *since),
                    _ => (polls, now),
                };
                others.insert(id, seen);
            }
            others
                .iter()
                .filter(|(_, (_, since))| now.duration_since(*since) >= GONE_AFTER)
                .map(|(id, (polls, _))| (*id, *polls))
                .collect()
        };
        for replica in silent {
            if poll::remove_silent(connection, replica).await? {
                tracing::info!(
                    replica = %replica.0,
                    "replica silent, deregistered: changes no longer wait for it"
                );
            }
        }
        Ok(())
    }
}

/// Locks. No holder panics, so a poisoned value is complete.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn with_timeout<T>(
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    timeout(PATIENCE, work)
        .await
        .unwrap_or(Err(sqlx::Error::PoolTimedOut))
}
