//! Signs a person of the provider in: finds, links or makes the user, applies the role of the claims, and opens a session, in one
//! transaction.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, DatabaseTransaction, DbErr, EntityTrait,
    QueryFilter, QuerySelect, SqlErr, sea_query::Expr,
};
use serde_json::json;

use super::{SingleSignOn, SsoRefusal, refusal::Refused};
use crate::{
    Error,
    actor::Actor,
    audit::AuditAction,
    client_address::ClientAddress,
    session::{Authentication, SessionToken},
    store::{
        audit::Event,
        clock,
        connection::WriteTransaction,
        entity::{tenant, user, user_identity},
        one_time_links::{self, LinkEnd},
        random,
        sign_in::opening::{self, NewSession},
        user_changes::{self, Authority, UserChange},
        users,
        write::Write,
    },
    text,
    user::{Email, Role, User},
    user_agent::Browser,
};

/// The person that the provider named in a valid token.
#[derive(Clone, Debug)]
pub struct SsoPerson {
    /// The provider's issuer URL.
    pub issuer: String,
    /// The claim `sub`.
    pub subject: String,
    /// The claim `email`; `None` if it is missing or no e-mail address.
    pub email: Option<Email>,
    /// The claim `email_verified` of the same token.
    pub is_email_verified: bool,
    /// The claim `name`.
    pub name: Option<String>,
    /// The slug in the tenant claim.
    pub tenant: Option<String>,
    /// The role of the first entry of the role map that is in the role claim; never a super user.
    pub role: Option<Role>,
    /// The time at which the provider authenticated the person, if it named one.
    pub authenticated_at: Option<DateTime<Utc>>,
}

/// The settings that decide who may sign in.
#[derive(Clone, Debug, Default)]
pub struct SsoRules {
    /// Domains in lower case and ASCII whose verified addresses link existing users.
    pub allowed_domains: Vec<String>,
    /// The name of the tenant claim, if one is set.
    pub tenant_claim: Option<String>,
    /// The name of the role claim, if one is set.
    pub role_claim: Option<String>,
}

/// The outcome of a sign-in with a valid token.
#[derive(Debug)]
pub enum SsoOutcome {
    /// The sign-in succeeded. Contains the tokens for the session cookie and the device cookie.
    SignedIn {
        /// The user.
        user: User,
        /// A new token, never one that the browser sent.
        session: SessionToken,
        /// The browser keeps it for a year.
        device: SessionToken,
    },
    /// The person is refused. Nothing was changed.
    Refused(SsoRefusal),
}

/// The browser of a sign-in.
#[derive(Clone, Copy, Debug)]
pub struct SsoBrowser<'a> {
    /// Its name and system.
    pub kind: Browser,
    /// The device cookie's token, if the browser signed in before.
    pub device: Option<&'a SessionToken>,
    /// The session cookie's token; a new sign-in ends that session.
    pub previous: Option<&'a SessionToken>,
}

/// A sign-in and the browser that sent it.
#[derive(Clone, Copy)]
struct Attempt<'a> {
    person: &'a SsoPerson,
    rules: &'a SsoRules,
    client: ClientAddress,
    browser: SsoBrowser<'a>,
}

/// The decision, before anything is written.
enum Decision {
    /// The person has the user.
    Known {
        row: user::Model,
        role: Option<Role>,
    },
    /// The person gets the user with the same e-mail address.
    Link {
        row: user::Model,
        role: Option<Role>,
    },
    /// The person gets a new user.
    Create {
        email: Email,
        role: Role,
        tenant: tenant::Model,
    },
}

/// A refusal with the user that it concerns.
type Refusal = (SsoRefusal, Option<Box<user::Model>>);

impl SingleSignOn<'_> {
    /// Signs a person in.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn sign_in(
        &self,
        person: &SsoPerson,
        rules: &SsoRules,
        client: ClientAddress,
        browser: SsoBrowser<'_>,
        now: DateTime<Utc>,
    ) -> Result<SsoOutcome, Error> {
        let attempt = Attempt {
            person,
            rules,
            client,
            browser,
        };
        let now = clock::stored(now);
        match self.try_sign_in(attempt, now).await {
            // A concurrent first sign-in of the same person has made the user or the link: it is found now.
            Err(Error::Stale) => self.try_sign_in(attempt, now).await,
            outcome => outcome,
        }
    }

    async fn try_sign_in(
        &self,
        attempt: Attempt<'_>,
        now: DateTime<Utc>,
    ) -> Result<SsoOutcome, Error> {
        let outcome = self.database.write(Write::Plain, async |transaction| {
            match decide(transaction, attempt).await? {
                Ok(decision) => attempt.apply(transaction, decision, now).await,
                Err((refusal, user)) => {
                    let refused = Refused {
                        reason: &refusal.to_string(),
                        subject: Some(&attempt.person.subject),
                        user: user.as_deref(),
                        email: attempt.person.email.as_ref().map(Email::as_str),
                        client: attempt.client,
                    };
                    refused.audit(transaction, now).await?;
                    Ok(SsoOutcome::Refused(refusal))
                }
            }
        });
        Ok(outcome.await?.value)
    }
}

/// Decides without writing, so that a refusal changes nothing.
async fn decide(
    transaction: &WriteTransaction,
    Attempt { person, rules, .. }: Attempt<'_>,
) -> Result<Result<Decision, Refusal>, Error> {
    let id = (person.issuer.clone(), person.subject.clone());
    if let Some(identity) = user_identity::Entity::find_by_id(id)
        .one(transaction)
        .await?
    {
        let row = user::Entity::find_by_id(identity.user_id)
            .one(transaction)
            .await?
            .ok_or(Error::Stale)?;
        let (row, tenant) = lock(transaction, row).await?;
        let role = decide_role(
            transaction,
            person,
            (&row, tenant.as_ref()),
            identity.role_from_claim,
        )
        .await?;
        return Ok(match role {
            Ok(role) => Ok(Decision::Known { row, role }),
            Err(refusal) => Err((refusal, Some(Box::new(row)))),
        });
    }
    let by_email = match &person.email {
        Some(email) => {
            user::Entity::find()
                .filter(user::Column::Email.eq(email.as_str()))
                .one(transaction)
                .await?
        }
        None => None,
    };
    let Some(row) = by_email else {
        return Ok(decide_creation(transaction, person, rules)
            .await?
            .map_err(|refusal| (refusal, None)));
    };
    let (row, tenant) = lock(transaction, row).await?;
    let refusal = if !person.is_email_verified {
        Some(SsoRefusal::EmailNotVerified)
    } else if row.role == Role::SuperUser.as_str() {
        Some(SsoRefusal::SuperUser)
    } else if !is_in_domain(person, rules) {
        Some(SsoRefusal::DomainNotAllowed)
    } else if is_linked(transaction, person, &row).await? {
        Some(SsoRefusal::LinkedToOther)
    } else {
        None
    };
    if let Some(refusal) = refusal {
        return Ok(Err((refusal, Some(Box::new(row)))));
    }
    let role = decide_role(transaction, person, (&row, tenant.as_ref()), false).await?;
    Ok(match role {
        Ok(role) => Ok(Decision::Link { row, role }),
        Err(refusal) => Err((refusal, Some(Box::new(row)))),
    })
}

/// Locks the user's tenant and then the user, until the transaction ends: of two administrators that lose the role at once, one is the last.
async fn lock(
    transaction: &WriteTransaction,
    read: user::Model,
) -> Result<(user::Model, Option<tenant::Model>), Error> {
    let tenant = match read.tenant_id {
        Some(id) => Some(user_changes::lock_tenant(transaction, id).await?),
        None => None,
    };
    let row = user::Entity::find_by_id(read.id)
        .lock_exclusive()
        .one(transaction)
        .await?
        .ok_or(Error::Stale)?;
    Ok((row, tenant))
}

fn is_in_domain(person: &SsoPerson, rules: &SsoRules) -> bool {
    let domain = person
        .email
        .as_ref()
        .and_then(|email| email.as_str().rsplit_once('@'))
        .map(|(_, domain)| domain);
    domain.is_some_and(|domain| {
        rules
            .allowed_domains
            .iter()
            .any(|allowed| allowed == domain)
    })
}

/// Whether the user has another person of the same provider.
async fn is_linked(
    transaction: &DatabaseTransaction,
    person: &SsoPerson,
    row: &user::Model,
) -> Result<bool, Error> {
    let linked = user_identity::Entity::find()
        .filter(user_identity::Column::UserId.eq(row.id))
        .filter(user_identity::Column::Issuer.eq(person.issuer.as_str()))
        .one(transaction)
        .await?;
    Ok(linked.is_some())
}

/// The role that the user gets; `None` for the present one. `from_claim` states whether a claim has set it before.
async fn decide_role(
    transaction: &WriteTransaction,
    person: &SsoPerson,
    (row, tenant): (&user::Model, Option<&tenant::Model>),
    from_claim: bool,
) -> Result<Result<Option<Role>, SsoRefusal>, Error> {
    if row.disabled_at.is_some() {
        return Ok(Err(SsoRefusal::UserDisabled));
    }
    // A super user belongs to no tenant, and claims neither give nor take that role.
    let Some(tenant) = tenant else {
        return Ok(Ok(None));
    };
    if tenant.suspended_at.is_some() {
        return Ok(Err(SsoRefusal::TenantSuspended));
    }
    if person
        .tenant
        .as_ref()
        .is_some_and(|slug| *slug != tenant.slug)
    {
        return Ok(Err(SsoRefusal::OtherTenant));
    }
    let role = match person.role {
        None if from_claim => return Ok(Err(SsoRefusal::NoRole)),
        None => return Ok(Ok(None)),
        Some(role) => role,
    };
    let loses_administration = row.role == Role::TenantAdmin.as_str() && role != Role::TenantAdmin;
    if loses_administration {
        let user = users::from_row(row.clone())?;
        if user_changes::other_administrators(transaction, &user).await? == 0 {
            return Ok(Err(SsoRefusal::LastAdministrator));
        }
    }
    Ok(Ok(Some(role)))
}

/// Decides on a person for whom there is no user. A user is made only if address, tenant and role are named.
async fn decide_creation(
    transaction: &WriteTransaction,
    person: &SsoPerson,
    rules: &SsoRules,
) -> Result<Result<Decision, SsoRefusal>, Error> {
    let mut missing = Vec::new();
    let email = person.email.as_ref().filter(|_| person.is_email_verified);
    if person.email.is_none() {
        missing.push("the claim email names no e-mail address".to_owned());
    } else if email.is_none() {
        missing.push("the e-mail address is not verified (claim email_verified)".to_owned());
    }
    let tenant = match (&rules.tenant_claim, &person.tenant) {
        (None, _) => {
            missing.push("LATCHKEY_OIDC_TENANT_CLAIM is not set".to_owned());
            None
        }
        (Some(claim), None) => {
            missing.push(format!("the claim {claim} names no tenant"));
            None
        }
        (Some(claim), Some(slug)) => {
            let tenant = tenant::Entity::find()
                .filter(tenant::Column::Slug.eq(slug.as_str()))
                .lock_exclusive()
                .one(transaction)
                .await?;
            if tenant.is_none() {
                missing.push(format!(
                    "the claim {claim} names a tenant that does not exist"
                ));
            }
            tenant
        }
    };
    match (&rules.role_claim, person.role) {
        (None, _) => missing.push("LATCHKEY_OIDC_ROLE_CLAIM is not set".to_owned()),
        (Some(claim), None) => missing.push(format!(
            "no value of the claim {claim} is in LATCHKEY_OIDC_ROLE_MAP"
        )),
        (Some(_), Some(_)) => {}
    }
    let (Some(email), Some(tenant), Some(role), true) =
        (email, tenant, person.role, missing.is_empty())
    else {
        return Ok(Err(SsoRefusal::NoUser { missing }));
    };
    if tenant.suspended_at.is_some() {
        return Ok(Err(SsoRefusal::TenantSuspended));
    }
    Ok(Ok(Decision::Create {
        email: email.clone(),
        role,
        tenant,
    }))
}

impl Attempt<'_> {
    async fn apply(
        self,
        transaction: &WriteTransaction,
        decision: Decision,
        now: DateTime<Utc>,
    ) -> Result<SsoOutcome, Error> {
        let user = match decision {
            Decision::Known { row, role } => self.set_role(transaction, row, role, now).await?,
            Decision::Link { row, role } => {
                self.insert_identity(transaction, &row, role.is_some(), now)
                    .await?;
                let user = self.set_role(transaction, row, role, now).await?;
                let changes = json!({
                    "issuer": { "before": null, "after": self.person.issuer },
                    "subject": { "before": null, "after": self.person.subject },
                });
                self.append(transaction, &user, AuditAction::UserSsoLinked, changes, now)
                    .await?;
                user
            }
            Decision::Create {
                email,
                role,
                tenant,
            } => self.create(transaction, &email, role, &tenant, now).await?,
        };
        let id = user.id.as_uuid();
        let new = NewSession {
            user: id,
            previous: self.browser.previous,
            client: self.client,
            browser: self.browser.kind,
            authentication: Authentication::SingleSignOn,
            authenticated_at: self.person.authenticated_at,
        };
        let session = opening::open_session(transaction, new, now).await?;
        let device = opening::know_device(transaction, id, self.browser.device, now).await?;
        opening::know_address(transaction, id, self.client, now).await?;
        let changes = json!({ "authentication": { "before": null, "after": "single_sign_on" } });
        self.append(transaction, &user, AuditAction::SignedIn, changes, now)
            .await?;
        opening::forget_old_sessions(transaction, now).await?;
        Ok(SsoOutcome::SignedIn {
            user,
            session,
            device,
        })
    }

    /// Writes an event whose actor is the user.
    async fn append(
        self,
        transaction: &WriteTransaction,
        user: &User,
        action: AuditAction,
        changes: serde_json::Value,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let actor = Actor::user(user.id, user.name.as_str(), self.client);
        Event::by(&actor, user.tenant_id, action, user)
            .changing(changes)
            .append(transaction, now)
            .await
    }

    /// Sets the role that the claims name, and marks the link accordingly.
    async fn set_role(
        self,
        transaction: &WriteTransaction,
        row: user::Model,
        role: Option<Role>,
        now: DateTime<Utc>,
    ) -> Result<User, Error> {
        let Some(role) = role else {
            return users::from_row(row);
        };
        user_identity::Entity::update_many()
            .col_expr(user_identity::Column::RoleFromClaim, Expr::value(true))
            .filter(user_identity::Column::Issuer.eq(self.person.issuer.as_str()))
            .filter(user_identity::Column::Subject.eq(self.person.subject.as_str()))
            .exec(transaction)
            .await?;
        let user = users::from_row(row.clone())?;
        let actor = Actor::user(user.id, user.name.as_str(), self.client);
        let change = UserChange::SetRole(role);
        let changed =
            user_changes::make(transaction, &actor, Authority::Provider, row, change, now).await?;
        Ok(changed.user)
    }

    async fn insert_identity(
        self,
        transaction: &WriteTransaction,
        row: &user::Model,
        role_from_claim: bool,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let inserted = user_identity::Entity::insert(user_identity::ActiveModel {
            issuer: Set(self.person.issuer.clone()),
            subject: Set(self.person.subject.clone()),
            user_id: Set(row.id),
            role_from_claim: Set(role_from_claim),
            created_at: Set(now),
        })
        .exec_without_returning(transaction)
        .await;
        inserted.map(drop).map_err(stale_if_taken)
    }

    async fn create(
        self,
        transaction: &WriteTransaction,
        email: &Email,
        role: Role,
        tenant: &tenant::Model,
        now: DateTime<Utc>,
    ) -> Result<User, Error> {
        let name = self.person.name.as_deref().map(text::display_name);
        let name = match name {
            Some(Ok(name)) => name,
            _ => email.local_part().chars().take(200).collect(),
        };
        let row = user::ActiveModel {
            id: Set(random::identifier()),
            tenant_id: Set(Some(tenant.id)),
            email: Set(email.as_str().to_owned()),
            name: Set(name),
            password_hash: Set(String::new()),
            role: Set(role.as_str().to_owned()),
            consecutive_failures: Set(0),
            disabled_at: Set(None),
            last_signed_in_at: Set(None),
            created_at: Set(now),
            updated_at: Set(now),
            version: Set(1),
        };
        let row = row.insert(transaction).await.map_err(stale_if_taken)?;
        self.insert_identity(transaction, &row, true, now).await?;
        let user = users::from_row(row)?;
        let invitations = one_time_links::invitations_for(&user.email);
        one_time_links::end(transaction, invitations, LinkEnd::AddressTaken, now).await?;
        let changes = json!({
            "email": { "before": null, "after": user.email },
            "name": { "before": null, "after": user.name },
            "role": { "before": null, "after": user.role },
            "tenant": { "before": null, "after": tenant.slug },
            "issuer": { "before": null, "after": self.person.issuer },
            "subject": { "before": null, "after": self.person.subject },
        });
        self.append(transaction, &user, AuditAction::UserCreated, changes, now)
            .await?;
        Ok(user)
    }
}

/// [`Error::Stale`] if a concurrent transaction has inserted the same row.
fn stale_if_taken(error: DbErr) -> Error {
    match error.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(_)) => Error::Stale,
        _ => error.into(),
    }
}
