//! The data of a large console for the benchmarks: keys, audit events and usage of one tenant, and many other tenants.

use chrono::{DateTime, Days, TimeDelta, Utc};
use sea_orm::{ActiveModelTrait, ConnectionTrait, DbBackend, EntityTrait, IntoActiveModel};
use uuid::{Builder, Uuid};

use super::{group, key, tenant};
use crate::{
    Error,
    actor::ActorKind,
    audit::AuditAction,
    id::{KeyId, UserId},
    key::{format::Secret, today},
    store::{
        Store, clock,
        entity::{
            address_use, api_key, audit_event, authorization_group, refusal, refusal_address,
            tenant as tenants,
        },
        random,
    },
};

/// Rows of one statement, for tables with up to 30 columns: SQLite accepts 32,766 parameters.
const ROWS_AT_ONCE: usize = 1_000;
/// The days of usage.
const DAYS: u64 = 90;
/// The days for which addresses of refusals are read.
const REFUSAL_DAYS: u64 = 7;
/// The number of users who act in the audit log.
const ACTORS: u64 = 50;
/// The actions of the audit log, in turn.
const ACTIONS: [AuditAction; 4] = [
    AuditAction::ApiKeyCreated,
    AuditAction::ApiKeyUpdated,
    AuditAction::ApiKeyRotated,
    AuditAction::ApiKeyRevoked,
];

/// The extent of the data.
#[derive(Clone, Copy, Debug)]
pub struct ConsoleExtent {
    /// Tenants; the first one, `tenant-0`, has all keys and events.
    pub tenants: u32,
    /// Active keys.
    pub keys: u32,
    /// Audit events, over the last 90 days.
    pub events: u32,
    /// Keys with usage on each of the last 90 days.
    pub used_keys: u32,
}

/// Identifiers for the filters of the audit log.
#[derive(Clone, Copy, Debug)]
pub struct ConsoleSample {
    /// A key with usage and events.
    pub key: KeyId,
    /// A user with events.
    pub actor: UserId,
}

impl Store {
    /// Fills an empty database with the data of a large console.
    ///
    /// # Errors
    /// [`Error::Unavailable`]; [`Error::Invalid`] without a tenant or a key.
    pub async fn fill_console(
        &self,
        extent: ConsoleExtent,
        now: DateTime<Utc>,
    ) -> Result<ConsoleSample, Error> {
        let now = clock::stored(now);
        let all: Vec<_> = (0..extent.tenants)
            .map(|number| tenant(number, extent.keys, now))
            .collect();
        let first = all
            .first()
            .ok_or_else(|| Error::invalid("tenants", "Must be at least 1"))?;
        let group = group(first, now);
        let tenant_id = first.id;
        let mut keys = Vec::new();
        for number in 0..extent.keys {
            let secret = Secret::generate(&self.options().key_prefix, random::fill)?;
            keys.push(key(&group, number, &secret, now));
        }
        let ids: Vec<Uuid> = keys.iter().map(|key| key.id).collect();
        let sample = *ids
            .first()
            .ok_or_else(|| Error::invalid("keys", "Must be at least 1"))?;
        let actors: Vec<Uuid> = (0..ACTORS)
            .map(|_| random::identifier::<UserId>().as_uuid())
            .collect();
        self.insert_rows::<tenants::Entity, _>(all).await?;
        self.insert_rows::<authorization_group::Entity, _>([group])
            .await?;
        self.insert_rows::<api_key::Entity, _>(keys).await?;
        let events = (0..extent.events).map(|number| {
            let place = number as usize;
            let before = i64::from(extent.events - number);
            let span = TimeDelta::days(DAYS as i64).num_milliseconds();
            let ago = span / i64::from(extent.events) * before;
            let at = now - TimeDelta::milliseconds(ago);
            event(tenant_id, &ids, &actors, place, at)
        });
        self.insert_rows::<audit_event::Entity, _>(events).await?;
        let used = &ids[..ids.len().min(extent.used_keys as usize)];
        let day = |ago: u64| {
            today(now)
                .checked_sub_days(Days::new(ago))
                .unwrap_or_default()
        };
        let uses = (0..DAYS).flat_map(|ago| {
            used.iter().map(move |key| address_use::Model {
                key_id: *key,
                day: day(ago),
                address: "192.0.2.7".to_owned(),
                count: 100,
            })
        });
        self.insert_rows::<address_use::Entity, _>(uses).await?;
        let refusals = (0..DAYS).flat_map(|ago| {
            used.iter().map(move |key| refusal::Model {
                key_id: *key,
                day: day(ago),
                code: "missing_permission".to_owned(),
                count: 3,
            })
        });
        self.insert_rows::<refusal::Entity, _>(refusals).await?;
        let addresses = (0..REFUSAL_DAYS).flat_map(|ago| {
            used.iter().map(move |key| refusal_address::Model {
                key_id: *key,
                day: day(ago),
                address: "192.0.2.7".to_owned(),
                code: "missing_permission".to_owned(),
                count: 3,
                last_at: now,
            })
        });
        self.insert_rows::<refusal_address::Entity, _>(addresses)
            .await?;
        let database = self.database();
        let analyzed = database.write_without_limit(async |transaction| {
            // PostgreSQL gathers statistics by itself after a while; Latchkey lets SQLite plan without any.
            if transaction.get_database_backend() == DbBackend::Postgres {
                allow_slow_statements(transaction).await?;
                transaction.execute_unprepared("ANALYZE").await?;
            }
            Ok(())
        });
        analyzed.await?;
        Ok(ConsoleSample {
            key: KeyId::from(sample),
            actor: UserId::from(actors[0]),
        })
    }

    /// Inserts rows in statements of [`ROWS_AT_ONCE`] rows, in one transaction.
    async fn insert_rows<E, A>(&self, rows: impl IntoIterator<Item = E::Model>) -> Result<(), Error>
    where
        E: EntityTrait<ActiveModel = A>,
        E::Model: IntoActiveModel<A>,
        A: ActiveModelTrait<Entity = E> + Send,
    {
        let database = self.database();
        let written = database.write_without_limit(async |transaction| {
            allow_slow_statements(transaction).await?;
            let mut rows = rows.into_iter();
            loop {
                let chunk: Vec<A> = rows
                    .by_ref()
                    .take(ROWS_AT_ONCE)
                    .map(IntoActiveModel::into_active_model)
                    .collect();
                if chunk.is_empty() {
                    return Ok(());
                }
                E::insert_many(chunk)
                    .exec_without_returning(transaction)
                    .await?;
            }
        });
        written.await
    }
}

/// Lifts PostgreSQL's time limit on the statements of this transaction: a thousand rows take long on a busy machine.
async fn allow_slow_statements(transaction: &impl ConnectionTrait) -> Result<(), Error> {
    if transaction.get_database_backend() == DbBackend::Postgres {
        transaction
            .execute_unprepared("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")
            .await?;
    }
    Ok(())
}

/// The event number `place`, at `at`.
fn event(
    tenant_id: Uuid,
    keys: &[Uuid],
    actors: &[Uuid],
    place: usize,
    at: DateTime<Utc>,
) -> audit_event::Model {
    let milliseconds = u64::try_from(at.timestamp_millis()).unwrap_or_default();
    let mut unique = [0; 10];
    unique[2..].copy_from_slice(&(place as u64).to_be_bytes());
    let actor = place % actors.len();
    audit_event::Model {
        id: Builder::from_unix_timestamp_millis(milliseconds, &unique).into_uuid(),
        tenant_id: Some(tenant_id),
        at,
        action: ACTIONS[place % ACTIONS.len()].as_str().to_owned(),
        actor_kind: ActorKind::User.as_str().to_owned(),
        actor_id: Some(actors[actor]),
        actor_name: format!("Administrator {actor}"),
        target_kind: "api_key".to_owned(),
        target_id: Some(keys[place % keys.len()]),
        target_name: format!("Warehouse {} nightly sync", place % keys.len()),
        changes: r#"{"description":{"before":"","after":"Asked for by the team"}}"#.to_owned(),
        client_ip: Some("192.0.2.7".to_owned()),
    }
}
