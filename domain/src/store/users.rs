//! Management of users by an operator.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction,
    EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect, SqlErr, sea_query::Expr,
};
use serde_json::json;

use super::{
    audit::Event,
    clock,
    connection::Database,
    entity::{session, tenant, user},
    error::damaged,
    one_time_links::{self, LinkEnd},
    password::{self, Slots},
    random,
    scope::OperatorScope,
    second_factor::table as second_factors,
    sign_in::throttle,
    tenants,
    write::Write,
};
use crate::{
    Error, FieldError,
    audit::AuditAction,
    tenant::Tenant,
    text,
    user::{Email, Role, User},
};

/// The input for creating a user.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// The address, unique in the installation.
    pub email: Email,
    /// The name; the part of the address before the `@` if `None`.
    pub name: Option<String>,
    /// The role.
    pub role: Role,
    /// The tenant's slug: required for every role except `super_user`, which must have none.
    pub tenant: Option<String>,
}

/// Management of users by an operator.
pub struct Users<'a> {
    pub(super) database: &'a Database,
    pub(super) operator: &'a OperatorScope,
}

impl<'a> Users<'a> {
    pub(crate) const fn new(database: &'a Database, operator: &'a OperatorScope) -> Self {
        Self { database, operator }
    }

    /// Every user with the slug of their tenant, sorted by email.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn list(&self) -> Result<Vec<(User, Option<String>)>, Error> {
        let lists = self.database.lists(None).await?;
        let rows = lists
            .with_timeout(
                user::Entity::find()
                    .find_also_related(tenant::Entity)
                    .order_by_asc(user::Column::Email)
                    .all(&*lists),
            )
            .await?;
        rows.into_iter()
            .map(|(row, tenant)| Ok((from_row(row)?, tenant.map(|tenant| tenant.slug))))
            .collect()
    }

    /// Creates a user. The password must pass [`password::check_new`].
    ///
    /// # Errors
    /// [`Error::Invalid`] for `tenant`, `name` and `password`; [`Error::NotFound`] for an unknown tenant;
    /// [`Error::AlreadyExists`] if the email is taken; [`Error::Unavailable`].
    pub async fn create(
        &self,
        new: NewUser,
        password: &str,
        now: DateTime<Utc>,
    ) -> Result<User, Error> {
        let slots = self.database.password_slots();
        let name = check(slots, &new, password).await?;
        let tenant = self.look_up(&new).await?;
        // Hashed before the transaction begins, so that other writes do not wait for the hash.
        let password_hash = password::hash(slots, password).await?;
        let now = clock::stored(now);
        let row = user::ActiveModel {
            id: Set(random::identifier()),
            tenant_id: Set(tenant.as_ref().map(|tenant| tenant.id.as_uuid())),
            email: Set(new.email.as_str().to_owned()),
            name: Set(name),
            password_hash: Set(password_hash),
            role: Set(new.role.as_str().to_owned()),
            consecutive_failures: Set(0),
            disabled_at: Set(None),
            last_signed_in_at: Set(None),
            created_at: Set(now),
            updated_at: Set(now),
            version: Set(1),
        };
        let created = self.database.write(Write::Plain, async |transaction| {
            let inserted = row.insert(transaction).await;
            let row = inserted.map_err(|error| match error.sql_err() {
                Some(SqlErr::UniqueConstraintViolation(_)) => taken(&new.email),
                _ => error.into(),
            })?;
            let user = from_row(row)?;
            // After the insertion, which waits for an invitation that is being made in the tenant.
            let invitations = one_time_links::invitations_for(&user.email);
            one_time_links::end(transaction, invitations, LinkEnd::AddressTaken, now).await?;
            let changes = json!({
                "email": { "before": null, "after": user.email },
                "name": { "before": null, "after": user.name },
                "role": { "before": null, "after": user.role },
                "tenant": { "before": null, "after": tenant.map(|tenant| tenant.slug) },
            });
            self.event(AuditAction::UserCreated, &user)
                .changing(changes)
                .append(transaction, now)
                .await?;
            Ok(user)
        });
        Ok(created.await?.value)
    }

    /// Sets a user's password, ends all sessions of the user and deletes the account's failed sign-ins.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Invalid`] for `password`; [`Error::Unavailable`].
    pub async fn set_password(
        &self,
        email: &Email,
        password: &str,
        now: DateTime<Utc>,
    ) -> Result<User, Error> {
        let known = self
            .database
            .with_timeout(find(self.database.lookups(), email))
            .await?
            .ok_or(NOT_FOUND)?;
        let slots = self.database.password_slots();
        if let Some(fault) = password::find_fault(slots, password, email, &known.name).await? {
            return Err(Error::Invalid(vec![fault]));
        }
        let password_hash = password::hash(slots, password).await?;
        let now = clock::stored(now);
        let changed = self.database.write(Write::Plain, async |transaction| {
            // Locks the buckets before the user, in the order of a sign-in: otherwise the two could deadlock.
            throttle::forget_account(transaction, email.as_str()).await?;
            let before = lock(transaction, email).await?;
            let version = before.version + 1;
            let row = user::ActiveModel {
                password_hash: Set(password_hash),
                consecutive_failures: Set(0),
                updated_at: Set(now),
                version: Set(version),
                ..before.into()
            };
            let user = from_row(row.update(transaction).await?)?;
            end_sessions(transaction, &user).await?;
            let links = one_time_links::for_user(user.id);
            one_time_links::end(transaction, links, LinkEnd::Replaced, now).await?;
            // The event records the password change without password and hash.
            self.event(AuditAction::UserPasswordChanged, &user)
                .append(transaction, now)
                .await?;
            Ok(user)
        });
        Ok(changed.await?.value)
    }

    /// Removes a user's second factor and ends all sessions of the user. Returns whether it was on; writes nothing if there is none.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Unavailable`].
    pub async fn reset_second_factor(
        &self,
        email: &Email,
        now: DateTime<Utc>,
    ) -> Result<(User, bool), Error> {
        let now = clock::stored(now);
        let reset = self.database.write(Write::Plain, async |transaction| {
            let user = from_row(lock(transaction, email).await?)?;
            if !second_factors::delete(transaction, user.id.as_uuid()).await? {
                return Ok((user, false));
            }
            end_sessions(transaction, &user).await?;
            // A sign-in that was judged before must not open a session after.
            user::Entity::update_many()
                .col_expr(
                    user::Column::Version,
                    Expr::col(user::Column::Version).add(1),
                )
                .filter(user::Column::Id.eq(user.id.as_uuid()))
                .exec(transaction)
                .await?;
            let changes = json!({ "second_factor": { "before": true, "after": false } });
            self.event(AuditAction::SecondFactorReset, &user)
                .changing(changes)
                .append(transaction, now)
                .await?;
            Ok((user, true))
        });
        Ok(reset.await?.value)
    }

    /// Reads the new user's tenant, and refuses an email in use before the password is hashed.
    async fn look_up(&self, new: &NewUser) -> Result<Option<Tenant>, Error> {
        let reader = self.database.lookups();
        self.database
            .with_timeout(async {
                let tenant = match &new.tenant {
                    Some(slug) => Some(tenants::find_by_slug(reader, slug).await?),
                    None => None,
                };
                match find(reader, &new.email).await? {
                    Some(_) => Err(taken(&new.email)),
                    None => Ok(tenant),
                }
            })
            .await
    }

    fn event(&self, action: AuditAction, user: &User) -> Event<'_> {
        Event::by(self.operator.actor(), user.tenant_id, action, user)
    }
}

/// Validates the input and returns the name in normal form.
async fn check(slots: &Slots, new: &NewUser, password: &str) -> Result<String, Error> {
    let mut faults = Vec::new();
    match (new.role, &new.tenant) {
        (Role::SuperUser, Some(_)) => {
            faults.push(FieldError::new("tenant", "A super user has no tenant"));
        }
        (Role::TenantAdmin | Role::Member, None) => {
            faults.push(FieldError::new("tenant", "Name the user's tenant"));
        }
        (Role::SuperUser, None) | (Role::TenantAdmin | Role::Member, Some(_)) => {}
    }
    let name = match &new.name {
        Some(name) => text::display_name(name),
        None => Ok(new.email.local_part().chars().take(200).collect()),
    };
    let name = name.unwrap_or_else(|message| {
        faults.push(FieldError::new("name", message));
        String::new()
    });
    faults.extend(password::find_fault(slots, password, &new.email, &name).await?);
    if faults.is_empty() {
        Ok(name)
    } else {
        Err(Error::Invalid(faults))
    }
}

pub(super) const NOT_FOUND: Error = Error::NotFound("user");

fn taken(email: &Email) -> Error {
    Error::AlreadyExists {
        what: "user",
        name: email.to_string(),
    }
}

pub(super) async fn find(
    connection: &impl ConnectionTrait,
    email: &Email,
) -> Result<Option<user::Model>, Error> {
    Ok(user::Entity::find()
        .filter(user::Column::Email.eq(email.as_str()))
        .one(connection)
        .await?)
}

pub(super) async fn lock(
    transaction: &DatabaseTransaction,
    email: &Email,
) -> Result<user::Model, Error> {
    user::Entity::find()
        .filter(user::Column::Email.eq(email.as_str()))
        .lock_exclusive()
        .one(transaction)
        .await?
        .ok_or(NOT_FOUND)
}

/// Ends the sessions of a user. Returns their number.
pub(super) async fn end_sessions(
    transaction: &DatabaseTransaction,
    user: &User,
) -> Result<u64, Error> {
    let ended = session::Entity::delete_many()
        .filter(session::Column::UserId.eq(user.id.as_uuid()))
        .exec(transaction)
        .await?;
    Ok(ended.rows_affected)
}

/// Reads a user from a row.
pub(crate) fn from_row(row: user::Model) -> Result<User, Error> {
    Ok(User {
        id: row.id.into(),
        tenant_id: row.tenant_id.map(Into::into),
        email: row.email.parse().map_err(|_| damaged("email"))?,
        name: row.name,
        role: row.role.parse().map_err(|_| damaged("role"))?,
        disabled_at: row.disabled_at,
        created_at: row.created_at,
    })
}
