//! The form of a key as a person types it, and the one place that turns it into a key or into its errors: the browser calls it
//! while somebody types, the server calls it again.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::{
    NewKey,
    allowlist::Allowlist,
    expiry::ExpirationDate,
    name::{KeyDescription, KeyName},
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
    /// The key that the form describes. Whether its group exists in the tenant is the store's to say.
    ///
    /// # Errors
    /// Every broken rule, in the order of the fields.
    pub fn validate(&self, today: NaiveDate) -> Result<NewKey, Vec<FieldError>> {
        let mut errors = Vec::new();
        let name = self
            .name
            .parse::<KeyName>()
            .map_err(|error| errors.push(FieldError::new("name", error.to_string())));
        let description = self
            .description
            .parse::<KeyDescription>()
            .map_err(|error| errors.push(FieldError::new("description", error.to_string())));
        let group_id = self
            .authorization_group_id
            .parse::<GroupId>()
            .map_err(|_| errors.push(FieldError::new("authorization_group_id", CHOOSE_A_GROUP)));
        let expires_on = parse_future(&self.expires_on, today).map_err(|error| errors.push(error));
        let allowlist = Allowlist::parse_lines(&self.ip_allowlist).map_err(|problems| {
            errors.extend(
                problems
                    .into_iter()
                    .map(|problem| problem.into_field_error()),
            );
        });
        match (name, description, group_id, expires_on, allowlist) {
            (Ok(name), Ok(description), Ok(group_id), Ok(expires_on), Ok(allowlist)) => {
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
