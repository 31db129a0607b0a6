//! Scopes: the tenant whose rows a call may use, and the actor for the audit trail. Only this crate creates them.

use crate::{actor::Actor, id::TenantId, permission::Permission, tenant::TenantRef};

/// One tenant and the actor in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantScope {
    tenant: TenantRef,
    actor: Actor,
    asked: Option<Permission>,
}

impl TenantScope {
    pub(crate) const fn new(tenant: TenantRef, actor: Actor) -> Self {
        Self {
            tenant,
            actor,
            asked: None,
        }
    }

    /// The key `actor` acts, which was asked for this permission.
    pub(crate) const fn of_key(tenant: TenantRef, actor: Actor, asked: Option<Permission>) -> Self {
        Self {
            tenant,
            actor,
            asked,
        }
    }

    /// The tenant.
    #[must_use]
    pub const fn tenant(&self) -> &TenantRef {
        &self.tenant
    }

    /// The actor.
    #[must_use]
    pub const fn actor(&self) -> &Actor {
        &self.actor
    }

    /// The permission that the key was asked for, where a key acts.
    pub(crate) const fn asked(&self) -> Option<&Permission> {
        self.asked.as_ref()
    }

    pub(crate) const fn tenant_id(&self) -> TenantId {
        self.tenant.id
    }
}

/// Somebody who runs the installation: the command line, or a super user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorScope {
    actor: Actor,
}

impl OperatorScope {
    pub(crate) const fn new(actor: Actor) -> Self {
        Self { actor }
    }

    /// The actor.
    #[must_use]
    pub const fn actor(&self) -> &Actor {
        &self.actor
    }
}
