//! The fields of a key's form, and how they are judged: first when one is left, then with each key.

use std::collections::HashSet;

use chrono::{Days, NaiveDate};
use domain::{
    FieldError,
    group::AuthorizationGroup,
    key::{form::KeyForm, name::KeyDescription},
};
use leptos::prelude::*;

use crate::{
    browser,
    components::{
        FieldErrors, Icon,
        field::{described_by, invalid},
    },
    words,
};

/// Stands for what a date field holds where that is not a date: its value reads as empty then, which would mean never.
pub const INCOMPLETE_DATE: &str = "incomplete";

/// A field: its name in the JSON API, its identifier in the page, its label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// As errors name it.
    pub name: &'static str,
    /// The control's identifier.
    pub id: &'static str,
    /// What people call it.
    pub label: &'static str,
}

/// Key Name.
pub const NAME: Field = Field {
    name: "name",
    id: "name",
    label: "Key Name",
};
/// Description.
pub const DESCRIPTION: Field = Field {
    name: "description",
    id: "description",
    label: "Description",
};
/// Authorization Group.
pub const GROUP: Field = Field {
    name: "authorization_group_id",
    id: "group",
    label: "Authorization Group",
};
/// Expiration Date.
pub const EXPIRES: Field = Field {
    name: "expires_on",
    id: "expires",
    label: "Expiration Date",
};
/// IP Allowlist.
pub const ALLOWLIST: Field = Field {
    name: "ip_allowlist",
    id: "allowlist",
    label: "IP Allowlist",
};
/// In the order of the form.
pub const FIELDS: [Field; 5] = [NAME, DESCRIPTION, GROUP, EXPIRES, ALLOWLIST];

/// What is typed, and what is said about it. The controls hold the text themselves, so that nothing which was typed before the
/// script came is lost; each change is read from them.
#[derive(Clone, Copy)]
pub struct FormState {
    /// What stands in the fields.
    pub form: RwSignal<KeyForm>,
    /// The fields that were left once.
    judged: RwSignal<HashSet<&'static str>>,
    /// What the server said of fields that were not changed since.
    from_server: RwSignal<Vec<FieldError>>,
    /// The server's day.
    pub today: NaiveDate,
}

impl FormState {
    /// A form on the server's day `today`.
    #[must_use]
    pub fn new(today: NaiveDate) -> Self {
        Self {
            form: RwSignal::default(),
            judged: RwSignal::default(),
            from_server: RwSignal::default(),
            today,
        }
    }

    /// Reads every control.
    pub fn read(self) {
        let expires_on = if browser::is_incomplete(EXPIRES.id) {
            INCOMPLETE_DATE.to_owned()
        } else {
            browser::value(EXPIRES.id)
        };
        self.form.set(KeyForm {
            name: browser::value(NAME.id),
            description: browser::value(DESCRIPTION.id),
            authorization_group_id: browser::value(GROUP.id),
            expires_on,
            ip_allowlist: browser::value(ALLOWLIST.id),
        });
    }

    /// A control was changed.
    pub fn change(self, field: Field) {
        self.read();
        self.from_server
            .update(|errors| errors.retain(|error| error.field != field.name));
    }

    /// A control was left.
    pub fn leave(self, field: Field) {
        self.read();
        self.judged.update(|judged| {
            judged.insert(field.name);
        });
    }

    /// Judges every field, and says what is wrong.
    #[must_use]
    pub fn judge_all(self) -> Vec<FieldError> {
        self.read();
        self.judged
            .set(FIELDS.iter().map(|field| field.name).collect());
        self.from_server.set(Vec::new());
        let form = self.form.read_untracked();
        form.validate(self.today).err().unwrap_or_default()
    }

    /// Shows what the server found wrong.
    pub fn refuse(self, errors: Vec<FieldError>) {
        self.from_server.set(errors);
    }

    /// The messages under a field.
    #[must_use]
    pub fn errors(self, field: Field) -> Signal<Vec<String>> {
        Signal::derive(move || {
            let mut messages = if self.judged.with(|judged| judged.contains(field.name)) {
                self.form
                    .with(|form| form.errors_of(field.name, self.today))
            } else {
                Vec::new()
            };
            if messages.is_empty() {
                self.from_server.with(|errors| {
                    let of_field = errors.iter().filter(|error| error.field == field.name);
                    messages.extend(of_field.map(|error| error.message.clone()));
                });
            }
            messages
        })
    }
}

/// A field's label and hint. Optional is marked, not required: most are optional.
#[component]
pub fn FieldAbout(
    /// Which.
    field: Field,
    /// Whether it may be empty.
    #[prop(optional)]
    optional: bool,
    /// What it is for. Its identifier is the field's with `-hint`.
    hint: &'static str,
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
            <FieldAbout field=NAME hint="What it is for: the system, not the person." />
            <div class="field-control">
                <input
                    class="input"
                    id=NAME.id
                    name=NAME.name
                    required
                    autocomplete="off"
                    aria-invalid=invalid(errors)
                    aria-describedby=described_by(NAME.id, errors, "name-hint")
                    on:input=move |_| state.change(NAME)
                    on:blur=move |_| state.leave(NAME)
                />
                <FieldErrors field=NAME.id errors />
            </div>
        </div>
    }
}

/// Description, with its live counter. Text past the limit is told, never cut.
#[component]
pub fn DescriptionField(
    /// The form.
    state: FormState,
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
            <FieldAbout field=DESCRIPTION optional=true hint="Who to ask before it is rotated." />
            <div class="field-control">
                <textarea
                    class="input"
                    id=DESCRIPTION.id
                    name=DESCRIPTION.name
                    rows="3"
                    aria-invalid=invalid(errors)
                    aria-describedby=described_by(DESCRIPTION.id, errors, "description-hint description-count")
                    on:input=move |_| state.change(DESCRIPTION)
                    on:blur=move |_| state.leave(DESCRIPTION)
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

/// Authorization Group, with what the chosen one grants.
#[component]
pub fn GroupField(
    /// The form.
    state: FormState,
    /// The groups to choose from.
    groups: Vec<AuthorizationGroup>,
) -> impl IntoView {
    let errors = state.errors(GROUP);
    let options = groups
        .iter()
        .map(|group| view! { <option value=group.id.to_string()>{group.name.clone()}</option> })
        .collect_view();
    let has_none = groups.is_empty();
    let granted = move || {
        let chosen = state.form.with(|form| {
            groups
                .iter()
                .find(|group| group.id.to_string() == form.authorization_group_id)
                .map(|group| group.permissions.clone())
        })?;
        let mut permissions = Vec::new();
        for (index, permission) in chosen.iter().enumerate() {
            let separator = if index == 0 { " " } else { ", " };
            permissions.push(view! { {separator}<code>{permission.to_string()}</code> });
        }
        Some(if permissions.is_empty() {
            view! { "Grants nothing" }.into_any()
        } else {
            view! { "Grants"{permissions} }.into_any()
        })
    };
    view! {
        <div class="field">
            <FieldAbout field=GROUP hint="Everything the key may do." />
            <div class="field-control">
                <div class="select">
                    <select
                        class="input"
                        id=GROUP.id
                        name=GROUP.name
                        required
                        aria-invalid=invalid(errors)
                        aria-describedby=described_by(GROUP.id, errors, "group-hint group-permissions")
                        on:change=move |_| state.change(GROUP)
                        on:blur=move |_| state.leave(GROUP)
                    >
                        <option value="">"Choose a group"</option>
                        {options}
                    </select>
                    <Icon name="chevron-down" />
                </div>
                <FieldErrors field=GROUP.id errors />
                <p class="hint" id="group-permissions">{granted}</p>
                {has_none.then(|| view! {
                    <p class="hint">"This tenant has no authorization group for keys yet. Its operator makes one."</p>
                })}
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
    view! {
        <div class="field">
            <FieldAbout
                field=EXPIRES
                optional=true
                hint="The key works until the end of that day, UTC. Empty: it never expires."
            />
            <div class="field-control">
                <input
                    class="input input-date"
                    type="date"
                    id=EXPIRES.id
                    name=EXPIRES.name
                    min=tomorrow(state.today)
                    aria-invalid=invalid(errors)
                    aria-describedby=described_by(EXPIRES.id, errors, "expires-hint")
                    on:input=move |_| state.change(EXPIRES)
                    on:blur=move |_| state.leave(EXPIRES)
                />
                <FieldErrors field=EXPIRES.id errors />
            </div>
        </div>
    }
}

/// The date field of a dialog, judged like those of the form.
#[component]
pub fn DateInput(
    /// Its identifier.
    id: &'static str,
    /// What it holds at first.
    initial: Option<String>,
    /// The server's day.
    today: NaiveDate,
    /// What it holds.
    value: RwSignal<String>,
    /// Whether it was left once.
    is_judged: RwSignal<bool>,
    /// What is wrong with it.
    errors: Signal<Vec<String>>,
    /// The identifier of its hint.
    hint: &'static str,
) -> impl IntoView {
    let read = move || {
        let text = browser::value(id);
        value.set(if browser::is_incomplete(id) {
            INCOMPLETE_DATE.to_owned()
        } else {
            text
        });
    };
    view! {
        <input
            class="input input-date"
            type="date"
            id=id
            name=EXPIRES.name
            value=initial
            min=tomorrow(today)
            aria-invalid=invalid(errors)
            aria-describedby=described_by(id, errors, hint)
            on:input=move |_| read()
            on:blur=move |_| {
                read();
                is_judged.set(true);
            }
        />
    }
}

/// The first day that a picker offers.
fn tomorrow(today: NaiveDate) -> String {
    today
        .checked_add_days(Days::new(1))
        .unwrap_or(today)
        .to_string()
}
