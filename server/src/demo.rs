//! The demo tenant of `latchkey serve --demo`, created through the same calls as real data, with earlier times.

mod content;

use std::{fmt::Display, net::Ipv4Addr};

use chrono::{DateTime, Datelike as _, TimeDelta, Utc, Weekday};
use domain::{
    Error,
    client_address::ClientAddress,
    key::{
        KeyChanges, allowlist::Allowlist, form::KeyForm, format::Secret, lifetime::LifetimeRule,
        reason::RevocationReason, rotation::RotatedExpiry, today,
    },
    permission::{Permission, PermissionSet},
    store::{
        OperatorScope, Store, TenantScope,
        groups::{GroupChanges, NewGroup},
        password,
        sign_in::{Attempt, SignInOutcome},
        tenants::NewTenant,
        users::NewUser,
    },
    user::Role,
    user_agent::Browser,
    verify::Verifier,
};
use serde::Serialize;
use tempfile::TempDir;
use tracing::{instrument::WithSubscriber as _, subscriber::NoSubscriber};

use crate::{
    config::Config,
    failure::Failure,
    output::{Output, table},
};
use content::{DemoKey, DemoTenant, DemoUser, Traffic};

/// A temporary folder with a database, deleted on drop.
pub(crate) struct Demo {
    _folder: TempDir,
}

/// The demo's users, and a secret to try.
#[derive(Serialize)]
pub(crate) struct DemoAccess {
    users: Vec<DemoSignIn>,
    /// The secret of a key. It is valid until the demo ends.
    secret: Secret,
}

#[derive(Serialize)]
struct DemoSignIn {
    email: &'static str,
    password: String,
    role: Role,
}

impl Demo {
    /// Creates the folder and points `config` to a database in it.
    pub(crate) fn prepare(config: &mut Config) -> Result<Self, Failure> {
        let no_folder = |error| Failure::new(format!("cannot make a temporary folder: {error}"));
        let folder = tempfile::Builder::new()
            .prefix("latchkey-demo-")
            .tempdir()
            .map_err(no_folder)?;
        let file = folder.path().join("latchkey.db");
        let file = file
            .to_str()
            .ok_or_else(|| Failure::new("the temporary folder's name is not UTF-8"))?;
        config.database_url = format!("sqlite://{file}?mode=rwc").into();
        Ok(Self { _folder: folder })
    }

    /// Fills the empty database. Writes nothing to the log, which describes the server's requests and changes.
    pub(crate) async fn fill(
        &self,
        store: &Store,
        verifier: &Verifier,
        now: DateTime<Utc>,
    ) -> Result<DemoAccess, Failure> {
        let filled = self.fill_with_log(store, verifier, now);
        filled.with_subscriber(NoSubscriber::new()).await
    }

    async fn fill_with_log(
        &self,
        store: &Store,
        verifier: &Verifier,
        now: DateTime<Utc>,
    ) -> Result<DemoAccess, Failure> {
        let operator = store.as_cli();
        for tenant in content::TENANTS {
            make_tenant(store, &operator, tenant, now).await?;
        }
        let mut users = Vec::new();
        for user in content::USERS {
            users.push(make_user(store, &operator, user, now).await?);
        }
        let mut secret = None;
        for tenant in content::TENANTS {
            let scope = match administrator(tenant, &users) {
                Some(administrator) => signed_in(store, administrator, now).await?,
                None => store.tenants(&operator).scope(tenant.slug).await?,
            };
            let filling = Filling {
                store,
                verifier,
                scope: &scope,
                now,
            };
            secret = filling.fill(tenant).await?.or(secret);
        }
        verifier.flush().await?;
        Ok(DemoAccess {
            users,
            secret: secret.ok_or_else(|| Failure::new("the demo has no key to try"))?,
        })
    }
}

fn failed(error: impl Display) -> Failure {
    Failure::new(error.to_string())
}

/// Creates a tenant with its groups.
async fn make_tenant(
    store: &Store,
    operator: &OperatorScope,
    tenant: &DemoTenant,
    now: DateTime<Utc>,
) -> Result<(), Failure> {
    let then = now - TimeDelta::days(content::TENANT_AGE);
    let new = NewTenant {
        name: tenant.name.to_owned(),
        slug: Some(tenant.slug.parse().map_err(failed)?),
        key_limit: Some(tenant.key_limit),
    };
    store.tenants(operator).create(new, then).await?;
    let scope = store.tenants(operator).scope(tenant.slug).await?;
    for group in tenant.groups {
        let new = NewGroup {
            name: group.name.to_owned(),
            kind: group.kind,
            permissions: permissions(group.permissions)?,
        };
        store.groups(&scope).create(new, then).await?;
    }
    Ok(())
}

fn permissions(words: &[&str]) -> Result<PermissionSet, Failure> {
    let permissions = words
        .iter()
        .map(|word| word.parse())
        .collect::<Result<Vec<_>, _>>();
    PermissionSet::new(permissions.map_err(failed)?).map_err(failed)
}

/// The user who manages the tenant's keys.
fn administrator<'a>(tenant: &DemoTenant, users: &'a [DemoSignIn]) -> Option<&'a DemoSignIn> {
    let manages =
        |user: &&DemoUser| user.role == Role::TenantAdmin && user.tenant == Some(tenant.slug);
    let email = content::USERS.iter().find(manages)?.email;
    users.iter().find(|user| user.email == email)
}

/// Signs the administrator in at an earlier time and returns the scope of its tenant, so that the audit log names a person.
async fn signed_in(
    store: &Store,
    administrator: &DemoSignIn,
    now: DateTime<Utc>,
) -> Result<TenantScope, Failure> {
    let then = now - TimeDelta::days(content::TENANT_AGE);
    let client = ClientAddress::known(content::OFFICE.into());
    let attempt = Attempt {
        email: administrator.email,
        password: &administrator.password,
        client,
        browser: Browser::default(),
        device: None,
        previous: None,
    };
    let SignInOutcome::SignedIn { session, .. } = store.sign_in().attempt(attempt, then).await?
    else {
        return Err(Failure::new("the demo's administrator cannot sign in"));
    };
    let signed_in = store
        .sessions()
        .authenticate(&session, client, then)
        .await?;
    let scope = signed_in.and_then(|signed_in| signed_in.administered_tenant());
    scope.ok_or_else(|| Failure::new("the demo's administrator has no tenant"))
}

/// Fills a tenant.
struct Filling<'a> {
    store: &'a Store,
    verifier: &'a Verifier,
    scope: &'a TenantScope,
    now: DateTime<Utc>,
}

impl Filling<'_> {
    /// Changes the groups and creates the keys; returns the secret of the key to try, if the tenant has it.
    async fn fill(&self, tenant: &DemoTenant) -> Result<Option<Secret>, Failure> {
        for group in tenant.groups {
            let Some((days, permission)) = group.added else {
                continue;
            };
            let groups = self.store.groups(self.scope);
            let stored = groups.find(group.name).await?;
            let changes = GroupChanges {
                permissions: Some(permissions(&[group.permissions, &[permission]].concat())?),
                ..GroupChanges::default()
            };
            groups
                .edit(stored.id, changes, None, self.days_ago(days))
                .await?;
        }
        let mut to_try = None;
        for key in tenant.keys {
            let secret = self.make_key(key).await?;
            if key.is_to_try {
                to_try = Some(secret);
            }
        }
        Ok(to_try)
    }

    /// A time so many days ago, on each day at another time of day.
    fn days_ago(&self, days: i64) -> DateTime<Utc> {
        self.now - TimeDelta::days(days) - TimeDelta::seconds(days * 2_237 % 32_000)
    }

    /// Creates a key, with its changes and requests in the order of their times as far as they affect each other.
    async fn make_key(&self, key: &DemoKey) -> Result<Secret, Failure> {
        let keys = self.store.keys(self.scope);
        let made = self.days_ago(key.made_days_ago);
        let group = self.store.groups(self.scope).find(key.group).await?;
        let new = form_of(key, group.id.to_string(), self.now)
            .validate(LifetimeRule::default(), today(made))
            .map_err(Error::Invalid)?;
        let mut issued = keys.create(new, made).await?;
        let id = issued.key.id;
        if let Some((days, allowed)) = key.allowed_later {
            let allowlist = Allowlist::parse_entries(allowed.iter().copied()).map_err(|_| {
                Failure::new(format!("the allowlist of the demo's key '{}'", key.name))
            })?;
            let changes = KeyChanges {
                allowlist: Some(allowlist),
                ..KeyChanges::default()
            };
            keys.update(id, changes, None, self.days_ago(days)).await?;
        }
        if let Some(days) = key.rotated_days_ago {
            let rotated = keys
                .rotate(id, RotatedExpiry::Keep, self.days_ago(days))
                .await?;
            issued = rotated.value;
        }
        let is_after_revocation = |traffic: &&Traffic| {
            (key.revoked.as_ref()).is_some_and(|revoked| traffic.days_ago.0 < revoked.days_ago)
        };
        for traffic in key
            .traffic
            .iter()
            .filter(|traffic| !is_after_revocation(traffic))
        {
            self.send(key, &issued.secret, traffic).await?;
        }
        if let Some(used) = &key.used {
            let then = self.now - TimeDelta::minutes(used.minutes_ago);
            self.request(key, &issued.secret, (used.from, None, None), then)
                .await?;
        }
        if let Some(revoked) = &key.revoked {
            let reason = RevocationReason::optional(revoked.reason).map_err(failed)?;
            let then = self.days_ago(revoked.days_ago);
            keys.revoke_with_reason(id, reason.as_ref(), then).await?;
        }
        for traffic in key.traffic.iter().filter(is_after_revocation) {
            self.send(key, &issued.secret, traffic).await?;
        }
        Ok(issued.secret)
    }

    /// Sends the requests of `traffic`.
    async fn send(&self, key: &DemoKey, secret: &Secret, traffic: &Traffic) -> Result<(), Failure> {
        let permission = traffic
            .permission
            .map(str::parse)
            .transpose()
            .map_err(failed)?;
        let (first, last) = traffic.days_ago;
        for days in last..=first {
            let newest = self.now - TimeDelta::days(days) - TimeDelta::minutes(10);
            let is_weekend = matches!(newest.weekday(), Weekday::Sat | Weekday::Sun);
            // Some variation, the same in every demo.
            let usual = traffic.per_day + traffic.per_day * (days * 7 % 11 - 5) / 20;
            let count = if is_weekend {
                (usual / 3).max(1)
            } else {
                usual
            };
            for number in 0..count {
                let then = newest - TimeDelta::seconds(number);
                let request = (traffic.from, permission.as_ref(), traffic.refused);
                self.request(key, secret, request, then).await?;
            }
        }
        Ok(())
    }

    /// Sends one request from an address, with the permission that it requires, and checks the code of its refusal.
    async fn request(
        &self,
        key: &DemoKey,
        secret: &Secret,
        (from, permission, refused): (Ipv4Addr, Option<&Permission>, Option<&str>),
        then: DateTime<Utc>,
    ) -> Result<(), Failure> {
        let client = ClientAddress::known(from.into());
        let verdict = self
            .verifier
            .verify(secret.expose(), client, permission, then)
            .await?;
        let code = verdict.err().map(|refusal| refusal.code());
        if code != refused {
            return Err(Failure::new(format!(
                "the demo's key '{}': {} instead of {}",
                key.name,
                code.unwrap_or("accepted"),
                refused.unwrap_or("accepted"),
            )));
        }
        Ok(())
    }
}

fn form_of(key: &DemoKey, group: String, now: DateTime<Utc>) -> KeyForm {
    let expires_on = key
        .expires_in_days
        .map(|days| today(now) + TimeDelta::days(days));
    KeyForm {
        name: key.name.to_owned(),
        description: key.description.to_owned(),
        authorization_group_id: group,
        expires_on: expires_on.map_or_else(String::new, |date| date.to_string()),
        ip_allowlist: key.allowed.join("\n"),
    }
}

async fn make_user(
    store: &Store,
    operator: &OperatorScope,
    user: &DemoUser,
    now: DateTime<Utc>,
) -> Result<DemoSignIn, Failure> {
    let password = password::generate()?;
    let new = NewUser {
        email: user.email.parse().map_err(failed)?,
        name: Some(user.name.to_owned()),
        role: user.role,
        tenant: user.tenant.map(str::to_owned),
    };
    let then = now - TimeDelta::days(content::TENANT_AGE);
    store.users(operator).create(new, &password, then).await?;
    Ok(DemoSignIn {
        email: user.email,
        password,
        role: user.role,
    })
}

impl DemoAccess {
    /// Prints the demo's users for `url`, and a command that tries a key.
    pub(crate) fn print(&self, output: Output, url: &str) -> Result<(), Failure> {
        #[derive(Serialize)]
        struct Access<'a> {
            url: &'a str,
            #[serde(flatten)]
            access: &'a DemoAccess,
        }
        let rows: Vec<_> = self
            .users
            .iter()
            .map(|user| {
                let (email, role) = (user.email.to_owned(), user.role.label().to_owned());
                vec![email, user.password.clone(), role]
            })
            .collect();
        let users = table(&["EMAIL", "PASSWORD", "ROLE"], &rows);
        let secret = self.secret.expose();
        let lines = format!(
            "\nSign in at {url}\n\n{users}\nTry a key:\n\ncurl -H 'X-API-Key: {secret}' {url}/api/v1/whoami\n\n"
        );
        output.text(&lines, &Access { url, access: self })
    }
}
