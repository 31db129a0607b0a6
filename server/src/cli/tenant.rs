//! `latchkey tenant …`

use clap::Subcommand;
use domain::{
    Error,
    store::tenants::NewTenant,
    tenant::{KeyQuota, MAX_KEY_LIMIT, Slug, Tenant},
};
use serde::Serialize;

use super::context::CommandContext;
use crate::{
    failure::{Failure, NotFoundMessage as _},
    output::{Row, minute, minute_or_dash},
};

#[derive(Debug, Subcommand)]
pub(super) enum TenantCommand {
    /// Make a tenant
    Create {
        /// Its name for people
        #[arg(long)]
        name: String,
        /// Its name in URLs and at the command line [default: made from the name]
        #[arg(long)]
        slug: Option<Slug>,
        /// How many keys that are not revoked it may have [default: LATCHKEY_DEFAULT_KEY_LIMIT]
        #[arg(long, value_name = "N", value_parser = key_limit, allow_negative_numbers = true)]
        key_limit: Option<u32>,
    },
    /// List every tenant
    List,
    /// Give a tenant another name. Its slug stays
    Rename {
        /// The tenant
        slug: String,
        /// Its name for people from now on
        #[arg(long)]
        name: String,
    },
    /// Change how many keys a tenant may have. Lowering it deletes nothing
    SetLimit {
        /// The tenant
        slug: String,
        /// How many keys that are not revoked it may have
        #[arg(value_name = "N", value_parser = key_limit, allow_negative_numbers = true)]
        limit: u32,
    },
    /// Refuse every key and every session of a tenant from now on
    Suspend {
        /// The tenant
        slug: String,
    },
    /// End a suspension
    Resume {
        /// The tenant
        slug: String,
    },
}

fn key_limit(text: &str) -> Result<u32, String> {
    let limit = text.parse().ok().filter(|limit| *limit <= MAX_KEY_LIMIT);
    limit.ok_or_else(|| format!("must be a whole number from 0 to {MAX_KEY_LIMIT}"))
}

/// A tenant in the output.
#[derive(Serialize)]
struct TenantRow {
    #[serde(flatten)]
    tenant: Tenant,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<KeyQuota>,
}

impl Row for TenantRow {
    const HEADINGS: &'static [&'static str] =
        &["SLUG", "NAME", "KEYS", "SUSPENDED (UTC)", "CREATED (UTC)"];

    fn cells(&self) -> Vec<String> {
        let limit = self.tenant.key_limit;
        vec![
            self.tenant.slug.to_string(),
            self.tenant.name.clone(),
            match self.usage {
                Some(usage) => format!("{}/{limit}", usage.used),
                None => format!("at most {limit}"),
            },
            minute_or_dash(self.tenant.suspended_at),
            minute(self.tenant.created_at),
        ]
    }
}

impl TenantCommand {
    pub(super) async fn run(self, context: &CommandContext) -> Result<(), Failure> {
        let tenants = context.store.tenants(&context.operator);
        let now = context.now;
        let tenant = match self {
            Self::List => {
                let rows: Vec<_> = tenants
                    .list()
                    .await?
                    .into_iter()
                    .map(|(tenant, usage)| TenantRow {
                        tenant,
                        usage: Some(usage),
                    })
                    .collect();
                return context.output.list(
                    &rows,
                    "There is no tenant yet: `latchkey tenant create --name NAME` makes one.",
                );
            }
            Self::Create {
                name,
                slug,
                key_limit,
            } => {
                let is_made = slug.is_none();
                let new = NewTenant {
                    name,
                    slug,
                    key_limit,
                };
                tenants
                    .create(new, now)
                    .await
                    .map_err(|error| match error {
                        Error::Invalid(mut errors) if is_made => {
                            for error in &mut errors {
                                if error.field == "slug" {
                                    error.message =
                                        "nothing of the name can stand in a slug: give one"
                                            .to_owned();
                                }
                            }
                            Error::Invalid(errors)
                        }
                        error => error,
                    })?
            }
            Self::Rename { slug, name } => {
                tenants
                    .rename(&slug, &name, now)
                    .await
                    .or_tenant_not_found(&slug)?
                    .value
            }
            Self::SetLimit { slug, limit } => {
                tenants
                    .set_limit(&slug, limit, now)
                    .await
                    .or_tenant_not_found(&slug)?
                    .value
            }
            Self::Suspend { slug } => {
                tenants
                    .suspend(&slug, now)
                    .await
                    .or_tenant_not_found(&slug)?
                    .value
            }
            Self::Resume { slug } => {
                tenants
                    .resume(&slug, now)
                    .await
                    .or_tenant_not_found(&slug)?
                    .value
            }
        };
        context.output.one(&TenantRow {
            tenant,
            usage: None,
        })
    }
}
