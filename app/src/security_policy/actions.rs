//! The action of the security policy's form.

use domain::{
    Error,
    propagation::Propagation,
    security_policy::{SecurityPolicyChanges, form::SecurityPolicyForm},
};

use crate::{
    error::AppError,
    ssr::{RequestContext, tenant_request_of},
};

/// Checks that the user may manage the policy.
///
/// # Errors
/// The errors of [`tenant_request_of`].
pub async fn check_access(request: &RequestContext, tenant: Option<&str>) -> Result<(), AppError> {
    tenant_request_of(request, tenant).await.map(|_| ())
}

/// Saves the policy, and returns how far the change has propagated.
///
/// # Errors
/// Errors of the form's fields; [`crate::error::ErrorCode::Conflict`] without a field if the policy's version is not `version`; those of
/// [`tenant_request_of`] and of the store.
pub async fn save(
    request: &RequestContext,
    tenant: Option<&str>,
    version: i64,
    form: &SecurityPolicyForm,
) -> Result<Option<Propagation>, AppError> {
    let scope = tenant_request_of(request, tenant).await?.scope;
    let changes = SecurityPolicyChanges::from(form.validate().map_err(Error::Invalid)?);
    let policies = request.store.security_policy(&scope);
    let saved = policies.change(changes, Some(version), request.now).await?;
    Ok(saved.propagation)
}
