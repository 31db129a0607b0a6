//! The audit log: written in the transaction of each change, read by tenant.

mod event;

pub(crate) use event::Event;

use chrono::DateTime;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    Select, sea_query::IntoCondition,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    connection::{Database, lists::ListConnection},
    cursor,
    entity::audit_event,
    error::damaged,
    scope::TenantScope,
};
use crate::{
    Error,
    actor::{ActorKind, ActorRef},
    audit::{AuditAction, AuditEvent, AuditQuery, AuditTarget, AuditedActor},
    id::TenantId,
    page::{self, Page},
};

/// The audit log of one tenant.
pub struct AuditTrail<'a> {
    database: &'a Database,
    scope: &'a TenantScope,
}

impl<'a> AuditTrail<'a> {
    pub(crate) const fn new(database: &'a Database, scope: &'a TenantScope) -> Self {
        Self { database, scope }
    }

    /// One page of the events that match `query`, newest first. A limit out of bounds is clamped.
    ///
    /// # Errors
    /// [`Error::InvalidCursor`] for a cursor that was not issued for this list, [`Error::TooManyRequests`], [`Error::Unavailable`].
    pub async fn list(&self, query: &AuditQuery) -> Result<Page<AuditEvent>, Error> {
        let position = query
            .cursor
            .as_deref()
            .map(cursor::read::<Position>)
            .transpose()?
            .map(|position| position.after().ok_or(Error::InvalidCursor))
            .transpose()?;
        let limit = query.limit.clamp(1, page::MAX_LIMIT);
        // One row more than shown tells whether there is a next page.
        let select = self
            .rows()
            .filter(matches(query))
            .filter(position.unwrap_or_else(Condition::all))
            .limit(u64::from(limit) + 1);
        let lists = self.lists().await?;
        let mut rows = lists.with_timeout(select.all(&*lists)).await?;
        let is_last = rows.len() <= limit as usize;
        rows.truncate(limit as usize);
        let next_cursor = match rows.last() {
            Some(last) if !is_last => Some(cursor::write(&Position::of(last))?),
            _ => None,
        };
        let items = rows.into_iter().map(from_row).collect::<Result<_, _>>()?;
        Ok(Page { items, next_cursor })
    }

    /// The newest events, newest first, at most `limit`.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn newest(&self, limit: u64) -> Result<Vec<AuditEvent>, Error> {
        let lists = self.lists().await?;
        let rows = lists
            .with_timeout(self.rows().limit(limit).all(&*lists))
            .await?;
        rows.into_iter().map(from_row).collect()
    }

    async fn lists(&self) -> Result<ListConnection, Error> {
        self.database.lists(Some(self.scope.tenant_id())).await
    }

    /// The base of every query for the tenant's events, newest first.
    fn rows(&self) -> Select<audit_event::Entity> {
        audit_event::Entity::find()
            .filter(audit_event::Column::TenantId.eq(self.scope.tenant_id().as_uuid()))
            .order_by_desc(audit_event::Column::At)
            .order_by_desc(audit_event::Column::Id)
    }
}

/// The position of a cursor: the last event of a page.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Position {
    /// Its time, in microseconds since 1970.
    at: i64,
    event: Uuid,
}

impl Position {
    fn of(event: &audit_event::Model) -> Self {
        Self {
            at: event.at.timestamp_micros(),
            event: event.id,
        }
    }

    /// What comes behind it. Written so that an index over the time finds its place by the first half. `None` where no event can have
    /// that time.
    fn after(&self) -> Option<Condition> {
        use audit_event::Column;
        let at = DateTime::from_timestamp_micros(self.at).filter(cursor::is_stored)?;
        Some(
            Condition::all().add(Column::At.lte(at)).add(
                Condition::any()
                    .add(Column::At.lt(at))
                    .add(Column::Id.lt(self.event)),
            ),
        )
    }
}

/// Each of these filters has an index, with the time behind it.
fn matches(query: &AuditQuery) -> Condition {
    use audit_event::Column;
    let actor = query.actor.map(|actor| match actor {
        AuditedActor::Id(id) => Column::ActorId.eq(id).into_condition(),
        AuditedActor::Cli => Condition::all()
            .add(Column::ActorId.is_null())
            .add(Column::ActorKind.eq(ActorKind::Cli.as_str())),
    });
    let key = query.key_id.map(|id| {
        Condition::all()
            .add(Column::TargetId.eq(id.as_uuid()))
            .add(Column::TargetKind.eq(AuditTarget::API_KEY))
    });
    Condition::all()
        .add_option(
            query
                .action
                .map(|action| Column::Action.eq(action.as_str())),
        )
        .add_option(actor)
        .add_option(key)
        .add_option(query.from.map(|from| Column::At.gte(from)))
        .add_option(query.to.map(|to| Column::At.lt(to)))
}

/// The actor of the newest event about a target.
pub(crate) async fn newest_actor(
    connection: &impl ConnectionTrait,
    tenant: TenantId,
    kind: &str,
    id: Uuid,
) -> Result<Option<ActorRef>, Error> {
    use audit_event::Column;
    audit_event::Entity::find()
        .filter(Column::TenantId.eq(tenant.as_uuid()))
        .filter(Column::TargetId.eq(id))
        .filter(Column::TargetKind.eq(kind))
        .order_by_desc(Column::At)
        .order_by_desc(Column::Id)
        .limit(1)
        .one(connection)
        .await?
        .map(|row| Ok(from_row(row)?.actor))
        .transpose()
}

fn from_row(row: audit_event::Model) -> Result<AuditEvent, Error> {
    Ok(AuditEvent {
        id: row.id.into(),
        at: row.at,
        action: AuditAction::from_word(&row.action).ok_or_else(|| damaged("audit action"))?,
        actor: ActorRef {
            kind: ActorKind::from_word(&row.actor_kind).ok_or_else(|| damaged("actor kind"))?,
            id: row.actor_id,
            name: row.actor_name,
        },
        target: AuditTarget {
            kind: row.target_kind,
            id: row.target_id,
            name: row.target_name,
        },
        changes: serde_json::from_str(&row.changes).map_err(|_| damaged("audit change"))?,
        client_ip: row.client_ip,
    })
}
