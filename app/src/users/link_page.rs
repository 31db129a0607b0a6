//! The response that shows a new link once. It has no script.

use domain::store::{invitations::IssuedLink, one_time_links::LinkPurpose};
use leptos::prelude::*;

use super::effect;
use crate::{
    components::{Callout, Icon, Tone},
    shell,
    ssr::RequestContext,
    urls, words,
};

/// The document that shows a link once. `list` is the URL of the list of users, `tenant` the name of the tenant in which a super user acts,
/// `origin` scheme and host of the link.
#[must_use]
pub fn link_page(
    request: &RequestContext,
    list: String,
    tenant: Option<String>,
    origin: &str,
    link: &IssuedLink,
) -> String {
    let title = match link.purpose {
        LinkPurpose::Invitation => "Invitation created",
        LinkPurpose::NewPassword | LinkPurpose::SignIn => "Password link created",
    };
    let url = urls::one_time_link(origin, false, link.token.expose());
    let who = format!("{}, {}", link.email, link.role.label().to_lowercase());
    let tenant = tenant.map(|tenant| view! { " of "<strong dir="auto">{tenant}</strong> });
    let until = words::minute(link.expires_at);
    let effect = effect(link.purpose);
    shell::plain_document(request, title, move || {
        view! {
            <section class="card card-wide" aria-labelledby="link-title">
                <div>
                    <h1 id="link-title">{title}</h1>
                    <p class="muted">{who}{tenant}</p>
                </div>
                <Callout tone=Tone::Warning>
                    <p>
                        <strong>"This link will not be shown again."</strong>
                        " It works once, until "<strong>{until}</strong>". "{effect}
                    </p>
                </Callout>
                <div class="field">
                    <span class="label" id="link-label">"Link"</span>
                    <div class="secret">
                        <code id="link" tabindex="0" role="textbox" aria-readonly="true" aria-labelledby="link-label">
                            {url}
                        </code>
                    </div>
                    <p class="hint">"Copy it and send it to the person by a way that only they can read."</p>
                </div>
                <a class="button" href=list><Icon name="check" />"Close"</a>
            </section>
        }
        .into_any()
    })
}
