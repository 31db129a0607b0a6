//! Creation and withdrawal of invitations and of links that set a new password.

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QuerySelect};
use serde_json::json;
use uuid::Uuid;

use crate::{
    Error,
    actor::Actor,
    audit::{AuditAction, AuditTarget},
    id::{TenantId, UserId},
    store::{
        audit::Event,
        clock,
        connection::WriteTransaction,
        entity::one_time_link,
        error::damaged,
        one_time_links::{self, LinkEnd, LinkPurpose, LinkToken, NewLink},
        tenant_users::TenantUsers,
        tenants,
        user_changes::{Authority, lock_tenant},
        users::{self, NOT_FOUND, Users},
        write::Write,
    },
    user::{Email, Role, User},
    user_rule::UserRule,
};

/// A new link. Its token is not stored.
#[derive(Clone, Debug)]
pub struct IssuedLink {
    /// The token.
    pub token: LinkToken,
    /// What the link does.
    pub purpose: LinkPurpose,
    /// The address of the person.
    pub email: Email,
    /// The role that the person gets or has.
    pub role: Role,
    /// The time from which it is refused.
    pub expires_at: DateTime<Utc>,
}

impl IssuedLink {
    pub(in crate::store) fn new(
        token: LinkToken,
        link: &one_time_link::Model,
    ) -> Result<Self, Error> {
        Ok(Self {
            token,
            purpose: LinkPurpose::from_word(&link.purpose)
                .ok_or_else(|| damaged("purpose of a link"))?,
            email: link.email.parse().map_err(|_| damaged("email"))?,
            role: link.role.parse().map_err(|_| damaged("role"))?,
            expires_at: link.expires_at,
        })
    }
}

impl TenantUsers<'_> {
    /// Invites an address. Ends an earlier invitation of the tenant for it.
    ///
    /// # Errors
    /// [`Error::UserRule`] with [`UserRule::AddressTaken`] if a user has the address, also one of another tenant, and with
    /// [`UserRule::TenantSuspended`]; [`Error::Invalid`] for the role `super_user`; [`Error::Forbidden`] if the actor lost the right
    /// meanwhile; [`Error::Unavailable`].
    pub async fn invite(
        &self,
        email: &Email,
        role: Role,
        now: DateTime<Utc>,
    ) -> Result<IssuedLink, Error> {
        if role == Role::SuperUser {
            return Err(Error::invalid("role", "Must be tenant_admin or member"));
        }
        let now = clock::stored(now);
        let tenant = self.scope.tenant_id();
        let invited = self.database.write(Write::Plain, async |transaction| {
            lock_active_tenant(transaction, tenant).await?;
            Authority::of(transaction, self.scope).await?;
            let actor = self.scope.actor();
            invite(transaction, actor, Some(tenant), email, role, now).await
        });
        Ok(invited.await?.value)
    }

    /// A new link for a person of the list: sets a new password for a user, or replaces an invitation. Ends the earlier link.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::UserRule`] for a disabled user, a suspended tenant, and an administrator's own account;
    /// [`Error::Forbidden`]; [`Error::Unavailable`].
    pub async fn invite_again(&self, id: Uuid, now: DateTime<Utc>) -> Result<IssuedLink, Error> {
        let now = clock::stored(now);
        let tenant = self.scope.tenant_id();
        let invited = self.database.write(Write::Plain, async |transaction| {
            lock_active_tenant(transaction, tenant).await?;
            let authority = Authority::of(transaction, self.scope).await?;
            let actor = self.scope.actor();
            if let Some(row) = self.lock(transaction, id).await? {
                let user = users::from_row(row)?;
                authority.refuse_own(&user)?;
                return new_password(transaction, actor, &user, now).await;
            }
            let link = self.invitation(transaction, id).await?;
            let email = link.email.parse().map_err(|_| damaged("email"))?;
            let role = link.role.parse().map_err(|_| damaged("role"))?;
            invite(transaction, actor, Some(tenant), &email, role, now).await
        });
        Ok(invited.await?.value)
    }

    /// Ends an open invitation. Returns its address.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Unavailable`].
    pub async fn withdraw(&self, id: Uuid, now: DateTime<Utc>) -> Result<Email, Error> {
        let now = clock::stored(now);
        let tenant = self.scope.tenant_id();
        let withdrawn = self.database.write(Write::Plain, async |transaction| {
            lock_tenant(transaction, tenant.as_uuid()).await?;
            Authority::of(transaction, self.scope).await?;
            let link = self.invitation(transaction, id).await?;
            let this = Condition::all().add(one_time_link::Column::Id.eq(link.id));
            if one_time_links::end(transaction, this, LinkEnd::Withdrawn, now).await? > 0 {
                let target = AuditTarget::account(None, link.email.as_str());
                Event::of(self.scope, AuditAction::InvitationWithdrawn, target)
                    .append(transaction, now)
                    .await?;
            }
            link.email.parse().map_err(|_| damaged("email"))
        });
        Ok(withdrawn.await?.value)
    }

    /// The address and role of an invitation of the tenant that was not used.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Unavailable`].
    pub async fn invited(&self, id: Uuid) -> Result<(Email, Role), Error> {
        let reader = self.database.lookups();
        let found = self.unused(id).one(reader);
        let link = self.database.with_timeout(found).await?.ok_or(NOT_FOUND)?;
        Ok((
            link.email.parse().map_err(|_| damaged("email"))?,
            link.role.parse().map_err(|_| damaged("role"))?,
        ))
    }

    async fn invitation(
        &self,
        transaction: &WriteTransaction,
        id: Uuid,
    ) -> Result<one_time_link::Model, Error> {
        let link = self.unused(id).lock_exclusive().one(&**transaction).await?;
        link.ok_or(NOT_FOUND)
    }

    fn unused(&self, id: Uuid) -> sea_orm::Select<one_time_link::Entity> {
        use one_time_link::{Column, Entity};
        Entity::find_by_id(id)
            .filter(Column::TenantId.eq(self.scope.tenant_id().as_uuid()))
            .filter(Column::Purpose.eq(LinkPurpose::Invitation.as_str()))
            .filter(Column::EndedAt.is_null())
    }
}

impl Users<'_> {
    /// Invites an address, or makes a link that sets a new password if the address belongs to a user of this tenant and role. `tenant` is a
    /// slug; `None` for a super user.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `tenant`; [`Error::NotFound`] for an unknown tenant; [`Error::UserRule`] for a disabled user, a suspended
    /// tenant, and an address that another user has; [`Error::Unavailable`].
    pub async fn invite(
        &self,
        email: &Email,
        role: Role,
        tenant: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<IssuedLink, Error> {
        let message = match (role, tenant) {
            (Role::SuperUser, Some(_)) => Some("A super user has no tenant"),
            (Role::TenantAdmin | Role::Member, None) => Some("Name the user's tenant"),
            (Role::SuperUser, None) | (Role::TenantAdmin | Role::Member, Some(_)) => None,
        };
        if let Some(message) = message {
            return Err(Error::invalid("tenant", message));
        }
        let now = clock::stored(now);
        let reader = self.database.lookups();
        let tenant = match tenant {
            Some(slug) => {
                let found = tenants::find_by_slug(reader, slug);
                Some(self.database.with_timeout(found).await?.id)
            }
            None => None,
        };
        let invited = self.database.write(Write::Plain, async |transaction| {
            if let Some(tenant) = tenant {
                lock_active_tenant(transaction, tenant).await?;
            }
            let actor = self.operator.actor();
            match users::find(&**transaction, email).await? {
                Some(row)
                    if row.tenant_id == tenant.map(TenantId::as_uuid)
                        && row.role == role.as_str() =>
                {
                    new_password(transaction, actor, &users::from_row(row)?, now).await
                }
                _ => invite(transaction, actor, tenant, email, role, now).await,
            }
        });
        Ok(invited.await?.value)
    }
}

async fn lock_active_tenant(transaction: &WriteTransaction, tenant: TenantId) -> Result<(), Error> {
    let tenant = lock_tenant(transaction, tenant.as_uuid()).await?;
    match tenant.suspended_at {
        None => Ok(()),
        Some(_) => Err(Error::UserRule(UserRule::TenantSuspended)),
    }
}

async fn invite(
    transaction: &WriteTransaction,
    actor: &Actor,
    tenant_id: Option<TenantId>,
    email: &Email,
    role: Role,
    now: DateTime<Utc>,
) -> Result<IssuedLink, Error> {
    if users::find(&**transaction, email).await?.is_some() {
        return Err(Error::UserRule(UserRule::AddressTaken));
    }
    // An invitation of another tenant stays: its existence must not be visible here, nor may this tenant end it.
    let tenant = tenant_id.map(TenantId::as_uuid);
    let of_tenant = match tenant {
        Some(tenant) => one_time_link::Column::TenantId.eq(tenant),
        None => one_time_link::Column::TenantId.is_null(),
    };
    let earlier = one_time_links::invitations_for(email).add(of_tenant);
    one_time_links::end(transaction, earlier, LinkEnd::Replaced, now).await?;
    let new = NewLink {
        purpose: LinkPurpose::Invitation,
        tenant_id,
        user_id: None,
        email,
        role,
    };
    let (token, link) = one_time_links::insert(transaction, new, actor, now).await?;
    let changes = json!({
        "role": { "before": null, "after": role },
        "valid_until": { "before": null, "after": link.expires_at },
    });
    let target = AuditTarget::account(None, email.as_str());
    Event::by(actor, tenant_id, AuditAction::UserInvited, target)
        .changing(changes)
        .append(transaction, now)
        .await?;
    IssuedLink::new(token, &link)
}

async fn new_password(
    transaction: &WriteTransaction,
    actor: &Actor,
    user: &User,
    now: DateTime<Utc>,
) -> Result<IssuedLink, Error> {
    if user.disabled_at.is_some() {
        return Err(Error::UserRule(UserRule::UserDisabled));
    }
    make_link(transaction, actor, user, LinkPurpose::NewPassword, now).await
}

/// Makes a link for a user, with its audit event. Ends the earlier link of this purpose.
pub(in crate::store) async fn make_link(
    transaction: &WriteTransaction,
    actor: &Actor,
    user: &User,
    purpose: LinkPurpose,
    now: DateTime<Utc>,
) -> Result<IssuedLink, Error> {
    let of_purpose = one_time_link::Column::Purpose.eq(purpose.as_str());
    let earlier = one_time_links::for_user(user.id).add(of_purpose);
    one_time_links::end(transaction, earlier, LinkEnd::Replaced, now).await?;
    let user_id: UserId = user.id;
    let new = NewLink {
        purpose,
        tenant_id: user.tenant_id,
        user_id: Some(user_id),
        email: &user.email,
        role: user.role,
    };
    let (token, link) = one_time_links::insert(transaction, new, actor, now).await?;
    let action = match purpose {
        LinkPurpose::SignIn => AuditAction::SignInLinkCreated,
        LinkPurpose::NewPassword | LinkPurpose::Invitation => AuditAction::PasswordLinkCreated,
    };
    let changes = json!({ "valid_until": { "before": null, "after": link.expires_at } });
    Event::by(actor, user.tenant_id, action, user)
        .changing(changes)
        .append(transaction, now)
        .await?;
    IssuedLink::new(token, &link)
}
