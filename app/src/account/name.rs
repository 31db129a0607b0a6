//! The section with the user's name.

use leptos::prelude::*;

use super::failure;
use crate::{
    components::{
        FieldErrors,
        field::{described_by, invalid},
    },
    current_tenant::use_tenant,
    urls,
};

/// The outcome of the form, which the server provides as context to the page that it renders in response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameNotice {
    /// The error of the whole form.
    pub form: Option<String>,
    /// The error of the name.
    pub name: Option<String>,
    /// The typed name.
    pub typed: Option<String>,
}

/// The form.
pub(super) fn name_section(name: &str, notice: NameNotice) -> AnyView {
    let tenant = use_tenant();
    let is_wrong = notice.name.is_some();
    let value = notice.typed.unwrap_or_else(|| name.to_owned());
    let errors = Signal::stored(notice.name.into_iter().collect::<Vec<_>>());
    view! {
        <form
            class="field"
            id="name-section"
            method="post"
            action=move || tenant.get().url(urls::ACCOUNT_NAME)
            aria-labelledby="name-title"
            novalidate
        >
            <div class="field-about">
                <h2 class="label" id="name-title">"Name"</h2>
                <p class="hint" id="name-hint">"Shown in the audit log."</p>
            </div>
            <div class="field-control stack">
                {failure(notice.form)}
                <div class="field">
                    <label class="label" for="name">"Your name"</label>
                    <input
                        class="input"
                        id="name"
                        name="name"
                        value=value
                        autocomplete="name"
                        dir="auto"
                        required
                        autofocus=is_wrong
                        aria-invalid=invalid(errors)
                        aria-describedby=described_by("name", errors, "name-hint")
                    />
                    <FieldErrors field="name" errors />
                </div>
                <button class="button button-s" data-wait="Saving…"><span>"Save name"</span></button>
            </div>
        </form>
    }
    .into_any()
}
