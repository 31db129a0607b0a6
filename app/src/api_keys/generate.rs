//! The page with the form that creates a key. The same rules validate it in the browser and on the server.

use domain::{
    client_address::ClientAddress,
    group::AuthorizationGroup,
    key::{form::KeyForm, today},
    tenant::KeyQuota,
};
use leptos::{prelude::*, web_sys::SubmitEvent};
use leptos_router::{
    NavigateOptions,
    hooks::{use_navigate, use_query_map},
};
use uuid::Uuid;

use super::{
    allowlist_field::AllowlistField,
    form_state::{FormState, NAME, validate_new},
    form_summary::FormSummary,
    idempotency_field::IdempotencyField,
    key_fields::{DescriptionField, ExpiresField, GroupField, NameField},
    list_query::ListQuery,
    rejected_form::{RejectedForm, use_rejected_form},
    responses::{Issued, KeyFormContext},
    secret_modal::SecretModal,
    server_fns::{generate_api_key, open_key_form},
    submission::Submission,
    unsaved_text::{AskBeforeDiscard, UnsavedText},
};
use crate::{
    components::{
        Breadcrumb, Callout, KeyQuotaMeter, PageTitle, SubmitButton, Tone, field::flag,
        support::with_support_link, waiting::PendingFields,
    },
    current_tenant::{use_named_tenant, use_tenant},
    error::{AppError, key_limit_reached},
    notice::{self, Confirmation, Notice},
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
    let fallback = || view! { <PendingPage /> };
    view! { <Transition fallback>{page}</Transition> }
}

#[component]
fn Page(context: KeyFormContext, rejected: Option<RejectedForm>) -> impl IntoView {
    let KeyFormContext {
        groups,
        usage,
        now,
        client,
        rule,
        default_lifetime,
        form_id,
    } = context;
    let tenant = use_tenant();
    let today = today(now);
    let opened = KeyForm {
        authorization_group_id: named_group(&groups),
        expires_on: default_lifetime.map_or_else(String::new, |days| days.after(today).to_string()),
        ..KeyForm::default()
    };
    let (typed, failure) = match rejected {
        Some(rejected) => (rejected.form, rejected.error),
        None => (opened.clone(), None),
    };
    let state = FormState::new(today, rule, typed, validate_new);
    if let Some(failure) = &failure {
        state.show_server_errors(failure.fields.clone());
    }
    let issued = RwSignal::new(None::<Issued>);
    // Reads text that was typed before the script started, or that the browser restored after a reload.
    Effect::new(move |_| state.read());
    let navigate = use_navigate();
    let notice = Notice::of_page();
    let leave = Callback::new(move |()| {
        if let Some(key) = issued.with_untracked(|issued| Some(issued.as_ref()?.key.clone())) {
            notice.show(Confirmation {
                text: notice::generated(key.name.as_str()),
                row: Some(key.id.to_string()),
                is_of_tenant: true,
            });
        }
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
                        {(!usage.is_full()).then_some("The secret is shown once, on the next screen.")}
                    </div>
                </div>
            </header>
            <GenerateForm state opened groups client issued failure form_id usage />
        </div>
        {secret}
    }
    .into_any()
}

/// The id of the group in the URL, if it is one of `groups`; otherwise empty.
fn named_group(groups: &[AuthorizationGroup]) -> String {
    let named = use_query_map().with_untracked(|query| query.get(urls::IN_GROUP));
    let named = named.filter(|id| groups.iter().any(|group| group.id.to_string() == *id));
    named.unwrap_or_default()
}

/// The page while its data is loading.
#[component]
fn PendingPage() -> impl IntoView {
    let tenant = use_tenant();
    let list = Signal::derive(move || tenant.get().url(urls::API_KEYS));
    view! {
        <div class="page">
            <Breadcrumb section=MenuSection::DataAndMonitoring parent=("API Keys", list) page="Generate" />
            <header class="page-header"><h1 tabindex="-1">"Generate API Key"</h1></header>
            <PendingFields />
        </div>
    }
    .into_any()
}

/// The id of the reason for which no key can be generated.
const BLOCKED: &str = "generate-blocked";

/// The reason for which the form cannot succeed, with what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blocked {
    /// The tenant has reached its key limit.
    Full(KeyQuota),
    /// The tenant has no authorization group for keys.
    NoGroup,
}

impl Blocked {
    fn of(usage: KeyQuota, groups: &[AuthorizationGroup]) -> Option<Self> {
        if usage.is_full() {
            Some(Self::Full(usage))
        } else {
            groups.is_empty().then_some(Self::NoGroup)
        }
    }
}

#[component]
fn BlockedNotice(blocked: Blocked) -> impl IntoView {
    let tenant = use_tenant();
    let content = match blocked {
        Blocked::Full(usage) => {
            let keys = move || ListQuery::active().url(&tenant.get(), urls::API_KEYS);
            view! {
                <p>
                    <strong>{with_support_link(key_limit_reached(usage.limit))}</strong>
                    " A key that you revoke makes room for a new one: "
                    <a href=keys>"see your active keys"</a>"."
                </p>
            }
            .into_any()
        }
        Blocked::NoGroup => {
            let new_group = move || tenant.get().url(urls::NEW_GROUP);
            view! {
                <p>
                    <strong>"This tenant has no authorization group for keys yet."</strong>
                    " A key needs one: it decides what the key may do. "
                    <a href=new_group rel="external">"Create a group"</a>
                </p>
            }
            .into_any()
        }
    };
    view! { <Callout tone=Tone::Warning id=BLOCKED>{content}</Callout> }
}

#[component]
fn GenerateForm(
    state: FormState,
    opened: KeyForm,
    groups: Vec<AuthorizationGroup>,
    client: ClientAddress,
    issued: RwSignal<Option<Issued>>,
    failure: Option<AppError>,
    form_id: Uuid,
    usage: KeyQuota,
) -> impl IntoView {
    let tenant = use_tenant();
    let blocked = Blocked::of(usage, &groups);
    let unsaved = UnsavedText::new(Signal::derive(move || {
        issued.with(Option::is_none) && state.form.with(|form| *form != opened)
    }));
    let submission = Submission::new("created", failure, None);
    let Submission {
        is_busy, failure, ..
    } = submission;
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        // A second press while the first is in flight would create a second key.
        if is_busy.get_untracked() || issued.with_untracked(Option::is_some) || blocked.is_some() {
            return;
        }
        unsaved.is_asking.set(false);
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
    let actions = move || {
        if unsaved.is_asking.get() {
            return view! { <AskBeforeDiscard unsaved class="form-actions" focus=NAME.id /> }
                .into_any();
        }
        let button = if blocked.is_some() {
            view! {
                <button class="button button-primary" type="button" aria-disabled="true" aria-describedby=BLOCKED>
                    "Generate"
                </button>
            }
            .into_any()
        } else {
            view! {
                <SubmitButton class="button button-primary" label="Generate" waiting="Generating…" is_busy=is_busy />
            }
            .into_any()
        };
        view! {
            <div class="form-actions">
                <a class="button" href=cancel aria-disabled=flag(is_busy)>"Cancel"</a>
                {button}
            </div>
        }
        .into_any()
    };
    view! {
        <form class="form" method="post" novalidate on:submit=submit>
            <IdempotencyField form_id />
            {blocked.map(|blocked| view! { <BlockedNotice blocked /> })}
            {move || failure.get().map(|failure| view! { <FormSummary failure /> })}
            <section class="form-section" aria-labelledby="key-information">
                <h2 id="key-information">"Key Information"</h2>
                <NameField state />
                <DescriptionField state has_example=true />
                <GroupField state groups />
            </section>
            <section class="form-section" aria-labelledby="restrictions">
                <h2 id="restrictions">"Restrictions"</h2>
                <ExpiresField state />
                <AllowlistField state client has_example=true />
            </section>
            {actions}
        </form>
    }
    .into_any()
}
