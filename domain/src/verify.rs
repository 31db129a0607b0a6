//! The check on every request: from the text of `X-API-Key` to who it is, or why not.

pub(crate) mod last_used;
pub(crate) mod refusals;

use chrono::{DateTime, Utc};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tokio::sync::Mutex;

use crate::{
    Error,
    actor::Actor,
    client_address::ClientAddress,
    id::{KeyId, TenantId},
    key::{
        ApiKey,
        format::Secret,
        today,
        verdict::{Refusal, decide},
    },
    permission::{Permission, PermissionSet},
    store::{Store, TenantScope, keys::KnownKey},
    tenant::{Slug, TenantRef},
};
use last_used::{LastUse, LastUsed};
use refusals::{RefusalKind, Refusals};

/// A key that was accepted for one request.
#[derive(Clone, Debug)]
pub struct VerifiedKey {
    /// The key.
    pub key: ApiKey,
    /// Its tenant.
    pub tenant: TenantRef,
    /// What its group allows.
    pub permissions: PermissionSet,
    /// From where the request came.
    pub client: ClientAddress,
    /// The permission that was asked for.
    pub asked: Option<Permission>,
}

impl VerifiedKey {
    /// The key's tenant, with the key as the one who acts.
    #[must_use]
    pub fn scope(&self) -> TenantScope {
        TenantScope::of_key(
            self.tenant.clone(),
            Actor::api_key(self.key.id, self.key.name.as_str(), self.client),
            self.asked.clone(),
        )
    }
}

/// What somebody wants to know of a key.
#[derive(Clone, Copy, Debug, Default)]
pub struct Question<'a> {
    /// The permission that it has to have.
    pub permission: Option<&'a Permission>,
    /// Whose it has to be.
    pub owner: Owner<'a>,
}

/// Whose a key has to be.
#[derive(Clone, Copy, Debug, Default)]
pub enum Owner<'a> {
    /// Any tenant's.
    #[default]
    Any,
    /// Of the tenant of this slug. The key of another one is told so: [`Refusal::WrongTenant`].
    Named(&'a Slug),
    /// Of the tenant that asks. For it the keys of others do not exist, whatever state they are in.
    Asking(TenantId),
}

/// Judges keys. Cheap to clone: the clones count and collect together.
#[derive(Clone, Debug)]
pub struct Verifier {
    store: Store,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    database_reads: AtomicU64,
    last_used: LastUsed,
    refusals: Refusals,
    /// Held while uses are written, so that the last flush before a shutdown waits for one that is under way.
    flushing: Mutex<()>,
}

/// Uses or counts that are written in one transaction: few enough that an administrator's change in between does not wait long.
const FLUSH_BATCH: usize = 500;

impl Verifier {
    /// Judges by what is in `store`.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self {
            store,
            shared: Arc::default(),
        }
    }

    /// Judges a request that presents `presented` from `client` to a route that asks for `permission`. An accepted one counts as use.
    ///
    /// # Errors
    /// Those of [`Self::answer`].
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

    /// Judges a request that presents `presented` from `client`, as somebody wants to know it who perhaps is not Latchkey; a request
    /// that presents nothing to judge comes with its refusal. An accepted one counts as use, a refused one is counted as such.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where the database does not answer in time: never a guess. [`Error::Internal`] for a damaged row.
    pub async fn answer(
        &self,
        question: Question<'_>,
        presented: Result<&str, Refusal>,
        client: ClientAddress,
        now: DateTime<Utc>,
    ) -> Result<Result<VerifiedKey, Refusal>, Error> {
        let (key_id, verdict) = self.judge(question, presented, client, now).await?;
        match &verdict {
            Ok(verified) => self.shared.last_used.record(
                verified.key.id,
                LastUse {
                    at: now,
                    address: client.ip(),
                },
            ),
            Err(refusal) => self.shared.refusals.record(RefusalKind {
                key_id,
                day: today(now),
                code: refusal.code(),
            }),
        }
        Ok(verdict)
    }

    /// The verdict, and the key that was presented, where it is one that there is for who asks.
    async fn judge(
        &self,
        question: Question<'_>,
        presented: Result<&str, Refusal>,
        client: ClientAddress,
        now: DateTime<Utc>,
    ) -> Result<(Option<KeyId>, Result<VerifiedKey, Refusal>), Error> {
        let presented = match presented {
            Ok(presented) => presented,
            Err(refusal) => return Ok((None, Err(refusal))),
        };
        let Some(secret) = Secret::parse(presented) else {
            return Ok((None, Err(Refusal::InvalidApiKey)));
        };
        self.shared.database_reads.fetch_add(1, Ordering::Relaxed);
        let Some(KnownKey { key, tenant, grant }) = self.store.find_by_secret(&secret, now).await?
        else {
            return Ok((None, Err(Refusal::InvalidApiKey)));
        };
        if matches!(question.owner, Owner::Asking(id) if id != tenant.id) {
            return Ok((None, Err(Refusal::InvalidApiKey)));
        }
        let is_wrong_tenant = matches!(question.owner, Owner::Named(slug) if *slug != tenant.slug);
        let verdict = match decide(&grant, client, question.permission, now) {
            // What its group lacks is nothing to tell of a key that has no business there.
            Ok(()) | Err(Refusal::MissingPermission(_)) if is_wrong_tenant => {
                Err(Refusal::WrongTenant)
            }
            verdict => verdict,
        };
        let verified = |key| VerifiedKey {
            key,
            tenant,
            permissions: grant.permissions,
            client,
            asked: question.permission.cloned(),
        };
        Ok((Some(key.id), verdict.map(|()| verified(key))))
    }

    /// How often the database was asked for a key, since the start.
    #[must_use]
    pub fn database_reads(&self) -> u64 {
        self.shared.database_reads.load(Ordering::Relaxed)
    }

    /// Writes what was used since the last time. The server calls it every few seconds and at shutdown.
    ///
    /// # Errors
    /// [`Error::Unavailable`]. What was not written is kept for the next time, also where the call is cancelled.
    pub async fn flush_last_used(&self) -> Result<(), Error> {
        let _flushing = self.shared.flushing.lock().await;
        let mut taken = self.shared.last_used.take();
        loop {
            let batch = taken.batch(FLUSH_BATCH);
            if batch.is_empty() {
                return Ok(());
            }
            self.store.write_last_used(&batch).await?;
            taken.written(batch.len());
        }
    }

    /// Writes what was refused since the last time. The server calls it every few seconds and at shutdown.
    ///
    /// # Errors
    /// [`Error::Unavailable`]. What was not written is kept for the next time.
    pub async fn flush_refusals(&self) -> Result<(), Error> {
        let _flushing = self.shared.flushing.lock().await;
        loop {
            let batch = self.shared.refusals.take(FLUSH_BATCH);
            if batch.is_empty() {
                return Ok(());
            }
            if let Err(error) = self.store.add_refusals(&batch).await {
                self.shared.refusals.put_back(batch);
                return Err(error);
            }
        }
    }
}
