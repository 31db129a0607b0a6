//! The hidden field that makes a repeated form idempotent.

use leptos::prelude::*;
use uuid::Uuid;

use super::rejected_form::hidden;

/// The form's idempotency id. Forms sent by the script do not need it: no button can be pressed twice.
#[component]
pub fn IdempotencyField(
    /// The id, which the server creates with the page.
    form_id: Uuid,
) -> impl IntoView {
    view! { <input type="hidden" name=hidden::FORM_ID value=form_id.to_string() autocomplete="off" /> }
}
