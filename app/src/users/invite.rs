//! The form that invites a person.

use domain::user::Role;
use leptos::prelude::*;

use super::{InviteForm, SubmittedUser, actions::field, named_tenant};
use crate::{
    components::{
        Breadcrumb, Callout, FieldErrors, Icon, PageTitle, Tone,
        field::{described_by, invalid},
    },
    current_tenant::use_tenant,
    error::AppError,
    page::MenuSection,
    ssr,
    tenants::TenantPageFailure,
    urls,
};

/// The roles of a tenant, with their effect.
pub(super) const ROLES: [(Role, &str); 2] = [
    (Role::Member, "sees only their own account."),
    (Role::TenantAdmin, "manages keys, groups and users."),
];

/// The form.
#[component]
pub fn InvitePage() -> impl IntoView {
    let tenant = named_tenant();
    let submitted = use_context::<SubmittedUser>();
    view! {
        <Suspense>
            {Suspend::new(async move {
                let read = async {
                    let request = ssr::request()?;
                    ssr::tenant_request_of(&request, tenant.as_deref()).await?;
                    Ok::<_, AppError>(())
                };
                match ssr::respond(read).await {
                    Err(error) => view! { <TenantPageFailure error /> }.into_any(),
                    Ok(()) => form(submitted),
                }
            })}
        </Suspense>
    }
}

fn form(submitted: Option<SubmittedUser>) -> AnyView {
    let tenant = use_tenant().get_untracked();
    let (typed, error) = submitted.map_or_else(
        || (InviteForm::default(), None),
        |submitted| (submitted.form, submitted.error),
    );
    let fields = error
        .as_ref()
        .map_or_else(Vec::new, |error| error.fields.clone());
    let errors_of = |name: &str| {
        let of_field = fields.iter().filter(|error| error.field == name);
        let messages: Vec<_> = of_field.map(|error| error.message.clone()).collect();
        Signal::stored(messages)
    };
    let (email_errors, role_errors) = (errors_of(field::EMAIL), errors_of(field::ROLE));
    let failure = error.map(|error| {
        let message = if fields.is_empty() {
            error.message
        } else {
            "Nobody was invited. Correct the marked fields.".to_owned()
        };
        view! { <Callout tone=Tone::Danger><p role="alert">{message}</p></Callout> }
    });
    let chosen = typed.role.parse().unwrap_or(Role::Member);
    let list = tenant.url(urls::USERS);
    view! {
        <PageTitle text="Invite user – Latchkey" />
        <div class="page">
            <Breadcrumb section=MenuSection::Access parent=("Users", Signal::stored(list.clone())) page="Invite user" />
            <header class="page-header"><div><h1 tabindex="-1">"Invite user"</h1></div></header>
            <form class="form" method="post" action=tenant.url(urls::INVITE) novalidate>
                {failure}
                <div class="field">
                    <div class="field-about">
                        <label class="label" for="invite-email">"E-mail address"</label>
                        <p class="hint" id="invite-email-hint">"The person signs in with it."</p>
                    </div>
                    <div class="field-control">
                        <input
                            class="input"
                            type="email"
                            id="invite-email"
                            name=field::EMAIL
                            value=typed.email
                            maxlength="254"
                            autocomplete="off"
                            aria-invalid=invalid(email_errors)
                            aria-describedby=described_by("invite-email", email_errors, "invite-email-hint")
                        />
                        <FieldErrors field="invite-email" errors=email_errors />
                    </div>
                </div>
                {role_field(chosen, role_errors)}
                <p class="hint">"You get a link that works once within 72 hours. Latchkey sends no e-mail: send it yourself."</p>
                <div class="form-actions">
                    <a class="button" href=list>"Cancel"</a>
                    <button class="button button-primary" data-wait="Inviting…"><span>"Create invitation"</span></button>
                </div>
            </form>
        </div>
    }
    .into_any()
}

/// The choice of a role.
pub(super) fn role_field(chosen: Role, errors: Signal<Vec<String>>) -> AnyView {
    let options = ROLES.map(|(role, _)| {
        view! {
            <option value=role.as_str() selected=role == chosen>
                {role.label()}
            </option>
        }
    });
    let hints = ROLES.map(|(role, effect)| {
        view! { <span>{format!("{}: {effect} ", role.label())}</span> }
    });
    view! {
        <div class="field">
            <div class="field-about">
                <label class="label" for="role">"Role"</label>
                <p class="hint" id="role-hint">{hints.collect_view()}</p>
            </div>
            <div class="field-control">
                <div class="select">
                    <select
                        class="input"
                        id="role"
                        name=field::ROLE
                        aria-invalid=invalid(errors)
                        aria-describedby=described_by("role", errors, "role-hint")
                    >
                        {options.collect_view()}
                    </select>
                    <Icon name="chevron-down" />
                </div>
                <FieldErrors field="role" errors />
            </div>
        </div>
    }
    .into_any()
}
