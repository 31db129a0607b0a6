//! The demo tenant of `latchkey serve --demo`, created through the same calls as real data, with earlier times.

mod content;

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    Error,
    client_address::ClientAddress,
    key::{form::KeyForm, format::Secret, today},
    permission::PermissionSet,
    store::{OperatorScope, Store, groups::NewGroup, password, tenants::NewTenant, users::NewUser},
    user::Role,
    verify::Verifier,
};
use serde::Serialize;
use tempfile::TempDir;

use crate::{
    config::Config,
    failure::Failure,
    output::{Output, table},
};
use content::{DemoKey, DemoTenant, DemoUser};

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
        let failed = |error| Failure::new(format!("cannot make a temporary folder: {error}"));
        let folder = tempfile::Builder::new()
            .prefix("latchkey-demo-")
            .tempdir()
            .map_err(failed)?;
        let file = folder.path().join("latchkey.db");
        let file = file
            .to_str()
            .ok_or_else(|| Failure::new("the temporary folder's name is not UTF-8"))?;
        config.database_url = format!("sqlite://{file}?mode=rwc").into();
        Ok(Self { _folder: folder })
    }

    /// Fills the empty database.
    pub(crate) async fn fill(
        &self,
        store: &Store,
        verifier: &Verifier,
        now: DateTime<Utc>,
    ) -> Result<DemoAccess, Failure> {
        let operator = store.as_cli();
        let mut secret = None;
        for tenant in content::TENANTS {
            let made = make_tenant(store, verifier, &operator, tenant, now).await?;
            secret = secret.or(made);
        }
        verifier.flush().await?;
        let mut users = Vec::new();
        for user in content::USERS {
            users.push(make_user(store, &operator, user, now).await?);
        }
        Ok(DemoAccess {
            users,
            secret: secret.ok_or_else(|| Failure::new("the demo has no key to try"))?,
        })
    }
}

/// Creates a tenant with its groups and keys; returns the secret of the key to try, if the tenant has it.
async fn make_tenant(
    store: &Store,
    verifier: &Verifier,
    operator: &OperatorScope,
    tenant: &DemoTenant,
    now: DateTime<Utc>,
) -> Result<Option<Secret>, Failure> {
    let then = now - TimeDelta::days(content::TENANT_AGE);
    let slug = tenant.slug.parse();
    let new = NewTenant {
        name: tenant.name.to_owned(),
        slug: Some(slug.map_err(|error| Failure::new(format!("{error}")))?),
        key_limit: Some(tenant.key_limit),
    };
    store.tenants(operator).create(new, then).await?;
    let scope = store.tenants(operator).scope(tenant.slug).await?;
    for group in tenant.groups {
        let permissions = group
            .permissions
            .iter()
            .map(|permission| permission.parse())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| Failure::new(format!("{error}")))?;
        let new = NewGroup {
            name: group.name.to_owned(),
            kind: group.kind,
            permissions: PermissionSet::new(permissions)
                .map_err(|error| Failure::new(format!("{error}")))?,
        };
        store.groups(&scope).create(new, then).await?;
    }
    let mut to_try = None;
    for key in tenant.keys {
        let made = now - TimeDelta::days(key.made_days_ago);
        let group = store.groups(&scope).find(key.group).await?;
        let new = form_of(key, group.id.to_string(), now)
            .validate(today(made))
            .map_err(Error::Invalid)?;
        let issued = store.keys(&scope).create(new, made).await?;
        if let Some(use_of) = &key.used {
            let then = now - TimeDelta::minutes(use_of.minutes_ago);
            let client = ClientAddress::known(use_of.from.into());
            let verdict = verifier
                .verify(issued.secret.expose(), client, None, then)
                .await?;
            verdict.map_err(|refusal| {
                Failure::new(format!("the demo's key '{}': {}", key.name, refusal.code()))
            })?;
        }
        if let Some(days) = key.revoked_days_ago {
            let then = now - TimeDelta::days(days);
            store.keys(&scope).revoke(issued.key.id, then).await?;
        }
        if key.is_to_try {
            to_try = Some(issued.secret);
        }
    }
    Ok(to_try)
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
    let email = user.email.parse();
    let new = NewUser {
        email: email.map_err(|error| Failure::new(format!("{error}")))?,
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
