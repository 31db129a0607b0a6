//! Sessions of signed-in users, read on every request of a page.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};
use std::time::Duration;

use super::{
    audit::Event,
    clock,
    connection::Database,
    entity::{session, tenant, user},
    error::damaged,
    random,
    scope::{OperatorScope, TenantScope},
    second_factor::requirement::second_factor_required,
    tenants, users,
    write::Write,
};
use crate::{
    Error,
    actor::Actor,
    audit::AuditAction,
    client_address::ClientAddress,
    session::{Authentication, IDLE_TIMEOUT, SessionId, SessionToken},
    tenant::Tenant,
    user::{Role, User},
};

/// Minimum time between two updates of `last_seen_at`, so that not every request of a page causes a write.
const SEEN_EVERY: TimeDelta = TimeDelta::minutes(1);
/// Maximum time that a request waits for that update. The response does not depend on it, and the next request retries it.
const SEEN_PATIENCE: Duration = Duration::from_millis(500);

/// A signed-in user, as read from the database for this request.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// The user.
    pub user: User,
    /// The user's tenant; `None` for a super user.
    pub tenant: Option<Tenant>,
    /// The client address of this request.
    pub client: ClientAddress,
    /// The session.
    pub session: CurrentSession,
    /// Whether the user needs a second factor.
    pub needs_second_factor: bool,
}

/// The session of a request.
#[derive(Clone, Debug)]
pub struct CurrentSession {
    /// Its identifier.
    pub id: SessionId,
    /// The proof of identity with which it was opened.
    pub authentication: Authentication,
    /// The time of the sign-in.
    pub created_at: DateTime<Utc>,
    /// The time of the proof. `None` if the provider of single sign-on did not name it: such a session never counts as a fresh sign-in.
    pub authenticated_at: Option<DateTime<Utc>>,
}

impl SignedIn {
    /// Whether the session lacks a second factor that the user needs. It can only set one up.
    #[must_use]
    pub const fn lacks_second_factor(&self) -> bool {
        self.needs_second_factor && !self.session.authentication.has_second_factor()
    }

    /// The user as an actor.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor::user(self.user.id, self.user.name.clone(), self.client)
    }

    /// The scope of the user's own tenant, if the user is an administrator of it.
    #[must_use]
    pub fn administered_tenant(&self) -> Option<TenantScope> {
        match (self.user.role, &self.tenant) {
            (Role::TenantAdmin, Some(tenant)) => {
                Some(TenantScope::new(tenant.into(), self.actor()))
            }
            _ => None,
        }
    }

    /// The scope of the installation, if the user is a super user.
    #[must_use]
    pub fn operator(&self) -> Option<OperatorScope> {
        (self.user.role == Role::SuperUser).then(|| OperatorScope::new(self.actor()))
    }
}

/// Sessions of users.
pub struct Sessions<'a> {
    database: &'a Database,
}

impl<'a> Sessions<'a> {
    pub(crate) const fn new(database: &'a Database) -> Self {
        Self { database }
    }

    /// The user signed in with `token`; `None` if the session is unknown or over, the user disabled, or the tenant suspended.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn authenticate(
        &self,
        token: &SessionToken,
        client: ClientAddress,
        now: DateTime<Utc>,
    ) -> Result<Option<SignedIn>, Error> {
        let digest = random::digest(token.expose());
        let found = self
            .database
            .with_timeout(
                session::Entity::find_by_id(digest)
                    .find_also_related(user::Entity)
                    .and_also_related(tenant::Entity)
                    .one(self.database.lookups()),
            )
            .await?;
        let Some((session, Some(user), tenant)) = found else {
            return Ok(None);
        };
        let user = users::from_row(user)?;
        let tenant_requires =
            (tenant.as_ref()).is_some_and(|tenant| tenant.policy_second_factor_required);
        let tenant = tenant.map(tenants::from_row).transpose()?;
        let shut_out = user.disabled_at.is_some()
            || tenant
                .as_ref()
                .is_some_and(|tenant| tenant.suspended_at.is_some());
        if is_over(&session, now) || shut_out {
            return Ok(None);
        }
        let current = CurrentSession {
            id: SessionId::of_digest(&session.token_digest),
            authentication: Authentication::from_word(&session.authentication)
                .ok_or_else(|| damaged("authentication"))?,
            created_at: session.created_at,
            authenticated_at: session.authenticated_at,
        };
        if now - session.last_seen_at >= SEEN_EVERY {
            self.record_seen(session, client, now).await;
        }
        let options = &self.database.options().second_factor;
        let needs_second_factor = second_factor_required(&user, tenant_requires, options);
        Ok(Some(SignedIn {
            user,
            tenant,
            client,
            session: current,
            needs_second_factor,
        }))
    }

    /// Ends a session. An unknown session is not an error.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn end(
        &self,
        token: &SessionToken,
        client: ClientAddress,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let digest = random::digest(token.expose());
        let ended = self.database.write(Write::Plain, async |transaction| {
            let found = session::Entity::find_by_id(digest.clone())
                .find_also_related(user::Entity)
                .one(transaction)
                .await?;
            let Some((_, Some(user))) = found else {
                return Ok(());
            };
            let deleted = session::Entity::delete_by_id(digest)
                .exec(transaction)
                .await?;
            if deleted.rows_affected == 0 {
                // A concurrent transaction ended the session between the two statements, and wrote the event.
                return Ok(());
            }
            let user = users::from_row(user)?;
            let actor = Actor::user(user.id, user.name.as_str(), client);
            Event::by(&actor, user.tenant_id, AuditAction::SignedOut, &user)
                .append(transaction, now)
                .await
        });
        ended.await.map(drop)
    }

    /// Extends the idle timeout and records the client address. A failure does not fail the request: at worst the session ends too early.
    async fn record_seen(
        &self,
        session: session::Model,
        client: ClientAddress,
        now: DateTime<Utc>,
    ) {
        let now = clock::stored(now);
        let address = client.ip().map(|address| address.to_string());
        let update = session::Entity::update_many()
            .col_expr(session::Column::LastSeenAt, Expr::value(now))
            .col_expr(session::Column::ClientAddress, Expr::value(address))
            .filter(session::Column::TokenDigest.eq(session.token_digest))
            .filter(session::Column::LastSeenAt.lt(now));
        let recorded = self.database.write(Write::Plain, async |transaction| {
            update.exec(transaction).await?;
            Ok(())
        });
        let recorded = tokio::time::timeout(SEEN_PATIENCE, recorded).await;
        match recorded {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::debug!(%error, "session: last use not recorded"),
            Err(_) => tracing::debug!("session: last use not recorded in time"),
        }
    }
}

/// Whether the session has ended by time.
pub(super) fn is_over(session: &session::Model, now: DateTime<Utc>) -> bool {
    now >= session.expires_at || now - session.last_seen_at >= IDLE_TIMEOUT
}
