//! The page that confirms the deletion of a group.

use domain::group::{AuthorizationGroup, GroupEffect};
use leptos::prelude::*;

use super::{SubmittedGroup, edit_url, group_in_path, key_names, named_tenant};
use crate::{
    components::{Breadcrumb, Callout, OfTenant, PageTitle, Tone},
    current_tenant::use_tenant,
    error::{AppError, ErrorCode},
    page::MenuSection,
    ssr,
    tenants::TenantPageFailure,
    urls, words,
};

/// The maximum number of keys that the refusal lists.
const NAMED_KEYS: usize = 10;

/// The confirmation, or the list of keys that have the group.
#[component]
pub fn DeleteGroupPage() -> impl IntoView {
    let tenant = named_tenant();
    let id = group_in_path();
    let submitted = use_context::<SubmittedGroup>();
    view! {
        <Suspense>
            {Suspend::new(async move {
                let read = async {
                    let request = ssr::request()?;
                    let scope = ssr::tenant_request_of(&request, tenant.as_deref()).await?.scope;
                    let groups = request.store.groups(&scope);
                    let id = id?;
                    Ok::<_, AppError>((groups.get(id).await?, groups.effect(id, request.now).await?))
                };
                match ssr::respond(read).await {
                    Err(error) => view! { <TenantPageFailure error /> }.into_any(),
                    Ok((group, effect)) => confirmation(&group, &effect, submitted),
                }
            })}
        </Suspense>
    }
}

fn confirmation(
    group: &AuthorizationGroup,
    effect: &GroupEffect,
    submitted: Option<SubmittedGroup>,
) -> AnyView {
    let tenant = use_tenant().get_untracked();
    let list = tenant.url(urls::GROUPS);
    let name = group.name.clone();
    let keys = effect.keys.active;
    // The keys that have the group are listed below.
    let failure = submitted
        .and_then(|submitted| submitted.error)
        .filter(|error| error.code != ErrorCode::GroupInUse || keys == 0)
        .map(|error| match error.code {
            ErrorCode::Conflict => {
                "This group was changed since you opened this page. Nothing was deleted.".to_owned()
            }
            _ => error.message,
        })
        .map(|message| {
            view! { <Callout tone=Tone::Danger><p role="alert">{message}</p></Callout> }
        });
    let content = if keys > 0 {
        let names = key_names(&tenant, &effect.named, NAMED_KEYS, keys);
        let verb = if keys == 1 { "has" } else { "have" };
        let name = name.clone();
        let has = format!("{} {verb} it: ", words::count(keys, "key", "keys"));
        view! {
            <Callout tone=Tone::Warning>
                <div>
                    <p><strong dir="auto">{name}</strong><OfTenant />" cannot be deleted. "{has}{names}</p>
                    <p>"Give them another group or revoke them first."</p>
                </div>
            </Callout>
            <div class="form-actions"><a class="button" href=list.clone()>"Back to the groups"</a></div>
        }
        .into_any()
    } else {
        view! {
            <p>
                "Delete the authorization group "<strong dir="auto">{name.clone()}</strong>
                <OfTenant />"? No key has it. This cannot be undone. Its name becomes free."
            </p>
            <div class="form-actions">
                <a class="button" href=list.clone()>"Cancel"</a>
                <input type="hidden" name="version" value=group.version.to_string() />
                <button class="button button-danger" data-wait="Deleting…"><span>"Delete"</span></button>
            </div>
        }
        .into_any()
    };
    let action = format!("{}/{}/delete", urls::GROUPS, group.id);
    let edit = edit_url(&tenant, group.id);
    view! {
        <PageTitle text=format!("Delete {name} – Latchkey") />
        <div class="page">
            <Breadcrumb
                section=MenuSection::Access
                parent=("Authorization Groups", Signal::stored(list))
                page="Delete"
            />
            <header class="page-header">
                <div>
                    <h1 tabindex="-1" dir="auto">{format!("Delete {name}")}</h1>
                    <div class="page-meta"><a href=edit>"Edit it instead"</a></div>
                </div>
            </header>
            <form class="form form-text" method="post" action=tenant.url(&action)>
                {failure}
                {content}
            </form>
        </div>
    }
    .into_any()
}
