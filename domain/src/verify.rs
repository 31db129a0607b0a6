//! Verification of the key of each request: from the text of `X-API-Key` to the verified key or the refusal.

mod cache;
#[cfg(test)]
mod tests;
pub(crate) mod usage;

use chrono::{DateTime, Utc};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::Mutex;
use tracing::Level;

use crate::{
    Error,
    actor::Actor,
    client_address::ClientAddress,
    id::TenantId,
    key::{
        ApiKey,
        expiry::ExpirationState,
        format::Secret,
        today,
        verdict::{Refusal, decide},
    },
    log_limit::{LogLimit, REQUEST_LINES},
    permission::{Permission, PermissionSet},
    store::{
        Store, TenantScope, clock, invalidation::versions::Version, keys::ArchivedKey, random,
    },
    tenant::{Slug, TenantRef},
    usage::{LastUse, Outcome, StoredCounters, UseKind},
};
use cache::{Entry, KeyCache};
use usage::UsageCounters;

/// Limits the lines about refused requests with a known key.
static REFUSED_KEYS: LogLimit =
    LogLimit::new("refused requests with a key", Level::INFO, REQUEST_LINES);
/// Limits the lines about refused requests without a known key.
static REFUSED_WITHOUT_KEY: LogLimit = LogLimit::new(
    "refused requests without a known key",
    Level::INFO,
    REQUEST_LINES,
);

/// A key that was accepted for one request. Cheap to clone.
#[derive(Clone)]
pub struct VerifiedKey {
    entry: Arc<Entry>,
    client: ClientAddress,
    asked: Option<Permission>,
    last_use: Option<LastUse>,
}

impl VerifiedKey {
    /// The key as it was read. Last use and expiration state are of the time of the read.
    #[must_use]
    pub fn key(&self) -> &ApiKey {
        &self.entry.known.key
    }

    /// The key at `now`, with its previous use. It expires soon if `soon_days` or fewer days are left.
    #[must_use]
    pub fn key_at(&self, now: DateTime<Utc>, soon_days: u32) -> ApiKey {
        let mut key = self.key().clone();
        key.expiration = ExpirationState::on(key.expires_on, today(now), soon_days);
        if let Some(last_use) = self.last_use
            && key.last_used_at.is_none_or(|at| at < last_use.at)
        {
            key.last_used_at = Some(last_use.at);
            key.last_used_ip = last_use.address.map(|address| address.to_string());
        }
        key
    }

    /// The key's tenant.
    #[must_use]
    pub fn tenant(&self) -> &TenantRef {
        &self.entry.known.tenant
    }

    /// The permissions of the key's group.
    #[must_use]
    pub fn permissions(&self) -> &PermissionSet {
        &self.entry.known.grant.permissions
    }

    /// The client's address.
    #[must_use]
    pub const fn client(&self) -> ClientAddress {
        self.client
    }

    /// A scope of the key's tenant with the key as actor.
    #[must_use]
    pub fn scope(&self) -> TenantScope {
        let key = self.key();
        TenantScope::of_key(
            self.tenant().clone(),
            Actor::api_key(key.id, key.name.as_str(), self.client),
            self.asked.clone(),
        )
    }
}

impl fmt::Debug for VerifiedKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("VerifiedKey")
            .field("key", &self.key().id)
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

/// The requirements of a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Question<'a> {
    /// The required permission.
    pub permission: Option<&'a Permission>,
    /// The required owner.
    pub owner: Owner<'a>,
    /// The use that the request makes of the key.
    pub purpose: Purpose,
}

/// The use that a request makes of its key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// Anything that the key permits.
    #[default]
    Access,
    /// Revoking the key itself. Whoever holds the secret may end it: neither the allowlist nor the state of the tenant matters.
    OwnRevocation,
}

/// The tenant that a key must belong to.
#[derive(Clone, Copy, Debug, Default)]
pub enum Owner<'a> {
    /// Any tenant's.
    #[default]
    Any,
    /// The tenant of this slug; a key of another tenant gets [`Refusal::WrongTenant`].
    Named(&'a Slug),
    /// This tenant; keys of other tenants are reported as unknown, whatever their state.
    Asking(TenantId),
}

/// Verifies keys. Clones are cheap and share cache and counters.
#[derive(Clone, Debug)]
pub struct Verifier {
    store: Store,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    keys: KeyCache,
    database_reads: AtomicU64,
    usage: Arc<UsageCounters>,
    /// Locked during a flush, so that the last flush before a shutdown waits for a running one.
    flushing: Mutex<StoredCounters>,
    #[cfg(test)]
    pause: crate::pause::Pause,
}

/// The result of looking up a secret.
enum Found {
    /// A key.
    Key(Arc<Entry>),
    /// An archived (revoked) key.
    Archived(ArchivedKey),
    /// No key.
    Refused(Refusal),
}

/// Number of counters that are written in one transaction; a concurrent change waits for it.
const FLUSH_BATCH: usize = 512;

impl Verifier {
    /// A verifier for the keys of `store`. Keys are cached if the store tracks changes.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self {
            store,
            shared: Arc::default(),
        }
    }

    /// Like [`Self::new`], with a cache of `bytes` bytes.
    #[cfg(feature = "bench")]
    #[must_use]
    pub fn with_room_for(store: Store, bytes: u64) -> Self {
        Self {
            store,
            shared: Arc::new(Shared {
                keys: KeyCache::with_room_for(bytes),
                ..Shared::default()
            }),
        }
    }

    /// Verifies a request from `client` with the secret `presented` for a route that requires `permission`. Counts an accepted request as a
    /// use and a refused one as a refusal.
    ///
    /// # Errors
    /// The errors of [`Self::answer`].
    pub async fn verify(
        &self,
        presented: &str,
        client: ClientAddress,
        permission: Option<&Permission>,
        now: DateTime<Utc>,
    ) -> Result<Result<VerifiedKey, Refusal>, Error> {
        let question = Question {
            permission,
            ..Question::default()
        };
        self.answer(question, Ok(presented), client, now).await
    }

    /// Verifies a request from `client` against the requirements in `question`. `presented` is the secret, or the refusal of a request
    /// without a secret to verify. Counts an accepted request as a use and a refused one as a refusal.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the database is needed and does not respond in time. [`Error::Internal`] for a damaged row.
    pub async fn answer(
        &self,
        question: Question<'_>,
        presented: Result<&str, Refusal>,
        client: ClientAddress,
        now: DateTime<Utc>,
    ) -> Result<Result<VerifiedKey, Refusal>, Error> {
        let found = match presented {
            Ok(presented) => self.find(presented, now).await?,
            Err(refusal) => Found::Refused(refusal),
        };
        let mut archived_id = None;
        let entry = match found {
            Found::Key(entry) => Ok(entry),
            Found::Refused(refusal) => Err(refusal),
            // Keys of other tenants are reported as unknown here too.
            Found::Archived(key) => match question.owner {
                Owner::Asking(id) if id != key.tenant_id => Err(Refusal::InvalidApiKey),
                _ => {
                    archived_id = Some(key.id);
                    Err(Refusal::RevokedApiKey)
                }
            },
        };
        // Keys of other tenants are reported as unknown.
        let entry = entry.and_then(|entry| match question.owner {
            Owner::Asking(id) if id != entry.known.tenant.id => Err(Refusal::InvalidApiKey),
            _ => Ok(entry),
        });
        let key_id = entry.as_ref().ok().map(|entry| entry.known.key.id);
        let verdict = entry.and_then(|entry| {
            judge(&entry, question, client, now)
                .inspect_err(|refusal| {
                    // The response contains the code only.
                    let known = &entry.known;
                    if REFUSED_KEYS.admits_line() {
                        tracing::info!(code = refusal.code(), key_id = %known.key.id, tenant = %known.tenant.slug, "refused");
                    }
                })
                .map(|()| entry)
        });
        if key_id.is_none()
            && let Err(refusal) = &verdict
        {
            match archived_id {
                Some(id) if REFUSED_KEYS.admits_line() => {
                    tracing::info!(code = refusal.code(), key_id = %id, "refused");
                }
                None if REFUSED_WITHOUT_KEY.admits_line() => {
                    tracing::info!(code = refusal.code(), "refused");
                }
                _ => {}
            }
        }
        let key_id = key_id.or(archived_id);
        let outcome = match &verdict {
            Ok(_) => Outcome::Accepted(client.ip()),
            // Without a key, no page shows the address.
            Err(refusal) => Outcome::Refused(refusal.code(), key_id.and_then(|_| client.ip())),
        };
        let kind = UseKind {
            key_id,
            day: today(now),
            outcome,
        };
        let at = clock::stored(now);
        self.shared.usage.record(kind, at);
        Ok(verdict.map(|entry| VerifiedKey {
            last_use: entry.used(LastUse {
                at,
                address: client.ip(),
            }),
            entry,
            client,
            asked: question.permission.cloned(),
        }))
    }

    /// Looks up the secret: in the cache if the entry is valid, else in the database, unless no key has it.
    async fn find(&self, presented: &str, now: DateTime<Utc>) -> Result<Found, Error> {
        if !Secret::is_well_formed(presented) {
            return Ok(Found::Refused(Refusal::InvalidApiKey));
        }
        let digest = random::sha256(presented);
        let Some(validity) = self.store.database().validity() else {
            // Nothing is cached, so the version does not matter.
            return match self.read(&digest, Version::default(), now).await? {
                Some(entry) => Ok(Found::Key(entry)),
                None => self.find_archived(&digest).await,
            };
        };
        if let Some(entry) = self.shared.keys.get(&digest, validity) {
            return Ok(Found::Key(entry));
        }
        if validity.is_absent(&digest) {
            return Ok(Found::Refused(Refusal::InvalidApiKey));
        }
        let entry = self.read(&digest, validity.current_version(), now).await?;
        #[cfg(test)]
        self.shared.pause.here().await;
        match entry {
            Some(entry) => {
                self.shared.keys.keep(digest, Arc::clone(&entry));
                Ok(Found::Key(entry))
            }
            None => {
                self.shared.keys.forget(&digest);
                self.find_archived(&digest).await
            }
        }
    }

    /// Looks up an archived key. The active keys must be searched first, because keys only move into the archive.
    async fn find_archived(&self, digest: &random::Digest) -> Result<Found, Error> {
        let archived = Box::pin(self.store.find_archived(digest)).await?;
        Ok(archived.map_or(Found::Refused(Refusal::InvalidApiKey), Found::Archived))
    }

    /// Reads the key from the database. `read_at` is the version before the read.
    async fn read(
        &self,
        digest: &random::Digest,
        read_at: Version,
        now: DateTime<Utc>,
    ) -> Result<Option<Arc<Entry>>, Error> {
        self.shared.database_reads.fetch_add(1, Ordering::Relaxed);
        // Boxed: the future of a statement is large, and few requests query the database.
        let known = Box::pin(self.store.find_by_digest(digest, now)).await?;
        Ok(known.map(|known| Arc::new(Entry::new(known, read_at))))
    }

    /// Number of database queries for a key since the start.
    #[must_use]
    pub fn database_reads(&self) -> u64 {
        self.shared.database_reads.load(Ordering::Relaxed)
    }

    /// Removes the key with this secret from the cache.
    #[cfg(feature = "bench")]
    pub fn forget(&self, secret: &str) {
        self.shared.keys.forget(&random::sha256(secret));
    }

    /// Caches `copies` copies of the key with this secret, each under a digest that no secret has, so that the cache is as full as with
    /// that many keys. The cache must have room for them.
    ///
    /// # Errors
    /// [`Error::Unavailable`], [`Error::NotFound`].
    #[cfg(feature = "bench")]
    pub async fn keep_copies(
        &self,
        secret: &str,
        copies: u32,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let read_at = self.store.database().validity();
        let read_at = read_at.map_or_else(Version::default, |validity| validity.current_version());
        let known = self
            .store
            .find_by_digest(&random::sha256(secret), now)
            .await?;
        let known = known.ok_or(Error::NotFound("API key"))?;
        for copy in 0..copies {
            let digest = random::sha256(&copy.to_string());
            let entry = Arc::new(Entry::new(known.clone(), read_at));
            self.shared.keys.keep(digest, entry);
        }
        Ok(())
    }

    /// Number of cached keys.
    #[must_use]
    pub fn cached_keys(&self) -> usize {
        self.shared.keys.len()
    }

    /// Writes the counters of uses and refusals since the last flush. The server calls it every few seconds and at shutdown.
    ///
    /// # Errors
    /// [`Error::Unavailable`]. Counters that were not written stay for the next flush, also if the call is cancelled.
    pub async fn flush(&self) -> Result<(), Error> {
        let mut stored = self.shared.flushing.lock().await;
        // Takes the counters on a blocking thread, because sorting many of them takes long.
        let usage = Arc::clone(&self.shared.usage);
        let mut taken = tokio::task::spawn_blocking(move || usage.take())
            .await
            .map_err(|error| Error::Internal(Box::new(error)))?;
        loop {
            let batch = taken.batch(FLUSH_BATCH);
            let size = batch.len();
            if size == 0 {
                return Ok(());
            }
            self.store.write_usage(batch, &mut stored).await?;
            taken.written(size);
        }
    }
}

/// Decides by section 4 of the specification, and refuses a key whose tenant is not the named one.
fn judge(
    entry: &Entry,
    question: Question<'_>,
    client: ClientAddress,
    now: DateTime<Utc>,
) -> Result<(), Refusal> {
    let is_wrong_tenant =
        matches!(question.owner, Owner::Named(slug) if *slug != entry.known.tenant.slug);
    match decide(&entry.known.grant, client, question.permission, now) {
        Err(Refusal::TenantSuspended | Refusal::IpNotAllowed(_))
            if question.purpose == Purpose::OwnRevocation =>
        {
            Ok(())
        }
        // The group's permissions must not be revealed for a key of another tenant.
        Ok(()) | Err(Refusal::MissingPermission(_)) if is_wrong_tenant => Err(Refusal::WrongTenant),
        verdict => verdict,
    }
}
