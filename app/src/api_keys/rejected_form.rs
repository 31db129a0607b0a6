//! A form that was sent as a form, without a script, and was not done: what the page that answers it shows again.

use domain::key::form::KeyForm;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use super::responses::Conflict;
use crate::error::AppError;

/// What the server provides as context to the page that answers a form which it refused. It holds what was typed, and so no secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RejectedForm {
    /// What stood in the fields; of a dialog, in those that it has.
    pub form: KeyForm,
    /// Why it was not done.
    pub error: AppError,
    /// Where somebody else changed the key meanwhile.
    pub conflict: Option<Conflict>,
}

/// The refused form that this page answers, on both sides of hydration; `None` on every page that was merely asked for.
#[must_use]
pub fn use_rejected_form() -> Option<RejectedForm> {
    SharedValue::new(use_context::<RejectedForm>).into_inner()
}

/// The names of what a form carries besides its fields.
pub mod hidden {
    /// The form's one-time id: a repeat of its POST changes nothing.
    pub const FORM_ID: &str = "form_id";
    /// The version of the key that an edit began with.
    pub const VERSION: &str = "version";
}
