//! The bodies of key requests. The rules are those of `domain`, as for the pages' forms.

use chrono::NaiveDate;
use domain::{
    Error, FieldError,
    id::GroupId,
    key::{
        KeyChanges, NewKey, RotatedExpiry,
        allowlist::Allowlist,
        expiry::{ExpirationDate, InvalidExpirationDate},
        form::CHOOSE_A_GROUP,
        lifetime::LifetimeRule,
        name::{KeyDescription, KeyName},
    },
    store::groups::Groups,
};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::input::Input;

/// A new key.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "name": "ERP nightly sync", "authorization_group_id": "01890a5d-ac96-774b-bcce-b302099a8057", "expires_on": "2031-12-31", "ip_allowlist": ["10.0.0.0/8"] }))]
pub(crate) struct NewKeyBody {
    name: KeyName,
    /// Empty if absent.
    #[schema(required = false)]
    description: KeyDescription,
    /// One of the tenant's groups, of type `tenant_api_key`.
    authorization_group_id: GroupId,
    /// The last day on which the key is accepted, after today (UTC). It never expires if this is absent or `null`. The tenant's security
    /// policy may require a date and limit it.
    expires_on: Option<ExpirationDate>,
    /// One address or CIDR range per entry. Empty or absent: no restriction.
    #[schema(required = false)]
    ip_allowlist: Allowlist,
}

impl NewKeyBody {
    /// Reads a body.
    ///
    /// # Errors
    /// [`Error::Invalid`] with every broken rule, including an unknown group.
    pub(crate) async fn parse(
        body: Value,
        groups: &Groups<'_>,
        rule: LifetimeRule,
        today: NaiveDate,
    ) -> Result<NewKey, Error> {
        let mut input = Input::from_body(body);
        let name = required(&mut input, "name", "Must be 2–200 characters", name);
        let description = description(&mut input);
        let group_id = required(
            &mut input,
            "authorization_group_id",
            CHOOSE_A_GROUP,
            group_id,
        );
        check_group(&mut input, group_id, groups).await?;
        let expires_on = permitted_date(&mut input, rule, today);
        let allowlist = allowlist(&mut input);
        let body = match (name, group_id) {
            (Some(name), Some(authorization_group_id)) => Some(Self {
                name,
                description: description.unwrap_or_default(),
                authorization_group_id,
                expires_on,
                ip_allowlist: allowlist.unwrap_or_default(),
            }),
            _ => None,
        };
        input.finish(body).map(NewKey::from)
    }
}

impl From<NewKeyBody> for NewKey {
    fn from(body: NewKeyBody) -> Self {
        Self {
            name: body.name,
            description: body.description,
            group_id: body.authorization_group_id,
            expires_on: body.expires_on,
            allowlist: body.ip_allowlist,
        }
    }
}

/// Changes of a key; absent fields stay unchanged.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "ip_allowlist": ["10.0.0.0/8", "2001:db8::/32"] }))]
pub(crate) struct KeyChangesBody {
    #[schema(value_type = KeyName, required = false)]
    name: Option<KeyName>,
    #[schema(value_type = KeyDescription, required = false)]
    description: Option<KeyDescription>,
    /// One of the tenant's groups, of type `tenant_api_key`.
    #[schema(value_type = GroupId, required = false)]
    authorization_group_id: Option<GroupId>,
    /// Replaces the whole list.
    #[schema(value_type = Allowlist, required = false)]
    ip_allowlist: Option<Allowlist>,
}

impl KeyChangesBody {
    /// Reads a body.
    ///
    /// # Errors
    /// As [`NewKeyBody::parse`].
    pub(crate) async fn parse(body: Value, groups: &Groups<'_>) -> Result<KeyChanges, Error> {
        let mut input = Input::from_body(body);
        let body = Self {
            name: name(&mut input),
            description: description(&mut input),
            authorization_group_id: group_id(&mut input),
            ip_allowlist: allowlist(&mut input),
        };
        check_group(&mut input, body.authorization_group_id, groups).await?;
        input.finish(Some(body)).map(KeyChanges::from)
    }
}

impl From<KeyChangesBody> for KeyChanges {
    fn from(body: KeyChangesBody) -> Self {
        Self {
            name: body.name,
            description: body.description,
            group_id: body.authorization_group_id,
            allowlist: body.ip_allowlist,
        }
    }
}

/// Options of a rotation.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "expires_on": "2031-12-31" }))]
pub(crate) struct RotateBody {
    /// Absent keeps the date; `null` means never. Otherwise the current date or one after today (UTC). The tenant's security policy must
    /// permit the date, also one that is kept.
    #[schema(value_type = Option<ExpirationDate>)]
    pub(crate) expires_on: RotatedExpiry,
}

impl RotateBody {
    /// Parses a body, which may be absent or `null`: a generated Go client sends `null` for no body.
    ///
    /// # Errors
    /// [`Error::Invalid`] with every broken rule.
    pub(crate) fn parse(body: Option<Value>) -> Result<Self, Error> {
        let body = body.filter(|body| !body.is_null());
        let mut input = Input::from_body(body.unwrap_or_else(|| json!({})));
        let expires_on = expires_on(&mut input).map_or(RotatedExpiry::Keep, RotatedExpiry::Set);
        input.finish(Some(Self { expires_on }))
    }
}

fn required<T>(
    input: &mut Input,
    name: &str,
    message: &str,
    take: impl FnOnce(&mut Input) -> Option<T>,
) -> Option<T> {
    if !input.has(name) {
        input.note(FieldError::new(name, message));
    }
    take(input)
}

fn name(input: &mut Input) -> Option<KeyName> {
    input.text("name", str::parse)
}

fn description(input: &mut Input) -> Option<KeyDescription> {
    input.text("description", str::parse)
}

fn group_id(input: &mut Input) -> Option<GroupId> {
    input.text("authorization_group_id", |text| {
        text.parse().map_err(|_| CHOOSE_A_GROUP)
    })
}

/// Checks the group before the transaction, so that its error is reported with the others.
async fn check_group(
    input: &mut Input,
    id: Option<GroupId>,
    groups: &Groups<'_>,
) -> Result<(), Error> {
    if let Some(id) = id
        && !groups.is_for_keys(id).await?
    {
        input.note(FieldError::new("authorization_group_id", CHOOSE_A_GROUP));
    }
    Ok(())
}

/// The date of a new key, by the rules of its form.
fn permitted_date(
    input: &mut Input,
    rule: LifetimeRule,
    today: NaiveDate,
) -> Option<ExpirationDate> {
    // An invalid text has an error already.
    let is_absent = !input.has(EXPIRES_ON);
    let date = expires_on(input).or(is_absent.then_some(None))?;
    let checked = date
        .map(|date| date.in_future(today))
        .transpose()
        .map_err(|error| FieldError::new(EXPIRES_ON, error.to_string()))
        .and_then(|date| rule.check(date, today).map(|()| date));
    checked.map_err(|error| input.note(error)).ok().flatten()
}

const EXPIRES_ON: &str = "expires_on";

/// `None` if the field is absent or invalid, `Some(None)` for never.
fn expires_on(input: &mut Input) -> Option<Option<ExpirationDate>> {
    let parsed = match input.take(EXPIRES_ON)? {
        Value::Null => return Some(None),
        Value::String(text) => text.parse(),
        _ => Err(InvalidExpirationDate::NoDate),
    };
    parsed
        .map_err(|error| input.note(FieldError::new(EXPIRES_ON, error.to_string())))
        .ok()
        .map(Some)
}

/// The field `ip_allowlist`; `None` if it is absent or invalid.
pub(super) fn allowlist(input: &mut Input) -> Option<Allowlist> {
    const FIELD: &str = "ip_allowlist";
    let Value::Array(entries) = input.take(FIELD)? else {
        input.note(FieldError::new(FIELD, "Must be an array of strings"));
        return None;
    };
    // An entry of another type keeps its position for the line numbers, and fails as an address.
    let lines: Vec<_> = entries
        .iter()
        .map(|entry| match entry {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
        .collect();
    match Allowlist::parse_entries(lines.iter().map(String::as_str)) {
        Ok(list) => Some(list),
        Err(errors) => {
            for error in errors {
                input.note(error.into_field_error());
            }
            None
        }
    }
}
