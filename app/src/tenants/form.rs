//! The form of a new or stored tenant.

use domain::tenant::Tenant;
use leptos::prelude::*;

use super::{
    SubmittedTenant, TenantForm,
    actions::{field, operator},
    slug_in_path, tenant_url,
};
use crate::{
    components::{
        Breadcrumb, Callout, FieldErrors, PageTitle, Tone,
        field::{described_by, invalid},
    },
    error::{AppError, ErrorCode},
    page::MenuSection,
    ssr,
    status_pages::Failure,
    urls, words,
};

/// The form of a new tenant.
#[component]
pub fn NewTenantPage() -> impl IntoView {
    page(false)
}

/// The form of a stored tenant: its name and its key limit.
#[component]
pub fn EditTenantPage() -> impl IntoView {
    page(true)
}

fn page(is_stored: bool) -> impl IntoView {
    let slug = is_stored.then(slug_in_path);
    let submitted = use_context::<SubmittedTenant>();
    view! {
        <Suspense>
            {Suspend::new(async move {
                let read = async {
                    let request = ssr::request()?;
                    let operator = operator(&request).await?;
                    let stored = match slug {
                        Some(slug) => Some(request.store.tenants(&operator).find(&slug).await?),
                        None => None,
                    };
                    Ok::<_, AppError>((stored, request.store.options().default_key_limit))
                };
                match ssr::respond(read).await {
                    Err(error) => view! { <Failure error /> }.into_any(),
                    Ok((stored, default_limit)) => form(stored.as_ref(), default_limit, submitted),
                }
            })}
        </Suspense>
    }
}

fn form(
    stored: Option<&Tenant>,
    default_limit: u32,
    submitted: Option<SubmittedTenant>,
) -> AnyView {
    let (typed, error, based_on) = match (submitted, stored) {
        (Some(submitted), _) => (submitted.form, submitted.error, submitted.version),
        (None, Some(tenant)) => (TenantForm::of(tenant), None, None),
        (None, None) => (TenantForm::default(), None, None),
    };
    let errors_of = |name: &str| {
        let fields = error.iter().flat_map(|error| &error.fields);
        let of_field = fields.filter(|error| error.field == name);
        let messages = of_field.map(|error| error.message.clone());
        Signal::stored(messages.collect::<Vec<_>>())
    };
    let (name_errors, slug_errors, limit_errors) = (
        errors_of(field::NAME),
        errors_of(field::SLUG),
        errors_of(field::KEY_LIMIT),
    );
    let failure = failure(error.as_ref(), stored);
    let (title, page_name, save, action) = match stored {
        Some(tenant) => (
            format!("Edit {}", tenant.name),
            "Edit",
            "Save",
            tenant_url(tenant.slug.as_str(), "edit"),
        ),
        None => (
            "New tenant".to_owned(),
            "New tenant",
            "Create tenant",
            urls::NEW_TENANT.to_owned(),
        ),
    };
    // After a conflict the page has shown the stored values, so that saving again overwrites them knowingly. After another error it has not.
    let has_seen_stored = error
        .as_ref()
        .is_some_and(|error| error.code == ErrorCode::Conflict);
    let version = stored.map(|tenant| {
        let version = based_on.filter(|_| !has_seen_stored);
        let version = version.unwrap_or(tenant.version);
        view! { <input type="hidden" name="version" value=version.to_string() /> }
    });
    let slug = match stored {
        Some(tenant) => {
            let slug = tenant.slug.to_string();
            view! {
                <div class="field">
                    <div class="field-about">
                        <span class="label">"Slug"</span>
                        <p class="hint">"Cannot change: it is in URLs."</p>
                    </div>
                    <div class="field-control"><p class="static"><code>{slug}</code></p></div>
                </div>
            }
            .into_any()
        }
        None => view! {
            <div class="field">
                <div class="field-about">
                    <label class="label" for="tenant-slug">"Slug "<span class="optional">"(optional)"</span></label>
                    <p class="hint" id="tenant-slug-hint">"The name in URLs. Cannot change later. Made from the name if empty."</p>
                </div>
                <div class="field-control">
                    <input
                        class="input"
                        id="tenant-slug"
                        name=field::SLUG
                        value=typed.slug.clone()
                        placeholder="acme-logistics"
                        autocomplete="off"
                        autocapitalize="none"
                        spellcheck="false"
                        aria-invalid=invalid(slug_errors)
                        aria-describedby=described_by("tenant-slug", slug_errors, "tenant-slug-hint")
                    />
                    <FieldErrors field="tenant-slug" errors=slug_errors />
                </div>
            </div>
        }
        .into_any(),
    };
    let limit_hint = match stored {
        Some(_) => {
            "How many keys that are not revoked it may have. Lowering it revokes none.".to_owned()
        }
        None => format!(
            "How many keys that are not revoked it may have. {} if empty.",
            words::grouped(u64::from(default_limit))
        ),
    };
    let optional = stored
        .is_none()
        .then(|| view! { <span class="optional">"(optional)"</span> });
    view! {
        <PageTitle text=format!("{title} – Latchkey") />
        <div class="page">
            <Breadcrumb
                section=MenuSection::Operator
                parent=("Tenants", Signal::stored(urls::TENANTS.to_owned()))
                page=page_name
            />
            <header class="page-header"><div><h1 tabindex="-1" dir="auto">{title.clone()}</h1></div></header>
            <form class="form" method="post" action=action novalidate>
                {failure}
                {version}
                <div class="field">
                    <div class="field-about">
                        <label class="label" for="tenant-name">"Name"</label>
                        <p class="hint" id="tenant-name-hint">"The customer organisation."</p>
                    </div>
                    <div class="field-control">
                        <input
                            class="input"
                            id="tenant-name"
                            name=field::NAME
                            value=typed.name.clone()
                            placeholder="Acme Logistics"
                            autocomplete="off"
                            dir="auto"
                            aria-invalid=invalid(name_errors)
                            aria-describedby=described_by("tenant-name", name_errors, "tenant-name-hint")
                        />
                        <FieldErrors field="tenant-name" errors=name_errors />
                    </div>
                </div>
                {slug}
                <div class="field">
                    <div class="field-about">
                        <label class="label" for="tenant-limit">"Key limit "{optional}</label>
                        <p class="hint" id="tenant-limit-hint">{limit_hint}</p>
                    </div>
                    <div class="field-control">
                        <div class="input-number">
                            <input
                                class="input"
                                id="tenant-limit"
                                name=field::KEY_LIMIT
                                value=typed.key_limit.clone()
                                inputmode="numeric"
                                autocomplete="off"
                                aria-invalid=invalid(limit_errors)
                                aria-describedby=described_by("tenant-limit", limit_errors, "tenant-limit-hint")
                            />
                            <span>"keys"</span>
                        </div>
                        <FieldErrors field="tenant-limit" errors=limit_errors />
                    </div>
                </div>
                <div class="form-actions">
                    <a class="button" href=urls::TENANTS>"Cancel"</a>
                    <button class="button button-primary" data-wait="Saving…"><span>{save}</span></button>
                </div>
            </form>
        </div>
    }
    .into_any()
}

/// The failure above the fields. After a change by another user, it shows the current tenant.
fn failure(error: Option<&AppError>, stored: Option<&Tenant>) -> Option<AnyView> {
    let error = error?;
    let content = match (error.code, stored) {
        _ if !error.fields.is_empty() => {
            view! { <p role="alert">"Nothing was changed. Correct the marked fields."</p> }
                .into_any()
        }
        (ErrorCode::Conflict, Some(tenant)) => {
            let (name, limit) = (tenant.name.clone(), tenant.key_limit);
            let limit = words::grouped(u64::from(limit));
            view! {
                <div>
                    <p role="alert">
                        <strong>"This tenant was changed since you opened it."</strong>
                        " Nothing was saved, and what you typed is kept below."
                    </p>
                    <p>"Its name is now "<strong dir="auto">{name}</strong>{format!(", its key limit {limit}. Save again to replace them.")}</p>
                </div>
            }
            .into_any()
        }
        _ => view! { <p role="alert">{error.message.clone()}</p> }.into_any(),
    };
    Some(view! { <Callout tone=Tone::Danger>{content}</Callout> }.into_any())
}
