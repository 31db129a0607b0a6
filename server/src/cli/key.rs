//! `latchkey key …`

use clap::Subcommand;
use domain::{
    Error, FieldError,
    id::KeyId,
    key::{
        ApiKey, IssuedKey, RotatedExpiry,
        expiry::{ExpirationDate, ExpirationState},
        form::KeyForm,
        format::Secret,
        query::KeyQuery,
        reason::RevocationReason,
        today,
    },
    page,
    propagation::{Propagation, Written},
    store::TenantScope,
};
use serde::Serialize;

use super::context::CommandContext;
use crate::{
    failure::{Failure, NotFoundMessage as _},
    output::{Row, minute, minute_or_dash},
};

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Make a key and print its secret, once
    Create {
        /// The tenant, by its slug
        #[arg(long, value_name = "SLUG")]
        tenant: String,
        /// Its name; need not be unique
        #[arg(long)]
        name: String,
        /// The authorization group, by its name or id
        #[arg(long, value_parser = not_blank)]
        group: String,
        /// What it is for
        #[arg(long, default_value = "", hide_default_value = true)]
        description: String,
        /// The last day on which it works, UTC, as YYYY-MM-DD [default: it never expires]
        #[arg(long, value_name = "DATE", value_parser = not_blank)]
        expires: Option<String>,
        /// An address or range from which it works; as often as needed [default: from everywhere]
        #[arg(long = "allow", value_name = "CIDR", value_parser = not_blank)]
        allowed: Vec<String>,
    },
    /// List the keys of a tenant, newest first
    List {
        /// The tenant, by its slug
        #[arg(long, value_name = "SLUG")]
        tenant: String,
    },
    /// Give a key a new secret and print it, once; the old one is dead from that moment
    Rotate {
        /// The key
        #[arg(value_parser = key_id)]
        id: KeyId,
        /// The last day on which it works from now on, or never [default: as it was]
        #[arg(long, value_name = "DATE|never", value_parser = not_blank)]
        expires: Option<String>,
    },
    /// Revoke a key for ever
    Revoke {
        /// The key
        #[arg(value_parser = key_id)]
        id: KeyId,
        /// Why, for the key's page and the audit log; at most 200 characters [default: none]
        #[arg(long, value_name = "TEXT", value_parser = not_blank)]
        reason: Option<String>,
    },
}

fn key_id(text: &str) -> Result<KeyId, &'static str> {
    text.parse()
        .map_err(|_| "not the id of a key: `latchkey key list --tenant SLUG` shows them")
}

/// Refuses an option with an empty value, which an unset variable of a script produces: `--allow ""` must not create a key that works from
/// everywhere.
fn not_blank(text: &str) -> Result<String, &'static str> {
    if text.trim().is_empty() {
        Err("must not be empty")
    } else {
        Ok(text.to_owned())
    }
}

impl Row for ApiKey {
    const HEADINGS: &'static [&'static str] = &[
        "ID",
        "NAME",
        "SECRET",
        "STATUS",
        "GROUP",
        "EXPIRES",
        "LAST USED (UTC)",
        "CREATED (UTC)",
    ];

    fn cells(&self) -> Vec<String> {
        let expires = match (self.expires_on, self.expiration) {
            (None, _) => "never".to_owned(),
            (Some(date), ExpirationState::Valid) => date.to_string(),
            (Some(date), ExpirationState::ExpiringSoon) => format!("{date} (soon)"),
            (Some(date), ExpirationState::Expired) => format!("{date} (expired)"),
        };
        vec![
            self.id.to_string(),
            self.name.to_string(),
            self.hint.clone(),
            self.status.as_str().to_owned(),
            self.authorization_group.name.clone(),
            expires,
            minute_or_dash(self.last_used_at),
            minute(self.created_at),
        ]
    }
}

impl Row for Written<ApiKey> {
    const HEADINGS: &'static [&'static str] = ApiKey::HEADINGS;

    fn cells(&self) -> Vec<String> {
        self.value.cells()
    }
}

impl KeyCommand {
    pub(super) async fn run(self, context: &CommandContext) -> Result<(), Failure> {
        match self {
            Self::Create {
                tenant,
                name,
                group,
                description,
                expires,
                allowed,
            } => {
                let form = KeyForm {
                    name,
                    description,
                    authorization_group_id: String::new(),
                    expires_on: expires.unwrap_or_default(),
                    ip_allowlist: allowed.join("\n"),
                };
                let scope = context.tenant(&tenant).await?;
                context.create_key(&scope, form, &group).await
            }
            Self::List { tenant } => {
                let scope = context.tenant(&tenant).await?;
                let keys = context.every_key(&scope).await?;
                context.output.list(&keys, "This tenant has no key yet.")
            }
            Self::Rotate { id, expires } => {
                let expiry = expires
                    .as_deref()
                    .map_or(Ok(RotatedExpiry::Keep), parse_expiry)?;
                let scope = context.tenant_of_key(id).await?;
                let keys = context.store.keys(&scope);
                let rotated = keys.rotate(id, expiry, context.now).await?;
                context.print_receipt("Old secret refused", rotated.propagation);
                let IssuedKey { key, secret } = &rotated.value;
                context.print_secret(key, secret, &rotated)
            }
            Self::Revoke { id, reason } => {
                let reason = reason
                    .as_deref()
                    .map(str::parse::<RevocationReason>)
                    .transpose()
                    .map_err(|error| Error::invalid("reason", error.to_string()))?;
                let scope = context.tenant_of_key(id).await?;
                let keys = context.store.keys(&scope);
                let revoked = keys
                    .revoke_with_reason(id, reason.as_ref(), context.now)
                    .await?;
                context.print_receipt("Refused", revoked.propagation);
                context.output.one(&revoked)
            }
        }
    }
}

/// Reads `--expires` of a rotation: a date or `never`.
fn parse_expiry(text: &str) -> Result<RotatedExpiry, Error> {
    if text == "never" {
        return Ok(RotatedExpiry::Set(None));
    }
    text.trim()
        .parse::<ExpirationDate>()
        .map(|date| RotatedExpiry::Set(Some(date)))
        .map_err(|error| Error::invalid("expires_on", error.to_string()))
}

impl CommandContext {
    async fn create_key(
        &self,
        scope: &TenantScope,
        mut form: KeyForm,
        group: &str,
    ) -> Result<(), Failure> {
        let slug = &scope.tenant().slug;
        let missing = match self.store.groups(scope).find(group).await {
            Ok(found) => {
                form.authorization_group_id = found.id.to_string();
                None
            }
            Err(Error::NotFound(_)) => Some(FieldError::new(
                "authorization_group_id",
                format!(
                    "there is no authorization group '{}': `latchkey group list --tenant {slug}` shows those that there are",
                    group.escape_debug()
                ),
            )),
            Err(error) => return Err(error.into()),
        };
        let new = form.validate(today(self.now)).map_err(|errors| {
            let named = errors.into_iter().map(|error| match &missing {
                Some(missing) if missing.field == error.field => missing.clone(),
                _ => error,
            });
            Error::Invalid(named.collect())
        })?;
        let issued = self.store.keys(scope).create(new, self.now).await?;
        self.print_secret(&issued.key, &issued.secret, &issued)
    }

    /// Prints a secret; `whole` is the JSON output.
    fn print_secret(
        &self,
        key: &ApiKey,
        secret: &Secret,
        whole: &impl Serialize,
    ) -> Result<(), Failure> {
        self.output.note(&format!(
            "The secret of key {} ({}). It is not shown again.",
            key.id, key.name
        ));
        self.output.secret(secret.expose(), whole)
    }

    fn print_receipt(&self, what: &str, receipt: Option<Propagation>) {
        if let Some(receipt) = receipt {
            self.output.note(&receipt.sentence(what));
        }
    }

    /// The scope of the tenant that has the key.
    async fn tenant_of_key(&self, id: KeyId) -> Result<TenantScope, Failure> {
        self.store
            .tenants(&self.operator)
            .scope_of_key(id)
            .await
            .or_not_found(
                "API key",
                &id.to_string(),
                "latchkey key list --tenant SLUG",
            )
    }

    async fn every_key(&self, scope: &TenantScope) -> Result<Vec<ApiKey>, Failure> {
        let mut query = KeyQuery {
            limit: page::MAX_LIMIT,
            ..KeyQuery::default()
        };
        let mut keys = Vec::new();
        loop {
            let page = self.store.keys(scope).list(&query, self.now).await?;
            keys.extend(page.items);
            if page.next_cursor.is_none() {
                return Ok(keys);
            }
            query.cursor = page.next_cursor;
        }
    }
}
