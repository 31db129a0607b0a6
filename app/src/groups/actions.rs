//! The actions of the forms of groups.

use domain::{
    FieldError,
    group::GroupType,
    id::GroupId,
    permission::{Permission, PermissionSet},
    store::groups::{GroupChanges, NewGroup},
};

use super::GroupForm;
use crate::{
    error::{AppError, ErrorCode},
    ssr::{RequestContext, tenant_request_of},
};

/// The names of the form's fields.
pub mod field {
    /// The name.
    pub const NAME: &str = "name";
    /// The permissions.
    pub const PERMISSIONS: &str = "permissions";
}

/// The maximum number of invalid permissions that the form lists.
const MAX_LISTED: usize = 10;

/// Parses permissions that are separated by line breaks, spaces or commas.
///
/// # Errors
/// One error for each of the first ten that are not permissions, then one with the number of the others; or one if there are too many.
pub fn parse_permissions(text: &str) -> Result<PermissionSet, Vec<FieldError>> {
    let (mut permissions, mut errors, mut unlisted) = (Vec::new(), Vec::new(), 0_u64);
    let words = text.split(|character: char| character.is_whitespace() || character == ',');
    for word in words.filter(|word| !word.is_empty()) {
        match word.parse::<Permission>() {
            Ok(permission) => permissions.push(permission),
            Err(error) if errors.len() < MAX_LISTED => {
                errors.push(FieldError::new(field::PERMISSIONS, error.to_string()));
            }
            Err(_) => unlisted += 1,
        }
    }
    if unlisted > 0 {
        let message = format!("{unlisted} more are not permissions either");
        errors.push(FieldError::new(field::PERMISSIONS, message));
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    PermissionSet::new(permissions)
        .map_err(|error| vec![FieldError::new(field::PERMISSIONS, error.to_string())])
}

/// Creates a group for API keys.
///
/// # Errors
/// [`ErrorCode::Invalid`]; [`ErrorCode::Conflict`] with an error of the name if the tenant has a group of that name; those of
/// [`tenant_request_of`] and of the store.
pub async fn create(
    request: &RequestContext,
    tenant: Option<&str>,
    form: &GroupForm,
) -> Result<GroupId, AppError> {
    let scope = tenant_request_of(request, tenant).await?.scope;
    let new = NewGroup {
        permissions: checked_permissions(form)?,
        name: form.name.clone(),
        kind: GroupType::TenantApiKey,
    };
    let created = request.store.groups(&scope).create(new, request.now).await;
    Ok(created.map_err(of_form)?.id)
}

/// Saves a group.
///
/// # Errors
/// As [`create`]; [`ErrorCode::Conflict`] without a field if the group's version is not `version`; [`ErrorCode::NotFound`].
pub async fn edit(
    request: &RequestContext,
    tenant: Option<&str>,
    id: GroupId,
    version: i64,
    form: &GroupForm,
) -> Result<(), AppError> {
    let scope = tenant_request_of(request, tenant).await?.scope;
    let changes = GroupChanges {
        permissions: Some(checked_permissions(form)?),
        name: Some(form.name.clone()),
    };
    let groups = request.store.groups(&scope);
    let edited = groups.edit(id, changes, Some(version), request.now).await;
    edited.map(|_| ()).map_err(of_form)
}

/// Deletes a group.
///
/// # Errors
/// [`ErrorCode::GroupInUse`] if a key that is not revoked has it; [`ErrorCode::Conflict`] if its version is not `version`;
/// [`ErrorCode::NotFound`]; those of [`tenant_request_of`] and of the store.
pub async fn delete(
    request: &RequestContext,
    tenant: Option<&str>,
    id: GroupId,
    version: i64,
) -> Result<(), AppError> {
    let scope = tenant_request_of(request, tenant).await?.scope;
    let groups = request.store.groups(&scope);
    groups.delete(id, Some(version), request.now).await?;
    Ok(())
}

/// The permissions of the form. Reports an invalid name together with invalid permissions.
fn checked_permissions(form: &GroupForm) -> Result<PermissionSet, AppError> {
    parse_permissions(&form.permissions).map_err(|mut errors| {
        if let Err(message) = domain::text::display_name(&form.name) {
            errors.insert(0, FieldError::new(field::NAME, message));
        }
        AppError::invalid(errors)
    })
}

/// Reports a name that is taken as an error of its field.
fn of_form(error: domain::Error) -> AppError {
    match error {
        domain::Error::AlreadyExists { name, .. } => AppError {
            fields: vec![FieldError::new(
                field::NAME,
                format!("This tenant has a group named “{name}” already"),
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
    fn permissions_are_separated_by_lines_spaces_or_commas() {
        let set = parse_permissions("orders:read\r\n\n  stock:read, orders:read\torders:write\n");
        let words: Vec<_> = set.unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(words, ["orders:read", "orders:write", "stock:read"]);
        assert_eq!(parse_permissions(" \n").unwrap(), PermissionSet::default());
    }

    #[test]
    fn every_wrong_permission_is_an_error_up_to_ten() {
        let errors = parse_permissions("Orders:read\norders:read\nstock").unwrap_err();
        assert_eq!(errors.len(), 2);
        assert!(
            errors[0]
                .message
                .starts_with("'Orders:read' is not a permission")
        );
        let many = vec!["wrong"; 14].join("\n");
        let errors = parse_permissions(&many).unwrap_err();
        assert_eq!(errors.len(), 11);
        assert_eq!(errors[10].message, "4 more are not permissions either");
        let many: Vec<_> = (0..65).map(|number| format!("orders:a{number}")).collect();
        let errors = parse_permissions(&many.join("\n")).unwrap_err();
        assert_eq!(errors[0].message, "Must be at most 64 permissions");
    }
}
