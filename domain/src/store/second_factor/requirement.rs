//! Who needs a second factor.

use crate::{
    store::second_factor_options::SecondFactorOptions,
    user::{Role, User},
};

/// Whether `user` needs a second factor: by the setting for super users, or by the policy of the tenant.
pub(crate) const fn second_factor_required(
    user: &User,
    tenant_requires: bool,
    options: &SecondFactorOptions,
) -> bool {
    match user.role {
        Role::SuperUser => options.is_required_of_super_users,
        Role::TenantAdmin | Role::Member => tenant_requires,
    }
}
