//! A form that was sent without a script and rejected, or only checked, for the page that the server renders in response.

use domain::key::{form::KeyForm, preview::AllowlistCheck};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use super::responses::Conflict;
use crate::error::AppError;

/// The form, which the server provides as context to that page. It contains the typed values, and no secret.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RejectedForm {
    /// The values of the fields; of a dialog, only those of its fields.
    pub form: KeyForm,
    /// The reason of a revocation.
    pub reason: String,
    /// The error for which the form was rejected; `None` if the form was only checked.
    pub error: Option<AppError>,
    /// The change by another user, if the form was rejected for a conflict.
    pub conflict: Option<Conflict>,
    /// The version of the key that the edit is based on.
    pub version: Option<i64>,
    /// The effect of the allowlist, if the form was only checked.
    pub checked: Option<AllowlistCheck>,
}

/// The rejected form that this page responds to, on both sides of hydration; `None` on every other page.
#[must_use]
pub fn use_rejected_form() -> Option<RejectedForm> {
    SharedValue::new(use_context::<RejectedForm>).into_inner()
}

/// The names of the forms' hidden fields and buttons.
pub mod hidden {
    /// The form's idempotency id: a repeat of its POST changes nothing.
    pub const FORM_ID: &str = "form_id";
    /// The version of the key that an edit is based on.
    pub const VERSION: &str = "version";
    /// The button that was pressed.
    pub const ACTION: &str = "action";
}

/// The value of the button that checks a form without saving it.
pub const CHECK: &str = "check";
