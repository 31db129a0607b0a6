//! Responses to a form that was sent without a script and created a secret, or repeated such a form.
//!
//! They have no script: no hydration, no resource in the document, and no history entry from which a script could read the secret.

use domain::key::ApiKey;
use leptos::prelude::*;

use super::{dialog_target::DialogTarget, responses::Issued, secret_facts::SecretFacts};
use crate::{api_keys::dialog_target::DialogKind, shell, ssr::RequestContext, urls};

/// The document that shows a new secret once. `title` names the change; `list` is the URL of the list; `tenant` is the name of the tenant
/// in which a super user acts.
#[must_use]
pub fn secret_page(
    request: &RequestContext,
    list: String,
    tenant: Option<String>,
    issued: Issued,
    title: &'static str,
) -> String {
    let Issued {
        key,
        secret,
        origin,
        receipt,
    } = issued;
    let name = key.name.to_string();
    let secret = secret.expose().to_owned();
    let tenant = tenant.map(|tenant| view! { " of "<strong dir="auto">{tenant}</strong> });
    shell::plain_document(request, title, move || {
        view! {
            <section class="card card-wide" aria-labelledby="secret-title">
                <div>
                    <h1 id="secret-title">{title}</h1>
                    <p class="muted" dir="auto">{name}{tenant}</p>
                </div>
                <SecretFacts secret propagation=receipt origin />
                <a class="button" href=list>"Close"</a>
            </section>
        }
        .into_any()
    })
}

/// The response to a repeated form, which changed nothing.
#[must_use]
pub fn already_shown_page(request: &RequestContext, list: String, key: &ApiKey) -> String {
    let rotate = DialogTarget {
        kind: DialogKind::Rotate,
        id: key.id.to_string(),
    };
    let rotate = list.replacen(urls::API_KEYS, &rotate.path(), 1);
    let name = key.name.to_string();
    shell::plain_document(request, "This secret was already shown", move || {
        view! {
            <section class="card" aria-labelledby="shown-title">
                <h1 id="shown-title">"This secret was already shown"</h1>
                <p>
                    "The form was sent twice. Nothing was changed the second time, and the secret of "
                    <strong dir="auto">{name}</strong>
                    " is not shown again. If you did not copy it, rotate the key."
                </p>
                <p class="card-actions">
                    <a class="button" href=rotate>"Rotate"</a>
                    <a class="button button-primary" href=list>"Go to API Keys"</a>
                </p>
            </section>
        }
        .into_any()
    })
}
