//! The bodies of requests that create or edit an authorization group.

use domain::{
    Error, FieldError,
    group::GroupType,
    permission::{Permission, PermissionSet},
    store::groups::{GroupChanges, NewGroup},
};
use serde_json::Value;
use utoipa::ToSchema;

use super::input::Input;

/// A new group of type `tenant_api_key`.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "name": "Orders", "permissions": ["orders:read", "orders:write"] }))]
#[expect(dead_code, reason = "describes the body; it is read member by member")]
pub(crate) struct NewGroupBody {
    /// Unique in the tenant.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    permissions: PermissionSet,
}

/// Reads the body of `POST`.
///
/// # Errors
/// [`Error::Invalid`] with every broken rule.
pub(crate) fn parse_new_group(body: Value) -> Result<NewGroup, Error> {
    let mut input = Input::from_body(body);
    let name = input.required_text("name", |name| Ok::<_, String>(name.to_owned()));
    if !input.has("permissions") {
        input.note(FieldError::new("permissions", NO_LIST));
    }
    let permissions = permissions(&mut input);
    let group = match (name, permissions) {
        (Some(name), Some(permissions)) => Some(NewGroup {
            name,
            kind: GroupType::TenantApiKey,
            permissions,
        }),
        _ => None,
    };
    input.finish(group)
}

/// Changes of a group. Absent fields stay unchanged.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "permissions": ["orders:read"] }))]
#[expect(dead_code, reason = "describes the body; it is read member by member")]
pub(crate) struct GroupChangesBody {
    #[schema(value_type = String, required = false, min_length = 1, max_length = 200)]
    name: Option<String>,
    /// Replaces the whole set.
    #[schema(value_type = PermissionSet, required = false)]
    permissions: Option<PermissionSet>,
}

/// Reads the body of `PATCH`.
///
/// # Errors
/// As [`parse_new_group`].
pub(crate) fn parse_group_changes(body: Value) -> Result<GroupChanges, Error> {
    let mut input = Input::from_body(body);
    let changes = GroupChanges {
        name: input.text("name", |name| Ok::<_, String>(name.to_owned())),
        permissions: permissions(&mut input),
    };
    input.finish(Some(changes))
}

const NO_LIST: &str = "Must be an array of permissions, such as orders:read";

fn permissions(input: &mut Input) -> Option<PermissionSet> {
    const FIELD: &str = "permissions";
    /// The maximum number of invalid permissions that one response lists.
    const MOST_LISTED: usize = 100;

    let Value::Array(entries) = input.take(FIELD)? else {
        input.note(FieldError::new(FIELD, NO_LIST));
        return None;
    };
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    for entry in &entries {
        let text = match entry {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        match text.parse::<Permission>() {
            Ok(permission) => found.push(permission),
            Err(error) if errors.len() < MOST_LISTED => errors.push(error.to_string()),
            Err(_) => {}
        }
    }
    if errors.is_empty() {
        match PermissionSet::new(found) {
            Ok(set) => return Some(set),
            Err(error) => errors.push(error.to_string()),
        }
    }
    for error in errors {
        input.note(FieldError::new(FIELD, error));
    }
    None
}
