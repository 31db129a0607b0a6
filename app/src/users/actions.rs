//! The actions of the forms of users.

use domain::{
    FieldError,
    store::{
        invitations::IssuedLink,
        user_changes::{ChangedUser, UserChange},
    },
    user::{Email, Role},
    user_rule::UserRule,
};
use uuid::Uuid;

use super::InviteForm;
use crate::{
    error::{AppError, ErrorCode},
    ssr::{RequestContext, tenant_request_of},
};

/// The names of the form's fields.
pub mod field {
    /// The address.
    pub const EMAIL: &str = "email";
    /// The role.
    pub const ROLE: &str = "role";
}

/// Parses the role of a tenant's user.
///
/// # Errors
/// [`ErrorCode::Invalid`] for another word and for `super_user`.
pub fn parse_role(word: &str) -> Result<Role, AppError> {
    word.parse()
        .ok()
        .filter(|role| *role != Role::SuperUser)
        .ok_or_else(|| AppError::invalid(vec![FieldError::new(field::ROLE, "Choose a role")]))
}

/// Invites an address.
///
/// # Errors
/// [`ErrorCode::Invalid`]; [`ErrorCode::Conflict`] with an error of the address if a user has it; those of [`tenant_request_of`] and of the
/// store.
pub async fn invite(
    request: &RequestContext,
    tenant: Option<&str>,
    form: &InviteForm,
) -> Result<IssuedLink, AppError> {
    let scope = tenant_request_of(request, tenant).await?.scope;
    let (email, role) = (form.email.parse::<Email>(), parse_role(&form.role));
    let mut faults = Vec::new();
    if let Err(error) = &email {
        faults.push(FieldError::new(field::EMAIL, error.to_string()));
    }
    if let Err(error) = &role {
        faults.extend(error.fields.iter().cloned());
    }
    let (Ok(email), Ok(role)) = (email, role) else {
        return Err(AppError::invalid(faults));
    };
    let users = request.store.tenant_users(&scope);
    match users.invite(&email, role, request.now).await {
        Err(domain::Error::UserRule(rule @ UserRule::AddressTaken)) => Err(AppError {
            fields: vec![FieldError::new(field::EMAIL, rule.to_string())],
            ..AppError::new(ErrorCode::Conflict)
        }),
        invited => Ok(invited?),
    }
}

/// Makes a new link for a user or an invited person.
///
/// # Errors
/// [`ErrorCode::NotFound`]; [`ErrorCode::Conflict`] for a user who gets no link; those of [`tenant_request_of`] and of the store.
pub async fn invite_again(
    request: &RequestContext,
    tenant: Option<&str>,
    id: Uuid,
) -> Result<IssuedLink, AppError> {
    let scope = tenant_request_of(request, tenant).await?.scope;
    let users = request.store.tenant_users(&scope);
    Ok(users.invite_again(id, request.now).await?)
}

/// Withdraws an invitation.
///
/// # Errors
/// [`ErrorCode::NotFound`]; those of [`tenant_request_of`] and of the store.
pub async fn withdraw(
    request: &RequestContext,
    tenant: Option<&str>,
    id: Uuid,
) -> Result<(), AppError> {
    let scope = tenant_request_of(request, tenant).await?.scope;
    let users = request.store.tenant_users(&scope);
    users.withdraw(id, request.now).await?;
    Ok(())
}

/// Changes a user.
///
/// # Errors
/// [`ErrorCode::NotFound`]; [`ErrorCode::Conflict`] if the change breaks a rule; those of [`tenant_request_of`] and of the store.
pub async fn change(
    request: &RequestContext,
    tenant: Option<&str>,
    id: Uuid,
    change: UserChange,
) -> Result<ChangedUser, AppError> {
    let scope = tenant_request_of(request, tenant).await?.scope;
    let users = request.store.tenant_users(&scope);
    Ok(users.change(id.into(), change, request.now).await?)
}
