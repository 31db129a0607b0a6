//! The form of a key, and its validation. The browser validates while the user types; the server validates again.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::{
    ApiKey, KeyChanges, NewKey,
    allowlist::Allowlist,
    expiry::ExpirationDate,
    lifetime::LifetimeRule,
    name::{InvalidText, KeyDescription, KeyName},
};
use crate::{FieldError, id::GroupId};

/// The texts of the fields, not validated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyForm {
    /// Key Name.
    pub name: String,
    /// Description.
    pub description: String,
    /// The chosen group's identifier, or empty.
    pub authorization_group_id: String,
    /// `YYYY-MM-DD`, or empty for never.
    pub expires_on: String,
    /// One address or range per line.
    pub ip_allowlist: String,
}

/// The message if no group was selected, or an unsuitable one.
pub const CHOOSE_A_GROUP: &str = "Choose an authorization group";

impl KeyForm {
    /// The initial form of an edit of `key`.
    #[must_use]
    pub fn of(key: &ApiKey) -> Self {
        Self {
            name: key.name.to_string(),
            description: key.description.as_str().to_owned(),
            authorization_group_id: key.authorization_group.id.to_string(),
            // Only rotation changes the expiration date.
            expires_on: String::new(),
            ip_allowlist: key.ip_allowlist.to_lines(),
        }
    }

    /// Validates the form of a new key. The store checks that its group exists in the tenant.
    ///
    /// # Errors
    /// Every broken rule, in the order of the fields.
    pub fn validate(
        &self,
        rule: LifetimeRule,
        today: NaiveDate,
    ) -> Result<NewKey, Vec<FieldError>> {
        let mut errors = Vec::new();
        let name = noting(&mut errors, self.parse_name());
        let description = noting(&mut errors, self.parse_description());
        let group_id = noting(&mut errors, self.parse_group_id());
        let expires_on = noting(
            &mut errors,
            parse_permitted(&self.expires_on, rule, today).map_err(|error| vec![error]),
        );
        let allowlist = noting(&mut errors, self.parse_allowlist());
        match (name, description, group_id, expires_on, allowlist) {
            (Some(name), Some(description), Some(group_id), Some(expires_on), Some(allowlist)) => {
                Ok(NewKey {
                    name,
                    description,
                    group_id,
                    expires_on,
                    allowlist,
                })
            }
            _ => Err(errors),
        }
    }

    /// Validates the form of an edit: every field except the expiration date, which only rotation changes.
    ///
    /// # Errors
    /// Every broken rule, in the order of the fields.
    pub fn validate_edit(&self) -> Result<KeyChanges, Vec<FieldError>> {
        let mut errors = Vec::new();
        let changes = KeyChanges {
            name: noting(&mut errors, self.parse_name()),
            description: noting(&mut errors, self.parse_description()),
            group_id: noting(&mut errors, self.parse_group_id()),
            allowlist: noting(&mut errors, self.parse_allowlist()),
        };
        if errors.is_empty() {
            Ok(changes)
        } else {
            Err(errors)
        }
    }

    fn parse_name(&self) -> Result<KeyName, Vec<FieldError>> {
        self.name
            .parse()
            .map_err(|error: InvalidText| vec![FieldError::new("name", error.to_string())])
    }

    fn parse_description(&self) -> Result<KeyDescription, Vec<FieldError>> {
        self.description
            .parse()
            .map_err(|error: InvalidText| vec![FieldError::new("description", error.to_string())])
    }

    fn parse_group_id(&self) -> Result<GroupId, Vec<FieldError>> {
        self.authorization_group_id
            .parse()
            .map_err(|_| vec![FieldError::new("authorization_group_id", CHOOSE_A_GROUP)])
    }

    /// Parses the field IP Allowlist.
    ///
    /// # Errors
    /// One error for each invalid line.
    pub fn parse_allowlist(&self) -> Result<Allowlist, Vec<FieldError>> {
        Allowlist::parse_lines(&self.ip_allowlist).map_err(|problems| {
            problems
                .into_iter()
                .map(|problem| problem.into_field_error())
                .collect()
        })
    }
}

/// Returns the field's value, or adds its broken rules to `errors`.
fn noting<T>(errors: &mut Vec<FieldError>, field: Result<T, Vec<FieldError>>) -> Option<T> {
    field.map_err(|mut broken| errors.append(&mut broken)).ok()
}

/// Parses the field `expires_on` of a new key: [`parse_future`], if the tenant's rule permits the date.
///
/// # Errors
/// The field's error.
pub fn parse_permitted(
    text: &str,
    rule: LifetimeRule,
    today: NaiveDate,
) -> Result<Option<ExpirationDate>, FieldError> {
    let date = parse_future(text, today)?;
    rule.check(date, today)?;
    Ok(date)
}

/// Parses the field `expires_on`: empty means never, otherwise a date after `today`.
///
/// # Errors
/// The field's error.
pub fn parse_future(text: &str, today: NaiveDate) -> Result<Option<ExpirationDate>, FieldError> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    text.parse::<ExpirationDate>()
        .and_then(|date| date.in_future(today))
        .map(Some)
        .map_err(|error| FieldError::new("expires_on", error.to_string()))
}
