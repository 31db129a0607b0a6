//! `latchkey group …`

use clap::Subcommand;
use domain::{
    group::{AuthorizationGroup, GroupType},
    permission::{Permission, PermissionSet},
    store::{
        TenantScope,
        groups::{GroupChanges, NewGroup},
    },
};

use super::context::CommandContext;
use crate::{
    failure::{Failure, NotFoundMessage as _},
    output::Row,
};

#[derive(Debug, Subcommand)]
pub(super) enum GroupCommand {
    /// Make an authorization group
    Create {
        /// The tenant, by its slug
        #[arg(long, value_name = "SLUG")]
        tenant: String,
        /// Its name, unique in the tenant
        #[arg(long)]
        name: String,
        /// Whom it is for: tenant_api_key or user
        #[arg(long = "type", value_name = "TYPE")]
        kind: GroupType,
        /// What it allows, e.g. orders:read; as often as needed
        #[arg(long = "permission", value_name = "RESOURCE:ACTION", num_args = 1..)]
        permissions: Vec<Permission>,
    },
    /// List the authorization groups of a tenant
    List {
        /// The tenant, by its slug
        #[arg(long, value_name = "SLUG")]
        tenant: String,
    },
    /// Replace what a group allows
    SetPermissions {
        /// The tenant, by its slug
        #[arg(long, value_name = "SLUG")]
        tenant: String,
        /// The group, by its name or id
        #[arg(long, visible_alias = "name", value_name = "GROUP")]
        group: String,
        /// What it allows from now on; as often as needed
        #[arg(
            long = "permission",
            value_name = "RESOURCE:ACTION",
            num_args = 1..,
            required_unless_present = "none"
        )]
        permissions: Vec<Permission>,
        /// It allows nothing from now on
        #[arg(long, conflicts_with = "permissions")]
        none: bool,
    },
    /// Give a group another name
    Rename {
        /// The tenant, by its slug
        #[arg(long, value_name = "SLUG")]
        tenant: String,
        /// The group, by its name or id
        #[arg(long, value_name = "GROUP")]
        group: String,
        /// Its name from now on, unique in the tenant
        #[arg(long)]
        name: String,
    },
    /// Delete a group that no key has, except revoked keys. Its name becomes free
    Delete {
        /// The tenant, by its slug
        #[arg(long, value_name = "SLUG")]
        tenant: String,
        /// The group, by its name or id
        #[arg(long, value_name = "GROUP")]
        group: String,
    },
}

impl Row for AuthorizationGroup {
    const HEADINGS: &'static [&'static str] = &["ID", "NAME", "TYPE", "PERMISSIONS"];

    fn cells(&self) -> Vec<String> {
        let permissions: Vec<_> = self.permissions.iter().map(Permission::as_str).collect();
        vec![
            self.id.to_string(),
            self.name.clone(),
            self.kind.as_str().to_owned(),
            permissions.join(" "),
        ]
    }
}

impl GroupCommand {
    pub(super) async fn run(self, context: &CommandContext) -> Result<(), Failure> {
        match self {
            Self::Create {
                tenant,
                name,
                kind,
                permissions,
            } => {
                let new = NewGroup {
                    name,
                    kind,
                    permissions: set_of(permissions)?,
                };
                let scope = context.tenant(&tenant).await?;
                let groups = context.store.groups(&scope);
                let created = groups.create(new, context.now).await?;
                if created.permissions.iter().next().is_none() {
                    context.output.note(
                        "This group allows nothing yet: `latchkey group set-permissions` gives it permissions.",
                    );
                }
                context.output.one(&created)
            }
            Self::List { tenant } => {
                let scope = context.tenant(&tenant).await?;
                let groups = context.store.groups(&scope).list().await?;
                context
                    .output
                    .list(&groups, "This tenant has no authorization group yet.")
            }
            Self::SetPermissions {
                tenant,
                group,
                permissions,
                none: _,
            } => {
                let permissions = set_of(permissions)?;
                let scope = context.tenant(&tenant).await?;
                let changed = context
                    .store
                    .groups(&scope)
                    .set_permissions(&group, permissions, context.now)
                    .await
                    .or_not_found(
                        "authorization group",
                        &group,
                        &format!("latchkey group list --tenant {tenant}"),
                    )?;
                context.output.one(&changed.value)
            }
            Self::Rename {
                tenant,
                group,
                name,
            } => {
                let scope = context.tenant(&tenant).await?;
                let found = find(context, &scope, &tenant, &group).await?;
                let changes = GroupChanges {
                    name: Some(name),
                    permissions: None,
                };
                let groups = context.store.groups(&scope);
                let edited = groups.edit(found.id, changes, None, context.now).await?;
                context.output.one(&edited.value)
            }
            Self::Delete { tenant, group } => {
                let scope = context.tenant(&tenant).await?;
                let found = find(context, &scope, &tenant, &group).await?;
                let groups = context.store.groups(&scope);
                groups.delete(found.id, None, context.now).await?;
                context.output.one(&found)
            }
        }
    }
}

async fn find(
    context: &CommandContext,
    scope: &TenantScope,
    tenant: &str,
    group: &str,
) -> Result<AuthorizationGroup, Failure> {
    let found = context.store.groups(scope).find(group).await;
    found.or_not_found(
        "authorization group",
        group,
        &format!("latchkey group list --tenant {tenant}"),
    )
}

fn set_of(permissions: Vec<Permission>) -> Result<PermissionSet, Failure> {
    PermissionSet::new(permissions).map_err(|error| Failure::new(format!("--permission: {error}")))
}
