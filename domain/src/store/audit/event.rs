//! Writes audit events in the transaction of the change that they record.

use chrono::{DateTime, Utc};
use sea_orm::{ActiveValue::Set, ConnectionTrait, EntityTrait};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    Error,
    actor::Actor,
    audit::{AuditAction, AuditTarget},
    id::TenantId,
    store::{
        change_line::ChangeLine, clock, connection::WriteTransaction, entity::audit_event, random,
        scope::TenantScope,
    },
};

/// An audit event to be written.
#[derive(Debug)]
pub(crate) struct Event<'a> {
    actor: &'a Actor,
    tenant_id: Option<TenantId>,
    action: AuditAction,
    target: AuditTarget,
    changes: Value,
}

impl<'a> Event<'a> {
    /// An event of the tenant of `scope`.
    pub(crate) fn of(
        scope: &'a TenantScope,
        action: AuditAction,
        target: impl Into<AuditTarget>,
    ) -> Self {
        Self::by(scope.actor(), Some(scope.tenant_id()), action, target)
    }

    /// An event by `actor`. `tenant_id` is `None` for events of the installation.
    pub(crate) fn by(
        actor: &'a Actor,
        tenant_id: Option<TenantId>,
        action: AuditAction,
        target: impl Into<AuditTarget>,
    ) -> Self {
        Self {
            actor,
            tenant_id,
            action,
            target: target.into(),
            changes: json!({}),
        }
    }

    /// Sets the changes, `{ "field": { "before": …, "after": … } }`, without secrets.
    pub(crate) fn changing(self, changes: Value) -> Self {
        Self { changes, ..self }
    }

    /// Writes the event in the transaction of the change. Neither exists without the other, so an error must fail the change. The change is
    /// logged after the commit.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub(crate) async fn append(
        self,
        transaction: &WriteTransaction,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let id = random::identifier::<Uuid>();
        let line = ChangeLine {
            event_id: id,
            action: self.action.as_str(),
            tenant_id: self.tenant_id.map(TenantId::as_uuid),
            target_kind: self.target.kind.clone(),
            target_id: self.target.id,
            actor_kind: self.actor.who.kind.as_str(),
            actor_id: self.actor.who.id,
        };
        self.insert(&**transaction, id, now).await?;
        transaction.add_line(line);
        Ok(())
    }

    /// Writes the event through a connection to a database that is not open yet, such as one that is being restored.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub(crate) async fn append_offline(
        self,
        connection: &impl ConnectionTrait,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        self.insert(connection, random::identifier::<Uuid>(), now)
            .await
    }

    async fn insert(
        self,
        connection: &impl ConnectionTrait,
        id: Uuid,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let Actor { who, client } = self.actor.clone();
        let row = audit_event::ActiveModel {
            id: Set(id),
            tenant_id: Set(self.tenant_id.map(TenantId::as_uuid)),
            at: Set(clock::stored(now)),
            action: Set(self.action.as_str().to_owned()),
            actor_kind: Set(who.kind.as_str().to_owned()),
            actor_id: Set(who.id),
            actor_name: Set(who.name),
            target_kind: Set(self.target.kind),
            target_id: Set(self.target.id),
            target_name: Set(self.target.name),
            changes: Set(self.changes.to_string()),
            client_ip: Set(client
                .and_then(|client| client.ip())
                .map(|address| address.to_string())),
        };
        audit_event::Entity::insert(row)
            .exec_without_returning(connection)
            .await?;
        Ok(())
    }
}
