//! The pages that confirm a suspension and its end.

use domain::tenant::{SuspensionEffect, Tenant};
use leptos::prelude::*;

use super::{SubmittedTenant, actions::operator, slug_in_path, tenant_url};
use crate::{
    components::{Breadcrumb, Callout, Icon, PageTitle, Tone},
    error::AppError,
    page::MenuSection,
    ssr,
    status_pages::Failure,
    urls, words,
};

/// The confirmation of a suspension.
#[component]
pub fn SuspendTenantPage() -> impl IntoView {
    page(true)
}

/// The confirmation of the end of a suspension.
#[component]
pub fn ResumeTenantPage() -> impl IntoView {
    page(false)
}

fn page(suspends: bool) -> impl IntoView {
    let slug = slug_in_path();
    let submitted = use_context::<SubmittedTenant>();
    view! {
        <Suspense>
            {Suspend::new(async move {
                let read = async {
                    let request = ssr::request()?;
                    let operator = operator(&request).await?;
                    let tenants = request.store.tenants(&operator);
                    Ok::<_, AppError>(tenants.with_suspension_effect(&slug).await?)
                };
                match ssr::respond(read).await {
                    Err(error) => view! { <Failure error /> }.into_any(),
                    Ok((tenant, effect)) => confirmation(suspends, &tenant, effect, submitted),
                }
            })}
        </Suspense>
    }
}

fn confirmation(
    suspends: bool,
    tenant: &Tenant,
    effect: SuspensionEffect,
    submitted: Option<SubmittedTenant>,
) -> AnyView {
    let failure = submitted
        .and_then(|submitted| submitted.error)
        .map(|error| {
            let message = error.message;
            view! { <Callout tone=Tone::Danger><p role="alert">{message}</p></Callout> }
        });
    let (verb, wait, word) = if suspends {
        ("Suspend", "Suspending…", "suspend")
    } else {
        ("Resume", "Resuming…", "resume")
    };
    let name = tenant.name.clone();
    let is_done = tenant.suspended_at.is_some() == suspends;
    let content = if is_done {
        let state = if suspends {
            " is suspended already."
        } else {
            " is not suspended."
        };
        view! {
            <p><strong dir="auto">{name.clone()}</strong>{state}</p>
            <div class="form-actions"><a class="button" href=urls::TENANTS>"Back to the tenants"</a></div>
        }
        .into_any()
    } else {
        let keys = words::count(effect.keys, "key", "keys");
        let users = words::count(effect.users, "user", "users");
        let effect = if suspends {
            view! {
                <div class="callout" data-tone="warning" id="effect">
                    <Icon name="alert" />
                    <div>
                        <p>
                            <strong>{format!("{keys} and {users} stop at once.")}</strong>
                            " Every request with one of its keys is refused with "<code>"tenant_suspended"</code>
                            ", and its users are signed out. Nothing is deleted; Resume ends the suspension."
                        </p>
                    </div>
                </div>
            }
            .into_any()
        } else {
            view! {
                <p>{format!("Its {keys} work again at once, and its {users} can sign in again.")}</p>
            }
            .into_any()
        };
        view! {
            <p>{format!("{verb} the tenant ")}<strong dir="auto">{name.clone()}</strong>"?"</p>
            {effect}
            <div class="form-actions">
                <a class="button" href=urls::TENANTS>"Cancel"</a>
                <button class="button button-primary" data-wait=wait><span>{verb}</span></button>
            </div>
        }
        .into_any()
    };
    let title = format!("{verb} {name}");
    let action = tenant_url(tenant.slug.as_str(), word);
    view! {
        <PageTitle text=format!("{title} – Latchkey") />
        <div class="page">
            <Breadcrumb
                section=MenuSection::Operator
                parent=("Tenants", Signal::stored(urls::TENANTS.to_owned()))
                page=verb
            />
            <header class="page-header"><div><h1 tabindex="-1" dir="auto">{title}</h1></div></header>
            <form class="form form-text" method="post" action=action>
                {failure}
                {content}
            </form>
        </div>
    }
    .into_any()
}
