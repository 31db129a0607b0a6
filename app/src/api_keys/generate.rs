//! The form that makes a key. The same rules judge it here, while somebody types, and on the server.

use domain::{FieldError, client_address::ClientAddress, group::AuthorizationGroup, tenant::Usage};
use leptos::{prelude::*, task::spawn_local, web_sys::SubmitEvent};
use leptos_meta::Title;
use leptos_router::{NavigateOptions, hooks::use_navigate};

use super::{
    allowlist_field::AllowlistField,
    form_state::{FIELDS, FormState},
    key_fields::{DescriptionField, ExpiresField, GroupField, NameField},
    rotate::SignInLink,
    secret_modal::SecretModal,
    server_fns::{Issued, KeyFormContext, generate_api_key, open_key_form},
};
use crate::{
    browser,
    components::{Icon, UsageMeter},
    error::{AppError, ErrorCode, key_limit_reached},
    layout::{use_named_tenant, use_tenant},
    status_pages::Failure,
    urls, words,
};

/// The identifier of the summary of what is wrong.
const SUMMARY: &str = "errors";
/// So many messages of one field stand in the summary; the field shows them all.
const MAX_MESSAGES_OF_FIELD: usize = 3;

/// The page.
#[component]
pub fn GeneratePage() -> impl IntoView {
    let tenant = use_named_tenant();
    let context = Resource::new(move || tenant.get(), open_key_form);
    let page = move || {
        context.get().map(|context| match context {
            Err(error) => view! { <Failure error /> }.into_any(),
            Ok(context) => view! { <Page context /> }.into_any(),
        })
    };
    view! { <Transition>{page}</Transition> }
}

#[component]
fn Page(context: KeyFormContext) -> impl IntoView {
    let KeyFormContext {
        groups,
        usage,
        today,
        client,
    } = context;
    let tenant = use_tenant();
    let state = FormState::new(today);
    let issued = RwSignal::new(None::<Issued>);
    // What was typed before the script came, or what the browser put back after a reload.
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
    let secret = move || {
        issued.get().map(|issued| {
            view! { <SecretModal issued title="API key generated" on_close=leave /> }
        })
    };
    view! {
        <Title text="Generate API Key – Latchkey" />
        <div class="page">
            <nav aria-label="Breadcrumb">
                <ol class="breadcrumbs">
                    <li>"Settings"</li>
                    <li>"Data & Monitoring"</li>
                    <li><a href=move || tenant.get().url(urls::API_KEYS)>"API Keys"</a></li>
                    <li aria-current="page">"Generate"</li>
                </ol>
            </nav>
            <header class="page-header">
                <div>
                    <h1 tabindex="-1">"Generate API Key"</h1>
                    <div class="page-meta">
                        <UsageMeter usage />
                        <FormNotice usage />
                    </div>
                </div>
            </header>
            <GenerateForm state groups client issued />
        </div>
        {secret}
    }
    .into_any()
}

#[component]
fn FormNotice(usage: Usage) -> impl IntoView {
    let text = if usage.is_full() {
        key_limit_reached(usage.limit)
    } else {
        "The secret is shown once, on the next screen.".to_owned()
    };
    view! { <span>{text}</span> }
}

#[component]
fn GenerateForm(
    state: FormState,
    groups: Vec<AuthorizationGroup>,
    client: ClientAddress,
    issued: RwSignal<Option<Issued>>,
) -> impl IntoView {
    let tenant = use_tenant();
    let is_busy = RwSignal::new(false);
    let failure = RwSignal::new(None::<AppError>);
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        // A second press while the first is on its way would make a second key.
        if is_busy.get_untracked() || issued.with_untracked(Option::is_some) {
            return;
        }
        let errors = state.judge_all();
        if !errors.is_empty() {
            failure.set(Some(AppError::invalid(errors)));
            return;
        }
        failure.set(None);
        is_busy.set(true);
        let (tenant, form) = (tenant.get_untracked().0, state.form.get_untracked());
        spawn_local(async move {
            let result = generate_api_key(tenant, form).await;
            // The page may be gone by now.
            is_busy.try_set(false);
            match result {
                Ok(new) => {
                    issued.try_set(Some(new));
                }
                Err(error) => {
                    state.refuse(error.fields.clone());
                    failure.try_set(Some(error));
                }
            }
        });
    };
    let cancel = move || tenant.get().url(urls::API_KEYS);
    view! {
        <form class="form" method="post" novalidate on:submit=submit>
            {move || failure.get().map(|failure| view! { <Summary failure /> })}
            <NameField state />
            <DescriptionField state />
            <GroupField state groups />
            <ExpiresField state />
            <AllowlistField state client />
            <div class="form-actions">
                <a class="button" href=cancel>"Cancel"</a>
                <button class="button button-primary" aria-busy=move || is_busy.get().then_some("true")>
                    "Generate"
                </button>
            </div>
        </form>
    }
    .into_any()
}

/// Why the form was not done, over it; each broken rule a link to its field. Everything typed stays.
#[component]
fn Summary(failure: AppError) -> impl IntoView {
    Effect::new(|_| {
        browser::focus(SUMMARY);
    });
    let content = if failure.code == ErrorCode::Invalid && !failure.fields.is_empty() {
        broken_rules(&failure.fields).into_any()
    } else {
        view! { <div><p>{failure.message}" "<SignInLink code=failure.code /></p></div> }.into_any()
    };
    view! {
        <div class="callout" data-tone="danger" role="alert" tabindex="-1" id=SUMMARY>
            <Icon name="alert" />
            {content}
        </div>
    }
}

fn broken_rules(errors: &[FieldError]) -> impl IntoView + use<> {
    let mut links = Vec::new();
    let mut broken = 0;
    for field in FIELDS {
        let messages: Vec<_> = errors
            .iter()
            .filter(|error| error.field == field.name)
            .collect();
        broken += usize::from(!messages.is_empty());
        let mut texts: Vec<String> = messages
            .iter()
            .take(MAX_MESSAGES_OF_FIELD)
            .map(|error| format!("{}: {}", field.label, error.message))
            .collect();
        let more = messages.len().saturating_sub(MAX_MESSAGES_OF_FIELD);
        if more > 0 {
            texts.push(format!(
                "{}: {} like these",
                field.label,
                words::count(more as u64, "more line", "more lines")
            ));
        }
        for text in texts {
            // The router would take a link within the page for a navigation and leave the focus where it is.
            let to_field = move |event: leptos::web_sys::MouseEvent| {
                event.prevent_default();
                browser::focus(field.id);
            };
            links.push(
                view! { <li><a href=format!("#{}", field.id) on:click=to_field>{text}</a></li> },
            );
        }
    }
    let heading = match broken {
        1 => "One field needs another look",
        2 => "Two fields need another look",
        3 => "Three fields need another look",
        4 => "Four fields need another look",
        _ => "Five fields need another look",
    };
    view! {
        <div>
            <strong>{heading}</strong>
            <ul>{links}</ul>
        </div>
    }
}
