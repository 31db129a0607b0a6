//! Reads the audit log of a tenant or of the installation, newest event first, in pages cut by time and identifier.

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, Select,
};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use uuid::Uuid;

use super::{
    conditions::{self, Subject, newer, not_newer, older},
    from_row,
};
use crate::{
    Error,
    audit::{AuditEntry, AuditEvent, AuditPage, AuditQuery, EventReceipt},
    id::{EventId, TenantId},
    page::{self, Page},
    propagation::Propagation,
    store::{
        connection::{Database, lists::ListConnection},
        cursor,
        entity::{audit_event, audit_receipt},
        error::damaged,
        scope::{OperatorScope, TenantScope},
    },
};

/// Number of events that one step of an export reads.
const EXPORT_STEP: u32 = 1_000;

/// The audit log of one tenant, or of the installation.
pub struct AuditLog<'a> {
    database: &'a Database,
    subject: Subject,
}

impl<'a> AuditLog<'a> {
    pub(crate) const fn of_tenant(database: &'a Database, scope: &TenantScope) -> Self {
        Self {
            database,
            subject: Subject::Tenant(scope.tenant_id()),
        }
    }

    pub(crate) const fn of_installation(database: &'a Database, _: &OperatorScope) -> Self {
        Self {
            database,
            subject: Subject::Installation,
        }
    }

    /// One page of the events that match `query`, newest first. A limit out of bounds is clamped.
    ///
    /// # Errors
    /// [`Error::InvalidCursor`] for a cursor that this list did not issue, [`Error::TooManyRequests`], [`Error::Unavailable`].
    pub async fn list(&self, query: &AuditQuery) -> Result<Page<AuditEvent>, Error> {
        let page = self.page(query).await?;
        Ok(Page {
            items: page.entries.into_iter().map(|entry| entry.event).collect(),
            next_cursor: page.next_cursor,
        })
    }

    /// One page of [`Self::list`] with the receipt of each event and with cursors in both directions.
    ///
    /// # Errors
    /// The errors of [`Self::list`].
    pub async fn page(&self, query: &AuditQuery) -> Result<AuditPage, Error> {
        let place = query
            .cursor
            .as_deref()
            .map(cursor::read::<Place>)
            .transpose()?;
        let limit = query.limit.clamp(1, page::MAX_LIMIT) as usize;
        let lists = self.lists().await?;
        lists
            .with_timeout(async {
                match place {
                    Some(place) if place.side == Side::Before => {
                        self.page_before(query, &place, limit, &lists).await
                    }
                    place => self.page_after(query, place.as_ref(), limit, &lists).await,
                }
            })
            .await
    }

    /// The newest events, newest first, at most `limit`.
    ///
    /// # Errors
    /// [`Error::TooManyRequests`], [`Error::Unavailable`].
    pub async fn newest(&self, limit: u64) -> Result<Vec<AuditEvent>, Error> {
        let lists = self.lists().await?;
        let rows = self.rows(&AuditQuery::default()).limit(limit);
        let rows = lists.with_timeout(rows.all(&*lists)).await?;
        rows.into_iter().map(from_row).collect()
    }

    /// Up to 1,000 events that match `query`, older than `after` if it is given; `query.limit` and `query.cursor` are ignored. An export
    /// calls this until it returns none, so that it holds only one step in memory and a connection only for the duration of a step.
    ///
    /// # Errors
    /// [`Error::TooManyRequests`], [`Error::Unavailable`].
    pub async fn export_step(
        &self,
        query: &AuditQuery,
        after: Option<&AuditEvent>,
    ) -> Result<Vec<AuditEntry>, Error> {
        let lists = self.lists().await?;
        lists
            .with_timeout(async {
                let mut select = self.rows(query);
                if let Some(event) = after {
                    select = select.filter(older(event.at, event.id.as_uuid()));
                }
                let rows = select.limit(u64::from(EXPORT_STEP)).all(&*lists).await?;
                self.entries(rows, &*lists).await
            })
            .await
    }

    /// One event with its receipt.
    ///
    /// # Errors
    /// [`Error::NotFound`], also for an event of another tenant; [`Error::TooManyRequests`], [`Error::Unavailable`].
    pub async fn find(&self, id: EventId) -> Result<AuditEntry, Error> {
        let lists = self.lists().await?;
        lists
            .with_timeout(async {
                let found = self
                    .rows(&AuditQuery::default())
                    .filter(audit_event::Column::Id.eq(id.as_uuid()))
                    .all(&*lists)
                    .await?;
                let mut entries = self.entries(found, &*lists).await?;
                entries.pop().ok_or(Error::NotFound("audit event"))
            })
            .await
    }

    /// The cursor of the page that begins with `event`.
    ///
    /// # Errors
    /// [`Error::Internal`] if the cursor cannot be encoded.
    pub fn cursor_at(event: &AuditEvent) -> Result<String, Error> {
        cursor::write(&Place {
            at: event.at.timestamp_micros(),
            event: event.id.as_uuid(),
            side: Side::From,
            next: 0,
        })
    }

    async fn lists(&self) -> Result<ListConnection, Error> {
        let tenant = match self.subject {
            Subject::Tenant(tenant) => Some(tenant),
            Subject::Installation => None,
        };
        self.database.lists(tenant).await
    }

    async fn page_after(
        &self,
        query: &AuditQuery,
        place: Option<&Place>,
        limit: usize,
        lists: &DatabaseConnection,
    ) -> Result<AuditPage, Error> {
        let mut select = self.rows(query);
        if let Some(place) = place {
            let at = place.time()?;
            select = select.filter(match place.side {
                Side::From => not_newer(at, place.event),
                Side::After | Side::Before => older(at, place.event),
            });
        }
        // Reads one row more than the page holds, to detect a further page.
        let mut rows = select.limit(limit as u64 + 1).all(lists).await?;
        let is_last = rows.len() <= limit;
        rows.truncate(limit);
        let first = place.map_or(Some(1), Place::position);
        let after = |row: &audit_event::Model| {
            let next = first.map_or(0, |first| first.saturating_add(rows.len() as u64));
            Place::new(row, Side::After, next)
        };
        let next_cursor = match rows.last() {
            Some(last) if !is_last => Some(cursor::write(&after(last))?),
            _ => None,
        };
        let previous_cursor = match rows.first() {
            Some(row) if place.is_some() => Some(cursor::write(&Place::new(
                row,
                Side::Before,
                first.unwrap_or(0),
            ))?),
            _ => None,
        };
        Ok(AuditPage {
            entries: self.entries(rows, lists).await?,
            first,
            next_cursor,
            previous_cursor,
        })
    }

    async fn page_before(
        &self,
        query: &AuditQuery,
        place: &Place,
        limit: usize,
        lists: &DatabaseConnection,
    ) -> Result<AuditPage, Error> {
        let at = place.time()?;
        let mut rows = self
            .rows_before(query, at, place.event)
            .limit(limit as u64 + 1)
            .all(lists)
            .await?;
        // Reads the first page from the newest event, so that it is full even if events were added meanwhile.
        if rows.len() <= limit {
            return self.page_after(query, None, limit, lists).await;
        }
        rows.truncate(limit);
        rows.reverse();
        let first = place
            .position()
            .map(|next| next.saturating_sub(limit as u64).max(1));
        let cursor = |row: Option<&audit_event::Model>, side, next| {
            row.map(|row| cursor::write(&Place::new(row, side, next)))
                .transpose()
        };
        let next = first.map_or(0, |first| first.saturating_add(limit as u64));
        let next_cursor = cursor(rows.last(), Side::After, next)?;
        let previous_cursor = cursor(rows.first(), Side::Before, first.unwrap_or(0))?;
        Ok(AuditPage {
            entries: self.entries(rows, lists).await?,
            first,
            next_cursor,
            previous_cursor,
        })
    }

    /// Reads the receipts of the rows in one further query.
    async fn entries(
        &self,
        rows: Vec<audit_event::Model>,
        connection: &impl ConnectionTrait,
    ) -> Result<Vec<AuditEntry>, Error> {
        let ids = rows.iter().map(|row| row.id);
        let receipts = if rows.is_empty() {
            Vec::new()
        } else {
            audit_receipt::Entity::find()
                .filter(audit_receipt::Column::EventId.is_in(ids))
                .all(connection)
                .await?
        };
        let mut receipts: HashMap<Uuid, audit_receipt::Model> = receipts
            .into_iter()
            .map(|receipt| (receipt.event_id, receipt))
            .collect();
        rows.into_iter()
            .map(|row| {
                let receipt = receipts
                    .remove(&row.id)
                    .as_ref()
                    .map(receipt_of)
                    .transpose()?;
                let tenant_id = row.tenant_id.map(TenantId::from);
                Ok(AuditEntry {
                    event: from_row(row)?,
                    tenant_id,
                    receipt,
                })
            })
            .collect()
    }

    /// The events that match `query`, newest first.
    pub(super) fn rows(&self, query: &AuditQuery) -> Select<audit_event::Entity> {
        self.filtered(query)
            .order_by_desc(audit_event::Column::At)
            .order_by_desc(audit_event::Column::Id)
    }

    /// The events that match `query` newer than an event, oldest first.
    pub(super) fn rows_before(
        &self,
        query: &AuditQuery,
        at: DateTime<Utc>,
        event: Uuid,
    ) -> Select<audit_event::Entity> {
        self.filtered(query)
            .filter(newer(at, event))
            .order_by_asc(audit_event::Column::At)
            .order_by_asc(audit_event::Column::Id)
    }

    /// The base of every query for events: restricted to the owner before any other condition is added.
    fn filtered(&self, query: &AuditQuery) -> Select<audit_event::Entity> {
        audit_event::Entity::find()
            .filter(conditions::owned_by(self.subject))
            .filter(conditions::matching(query))
    }
}

fn receipt_of(row: &audit_receipt::Model) -> Result<EventReceipt, Error> {
    let count = |number: i64| u32::try_from(number).map_err(|_| damaged("receipt"));
    Ok(EventReceipt {
        at: row.at,
        propagation: Propagation {
            replicas: count(row.replicas)?,
            refused_on: count(row.refused_on)?,
            after_ms: u64::try_from(row.after_ms).map_err(|_| damaged("receipt"))?,
        },
    })
}

/// A place in the log, and the side of it on which a page lies.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    /// Microseconds since 1970 (UTC).
    at: i64,
    event: Uuid,
    /// Absent in cursors of earlier versions.
    #[serde(default)]
    side: Side,
    /// The position in the list, from 1, of the first event after the place; 0 if unknown.
    #[serde(default)]
    next: u64,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Side {
    /// The page begins after the event.
    #[default]
    After,
    /// The page begins with the event.
    From,
    /// The page ends before the event.
    Before,
}

impl Place {
    fn new(row: &audit_event::Model, side: Side, next: u64) -> Self {
        Self {
            at: row.at.timestamp_micros(),
            event: row.id,
            side,
            next,
        }
    }

    fn time(&self) -> Result<DateTime<Utc>, Error> {
        DateTime::from_timestamp_micros(self.at)
            .filter(cursor::is_stored)
            .ok_or(Error::InvalidCursor)
    }

    fn position(&self) -> Option<u64> {
        (self.next > 0).then_some(self.next)
    }
}
