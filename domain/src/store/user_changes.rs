//! Changes of a user's role and state, by an administrator of the tenant or an operator.
//!
//! Every change locks the user's tenant first, then reads the actor and the user again: two administrators who change each other at the same
//! time cannot leave the tenant without one.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait,
    QueryFilter, QuerySelect,
};
use serde_json::json;
use uuid::Uuid;

use super::{
    audit::Event,
    clock,
    connection::WriteTransaction,
    entity::{tenant, user},
    error::damaged,
    one_time_links::{self, LinkEnd},
    scope::TenantScope,
    users::{self, Users},
    write::Write,
};
use crate::{
    Error,
    actor::{Actor, ActorKind},
    audit::AuditAction,
    id::UserId,
    user::{Email, Role, User},
    user_rule::UserRule,
};

/// A change of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserChange {
    /// Sets the role.
    SetRole(Role),
    /// Ends all sessions and refuses sign-ins.
    Disable,
    /// Permits sign-ins again.
    Enable,
    /// Ends all sessions.
    EndSessions,
}

/// A changed user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedUser {
    /// The user after the change.
    pub user: User,
    /// Whether the change took the tenant's last enabled administrator away. Only an operator can do that.
    pub leaves_no_administrator: bool,
}

/// The rights of the actor of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Authority {
    /// The command line or a super user.
    Operator,
    /// An administrator of the tenant.
    Administrator(UserId),
    /// The provider of single sign-on, whose claims set the role of the person who signs in.
    Provider,
}

impl Authority {
    /// Reads the actor again: the role may have changed since the request was admitted.
    ///
    /// # Errors
    /// [`Error::Forbidden`] if the actor may not manage users of this tenant.
    pub(super) async fn of(
        transaction: &WriteTransaction,
        scope: &TenantScope,
    ) -> Result<Self, Error> {
        let who = &scope.actor().who;
        let id = match (who.kind, who.id) {
            (ActorKind::Cli, _) => return Ok(Self::Operator),
            (ActorKind::User, Some(id)) => id,
            (ActorKind::User | ActorKind::ApiKey, _) => return Err(Error::Forbidden),
        };
        let row = user::Entity::find_by_id(id).one(&**transaction).await?;
        let row = row.filter(|row| row.disabled_at.is_none());
        let actor = users::from_row(row.ok_or(Error::Forbidden)?)?;
        match actor.role {
            Role::SuperUser => Ok(Self::Operator),
            Role::TenantAdmin if actor.tenant_id == Some(scope.tenant_id()) => {
                Ok(Self::Administrator(actor.id))
            }
            Role::TenantAdmin | Role::Member => Err(Error::Forbidden),
        }
    }

    /// Refuses an administrator's change of their own account.
    pub(super) fn refuse_own(self, user: &User) -> Result<(), Error> {
        if self == Self::Administrator(user.id) {
            return Err(Error::UserRule(UserRule::OwnAccount));
        }
        Ok(())
    }
}

/// Locks a tenant. Changes of its users wait for each other.
pub(super) async fn lock_tenant(
    transaction: &WriteTransaction,
    id: Uuid,
) -> Result<tenant::Model, Error> {
    tenant::Entity::find_by_id(id)
        .lock_exclusive()
        .one(&**transaction)
        .await?
        .ok_or_else(|| damaged("tenant of a user"))
}

/// Makes a change of a locked user whose tenant is locked. A change to the current state writes nothing.
pub(super) async fn make(
    transaction: &WriteTransaction,
    actor: &Actor,
    authority: Authority,
    before: user::Model,
    change: UserChange,
    now: DateTime<Utc>,
) -> Result<ChangedUser, Error> {
    let user = users::from_row(before.clone())?;
    if change == UserChange::EndSessions {
        if users::end_sessions(transaction, &user).await? > 0 {
            let action = AuditAction::UserSessionsEnded;
            let event = Event::by(actor, user.tenant_id, action, &user);
            event.append(transaction, now).await?;
        }
        return Ok(unchanged(user));
    }
    authority.refuse_own(&user)?;
    let version = before.version + 1;
    let mut row: user::ActiveModel = before.into();
    let (action, changes) = match change {
        UserChange::SetRole(role) => {
            if user.role == role {
                return Ok(unchanged(user));
            }
            if (role == Role::SuperUser) != user.tenant_id.is_none() {
                return Err(Error::UserRule(UserRule::Tenancy));
            }
            row.role = Set(role.as_str().to_owned());
            let changes = json!({ "role": { "before": user.role, "after": role } });
            (AuditAction::UserRoleChanged, changes)
        }
        UserChange::Disable => {
            if user.disabled_at.is_some() {
                return Ok(unchanged(user));
            }
            row.disabled_at = Set(Some(now));
            let changes = json!({ "disabled_at": { "before": null, "after": now } });
            (AuditAction::UserDisabled, changes)
        }
        UserChange::Enable => {
            if user.disabled_at.is_none() {
                return Ok(unchanged(user));
            }
            row.disabled_at = Set(None);
            let changes = json!({ "disabled_at": { "before": user.disabled_at, "after": null } });
            (AuditAction::UserEnabled, changes)
        }
        UserChange::EndSessions => return Ok(unchanged(user)),
    };
    let is_administrator = user.role == Role::TenantAdmin && user.disabled_at.is_none();
    let takes_rights = is_administrator && change != UserChange::Enable;
    let leaves_no_administrator =
        takes_rights && other_administrators(&**transaction, &user).await? == 0;
    if leaves_no_administrator && authority != Authority::Operator {
        return Err(Error::UserRule(UserRule::LastAdministrator));
    }
    row.updated_at = Set(now);
    row.version = Set(version);
    let user = users::from_row(row.update(&**transaction).await?)?;
    if change == UserChange::Disable {
        users::end_sessions(transaction, &user).await?;
        let own = one_time_links::for_user(user.id);
        one_time_links::end(transaction, own, LinkEnd::Withdrawn, now).await?;
    }
    if takes_rights || (change == UserChange::Disable && user.role == Role::SuperUser) {
        let made = one_time_links::by_author(user.id);
        one_time_links::end(transaction, made, LinkEnd::AuthorLostRole, now).await?;
    }
    let event = Event::by(actor, user.tenant_id, action, &user).changing(changes);
    event.append(transaction, now).await?;
    Ok(ChangedUser {
        user,
        leaves_no_administrator,
    })
}

const fn unchanged(user: User) -> ChangedUser {
    ChangedUser {
        user,
        leaves_no_administrator: false,
    }
}

/// The number of other enabled administrators of the user's tenant.
pub(super) async fn other_administrators(
    connection: &impl ConnectionTrait,
    user: &User,
) -> Result<u64, Error> {
    let tenant = user.tenant_id.map(|tenant| tenant.as_uuid());
    let others = user::Entity::find()
        .filter(user::Column::TenantId.eq(tenant))
        .filter(user::Column::Role.eq(Role::TenantAdmin.as_str()))
        .filter(user::Column::DisabledAt.is_null())
        .filter(user::Column::Id.ne(user.id.as_uuid()));
    Ok(others.count(connection).await?)
}

impl Users<'_> {
    /// Changes a user's role or state. A change to the current state writes nothing.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::UserRule`] with [`UserRule::Tenancy`] for a role that needs another tenant; [`Error::Unavailable`].
    pub async fn change(
        &self,
        email: &Email,
        change: UserChange,
        now: DateTime<Utc>,
    ) -> Result<ChangedUser, Error> {
        let now = clock::stored(now);
        let reader = self.database.lookups();
        let known = self
            .database
            .with_timeout(users::find(reader, email))
            .await?;
        // A user never moves to another tenant.
        let tenant = known.ok_or(users::NOT_FOUND)?.tenant_id;
        let changed = self.database.write(Write::Plain, async |transaction| {
            if let Some(tenant) = tenant {
                lock_tenant(transaction, tenant).await?;
            }
            let before = users::lock(transaction, email).await?;
            let actor = self.operator.actor();
            make(transaction, actor, Authority::Operator, before, change, now).await
        });
        Ok(changed.await?.value)
    }

    /// [`UserChange::Disable`].
    ///
    /// # Errors
    /// As [`Self::change`].
    pub async fn disable(&self, email: &Email, now: DateTime<Utc>) -> Result<User, Error> {
        let disabled = self.change(email, UserChange::Disable, now).await?;
        Ok(disabled.user)
    }
}
