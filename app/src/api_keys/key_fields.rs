//! The fields of a key's form, except the allowlist.

use domain::{group::AuthorizationGroup, key::name::KeyDescription};
use leptos::prelude::*;

use super::{
    date_input::tomorrow,
    expiry_help::{ExpiryHelp, expiry_hint},
    form_state::{DESCRIPTION, EXPIRES, Field, FormState, GROUP, NAME},
};
use crate::{
    components::{
        FieldErrors, Icon,
        field::{described_by, invalid},
        text_area_content,
    },
    words,
};

/// The label and hint of a field. Optional fields are marked, because most are optional.
#[component]
pub fn FieldLabel(
    /// The field.
    field: Field,
    /// Whether it is optional.
    #[prop(optional)]
    optional: bool,
    /// The hint. Its id is that of the field with the suffix `-hint`.
    #[prop(into)]
    hint: String,
) -> impl IntoView {
    view! {
        <div class="field-about">
            <label class="label" for=field.id>
                {field.label}
                {optional.then(|| view! { " "<span class="optional">"(optional)"</span> })}
            </label>
            <p class="hint" id=format!("{}-hint", field.id)>{hint}</p>
        </div>
    }
}

/// Key Name.
#[component]
pub fn NameField(
    /// The form.
    state: FormState,
) -> impl IntoView {
    let errors = state.errors(NAME);
    view! {
        <div class="field">
            <FieldLabel field=NAME hint="Name the system that uses the key, not a person." />
            <div class="field-control">
                <input
                    class="input"
                    id=NAME.id
                    name=NAME.name
                    value=state.initial().name
                    placeholder="ERP nightly sync"
                    dir="auto"
                    data-focus=""
                    required
                    autocomplete="off"
                    aria-invalid=invalid(errors)
                    aria-describedby=described_by(NAME.id, errors, "name-hint")
                    on:input=move |_| state.handle_input(NAME)
                    on:blur=move |_| state.handle_blur(NAME)
                />
                <FieldErrors field=NAME.id errors />
            </div>
        </div>
    }
}

/// Description, with a counter. Text over the limit is reported, not cut.
#[component]
pub fn DescriptionField(
    /// The form.
    state: FormState,
    /// Whether an empty field shows an example. Not for a stored key, which the example would seem to describe.
    #[prop(optional)]
    has_example: bool,
) -> impl IntoView {
    let errors = state.errors(DESCRIPTION);
    let length = Memo::new(move |_| {
        state
            .form
            .with(|form| KeyDescription::length_of(&form.description))
    });
    let is_full = Memo::new(move |_| length.get() >= KeyDescription::MAX_LENGTH);
    let counter = move || {
        let (length, most) = (length.get() as u64, KeyDescription::MAX_LENGTH as u64);
        format!("{}/{}", words::grouped(length), words::grouped(most))
    };
    view! {
        <div class="field">
            <FieldLabel field=DESCRIPTION optional=true hint="Say who to ask before rotating it." />
            <div class="field-control">
                <textarea
                    class="input"
                    id=DESCRIPTION.id
                    name=DESCRIPTION.name
                    rows="3"
                    placeholder=has_example.then_some("Pulls orders into the ERP at 02:00 UTC. Ask the logistics team.")
                    aria-invalid=invalid(errors)
                    aria-describedby=described_by(DESCRIPTION.id, errors, "description-hint description-count")
                    on:input=move |_| state.handle_input(DESCRIPTION)
                    on:blur=move |_| state.handle_blur(DESCRIPTION)
                    inner_html=text_area_content(&state.initial().description)
                ></textarea>
                <div class="field-foot">
                    <FieldErrors field=DESCRIPTION.id errors />
                    <p class="counter" id="description-count" data-level=move || is_full.get().then_some("full")>
                        {counter}
                    </p>
                </div>
                <p class="visually-hidden" role="status">
                    {move || if is_full.get() { "No characters left" } else { "" }}
                </p>
            </div>
        </div>
    }
}

/// The number of permissions of the selected group that are shown; the group's page shows all.
const MOST_NAMED: usize = 10;

/// Authorization Group, with the permissions of the selected group.
#[component]
pub fn GroupField(
    /// The form.
    state: FormState,
    /// The groups that can be selected.
    groups: Vec<AuthorizationGroup>,
) -> impl IntoView {
    let errors = state.errors(GROUP);
    let chosen = state.initial().authorization_group_id;
    let options = groups
        .iter()
        .map(|group| {
            let id = group.id.to_string();
            let selected = id == chosen;
            view! { <option value=id selected=selected>{group.name.clone()}</option> }
        })
        .collect_view();
    let granted = move || {
        let chosen = state.form.with(|form| {
            groups
                .iter()
                .find(|group| group.id.to_string() == form.authorization_group_id)
                .map(|group| group.permissions.clone())
        })?;
        let mut permissions = Vec::new();
        for (index, permission) in chosen.iter().take(MOST_NAMED).enumerate() {
            let separator = if index == 0 { " " } else { ", " };
            permissions.push(view! { {separator}<code>{permission.to_string()}</code> });
        }
        Some(if permissions.is_empty() {
            view! { "Grants nothing" }.into_any()
        } else {
            let more = chosen.iter().count().saturating_sub(MOST_NAMED);
            let more = (more > 0).then(|| format!(" and {more} more"));
            view! { "Grants"{permissions}{more} }.into_any()
        })
    };
    view! {
        <div class="field">
            <FieldLabel field=GROUP hint="Decides what the key may do." />
            <div class="field-control">
                <div class="select">
                    <select
                        class="input"
                        id=GROUP.id
                        name=GROUP.name
                        required
                        aria-invalid=invalid(errors)
                        aria-describedby=described_by(GROUP.id, errors, "group-hint group-permissions")
                        on:change=move |_| state.handle_input(GROUP)
                        on:blur=move |_| state.handle_blur(GROUP)
                    >
                        <option value="">"Choose a group"</option>
                        {options}
                    </select>
                    <Icon name="chevron-down" />
                </div>
                <FieldErrors field=GROUP.id errors />
                <p class="hint" id="group-permissions">{granted}</p>
            </div>
        </div>
    }
}

/// Expiration Date.
#[component]
pub fn ExpiresField(
    /// The form.
    state: FormState,
) -> impl IntoView {
    let errors = state.errors(EXPIRES);
    let value = Memo::new(move |_| state.form.with(|form| form.expires_on.clone()));
    let read = Callback::new(move |()| state.handle_input(EXPIRES));
    view! {
        <div class="field">
            <FieldLabel
                field=EXPIRES
                optional=!state.rule.requires_date()
                hint=expiry_hint("The key works", state.rule, state.today)
            />
            <div class="field-control">
                <input
                    class="input input-date"
                    type="date"
                    id=EXPIRES.id
                    name=EXPIRES.name
                    value=state.initial().expires_on
                    min=tomorrow(state.today)
                    max=state.rule.latest(state.today).map(|date| date.to_string())
                    required=state.rule.requires_date()
                    aria-invalid=invalid(errors)
                    aria-describedby=described_by(EXPIRES.id, errors, "expires-hint expires-words")
                    on:input=move |_| state.handle_input(EXPIRES)
                    on:blur=move |_| state.handle_blur(EXPIRES)
                />
                <FieldErrors field=EXPIRES.id errors />
                <ExpiryHelp field=EXPIRES.id today=state.today rule=state.rule value read />
            </div>
        </div>
    }
}
