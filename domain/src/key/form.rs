//! The form of a key as a person types it, and the one place that turns it into a key or into its errors: the browser calls it
//! while somebody types, the server calls it again.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::{
    ApiKey, KeyChanges, NewKey,
    allowlist::Allowlist,
    expiry::ExpirationDate,
    name::{InvalidText, KeyDescription, KeyName},
};
use crate::{FieldError, id::GroupId};

/// What stands in the fields, unjudged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyForm {
    /// Key Name.
    pub name: String,
    /// Description.
    pub description: String,
    /// The chosen group's identifier, or nothing.
    pub authorization_group_id: String,
    /// `YYYY-MM-DD`, or nothing for never.
    pub expires_on: String,
    /// One address or range a line.
    pub ip_allowlist: String,
}

/// The message where no group was chosen, or one that cannot be.
pub const CHOOSE_A_GROUP: &str = "Choose an authorization group";

impl KeyForm {
    /// The form that an edit of `key` begins with.
    #[must_use]
    pub fn of(key: &ApiKey) -> Self {
        Self {
            name: key.name.to_string(),
            description: key.description.as_str().to_owned(),
            authorization_group_id: key.authorization_group.id.to_string(),
            // Rotation's alone.
            expires_on: String::new(),
            ip_allowlist: key.ip_allowlist.to_lines(),
        }
    }

    /// The key that the form describes. Whether its group exists in the tenant is the store's to say.
    ///
    /// # Errors
    /// Every broken rule, in the order of the fields.
    pub fn validate(&self, today: NaiveDate) -> Result<NewKey, Vec<FieldError>> {
        let mut errors = Vec::new();
        let name = noting(&mut errors, self.parse_name());
        let description = noting(&mut errors, self.parse_description());
        let group_id = noting(&mut errors, self.parse_group_id());
        let expires_on = noting(
            &mut errors,
            parse_future(&self.expires_on, today).map_err(|error| vec![error]),
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

    /// What the form makes of a key that there is: every field but the expiration date, which rotation alone changes.
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

    fn parse_allowlist(&self) -> Result<Allowlist, Vec<FieldError>> {
        Allowlist::parse_lines(&self.ip_allowlist).map_err(|problems| {
            problems
                .into_iter()
                .map(|problem| problem.into_field_error())
                .collect()
        })
    }

    /// The messages of one field, as its error line shows them.
    #[must_use]
    pub fn errors_of(&self, field: &str, today: NaiveDate) -> Vec<String> {
        match self.validate(today) {
            Ok(_) => Vec::new(),
            Err(errors) => errors
                .into_iter()
                .filter(|error| error.field == field)
                .map(|error| error.message)
                .collect(),
        }
    }
}

/// What a field holds; its broken rules go to `errors`.
fn noting<T>(errors: &mut Vec<FieldError>, field: Result<T, Vec<FieldError>>) -> Option<T> {
    field.map_err(|mut broken| errors.append(&mut broken)).ok()
}

/// Reads a field `expires_on`: empty is never, else a date after `today`.
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
