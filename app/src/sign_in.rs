//! The sign-in page: a link to single sign-on and a plain form, both handled by the server.

mod sso_failure;

pub use sso_failure::SsoFailure;

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use serde::{Deserialize, Serialize};

use crate::{
    components::{
        Callout, Icon, PageTitle, Tone,
        support::{SupportUrl, with_support_link},
    },
    error::AppError,
    page::{Page, PageTable},
    ssr, urls,
};

/// The reason for which a sign-in was refused. The server provides it as context to the page that it renders in response.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SignInFailure {
    /// The typed e-mail address.
    pub email: String,
    /// The message.
    pub message: String,
    /// The reason, which determines the marked fields.
    pub reason: SignInFailureReason,
}

/// The reason of a [`SignInFailure`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SignInFailureReason {
    /// The attempt was refused or failed.
    Refused,
    /// Both fields are empty.
    NothingTyped,
    /// The email is missing.
    NoEmail,
    /// The password is missing.
    NoPassword,
}

impl SignInFailureReason {
    const fn lacks_email(self) -> bool {
        matches!(self, Self::NothingTyped | Self::NoEmail)
    }

    const fn lacks_password(self) -> bool {
        matches!(self, Self::NothingTyped | Self::NoPassword)
    }
}

/// The data of the page besides its form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignInForm {
    /// Whether no user exists: the page then shows the command that creates the first.
    pub is_first_run: bool,
}

/// Loads the page. Redirects a signed-in user to `return_to`, unless the page shows a failure (`is_failure`).
///
/// # Errors
/// [`crate::error::ErrorCode::Unavailable`].
pub async fn open_sign_in(
    return_to: Option<String>,
    is_failure: bool,
) -> Result<SignInForm, AppError> {
    use crate::error::ErrorCode;
    use leptos_axum::ResponseOptions;

    let response = use_context::<ResponseOptions>();
    let is_retry = is_failure || use_context::<SignInFailure>().is_some();
    ssr::respond(async {
        let request = ssr::request()?;
        match ssr::signed_in(&request).await {
            Ok(user) => {
                if let (Some(response), false) = (response, is_retry) {
                    let target = return_to.as_deref().and_then(urls::local_path);
                    let target = urls::after_sign_in(target, user.user.role);
                    ssr::redirect(&response, target);
                }
            }
            Err(error) if error.code == ErrorCode::NotSignedIn => {}
            Err(error) => return Err(error),
        }
        Ok(SignInForm {
            is_first_run: request.store.sign_in().has_no_users().await?,
        })
    })
    .await
}

/// The sign-in page.
#[component]
pub fn SignInPage() -> impl IntoView {
    let failure = SharedValue::new(use_context::<SignInFailure>).into_inner();
    let query = use_query_map();
    let request = ssr::request().ok();
    let ways = request.as_ref().map(|request| request.sign_in.clone());
    let single_sign_on = ways.as_ref().and_then(|ways| ways.single_sign_on.clone());
    let has_password = ways.is_none_or(|ways| ways.password);
    let sso_failure = query.with_untracked(|query| {
        let word = query.get(SsoFailure::PARAMETER)?;
        SsoFailure::parse(&word).filter(|_| single_sign_on.is_some())
    });
    let return_to = Memo::new(move |_| query.with(|query| query.get("return_to")));
    let form = Resource::new(
        move || return_to.get(),
        move |return_to| open_sign_in(return_to, sso_failure.is_some()),
    );
    let first_run = move || {
        form.get().map(|form| match form {
            Ok(form) => form.is_first_run.then(|| view! { <FirstRun /> }).into_any(),
            Err(error) => view! {
                <Callout tone=Tone::Danger><p>{error.message}</p></Callout>
            }
            .into_any(),
        })
    };
    // The URL contains it too, so that the page of a refused sign-in keeps it.
    let action = move || {
        let target = return_to.get();
        urls::with_parameters(
            urls::SIGN_IN,
            &[(
                "return_to",
                target
                    .as_deref()
                    .and_then(urls::local_path)
                    .unwrap_or_default(),
            )],
        )
    };
    let hidden = move || {
        let target = return_to.get();
        target
            .as_deref()
            .and_then(urls::local_path)
            .map(str::to_owned)
    };
    let reason = failure.as_ref().map(|failure| failure.reason);
    let lacks_email = reason.is_some_and(SignInFailureReason::lacks_email);
    let lacks_password = reason.is_some_and(SignInFailureReason::lacks_password);
    let (email, message) = failure.map_or((String::new(), None), |failure| {
        (failure.email, Some(failure.message))
    });
    let message = message.or_else(|| sso_failure.map(|failure| failure.message().to_owned()));
    // The field to correct first.
    let starts_at_password = reason.is_some() && !lacks_email;
    let destination = use_context::<PageTable>().map_or("Latchkey", |table| {
        destination(table.0, return_to.get_untracked().as_deref())
    });
    let support = request.and_then(|request| request.support_url.as_deref().map(str::to_owned));
    provide_context(SupportUrl(Signal::stored(support.clone())));
    let contact = support.map(|_| {
        view! { " "{with_support_link("Contact support.".to_owned())} }
    });
    let is_retry = reason.is_some();
    let message = message.map(|message| {
        view! {
            <div class="callout" data-tone="danger" role="alert" id="sign-in-error">
                <Icon name="alert" />
                <p>{message}</p>
            </div>
        }
    });
    let described_by = is_retry.then_some("sign-in-error");
    let heading = view! {
        <div>
            <h1>"Sign in"</h1>
            <p class="muted">{format!("to continue to {destination}")}</p>
        </div>
        <Transition>{first_run}</Transition>
        {message}
    };
    let single_sign_on = single_sign_on.map(|name| {
        let target = return_to.get_untracked();
        let target = target.as_deref().and_then(urls::local_path);
        let href = urls::single_sign_on(target.unwrap_or_default(), false);
        let class = if has_password {
            "button"
        } else {
            "button button-primary"
        };
        view! { <a class=class href=href rel="external">{name.to_string()}</a> }
    });
    let form = if has_password {
        let separator = single_sign_on.is_some().then(|| {
            view! { <p class="sign-in-or">"or with your password"</p> }
        });
        view! {
            <form class="card" method="post" action=action novalidate>
                {heading}
                {single_sign_on}
                {separator}
                <input type="hidden" name="return_to" value=hidden />
                <div class="field">
                    <label class="label" for="email">"Email"</label>
                    <input
                        class="input"
                        type="email"
                        id="email"
                        name="email"
                        autocomplete="username"
                        required
                        value=email
                        autofocus=!starts_at_password
                        aria-invalid=lacks_email.then_some("true")
                        aria-describedby=described_by
                    />
                </div>
                <div class="field">
                    <label class="label" for="password">"Password"</label>
                    <input
                        class="input"
                        type="password"
                        id="password"
                        name="password"
                        autocomplete="current-password"
                        required
                        autofocus=starts_at_password
                        aria-invalid=lacks_password.then_some("true")
                        aria-describedby=described_by
                    />
                </div>
                <button class="button button-primary" data-wait="Signing in…"><span>"Sign in"</span></button>
                <p class="hint">
                    "Forgot your password? Ask your operator to set a new one."{contact}
                </p>
            </form>
        }
        .into_any()
    } else {
        view! {
            <div class="card">
                {heading}
                {single_sign_on}
                <p class="hint">"Passwords are turned off here. Sign in with your organisation’s account."{contact}</p>
            </div>
        }
        .into_any()
    };
    view! {
        <PageTitle text="Sign in – Latchkey" />
        <main class="sign-in" id="main" tabindex="-1">
            <a class="brand" href=urls::SIGN_IN><Icon name="key" large=true />"Latchkey"</a>
            {form}
            <nav class="sign-in-links" aria-label="Documentation">
                <a href=urls::HELP>"Help"</a>
                <a href=urls::API_DOCS>"API documentation"</a>
            </nav>
        </main>
    }
    .into_any()
}

/// The name of the page to which the sign-in leads.
fn destination(pages: &[Page], return_to: Option<&str>) -> &'static str {
    let target = return_to
        .and_then(urls::local_path)
        .unwrap_or(urls::API_KEYS);
    let path = target.split(['?', '#']).next().unwrap_or(target);
    let pages = pages.iter().filter(|page| page.contains(path));
    pages
        .filter_map(|page| page.menu)
        .next()
        .map_or("Latchkey", |entry| entry.label)
}

#[component]
fn FirstRun() -> impl IntoView {
    view! {
        <Callout tone=Tone::Neutral>
            <div>
                <p><strong>"No user exists yet."</strong>" Create the first one:"</p>
                <pre class="command"><code>
                    "latchkey user create --email you@example.com --role super_user"
                </code></pre>
            </div>
        </Callout>
    }
}
