//! Pages for failures: status, explanation, one link.

use leptos::prelude::*;

use crate::{
    browser,
    components::PageTitle,
    current_tenant::use_console_tenant,
    error::{AppError, ErrorCode},
    urls,
};

/// Replaces a page that could not be loaded, within the console's layout.
#[component]
pub fn Failure(
    /// The failure.
    error: AppError,
) -> impl IntoView {
    match error.code {
        ErrorCode::NotSignedIn => view! { <SignInAgain /> }.into_any(),
        code => view! { <div class="page"><Status code message=error.message /></div> }.into_any(),
    }
}

/// Replaces a page that could not be loaded, without the console's layout.
#[component]
pub fn WholePageFailure(
    /// The failure.
    error: AppError,
) -> impl IntoView {
    view! {
        <main class="error-page" id="main" tabindex="-1">
            {match error.code {
                ErrorCode::NotSignedIn => view! { <SignInAgain /> }.into_any(),
                code => view! { <Status code message=error.message /> }.into_any(),
            }}
        </main>
    }
}

/// The page for an unknown URL in the browser. (The server's is in `layout/open.rs`.)
#[component]
pub fn NotFoundPage() -> impl IntoView {
    view! { <WholePageFailure error=AppError::new(ErrorCode::NotFound) /> }
}

/// The content of the page for an unknown URL.
#[component]
pub fn NotFound() -> impl IntoView {
    view! { <Failure error=AppError::new(ErrorCode::NotFound) /> }
}

#[component]
fn Status(code: ErrorCode, message: String) -> impl IntoView {
    let keys = use_console_tenant().map_or_else(
        || urls::API_KEYS.to_owned(),
        |tenant| tenant.get_untracked().url(urls::API_KEYS),
    );
    let (number, heading, text, href, way_on) = match code {
        ErrorCode::Forbidden => (
            "403",
            "You can’t open API Keys",
            message,
            urls::ACCOUNT.to_owned(),
            "Go to My account",
        ),
        ErrorCode::TenantNotYours => (
            "403",
            "You can’t choose a tenant",
            message,
            urls::API_KEYS.to_owned(),
            "Go to API Keys",
        ),
        ErrorCode::Unavailable => (
            "503",
            "Latchkey can’t reach its database",
            "Nothing was changed. Try again in a few seconds.".to_owned(),
            String::new(),
            "Try again",
        ),
        ErrorCode::OutcomeUnknown => (
            "503",
            "Latchkey’s database did not answer",
            message,
            keys,
            "Go to API Keys",
        ),
        ErrorCode::TooManyRequests => (
            "429",
            "Too many requests at once",
            message,
            String::new(),
            "Try again",
        ),
        ErrorCode::Unreachable => (
            "",
            "Latchkey can’t be reached",
            "Try again when you are connected.".to_owned(),
            String::new(),
            "Try again",
        ),
        ErrorCode::Internal => (
            "500",
            "Internal error",
            message.trim_start_matches("Internal error. ").to_owned(),
            String::new(),
            "Try again",
        ),
        _ => (
            "404",
            "This page does not exist",
            message,
            keys,
            "Go to API Keys",
        ),
    };
    // An empty `href` with `rel="external"` reloads the page.
    let way_on = if href.is_empty() {
        view! { <a class="button" rel="external" href="">{way_on}</a> }.into_any()
    } else {
        // The account has no script.
        let rel = (href == urls::ACCOUNT).then_some("external");
        view! { <a class="button" href=href rel=rel>{way_on}</a> }.into_any()
    };
    view! {
        <PageTitle text=format!("{heading} – Latchkey") />
        <section class="status-page">
            <h1>{heading}</h1>
            <p class="muted">{text}</p>
            {way_on}
            {(!number.is_empty()).then(|| view! { <p class="status-code">"Error "{number}</p> })}
        </section>
    }
}

/// Leads to the sign-in page, and from there back to this page, when the session ends while a page is open. (The server redirects instead.)
#[component]
fn SignInAgain() -> impl IntoView {
    Effect::new(|_| browser::go(&urls::sign_in(&browser::here())));
    view! {
        <section class="status-page">
            <h1>"Your session has ended"</h1>
            <a class="button" rel="external" href=urls::SIGN_IN>"Sign in"</a>
        </section>
    }
}
