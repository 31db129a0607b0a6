//! One of several servers on one PostgreSQL database: how it learns what the others have changed, and how long it may trust its memory.
//!
//! Four times a second, and at once where there is a hint, it asks what is new (`poll.rs`), stamps that, and renews its lease, counted
//! from before it asked. Where no answer comes the lease runs out, and every check asks the database itself.

use chrono::TimeDelta;
use sea_orm::sqlx::{
    self, ConnectOptions as _,
    postgres::{PgConnectOptions, PgConnection},
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
    lease::{Lease, Moment},
    notify,
    orphaned_backend::Backend,
    poll::{self, Changes, Cursor},
};
use crate::{
    Error,
    store::{connection::primary::Primary, random},
};

/// How often it asks without a hint.
const POLL_INTERVAL: Duration = Duration::from_millis(250);
/// How long an answer may take before the connection counts as cut. A late one is better than a new connection to a database that is
/// busy: it brings a lease as long as it is not later than that.
const PATIENCE: Duration = Duration::from_millis(800);
const RETRY_AFTER: Duration = Duration::from_millis(50);
/// How often it looks for replicas that are gone.
const LOOK_AROUND: Duration = Duration::from_millis(500);
/// How long another replica may be silent, on our clock, before nobody waits for it any more: twice as long as its lease, which has
/// run out by then. One that lives after all finds that it is off the list, gives up what it has in memory, and registers again.
const GONE_AFTER: Duration = Duration::from_secs(2);
/// How far the clocks of replica and database may differ before somebody should know.
const MOST_SKEW: TimeDelta = TimeDelta::seconds(2);

/// A replica. Dropped, it follows no more, and its lease is gone.
pub(crate) struct Replica {
    shared: Arc<Shared>,
    /// With a password in them, which their own `Debug` form would show.
    options: PgConnectOptions,
    tasks: [AbortHandle; 2],
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
    /// Under which name it stands on the list, if it does.
    id: Mutex<Option<Uuid>>,
    validity: Arc<CacheValidity>,
    primary: Arc<Primary>,
    /// Who answered on the last connection.
    backend: Mutex<Option<Backend>>,
    /// Somebody says that there are news.
    news: Notify,
    /// By how many microseconds the database's clock is ahead.
    skew: AtomicI64,
    /// Where it serves, by a name that outlives the process.
    place: OnceLock<String>,
    /// Whether it has taken off its predecessor.
    has_succeeded: AtomicBool,
    /// The other replicas: how often each had asked, and when it was first seen like that.
    others: Mutex<HashMap<Uuid, (i64, Instant)>>,
}

impl Replica {
    /// Begins to follow what changes.
    pub(crate) fn begin(options: PgConnectOptions, primary: Arc<Primary>) -> Self {
        let shared = Arc::new(Shared {
            id: Mutex::default(),
            validity: Arc::new(CacheValidity::with(Lease::expired())),
            primary,
            backend: Mutex::default(),
            news: Notify::new(),
            skew: AtomicI64::new(0),
            place: OnceLock::new(),
            has_succeeded: AtomicBool::new(false),
            others: Mutex::default(),
        });
        let follower = Arc::clone(&shared);
        // Each by a name of its own, for who looks at `pg_stat_activity`.
        let follower_options = options.clone().application_name("latchkey poll");
        let listener = Arc::clone(&shared);
        let listener_options = options.clone().application_name("latchkey notify");
        Self {
            tasks: [
                tokio::spawn(async move { follower.follow(follower_options).await }).abort_handle(),
                tokio::spawn(async move { notify::listen(listener_options, &listener.news).await })
                    .abort_handle(),
            ],
            shared,
            options,
        }
    }

    pub(crate) fn validity(&self) -> &Arc<CacheValidity> {
        &self.shared.validity
    }

    /// This process has changed something itself.
    pub(crate) fn poll_now(&self) {
        self.shared.news.notify_one();
    }

    /// Its listener is open at `place`, which no other process can have at the same time.
    pub(crate) fn set_place(&self, place: String) {
        // Said once.
        let _ = self.shared.place.set(place);
        self.shared.news.notify_one();
    }

    /// By how much the database's clock is ahead of ours, where that is more than it should be.
    pub(crate) fn skew(&self) -> Option<TimeDelta> {
        let skew = TimeDelta::microseconds(self.shared.skew.load(Ordering::Relaxed));
        (skew.abs() > MOST_SKEW).then_some(skew)
    }

    /// Uses nothing that is kept any more, and says so, so that nobody waits for this replica.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: then they wait for a few seconds.
    pub(crate) async fn deregister(&self) -> Result<(), Error> {
        self.stop();
        let leaving = async {
            // What was asked already could put it on the list again.
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
        match timeout(PATIENCE, leaving).await {
            Ok(left) => left.map_err(|error| Error::Unavailable(Box::new(error))),
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
    /// Follows what changes, for ever.
    async fn follow(&self, options: PgConnectOptions) {
        let mut is_cut_off = false;
        loop {
            let connected = timeout(PATIENCE, self.connect(&options)).await;
            let problem = match connected {
                Ok(Ok(connection)) => match self.follow_on(connection, &mut is_cut_off).await {
                    Ok(never) => match never {},
                    Err(error) => error,
                },
                Ok(Err(error)) => error,
                Err(_) => sqlx::Error::PoolTimedOut,
            };
            if !is_cut_off && !self.validity.is_usable() {
                is_cut_off = true;
                tracing::warn!(
                    %problem,
                    "PostgreSQL does not say what changes: every check asks it for the key"
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

    /// Follows what changes until the connection ends. What is on the other side of the next one may have forgotten what we have read:
    /// a primary that crashed, or another one. So each connection begins anew, and everything is read again.
    async fn follow_on(
        &self,
        mut connection: PgConnection,
        is_cut_off: &mut bool,
    ) -> Result<Infallible, sqlx::Error> {
        let mut seen = self.register(&mut connection).await?;
        let mut looked_around = Instant::now();
        let mut noted_place = None;
        loop {
            let asked = clock::now();
            let answer = patiently(poll::poll(&mut connection, &seen)).await?;
            let Some(answer) = answer else {
                // Another state of the database, or we were silent for so long that nobody waits for us.
                self.validity.lease.expire();
                sleep(RETRY_AFTER).await;
                seen = self.register(&mut connection).await?;
                continue;
            };
            let has_news = answer.news != Changes::None;
            match answer.news {
                Changes::None => {}
                Changes::Some(changed) => self.validity.invalidate(&changed),
                Changes::All => self.validity.invalidate_all(),
            }
            seen = answer.seen;
            // After the stamps: who finds the lease finds them.
            self.validity.lease.renew(asked);
            if *is_cut_off {
                *is_cut_off = false;
                tracing::info!("PostgreSQL says again what changes");
            }
            self.note_skew(answer.at - clock::wall_clock(), asked);
            if noted_place != Some(seen.id)
                && let Some(place) = self.place.get()
            {
                patiently(self.take_place(&mut connection, seen.id, place)).await?;
                noted_place = Some(seen.id);
            }
            if looked_around.elapsed() >= LOOK_AROUND {
                looked_around = Instant::now();
                patiently(self.look_around(&mut connection, seen.id)).await?;
            }
            if has_news {
                // Somebody waits to hear that they are stamped: the next question says so.
                continue;
            }
            // A hint that comes meanwhile is kept.
            let _ = timeout(POLL_INTERVAL, self.news.notified()).await;
        }
    }

    async fn register(&self, connection: &mut PgConnection) -> Result<Cursor, sqlx::Error> {
        let id = random::identifier();
        // Before it is asked for: whoever leaves has to take off also what was not answered.
        let before = locked(&self.id).replace(id);
        patiently(poll::register(connection, before, id)).await
    }

    async fn take_place(
        &self,
        connection: &mut PgConnection,
        id: Uuid,
        place: &str,
    ) -> Result<(), sqlx::Error> {
        if !self.has_succeeded.load(Ordering::Relaxed) {
            if poll::replace_predecessor(connection, id, place).await? {
                tracing::info!("took off the list the replica that served here before");
            }
            self.has_succeeded.store(true, Ordering::Relaxed);
        }
        poll::record_place(connection, id, place).await
    }

    /// `ahead` is how far the database's clock was ahead when its answer was read; the question was asked at `asked`.
    fn note_skew(&self, ahead: TimeDelta, asked: Moment) {
        let took = TimeDelta::from_std(clock::now().since(asked)).unwrap_or_default();
        // The database looked at its clock somewhere in between.
        let skew = ahead + took / 2;
        let before = self.skew.swap(
            skew.num_microseconds().unwrap_or(i64::MAX),
            Ordering::Relaxed,
        );
        let was_too_much = TimeDelta::microseconds(before).abs() > MOST_SKEW;
        if skew.abs() > MOST_SKEW && !was_too_much {
            tracing::warn!(
                seconds = skew.num_seconds(),
                "the database's clock is ahead of this machine's: dates and times are off by as much"
            );
        }
    }

    /// Takes replicas off the list that are gone without saying so. How long they are silent is counted on our own clock, from one look
    /// to the next, so that no clock that is set takes off one that lives.
    async fn look_around(
        &self,
        connection: &mut PgConnection,
        own: Uuid,
    ) -> Result<(), sqlx::Error> {
        let now = Instant::now();
        let replicas = poll::other_replicas(connection, own).await?;
        let gone: Vec<_> = {
            let mut others = locked(&self.others);
            let before = std::mem::take(&mut *others);
            for (id, beat) in replicas {
                let seen = match before.get(&id) {
                    Some((same, since)) if *same == beat => (beat, *since),
                    _ => (beat, now),
                };
                others.insert(id, seen);
            }
            others
                .iter()
                .filter(|(_, (_, since))| now.duration_since(*since) >= GONE_AFTER)
                .map(|(id, (beat, _))| (*id, *beat))
                .collect()
        };
        for replica in gone {
            if poll::remove_silent(connection, replica).await? {
                tracing::info!(
                    replica = %replica.0,
                    "a replica is silent: changes no longer wait for it"
                );
            }
        }
        Ok(())
    }
}

/// Nobody panics with one of these.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn patiently<T>(
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    timeout(PATIENCE, work)
        .await
        .unwrap_or(Err(sqlx::Error::PoolTimedOut))
}
