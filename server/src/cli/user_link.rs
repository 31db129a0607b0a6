//! `latchkey user invite` and `latchkey user sign-in-link`: commands that print a one-time link.

use app::urls;
use chrono::{DateTime, Utc};
use domain::{
    store::{invitations::IssuedLink, one_time_links::LinkPurpose},
    user::{Email, Role},
};
use serde::Serialize;
use url::Url;

use super::context::CommandContext;
use crate::{
    failure::{Failure, NotFoundMessage as _},
    output::minute,
};

/// A link in the output.
#[derive(Serialize)]
struct LinkRow<'a> {
    url: &'a str,
    /// `invitation`, `new_password` or `sign_in`.
    purpose: &'static str,
    email: &'a Email,
    role: Role,
    expires_at: DateTime<Utc>,
}

pub(super) async fn invite(
    context: &CommandContext,
    email: &Email,
    role: Role,
    tenant: Option<&str>,
) -> Result<(), Failure> {
    let base = base_url(context)?;
    if let Some(slug) = tenant {
        context.tenant(slug).await?;
    }
    let users = context.store.users(&context.operator);
    let link = users.invite(email, role, tenant, context.now).await?;
    print(context, base, &link)
}

pub(super) async fn sign_in(context: &CommandContext, email: &Email) -> Result<(), Failure> {
    let base = base_url(context)?;
    let users = context.store.users(&context.operator);
    let link = users.sign_in_link(email, context.now).await;
    let link = link.or_not_found("user", email.as_str(), "latchkey user list")?;
    print(context, base, &link)
}

fn base_url(context: &CommandContext) -> Result<&Url, Failure> {
    context.public_url.as_ref().ok_or_else(|| {
        Failure::new(
            "LATCHKEY_PUBLIC_URL is not set: set it to the address of the console, like https://keys.example.com, so that the link leads there",
        )
    })
}

fn print(context: &CommandContext, base: &Url, link: &IssuedLink) -> Result<(), Failure> {
    let origin = base.origin().ascii_serialization();
    let url = urls::one_time_link(
        &origin,
        link.purpose == LinkPurpose::SignIn,
        link.token.expose(),
    );
    let effect = match link.purpose {
        LinkPurpose::Invitation => "lets the person choose name and password",
        LinkPurpose::NewPassword => "lets the user set a new password and ends the user's sessions",
        LinkPurpose::SignIn => "signs the user in",
    };
    context.output.note(&format!(
        "This link {effect}. It works once, until {} UTC, and is not shown again.",
        minute(link.expires_at)
    ));
    let row = LinkRow {
        url: &url,
        purpose: link.purpose.as_str(),
        email: &link.email,
        role: link.role,
        expires_at: link.expires_at,
    };
    context.output.secret(&url, &row)
}
