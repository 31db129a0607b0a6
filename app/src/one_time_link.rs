//! The pages of one-time links. They have no script and send no referrer.

use domain::{
    FieldError,
    store::{
        invitations::OpenLink,
        one_time_links::{LinkEnd, LinkPurpose},
    },
};
use leptos::prelude::*;

use crate::{
    components::{
        Callout, FieldErrors, Tone,
        field::{described_by, invalid},
    },
    shell,
    ssr::RequestContext,
    urls, words,
};

/// A refused form: the typed name and the errors of its fields. The password is not repeated.
#[derive(Clone, Debug, Default)]
pub struct RefusedForm {
    /// The typed name.
    pub name: String,
    /// The errors of `name` and `password`.
    pub fields: Vec<FieldError>,
    /// A failure that belongs to no field.
    pub failure: Option<String>,
}

/// The form of an invitation or of a link that sets a new password. `action` is the path of the link.
#[must_use]
pub fn open_link_page(
    request: &RequestContext,
    link: &OpenLink,
    action: String,
    refused: RefusedForm,
) -> String {
    if link.purpose == LinkPurpose::SignIn {
        return sign_in_page(request, link, action, refused.failure);
    }
    let is_invitation = link.purpose == LinkPurpose::Invitation;
    let title = if is_invitation {
        "Accept invitation"
    } else {
        "Set a new password"
    };
    let (errors, failure) = (refused.fields, refused.failure);
    let email = link.email.to_string();
    let about = match (is_invitation, &link.tenant) {
        (true, Some(tenant)) => format!(
            "{} invites you to {tenant} as {}.",
            link.author,
            link.role.label().to_lowercase()
        ),
        (true, None) => format!("You are invited as {}.", link.role.label().to_lowercase()),
        (false, _) => "All your sessions end.".to_owned(),
    };
    let until = format!(
        "This link works once, until {}.",
        words::minute(link.expires_at)
    );
    let typed = refused.name;
    shell::plain_document(request, title, move || {
        let errors_of = |name: &str| {
            let of_field = errors.iter().filter(|error| error.field == name);
            let messages: Vec<_> = of_field.map(|error| error.message.clone()).collect();
            Signal::stored(messages)
        };
        let (name_errors, password_errors) = (errors_of("name"), errors_of("password"));
        let name = is_invitation.then(|| {
            view! {
                <div class="field">
                    <label class="label" for="name">"Your name"</label>
                    <input
                        class="input"
                        id="name"
                        name="name"
                        value=typed
                        maxlength="200"
                        autocomplete="name"
                        required
                        dir="auto"
                        aria-invalid=invalid(name_errors)
                        aria-describedby=described_by("name", name_errors, "")
                    />
                    <FieldErrors field="name" errors=name_errors />
                </div>
            }
        });
        view! {
            <form class="card" method="post" action=action novalidate>
                <div>
                    <h1>{title}</h1>
                    <p class="muted" dir="auto">{about}</p>
                </div>
                {failure_callout(failure)}
                <div class="field">
                    <label class="label" for="email">"E-mail address"</label>
                    <input class="input" id="email" value=email readonly autocomplete="username" />
                </div>
                {name}
                <div class="field">
                    <label class="label" for="password">"Password"</label>
                    <input
                        class="input"
                        type="password"
                        id="password"
                        name="password"
                        autocomplete="new-password"
                        required
                        aria-invalid=invalid(password_errors)
                        aria-describedby=described_by("password", password_errors, "password-hint")
                    />
                    <FieldErrors field="password" errors=password_errors />
                    <p class="hint" id="password-hint">"At least 12 characters, and hard to guess: several unusual words are good."</p>
                </div>
                <button class="button button-primary"><span>{title}</span></button>
                <p class="hint">{until}</p>
            </form>
        }
        .into_any()
    })
}

fn sign_in_page(
    request: &RequestContext,
    link: &OpenLink,
    action: String,
    failure: Option<String>,
) -> String {
    let who = link.name.clone().unwrap_or_default();
    let email = link.email.to_string();
    shell::plain_document(request, "Sign in", move || {
        view! {
            <form class="card" method="post" action=action>
                <div>
                    <h1>"Sign in"</h1>
                    <p class="muted" dir="auto">{format!("as {who}, {email}")}</p>
                </div>
                {failure_callout(failure)}
                <button class="button button-primary"><span>"Sign in"</span></button>
                <p class="hint">"This link works once."</p>
            </form>
        }
        .into_any()
    })
}

/// The response after a link was used.
#[must_use]
pub fn accepted_page(request: &RequestContext, is_invitation: bool) -> String {
    let title = if is_invitation {
        "Welcome"
    } else {
        "Your password is set"
    };
    let text = if is_invitation {
        "Your account is ready. Sign in with your e-mail address and the password that you chose."
    } else {
        "Sign in with it. You are signed out everywhere."
    };
    shell::plain_document(request, title, move || {
        view! {
            <section class="card">
                <h1>{title}</h1>
                <p>{text}</p>
                <a class="button button-primary" href=urls::SIGN_IN>"Sign in"</a>
            </section>
        }
        .into_any()
    })
}

/// The response to a link that is not open; `end` is `None` for an unknown one.
#[must_use]
pub fn ended_page(request: &RequestContext, end: Option<LinkEnd>) -> String {
    let reason = match end {
        Some(LinkEnd::Used) => "It was used already. If that was you, sign in.",
        Some(LinkEnd::Replaced) => "A newer link was made: use that one.",
        Some(LinkEnd::Expired) => "Its time is over.",
        Some(LinkEnd::AddressTaken) => "A user has this e-mail address already.",
        Some(LinkEnd::Withdrawn | LinkEnd::TenantSuspended | LinkEnd::AuthorLostRole) => {
            "It was withdrawn."
        }
        None => "Check that you copied all of it.",
    };
    shell::plain_document(request, "This link does not work", move || {
        view! {
            <section class="card">
                <h1>"This link does not work"</h1>
                <p>{reason}" Ask the person who sent it for a new one."</p>
                <a class="button" href=urls::SIGN_IN>"Sign in"</a>
            </section>
        }
        .into_any()
    })
}

/// The response if the link cannot be judged now.
#[must_use]
pub fn failed_page(request: &RequestContext, message: String) -> String {
    shell::plain_document(request, "Try again", move || {
        view! {
            <section class="card">
                <h1>"Try again"</h1>
                <p>{message}</p>
            </section>
        }
        .into_any()
    })
}

fn failure_callout(failure: Option<String>) -> Option<AnyView> {
    failure.map(|message| {
        view! { <Callout tone=Tone::Danger><p role="alert">{message}</p></Callout> }.into_any()
    })
}
