//! The page with the form that creates a key. The same rules validate it in the browser and on the server.

use domain::{
    client_address::ClientAddress,
    group::AuthorizationGroup,
    key::{form::KeyForm, today},
    tenant::KeyQuota,
};
use leptos::{prelude::*, web_sys::SubmitEvent};
use leptos_router::{NavigateOptions, hooks::use_navigate};
use uuid::Uuid;

use super::{
    allowlist_field::AllowlistField,
    form_state::{FormState, validate_new},
    form_summary::FormSummary,
    idempotency_field::IdempotencyField,
    key_fields::{DescriptionField, ExpiresField, GroupField, NameField},
    rejected_form::{RejectedForm, use_rejected_form},
    responses::{Issued, KeyFormContext},
    secret_modal::SecretModal,
    server_fns::{generate_api_key, open_key_form},
    submission::Submission,
};
use crate::{
    components::{Breadcrumb, KeyQuotaMeter, PageTitle, field::flag, support::with_support_link},
    current_tenant::{use_named_tenant, use_tenant},
    error::{AppError, key_limit_reached},
    page::MenuSection,
    tenants::TenantPageFailure,
    urls,
};

/// The page.
#[component]
pub fn GeneratePage() -> impl IntoView {
    let tenant = use_named_tenant();
    let rejected = StoredValue::new(use_rejected_form());
    let context = Resource::new(move || tenant.get(), open_key_form);
    let page = move || {
        context.get().map(|context| match context {
            Err(error) => view! { <TenantPageFailure error /> }.into_any(),
            Ok(context) => view! { <Page context rejected=rejected.get_value() /> }.into_any(),
        })
    };
    view! { <Transition>{page}</Transition> }
}

#[component]
fn Page(context: KeyFormContext, rejected: Option<RejectedForm>) -> impl IntoView {
    let KeyFormContext {
        groups,
        usage,
        now,
        client,
        form_id,
    } = context;
    let tenant = use_tenant();
    let (typed, failure) = match rejected {
        Some(rejected) => (rejected.form, rejected.error),
        None => (KeyForm::default(), None),
    };
    let state = FormState::new(today(now), typed, validate_new);
    if let Some(failure) = &failure {
        state.show_server_errors(failure.fields.clone());
    }
    let issued = RwSignal::new(None::<Issued>);
    // Reads text that was typed before the script started, or that the browser restored after a reload.
    Effect::new(move |_| state.read());
    let navigate = use_navigate();
    let leave = Callback::new(move |()| {
        issued.set(None);
        let options = NavigateOptions {
            replace: true,
            ..NavigateOptions::default()
        };
        navigate(&tenant.get_untracked().url(urls::API_KEYS), options);
    });
    let list = Signal::derive(move || tenant.get().url(urls::API_KEYS));
    let secret = move || {
        issued.get().map(|issued| {
            view! { <SecretModal issued title="API key generated" on_close=leave /> }
        })
    };
    view! {
        <PageTitle text="Generate API Key – Latchkey" />
        <div class="page">
            <Breadcrumb section=MenuSection::DataAndMonitoring parent=("API Keys", list) page="Generate" />
            <header class="page-header">
                <div>
                    <h1 tabindex="-1">"Generate API Key"</h1>
                    <div class="page-meta">
                        <KeyQuotaMeter usage />
                        <FormNotice usage />
                    </div>
                </div>
            </header>
            <GenerateForm state groups client issued failure form_id />
        </div>
        {secret}
    }
    .into_any()
}

#[component]
fn FormNotice(usage: KeyQuota) -> impl IntoView {
    let text = if usage.is_full() {
        key_limit_reached(usage.limit)
    } else {
        "The secret is shown once, on the next screen.".to_owned()
    };
    view! { <span>{with_support_link(text)}</span> }
}

#[component]
fn GenerateForm(
    state: FormState,
    groups: Vec<AuthorizationGroup>,
    client: ClientAddress,
    issued: RwSignal<Option<Issued>>,
    failure: Option<AppError>,
    form_id: Uuid,
) -> impl IntoView {
    let tenant = use_tenant();
    let submission = Submission::new("created", failure, None);
    let Submission {
        is_busy, failure, ..
    } = submission;
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        // A second press while the first is in flight would create a second key.
        if is_busy.get_untracked() || issued.with_untracked(Option::is_some) {
            return;
        }
        let errors = state.validate_all();
        if !errors.is_empty() {
            failure.set(Some(AppError::invalid(errors)));
            return;
        }
        let (tenant, form) = (tenant.get_untracked().0, state.form.get_untracked());
        submission.send(async move {
            let result = generate_api_key(tenant, form, Some(form_id)).await;
            state.show_errors_of(&result);
            // The page may be closed by now.
            issued.try_set(Some(result?));
            Ok(())
        });
    };
    let cancel = move || tenant.get().url(urls::API_KEYS);
    view! {
        <form class="form" method="post" novalidate on:submit=submit>
            <IdempotencyField form_id />
            {move || failure.get().map(|failure| view! { <FormSummary failure /> })}
            <NameField state />
            <DescriptionField state />
            <GroupField state groups />
            <ExpiresField state />
            <AllowlistField state client />
            <div class="form-actions">
                <a class="button" href=cancel aria-disabled=flag(is_busy)>"Cancel"</a>
                <button class="button button-primary" aria-busy=flag(is_busy)>
                    "Generate"
                </button>
            </div>
        </form>
    }
    .into_any()
}
