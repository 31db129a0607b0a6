//! My account: the page of the signed-in user.

use domain::user::Role;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    components::{
        Callout, FieldErrors, Icon, PageTitle, Tone,
        field::{described_by, invalid},
        waiting::PendingFields,
    },
    current_tenant::{use_named_tenant, use_tenant},
    error::AppError,
    status_pages::Failure,
    urls,
};

/// The outcome of a password form, which the server provides as context to the page that it renders in response.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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

/// The signed-in user on the page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The user's name.
    pub name: String,
    /// The user's e-mail address.
    pub email: String,
    /// The user's role.
    pub role: Role,
    /// The name of the user's tenant; `None` for a super user.
    pub tenant: Option<String>,
}

/// Returns the signed-in user.
///
/// # Errors
/// [`crate::error::ErrorCode::TenantNotYours`] if a user who is not a super user names a tenant.
#[server(prefix = "/api/pages", endpoint = "get_account", input = crate::page_json::PageJson, output = crate::page_json::PageJson)]
pub async fn get_account(tenant: Option<String>) -> Result<Account, AppError> {
    use crate::{error::ErrorCode, ssr};

    ssr::respond(async {
        let user = ssr::signed_in(&ssr::request()?).await?;
        if tenant.is_some() && user.operator().is_none() {
            return Err(AppError::new(ErrorCode::TenantNotYours));
        }
        Ok(Account {
            name: user.user.name,
            email: user.user.email.to_string(),
            role: user.user.role,
            tenant: user.tenant.map(|tenant| tenant.name),
        })
    })
    .await
}

/// The page: the user's details, sign-out, and the form that changes the password.
#[component]
pub fn AccountPage() -> impl IntoView {
    let tenant = use_named_tenant();
    let notice = StoredValue::new(SharedValue::new(use_context::<PasswordNotice>).into_inner());
    let account = Resource::new(move || tenant.get(), get_account);
    let page = move || {
        account.get().map(|account| match account {
            Err(error) => view! { <Failure error /> }.into_any(),
            Ok(account) => {
                let notice = notice.get_value().unwrap_or_default();
                view! { <AccountDetails account notice /> }.into_any()
            }
        })
    };
    let fallback = || {
        view! {
            <div class="page">
                <header class="page-header"><h1 tabindex="-1">"My account"</h1></header>
                <PendingFields />
            </div>
        }
    };
    view! { <Transition fallback>{page}</Transition> }
}

#[component]
fn AccountDetails(account: Account, notice: PasswordNotice) -> impl IntoView {
    let email = account.email;
    let tenant = account.tenant.map(|tenant| {
        view! { <div><dt>"Tenant"</dt><dd>{tenant}</dd></div> }
    });
    view! {
        <PageTitle text="My account – Latchkey" />
        <div class="page page-form">
            <header class="page-header">
                <div><h1 tabindex="-1">"My account"</h1></div>
                <form method="post" action=urls::SIGN_OUT>
                    <button class="button"><Icon name="exit" />"Sign out"</button>
                </form>
            </header>
            <dl class="facts facts-row">
                <div><dt>"Name"</dt><dd>{account.name}</dd></div>
                <div><dt>"Email"</dt><dd>{email.clone()}</dd></div>
                <div><dt>"Role"</dt><dd>{account.role.label()}</dd></div>
                {tenant}
            </dl>
            <PasswordForm email notice />
        </div>
    }
    .into_any()
}

/// Changes the password: a plain form, handled by the server.
#[component]
fn PasswordForm(email: String, notice: PasswordNotice) -> impl IntoView {
    let tenant = use_tenant();
    let is_current_wrong = notice.current.is_some();
    let is_only_new_wrong = notice.new.is_some() && !is_current_wrong;
    let has_fault = notice.current.is_some() || notice.new.is_some();
    let failure = notice
        .form
        .or_else(|| has_fault.then(|| NOT_CHANGED.to_owned()));
    let failure = failure.map(|message| {
        view! { <Callout tone=Tone::Danger><p role="alert">{message}</p></Callout> }
    });
    let current = Signal::stored(notice.current.into_iter().collect::<Vec<_>>());
    let new = Signal::stored(notice.new.into_iter().collect::<Vec<_>>());
    view! {
        <section class="section" aria-labelledby="password-title">
            <h2 id="password-title">"Change password"</h2>
            <form class="form" method="post" action=move || tenant.get().url(urls::ACCOUNT) novalidate>
                {failure}
                // Password managers ignore an input of the type `hidden`.
                <input type="text" name="username" autocomplete="username" value=email readonly hidden />
                <div class="field">
                    <div class="field-about">
                        <label class="label" for="current-password">"Current password"</label>
                    </div>
                    <div class="field-control">
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
                </div>
                <div class="field">
                    <div class="field-about">
                        <label class="label" for="new-password">"New password"</label>
                        <p class="hint" id="new-password-hint">
                            "12–256 characters. Several unrelated words work well. You are signed out everywhere else."
                        </p>
                    </div>
                    <div class="field-control">
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
                    </div>
                </div>
                <div class="form-actions">
                    <button class="button button-primary" data-wait="Changing…"><span>"Change password"</span></button>
                </div>
            </form>
        </section>
    }
    .into_any()
}
