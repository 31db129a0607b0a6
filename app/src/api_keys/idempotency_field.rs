//! What makes a form that is sent twice be done once.

use leptos::prelude::*;
use uuid::Uuid;

use super::rejected_form::hidden;

/// The form's one-time id. Only a form that is sent without a script needs it: with one, no button works twice.
#[component]
pub fn IdempotencyField(
    /// Made by the server with the page.
    form_id: Uuid,
) -> impl IntoView {
    view! { <input type="hidden" name=hidden::FORM_ID value=form_id.to_string() autocomplete="off" /> }
}
