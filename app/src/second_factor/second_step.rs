//! The page that asks for the code after a right password.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use crate::{
    components::{Icon, PageTitle},
    urls,
};

/// The reason for which a code was refused. The server provides it as context to the page that it renders in response.
#[derive(Clone, Debug)]
pub struct SecondStepFailure {
    /// The message.
    pub message: String,
}

/// The page.
#[component]
pub fn SecondStepPage() -> impl IntoView {
    let failure = use_context::<SecondStepFailure>();
    let return_to = use_query_map().with_untracked(|query| query.get("return_to"));
    let return_to = return_to
        .as_deref()
        .and_then(urls::local_path)
        .unwrap_or_default()
        .to_owned();
    let action = urls::with_parameters(urls::SECOND_STEP, &[("return_to", &return_to)]);
    let is_retry = failure.is_some();
    let message = failure.map(|failure| {
        view! {
            <div class="callout" data-tone="danger" role="alert" id="code-error">
                <Icon name="alert" />
                <p>{failure.message}</p>
            </div>
        }
    });
    view! {
        <PageTitle text="Second factor – Latchkey" />
        <main class="sign-in" id="main" tabindex="-1">
            <a class="brand" href=urls::SIGN_IN><Icon name="key" large=true />"Latchkey"</a>
            <form class="card" method="post" action=action novalidate>
                <div>
                    <h1>"Second factor"</h1>
                    <p class="muted">"Enter the code of your authenticator app, or a recovery code."</p>
                </div>
                {message}
                <input type="hidden" name="return_to" value=return_to />
                <div class="field">
                    <label class="label" for="code">"Code"</label>
                    <input
                        class="input"
                        id="code"
                        name="code"
                        autocomplete="one-time-code"
                        autocapitalize="characters"
                        spellcheck="false"
                        required
                        autofocus
                        aria-invalid=is_retry.then_some("true")
                        aria-describedby=is_retry.then_some("code-error")
                    />
                </div>
                <button class="button button-primary" data-wait="Signing in…"><span>"Sign in"</span></button>
                <p class="hint">
                    "No app and no recovery code left? Ask your operator to reset your second factor."
                </p>
            </form>
            <nav class="sign-in-links" aria-label="Sign in"><a href=urls::SIGN_IN>"Start again"</a></nav>
        </main>
    }
    .into_any()
}
