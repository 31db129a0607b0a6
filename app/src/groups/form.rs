//! The form of a new or stored group.

use domain::{
    group::{AuthorizationGroup, GroupEffect, GroupType},
    permission::{Permission, PermissionSet},
};
use leptos::prelude::*;

use super::{
    GroupForm, SubmittedGroup,
    actions::{field, parse_permissions},
    edit_url, generate_url, group_in_path, key_names,
    known_permissions::known_permissions,
    named_tenant,
};
use crate::{
    components::{
        Breadcrumb, Callout, FieldErrors, Icon, PageTitle, Tone,
        field::{described_by, invalid},
        text_area_content,
    },
    current_tenant::use_tenant,
    error::{AppError, ErrorCode},
    page::MenuSection,
    ssr,
    tenants::TenantPageFailure,
    urls,
};

/// The maximum number of keys that the effect of a change lists.
const NAMED_KEYS: usize = 3;

/// The data of a form.
struct FormData {
    /// The stored group and the keys that a change affects; `None` for a new group.
    stored: Option<(AuthorizationGroup, GroupEffect)>,
    in_use: Vec<(Permission, String)>,
}

/// The form of a new group.
#[component]
pub fn NewGroupPage() -> impl IntoView {
    page(false)
}

/// The form of a stored group.
#[component]
pub fn EditGroupPage() -> impl IntoView {
    page(true)
}

fn page(is_stored: bool) -> impl IntoView {
    let tenant = named_tenant();
    let id = is_stored.then(group_in_path);
    let submitted = use_context::<SubmittedGroup>();
    view! {
        <Suspense>
            {Suspend::new(async move {
                let read = async {
                    let request = ssr::request()?;
                    let scope = ssr::tenant_request_of(&request, tenant.as_deref()).await?.scope;
                    let groups = request.store.groups(&scope);
                    let stored = match id.transpose()? {
                        Some(id) => Some((groups.get(id).await?, groups.effect(id, request.now).await?)),
                        None => None,
                    };
                    let in_use = groups.permissions_in_use().await?;
                    Ok::<_, AppError>(FormData { stored, in_use })
                };
                match ssr::respond(read).await {
                    Err(error) => view! { <TenantPageFailure error /> }.into_any(),
                    Ok(data) => form(data, submitted),
                }
            })}
        </Suspense>
    }
}

fn form(data: FormData, submitted: Option<SubmittedGroup>) -> AnyView {
    let tenant = use_tenant().get_untracked();
    let FormData { stored, in_use } = data;
    let is_check = submitted.as_ref().is_some_and(|form| form.error.is_none());
    let (typed, error) = match (submitted, &stored) {
        (Some(submitted), _) => (submitted.form, submitted.error),
        (None, Some((group, _))) => (GroupForm::of(group), None),
        (None, None) => (GroupForm::default(), None),
    };
    let mut fields = error
        .as_ref()
        .map_or_else(Vec::new, |error| error.fields.clone());
    let permissions = parse_permissions(&typed.permissions);
    if let (true, Err(errors)) = (is_check, &permissions) {
        fields.extend(errors.iter().cloned());
    }
    let errors_of = |name: &str| {
        let of_field = fields.iter().filter(|error| error.field == name);
        Signal::stored(
            of_field
                .map(|error| error.message.clone())
                .collect::<Vec<_>>(),
        )
    };
    let (name_errors, permission_errors) = (errors_of(field::NAME), errors_of(field::PERMISSIONS));
    let failure = failure(error.as_ref(), !fields.is_empty(), stored.as_ref());
    let kind = match stored.as_ref().map(|(group, _)| group.kind) {
        Some(GroupType::User) => "Users",
        Some(GroupType::TenantApiKey) | None => "API keys",
    };
    let version = stored.as_ref().map(|(group, _)| {
        view! { <input type="hidden" name="version" value=group.version.to_string() /> }
    });
    let title = match &stored {
        Some((group, _)) => format!("Edit {}", group.name),
        None => "New authorization group".to_owned(),
    };
    let action = match &stored {
        Some((group, _)) => edit_url(&tenant, group.id),
        None => tenant.url(urls::NEW_GROUP),
    };
    let generate = stored
        .as_ref()
        .filter(|(group, _)| group.kind == GroupType::TenantApiKey)
        .map(|(group, _)| {
            let url = generate_url(&tenant, group.id);
            view! {
                <div class="key-buttons">
                    <a class="button" href=url><Icon name="plus" />"Generate a key in this group"</a>
                </div>
            }
        });
    let effect = stored.as_ref().map(|(group, effect)| {
        let after = permissions.as_ref().ok().filter(|_| is_check);
        effect_of(group, effect, after)
    });
    let check = stored.is_some().then(|| {
        view! {
            <div>
                <button class="button button-s" name="action" value="check" data-wait="Checking…"><span>"Check"</span></button>
            </div>
        }
    });
    let (page_name, save) = match &stored {
        Some(_) => ("Edit", "Save"),
        None => ("New group", "Create group"),
    };
    let list = tenant.url(urls::GROUPS);
    let parent = ("Authorization Groups", Signal::stored(list.clone()));
    let list_link = list;
    let description = "Unique in this tenant.";
    view! {
        <PageTitle text=format!("{title} – Latchkey") />
        <div class="page">
            <Breadcrumb section=MenuSection::Access parent page=page_name />
            <header class="page-header">
                <div><h1 tabindex="-1" dir="auto">{title.clone()}</h1></div>
                {generate}
            </header>
            <form class="form" method="post" action=action novalidate>
                // Enter in a field presses the first button of a form: Save, and not Check.
                <button class="visually-hidden" name="action" value="save" tabindex="-1" aria-hidden="true">{save}</button>
                {failure}
                {version}
                <div class="field">
                    <div class="field-about">
                        <label class="label" for="group-name">"Name"</label>
                        <p class="hint" id="group-name-hint">{description}</p>
                    </div>
                    <div class="field-control">
                        <input
                            class="input"
                            id="group-name"
                            name=field::NAME
                            value=typed.name.clone()
                            placeholder="Orders read-only"
                            autocomplete="off"
                            dir="auto"
                            aria-invalid=invalid(name_errors)
                            aria-describedby=described_by("group-name", name_errors, "group-name-hint")
                        />
                        <FieldErrors field="group-name" errors=name_errors />
                    </div>
                </div>
                <div class="field">
                    <div class="field-about">
                        <span class="label">"For"</span>
                        <p class="hint">"Cannot change later."</p>
                    </div>
                    <div class="field-control"><p class="static">{kind}</p></div>
                </div>
                <div class="field">
                    <div class="field-about">
                        <label class="label" for="group-permissions">"Permissions"</label>
                        <p class="hint" id="group-permissions-hint">
                            "One a line: "<code>"resource:action"</code>", at most 64."
                        </p>
                    </div>
                    <div class="field-control">
                        <textarea
                            class="input"
                            id="group-permissions"
                            name=field::PERMISSIONS
                            rows=rows(&typed.permissions)
                            placeholder="orders:read"
                            spellcheck="false"
                            autocapitalize="none"
                            aria-invalid=invalid(permission_errors)
                            aria-describedby=described_by(
                                "group-permissions",
                                permission_errors,
                                "group-permissions-hint",
                            )
                            inner_html=text_area_content(&typed.permissions)
                        ></textarea>
                        <FieldErrors field="group-permissions" errors=permission_errors />
                        {known_permissions(&in_use)}
                        {check}
                        {effect}
                    </div>
                </div>
                <div class="form-actions">
                    <a class="button" href=list_link>"Cancel"</a>
                    <button class="button button-primary" name="action" value="save" data-wait="Saving…"><span>{save}</span></button>
                </div>
            </form>
        </div>
    }
    .into_any()
}

impl GroupForm {
    fn of(group: &AuthorizationGroup) -> Self {
        Self {
            name: group.name.clone(),
            permissions: lines(&group.permissions),
        }
    }
}

fn lines(permissions: &PermissionSet) -> String {
    let lines: Vec<_> = permissions.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// The number of rows: that of the lines, within bounds.
fn rows(text: &str) -> String {
    (text.lines().count() + 1).clamp(5, 16).to_string()
}

/// The failure above the fields. After a change by another user, it shows the current group.
fn failure(
    error: Option<&AppError>,
    has_field_errors: bool,
    stored: Option<&(AuthorizationGroup, GroupEffect)>,
) -> Option<AnyView> {
    if has_field_errors {
        return Some(
            view! {
                <Callout tone=Tone::Danger>
                    <p role="alert">"Nothing was changed. Correct the marked fields."</p>
                </Callout>
            }
            .into_any(),
        );
    }
    let error = error?;
    let (ErrorCode::Conflict, Some((group, _))) = (error.code, stored) else {
        let message = error.message.clone();
        return Some(
            view! { <Callout tone=Tone::Danger><p role="alert">{message}</p></Callout> }.into_any(),
        );
    };
    let now: Vec<_> = group
        .permissions
        .iter()
        .map(|permission| view! { <code>{permission.to_string()}</code>" " })
        .collect();
    let none = now.is_empty().then_some("none");
    let name = group.name.clone();
    Some(
        view! {
            <Callout tone=Tone::Danger>
                <div>
                    <p role="alert">
                        <strong>"This group was changed since you opened it."</strong>
                        " Nothing was saved, and what you typed is kept below."
                    </p>
                    <p>"Its name is now "<strong dir="auto">{name}</strong>". Its permissions are now: "{now}{none}</p>
                    <p>"Save again to replace them with what you typed."</p>
                </div>
            </Callout>
        }
        .into_any(),
    )
}

/// The keys that a change affects and, after a check, their gained and lost permissions.
fn effect_of(
    group: &AuthorizationGroup,
    effect: &GroupEffect,
    after: Option<&PermissionSet>,
) -> AnyView {
    let tenant = use_tenant().get_untracked();
    let keys = effect.keys.active;
    let sentence = effect.sentence();
    let difference = after.map(|after| {
        let missing_in = |set: &PermissionSet, other: &PermissionSet| -> Vec<Permission> {
            let missing = set.iter().filter(|permission| !other.contains(permission));
            missing.cloned().collect()
        };
        let (gained, lost) = (
            missing_in(after, &group.permissions),
            missing_in(&group.permissions, after),
        );
        if gained.is_empty() && lost.is_empty() {
            return view! { <p>"The permissions stay as they are."</p> }.into_any();
        }
        let they = if keys == 1 { "It" } else { "They" };
        let verb = |verb: &str| {
            let ending = if keys == 1 { "s" } else { "" };
            format!("{verb}{ending}")
        };
        let their = if keys == 1 { "its" } else { "their" };
        let gains = (!gained.is_empty()).then(|| {
            view! { <li>{format!("{they} {} ", verb("gain"))}{codes(&gained)}"."</li> }
        });
        let loses = (!lost.is_empty()).then(|| {
            let pronoun = if lost.len() == 1 { "it" } else { "one of them" };
            view! {
                <li>
                    {format!("{they} {} ", verb("lose"))}{codes(&lost)}
                    {format!(": {their} next request for {pronoun} is refused with ")}
                    <a href=tenant.help_on_refusal("missing_permission")><code>"missing_permission"</code></a>"."
                </li>
            }
        });
        view! { <ul>{gains}{loses}</ul> }.into_any()
    });
    if keys == 0 {
        return view! { <Callout tone=Tone::Neutral><p>{sentence}</p></Callout> }.into_any();
    }
    let names = key_names(&tenant, &effect.named, NAMED_KEYS, keys);
    view! {
        <div class="callout" data-tone="warning" id="effect">
            <Icon name="alert" />
            <div>
                <p><strong>{sentence}</strong>" "{names}</p>
                {difference}
            </div>
        </div>
    }
    .into_any()
}

fn codes(permissions: &[Permission]) -> impl IntoView + use<> {
    permissions
        .iter()
        .enumerate()
        .map(|(index, permission)| {
            let separator = if index == 0 { "" } else { ", " };
            view! { {separator}<code>{permission.to_string()}</code> }
        })
        .collect_view()
}
