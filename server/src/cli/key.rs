//! `latchkey key …`

use clap::Subcommand;
use domain::{
    Error, FieldError,
    id::{GroupId, KeyId},
    key::{
        ApiKey, IssuedKey, KeyChanges, RotatedExpiry,
        allowlist::Allowlist,
        expiry::{ExpirationDate, ExpirationState},
        form::KeyForm,
        format::Secret,
        name::{KeyDescription, KeyName},
        query::KeyQuery,
        reason::RevocationReason,
        today,
    },
    page::{self, Page},
    propagation::{Propagation, Written},
    store::TenantScope,
};
use serde::Serialize;
use url::form_urlencoded::Serializer;

use super::context::CommandContext;
use crate::{
    api::query::parse_key_query,
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
    /// List the keys of a tenant, newest first: all of them, or a page with --limit or --cursor
    List {
        /// The tenant, by its slug
        #[arg(long, value_name = "SLUG")]
        tenant: String,
        #[command(flatten)]
        filters: Box<KeyFilters>,
    },
    /// Show a key
    Show {
        /// The key
        #[arg(value_parser = key_id)]
        id: KeyId,
    },
    /// Change a key's name, description, group or allowlist
    #[command(group = clap::ArgGroup::new("change").required(true).multiple(true))]
    Edit {
        /// The key
        #[arg(value_parser = key_id)]
        id: KeyId,
        /// Its name from now on
        #[arg(long, group = "change")]
        name: Option<String>,
        /// What it is for
        #[arg(long, group = "change")]
        description: Option<String>,
        /// The authorization group, by its name or id
        #[arg(long, group = "change", value_parser = not_blank)]
        group: Option<String>,
        /// An address or range from which it works; as often as needed. Replaces the whole list
        #[arg(long = "allow", group = "change", value_name = "CIDR", value_parser = not_blank)]
        allowed: Vec<String>,
        /// It works from everywhere
        #[arg(long, group = "change", conflicts_with = "allowed")]
        allow_any: bool,
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

/// The filters of the API's list of keys.
#[derive(Debug, clap::Args)]
pub(super) struct KeyFilters {
    /// Only keys of this status: active or revoked
    #[arg(long)]
    status: Option<String>,
    /// Only keys in this state: valid, expiring_soon or expired
    #[arg(long)]
    expiration: Option<String>,
    /// Only keys of this lifetime: never
    #[arg(long)]
    lifetime: Option<String>,
    /// Only keys without use in so many days, 1 to 3,650
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    unused_days: Option<String>,
    /// Only active keys whose date breaks the security policy: outside
    #[arg(long)]
    policy: Option<String>,
    /// Only keys whose name or description contains this, or whose secret ends in it
    #[arg(long, value_name = "TEXT")]
    q: Option<String>,
    /// The order: name, status, authorization_group, expires_on, last_used_at or created_at, with - before it for descending
    #[arg(long, value_name = "COLUMN", allow_hyphen_values = true)]
    sort: Option<String>,
    /// How many keys, 1 to 100 [default: all]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    limit: Option<String>,
    /// Continue after an earlier list, by the cursor that it printed
    #[arg(long)]
    cursor: Option<String>,
}

impl KeyFilters {
    /// The query, read by the API's parser, so that both accept the same values; and whether it selects one page.
    fn into_query(self) -> Result<(KeyQuery, bool), Error> {
        let is_page = self.limit.is_some() || self.cursor.is_some();
        let filters = [
            ("status", self.status),
            ("expiration", self.expiration),
            ("lifetime", self.lifetime),
            ("unused_days", self.unused_days),
            ("policy", self.policy),
            ("q", self.q),
            ("sort", self.sort),
            ("limit", self.limit),
            ("cursor", self.cursor),
        ];
        let mut query = Serializer::new(String::new());
        for (name, value) in &filters {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        Ok((parse_key_query(&query.finish())?, is_page))
    }
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
            Self::List { tenant, filters } => {
                let (query, is_page) = filters.into_query()?;
                let scope = context.tenant(&tenant).await?;
                let none = if query == KeyQuery::default() {
                    "This tenant has no key yet."
                } else {
                    "No key matches."
                };
                if is_page {
                    let page = context.store.keys(&scope).list(&query, context.now).await?;
                    let page = Page {
                        items: page.items,
                        next_cursor: page.next_cursor,
                    };
                    return context.output.page(&page, none);
                }
                let keys = context.every_key(&scope, query).await?;
                context.output.list(&keys, none)
            }
            Self::Show { id } => {
                let scope = context.tenant_of_key(id).await?;
                let key = context.store.keys(&scope).get(id, context.now).await?;
                context.output.one(&key)
            }
            Self::Edit {
                id,
                name,
                description,
                group,
                allowed,
                allow_any,
            } => {
                let scope = context.tenant_of_key(id).await?;
                let allowlist = (allow_any || !allowed.is_empty()).then_some(allowed);
                let changes = context
                    .key_changes(&scope, name, description, group, allowlist)
                    .await?;
                let keys = context.store.keys(&scope);
                let edited = keys.update(id, changes, None, context.now).await?;
                context.print_receipt("In force", edited.propagation);
                context.output.one(&edited)
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
        let missing = match self.find_group(scope, group).await? {
            Ok(id) => {
                form.authorization_group_id = id.to_string();
                None
            }
            Err(missing) => Some(missing),
        };
        let rule = self.store.security_policy(scope).lifetime_rule().await?;
        let new = form.validate(rule, today(self.now)).map_err(|errors| {
            let named = errors.into_iter().map(|error| match &missing {
                Some(missing) if missing.field == error.field => missing.clone(),
                _ => error,
            });
            Error::Invalid(named.collect())
        })?;
        let issued = self.store.keys(scope).create(new, self.now).await?;
        self.print_secret(&issued.key, &issued.secret, &issued)
    }

    /// The group of that name or id, or the error of the field.
    async fn find_group(
        &self,
        scope: &TenantScope,
        group: &str,
    ) -> Result<Result<GroupId, FieldError>, Error> {
        let slug = &scope.tenant().slug;
        match self.store.groups(scope).find(group).await {
            Ok(found) => Ok(Ok(found.id)),
            Err(Error::NotFound(_)) => Ok(Err(FieldError::new(
                "authorization_group_id",
                format!(
                    "there is no authorization group '{}': `latchkey group list --tenant {slug}` shows those that there are",
                    group.escape_debug()
                ),
            ))),
            Err(error) => Err(error),
        }
    }

    /// The changes of an edit.
    ///
    /// # Errors
    /// [`Error::Invalid`] with every broken rule.
    async fn key_changes(
        &self,
        scope: &TenantScope,
        name: Option<String>,
        description: Option<String>,
        group: Option<String>,
        allowlist: Option<Vec<String>>,
    ) -> Result<KeyChanges, Error> {
        let mut errors = Vec::new();
        let mut changes = KeyChanges::default();
        match name.as_deref().map(str::parse::<KeyName>).transpose() {
            Ok(name) => changes.name = name,
            Err(error) => errors.push(FieldError::new("name", error.to_string())),
        }
        match description
            .as_deref()
            .map(str::parse::<KeyDescription>)
            .transpose()
        {
            Ok(description) => changes.description = description,
            Err(error) => errors.push(FieldError::new("description", error.to_string())),
        }
        if let Some(group) = group {
            match self.find_group(scope, &group).await? {
                Ok(id) => changes.group_id = Some(id),
                Err(missing) => errors.push(missing),
            }
        }
        if let Some(entries) = allowlist {
            match Allowlist::parse_entries(entries.iter().map(String::as_str)) {
                Ok(list) => changes.allowlist = Some(list),
                Err(broken) => {
                    errors.extend(broken.into_iter().map(|error| error.into_field_error()))
                }
            }
        }
        if errors.is_empty() {
            Ok(changes)
        } else {
            Err(Error::Invalid(errors))
        }
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

    /// Every key that matches `query`, whatever its limit.
    async fn every_key(
        &self,
        scope: &TenantScope,
        mut query: KeyQuery,
    ) -> Result<Vec<ApiKey>, Failure> {
        query.limit = page::MAX_LIMIT;
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
