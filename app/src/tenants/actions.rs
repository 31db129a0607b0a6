//! The actions of the forms of tenants. Only super users may call them.

use domain::{
    FieldError,
    id::TenantId,
    propagation::Propagation,
    store::{
        OperatorScope,
        tenants::{NewTenant, TenantChanges},
    },
    tenant::{InvalidSlug, MAX_KEY_LIMIT, Slug},
};

use super::TenantForm;
use crate::{
    error::{AppError, ErrorCode},
    ssr::{self, RequestContext},
};

/// The names of the form's fields.
pub mod field {
    /// The name.
    pub const NAME: &str = "name";
    /// The slug.
    pub const SLUG: &str = "slug";
    /// The key limit.
    pub const KEY_LIMIT: &str = "key_limit";
}

/// The scope of the super user.
///
/// # Errors
/// [`ErrorCode::NotSignedIn`]; [`ErrorCode::Forbidden`] for other users.
pub(super) async fn operator(request: &RequestContext) -> Result<OperatorScope, AppError> {
    let user = ssr::signed_in(request).await?;
    user.operator()
        .ok_or_else(|| AppError::new(ErrorCode::Forbidden))
}

/// Creates a tenant. An empty slug is derived from the name, an empty limit is the default of the installation.
///
/// # Errors
/// [`ErrorCode::Invalid`]; [`ErrorCode::Conflict`] with an error of the slug if it is taken; those of [`operator`] and of the store.
pub async fn create(request: &RequestContext, form: &TenantForm) -> Result<TenantId, AppError> {
    let operator = operator(request).await?;
    let mut errors = Vec::new();
    let slug = Some(form.slug.trim()).filter(|slug| !slug.is_empty());
    let slug = slug.map(str::parse::<Slug>).transpose();
    let slug = slug.unwrap_or_else(|error: InvalidSlug| {
        errors.push(FieldError::new(field::SLUG, error.to_string()));
        None
    });
    let key_limit = key_limit(&form.key_limit, &mut errors);
    if let Err(message) = domain::text::display_name(&form.name) {
        errors.insert(0, FieldError::new(field::NAME, message));
    }
    if !errors.is_empty() {
        return Err(AppError::invalid(errors));
    }
    let new = NewTenant {
        name: form.name.clone(),
        slug,
        key_limit,
    };
    let tenants = request.store.tenants(&operator);
    let created = tenants.create(new, request.now).await;
    Ok(created.map_err(of_form)?.id)
}

/// Saves a tenant's name and key limit.
///
/// # Errors
/// [`ErrorCode::Invalid`]; [`ErrorCode::Conflict`] if the tenant's version is not `version`; [`ErrorCode::NotFound`]; those of [`operator`]
/// and of the store.
pub async fn edit(
    request: &RequestContext,
    slug: &str,
    version: i64,
    form: &TenantForm,
) -> Result<TenantId, AppError> {
    let operator = operator(request).await?;
    let mut errors = Vec::new();
    let key_limit = match form.key_limit.trim() {
        "" => {
            errors.push(FieldError::new(field::KEY_LIMIT, limit_message()));
            None
        }
        text => self::key_limit(text, &mut errors),
    };
    if let Err(message) = domain::text::display_name(&form.name) {
        errors.insert(0, FieldError::new(field::NAME, message));
    }
    if !errors.is_empty() {
        return Err(AppError::invalid(errors));
    }
    let changes = TenantChanges {
        name: Some(form.name.clone()),
        key_limit,
    };
    let tenants = request.store.tenants(&operator);
    let edited = tenants.edit(slug, changes, Some(version), request.now);
    Ok(edited.await?.value.id)
}

/// Suspends a tenant, and returns how far the change has propagated.
///
/// # Errors
/// [`ErrorCode::NotFound`]; those of [`operator`] and of the store.
pub async fn suspend(
    request: &RequestContext,
    slug: &str,
) -> Result<(TenantId, Option<Propagation>), AppError> {
    let operator = operator(request).await?;
    let tenants = request.store.tenants(&operator);
    let suspended = tenants.suspend(slug, request.now).await?;
    Ok((suspended.value.id, suspended.propagation))
}

/// Ends a suspension, and returns how far the change has propagated.
///
/// # Errors
/// As [`suspend`].
pub async fn resume(
    request: &RequestContext,
    slug: &str,
) -> Result<(TenantId, Option<Propagation>), AppError> {
    let operator = operator(request).await?;
    let tenants = request.store.tenants(&operator);
    let resumed = tenants.resume(slug, request.now).await?;
    Ok((resumed.value.id, resumed.propagation))
}

/// The number in the field; `None` if it is empty or invalid.
fn key_limit(text: &str, errors: &mut Vec<FieldError>) -> Option<u32> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let limit = text.parse().ok().filter(|_| is_number);
    let limit = limit.filter(|limit| *limit <= MAX_KEY_LIMIT);
    if limit.is_none() {
        errors.push(FieldError::new(field::KEY_LIMIT, limit_message()));
    }
    limit
}

fn limit_message() -> String {
    let max = crate::words::grouped(u64::from(MAX_KEY_LIMIT));
    format!("Must be a whole number from 0 to {max}")
}

/// Reports a slug that is taken as an error of its field.
fn of_form(error: domain::Error) -> AppError {
    match error {
        domain::Error::AlreadyExists { name, .. } => AppError {
            fields: vec![FieldError::new(
                field::SLUG,
                format!("There is a tenant with the slug “{name}” already"),
            )],
            ..AppError::new(ErrorCode::Conflict)
        },
        error => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_whole_number_within_bounds_or_empty() {
        let parsed = |text: &str| {
            let mut errors = Vec::new();
            let limit = key_limit(text, &mut errors);
            (limit, errors.len())
        };
        assert_eq!(parsed(" "), (None, 0));
        assert_eq!(parsed(" 50 "), (Some(50), 0));
        assert_eq!(parsed("0"), (Some(0), 0));
        for wrong in ["-1", "+5", "1.5", "1000001", "ten", "99999999999"] {
            assert_eq!(parsed(wrong), (None, 1), "{wrong}");
        }
    }
}
