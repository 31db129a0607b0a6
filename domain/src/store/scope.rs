//! Scopes: the tenant whose rows a call may use, and the actor for the audit log. Only this crate creates them.

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

    /// The scope of the key `actor`, whose request required the permission `asked`.
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

    /// The permission that the key's request required, if any; `None` if no key acts.
    pub(crate) const fn asked(&self) -> Option<&Permission> {
        self.asked.as_ref()
    }

    pub(crate) const fn tenant_id(&self) -> TenantId {
        self.tenant.id
    }
}

/// The scope of an operator of the installation: the command line, or a super user.
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
