//! The section that changes the password.

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
pub struct PasswordNotice {
    /// The error of the whole form.
    pub form: Option<String>,
    /// The error of the current password.
    pub current: Option<String>,
    /// The error of the new password.
    pub new: Option<String>,
}

impl PasswordNotice {
    /// Reports an error of the whole form.
    pub fn of_form(message: impl Into<String>) -> Self {
        Self {
            form: Some(message.into()),
            ..Self::default()
        }
    }

    /// Reports an error of the current password.
    pub fn of_current(message: impl Into<String>) -> Self {
        Self {
            current: Some(message.into()),
            ..Self::default()
        }
    }

    /// Reports an error of the new password.
    pub fn of_new(message: impl Into<String>) -> Self {
        Self {
            new: Some(message.into()),
            ..Self::default()
        }
    }
}

/// The error of the form if only its fields have errors.
const NOT_CHANGED: &str = "Your password was not changed.";

/// The form.
pub(super) fn password_section(email: &str, notice: PasswordNotice) -> AnyView {
    let tenant = use_tenant();
    let is_current_wrong = notice.current.is_some();
    let is_only_new_wrong = notice.new.is_some() && !is_current_wrong;
    let has_fault = notice.current.is_some() || notice.new.is_some();
    let message = notice
        .form
        .or_else(|| has_fault.then(|| NOT_CHANGED.to_owned()));
    let current = Signal::stored(notice.current.into_iter().collect::<Vec<_>>());
    let new = Signal::stored(notice.new.into_iter().collect::<Vec<_>>());
    view! {
        <form
            class="field"
            id="password-section"
            method="post"
            action=move || tenant.get().url(urls::ACCOUNT)
            aria-labelledby="password-title"
            novalidate
        >
            <div class="field-about">
                <h2 class="label" id="password-title">"Password"</h2>
                <p class="hint">"A change signs you out everywhere else."</p>
            </div>
            <div class="field-control stack">
                {failure(message)}
                // Password managers ignore an input of the type `hidden`.
                <input type="text" name="username" autocomplete="username" value=email.to_owned() readonly hidden />
                <div class="field">
                    <label class="label" for="current-password">"Current password"</label>
                    <input
                        class="input"
                        type="password"
                        id="current-password"
                        name="current_password"
                        autocomplete="current-password"
                        required
                        autofocus=is_current_wrong
                        aria-invalid=invalid(current)
                        aria-describedby=described_by("current-password", current, "")
                    />
                    <FieldErrors field="current-password" errors=current />
                </div>
                <div class="field">
                    <label class="label" for="new-password">"New password"</label>
                    <input
                        class="input"
                        type="password"
                        id="new-password"
                        name="new_password"
                        autocomplete="new-password"
                        required
                        autofocus=is_only_new_wrong
                        aria-invalid=invalid(new)
                        aria-describedby=described_by("new-password", new, "new-password-hint")
                    />
                    <FieldErrors field="new-password" errors=new />
                    <p class="hint" id="new-password-hint">
                        "12–256 characters. Several unrelated words work well."
                    </p>
                </div>
                <button class="button button-s" data-wait="Changing…"><span>"Change password"</span></button>
            </div>
        </form>
    }
    .into_any()
}
