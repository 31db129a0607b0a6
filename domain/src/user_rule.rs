//! Rules about users that a change can break.

/// The rule that a change of a user breaks. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserRule {
    /// The tenant would have no enabled administrator.
    #[error("The tenant needs at least one enabled administrator")]
    LastAdministrator,
    /// Users cannot change their own role, disable themselves or invite themselves again.
    #[error("Ask another administrator to change your own account")]
    OwnAccount,
    /// A disabled user gets no link.
    #[error("The user is disabled: enable the user first")]
    UserDisabled,
    /// A user of a suspended tenant gets no link.
    #[error("The tenant is suspended: resume it first")]
    TenantSuspended,
    /// Only a super user has no tenant, so this role cannot become or replace `super_user`.
    #[error("A super user belongs to no tenant: create another user")]
    Tenancy,
    /// The address belongs to a user.
    #[error("This address cannot be invited")]
    AddressTaken,
    /// Only super users sign in by a link.
    #[error("Only a super user can sign in by a link")]
    NotASuperUser,
}
