//! The pages of the second factor: set-up, turning it off, new recovery codes, and the second step of a sign-in. Pages without script.

pub mod second_step;

use domain::{
    session::Authentication,
    store::{
        second_factor::own::{SecondFactorStatus, SetUp},
        sessions::SignedIn,
    },
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use qrcode::{QrCode, render::svg};

use crate::{
    components::{
        Callout, FieldErrors, PageTitle, Tone,
        field::{described_by, invalid},
    },
    current_tenant::use_tenant,
    error::{AppError, ErrorCode},
    ssr,
    status_pages::Failure,
    urls,
};

/// The outcome of a form, which the server provides as context to the page that it renders in response.
#[derive(Clone)]
pub enum SecondFactorStep {
    /// The proof was refused.
    Refused(Refused),
    /// The seed, and the error of the code.
    Code(SetUp, Option<String>),
    /// The recovery codes.
    Codes(Vec<String>),
}

/// Why a form was refused.
#[derive(Clone, Debug, Default)]
pub struct Refused {
    /// The error of the whole form.
    pub form: Option<String>,
    /// The error of the password.
    pub password: Option<String>,
}

/// A change that asks for the password.
#[derive(Clone, Copy)]
struct Change {
    title: &'static str,
    about: &'static str,
    target: &'static str,
    button: &'static str,
    button_class: &'static str,
}

const SET_UP: Change = Change {
    title: "Set up a second factor",
    about: "You need an authenticator app on your phone. From then on, each sign-in asks for a code of the app.",
    target: urls::SECOND_FACTOR,
    button: "Continue",
    button_class: "button button-primary",
};

const TURN_OFF: Change = Change {
    title: "Turn off the second factor",
    about: "Your password alone then signs you in. Your recovery codes stop working.",
    target: urls::DISABLE_SECOND_FACTOR,
    button: "Turn off",
    button_class: "button button-danger",
};

const NEW_CODES: Change = Change {
    title: "New recovery codes",
    about: "Ten new codes replace the present ones, which stop working.",
    target: urls::NEW_RECOVERY_CODES,
    button: "Make new codes",
    button_class: "button button-primary",
};

/// The page that sets the second factor up.
#[component]
pub fn SecondFactorPage() -> impl IntoView {
    page(SET_UP)
}

/// The page that turns the second factor off.
#[component]
pub fn DisableSecondFactorPage() -> impl IntoView {
    page(TURN_OFF)
}

/// The page that makes new recovery codes.
#[component]
pub fn NewRecoveryCodesPage() -> impl IntoView {
    page(NEW_CODES)
}

fn page(change: Change) -> AnyView {
    let step = use_context::<SecondFactorStep>();
    let tenant = use_query_map().with_untracked(|query| query.get("tenant"));
    view! {
        <Suspense>
            {Suspend::new(async move {
                match ssr::respond(read(tenant)).await {
                    Err(error) => view! { <Failure error /> }.into_any(),
                    Ok((user, status)) => content(change, step, &user, &status),
                }
            })}
        </Suspense>
    }
    .into_any()
}

async fn read(tenant: Option<String>) -> Result<(SignedIn, SecondFactorStatus), AppError> {
    let request = ssr::request()?;
    let user = ssr::signed_in(&request).await?;
    if tenant.is_some() && user.operator().is_none() {
        return Err(AppError::new(ErrorCode::TenantNotYours));
    }
    let status = request.store.own_second_factor(&user).status().await?;
    Ok((user, status))
}

fn content(
    change: Change,
    step: Option<SecondFactorStep>,
    user: &SignedIn,
    status: &SecondFactorStatus,
) -> AnyView {
    let account = use_tenant().get_untracked().url(urls::ACCOUNT);
    let is_on = status.enabled_at.is_some();
    let is_set_up = change.target == urls::SECOND_FACTOR;
    let body = match step {
        Some(SecondFactorStep::Codes(codes)) => recovery_codes(codes, account),
        Some(SecondFactorStep::Code(set_up, error)) => code_form(&set_up, error),
        _ if is_set_up == is_on => {
            let state = if is_on { "on" } else { "off" };
            view! {
                <p>{format!("Your second factor is {state}.")}</p>
                <a class="button" href=account>"Back to My account"</a>
            }
            .into_any()
        }
        Some(SecondFactorStep::Refused(refused)) => {
            proof_form(change, user, status, refused, account)
        }
        None => proof_form(change, user, status, Refused::default(), account),
    };
    view! {
        <PageTitle text=format!("{} – Latchkey", change.title) />
        <div class="page page-form">
            <header class="page-header"><div><h1 tabindex="-1">{change.title}</h1></div></header>
            <div class="stack form-text">{body}</div>
        </div>
    }
    .into_any()
}

fn callout(message: String) -> AnyView {
    view! { <Callout tone=Tone::Danger><p role="alert">{message}</p></Callout> }.into_any()
}

/// Asks for the password; a user of single sign-on only confirms.
fn proof_form(
    change: Change,
    user: &SignedIn,
    status: &SecondFactorStatus,
    refused: Refused,
    account: String,
) -> AnyView {
    if let (true, Some(fault)) = (change.target == urls::SECOND_FACTOR, status.fault) {
        return view! {
            {callout(format!("A second factor cannot be set up: {fault}. Ask your operator."))}
            <a class="button" href=account>"Back to My account"</a>
        }
        .into_any();
    }
    let required = user.lacks_second_factor().then(|| {
        view! {
            <Callout tone=Tone::Warning>
                <p>"Your account needs a second factor. Set it up to go on."</p>
            </Callout>
        }
    });
    let asks_password = user.session.authentication != Authentication::SingleSignOn;
    let errors = Signal::stored(refused.password.into_iter().collect::<Vec<_>>());
    let email = user.user.email.to_string();
    let password = asks_password.then(|| {
        view! {
            <input type="text" name="username" autocomplete="username" value=email readonly hidden />
            <div class="field">
                <label class="label" for="proof-password">"Your password"</label>
                <input
                    class="input"
                    type="password"
                    id="proof-password"
                    name="password"
                    autocomplete="current-password"
                    required
                    autofocus
                    aria-invalid=invalid(errors)
                    aria-describedby=described_by("proof-password", errors, "")
                />
                <FieldErrors field="proof-password" errors />
            </div>
        }
    });
    let tenant = use_tenant().get_untracked();
    let cancel = required
        .is_none()
        .then(|| view! { <a class="button" href=account>"Cancel"</a> });
    view! {
        {required}
        <p>{change.about}</p>
        <form class="stack proof" method="post" action=tenant.url(change.target) novalidate>
            {refused.form.map(callout)}
            {password}
            <div class="row">
                {cancel}
                <button class=change.button_class data-wait="Checking…"><span>{change.button}</span></button>
            </div>
        </form>
    }
    .into_any()
}

/// Shows the seed and asks for the first code.
fn code_form(set_up: &SetUp, error: Option<String>) -> AnyView {
    let errors = Signal::stored(error.into_iter().collect::<Vec<_>>());
    let tenant = use_tenant().get_untracked();
    let groups: Vec<_> = set_up
        .seed
        .as_bytes()
        .chunks(4)
        .map(|group| String::from_utf8_lossy(group).into_owned())
        .collect();
    let picture = qr_code(&set_up.url).map(|svg| {
        view! { <div class="qr" role="img" aria-label="QR code of the seed" inner_html=svg></div> }
    });
    view! {
        <p>"Scan this code with your authenticator app, or type the seed into it."</p>
        {picture}
        <p><span class="label">"Seed"</span>" "<code id="seed">{groups.join(" ")}</code></p>
        <form class="stack proof" method="post" action=tenant.url(urls::CONFIRM_SECOND_FACTOR) novalidate>
            <div class="field">
                <label class="label" for="code">"Code of the app"</label>
                <input
                    class="input"
                    id="code"
                    name="code"
                    inputmode="numeric"
                    autocomplete="one-time-code"
                    required
                    autofocus
                    aria-invalid=invalid(errors)
                    aria-describedby=described_by("code", errors, "")
                />
                <FieldErrors field="code" errors />
            </div>
            <button class="button button-primary" data-wait="Checking…"><span>"Turn on"</span></button>
        </form>
    }
    .into_any()
}

/// The URL as an SVG; `None` if it is too long, which no e-mail address makes it.
fn qr_code(url: &str) -> Option<String> {
    let code = QrCode::new(url).ok()?;
    let document = code.render::<svg::Color>().min_dimensions(192, 192).build();
    // In HTML, the XML declaration would be text.
    let start = document.find("<svg")?;
    document.get(start..).map(str::to_owned)
}

fn recovery_codes(codes: Vec<String>, account: String) -> AnyView {
    let codes: Vec<_> = codes
        .into_iter()
        .map(|code| view! { <li><code>{code}</code></li> })
        .collect();
    view! {
        <Callout tone=Tone::Warning>
            <p>
                <strong>"Store these recovery codes now. They are not shown again."</strong>
                " Each signs you in once if you do not have your app."
            </p>
        </Callout>
        <ul class="codes" aria-label="Recovery codes">{codes}</ul>
        <a class="button button-primary" href=account>"I have stored them"</a>
    }
    .into_any()
}
