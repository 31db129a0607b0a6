//! What is typed into a key's form, and how it is judged: a field first when it is left, then with each key.

use std::collections::HashSet;

use chrono::NaiveDate;
use domain::{FieldError, key::form::KeyForm};
use leptos::prelude::*;

use crate::{browser, error::AppError};

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
/// In the order of the form that makes a key.
pub const FIELDS: [Field; 5] = [NAME, DESCRIPTION, GROUP, EXPIRES, ALLOWLIST];

/// The rules that a form is judged by: those of a new key on the given day, or those of an edit.
pub type Rules = fn(&KeyForm, NaiveDate) -> Vec<FieldError>;

/// The rules of a new key.
#[must_use]
pub fn rules_of_new(form: &KeyForm, today: NaiveDate) -> Vec<FieldError> {
    form.validate(today).err().unwrap_or_default()
}

/// The rules of an edit, which has no expiration date.
#[must_use]
pub fn rules_of_edit(form: &KeyForm, _today: NaiveDate) -> Vec<FieldError> {
    form.validate_edit().err().unwrap_or_default()
}

/// What is typed, and what is said about it. The controls hold the text themselves, so that nothing which was typed before the
/// script came is lost; each change is read from them.
#[derive(Clone, Copy)]
pub struct FormState {
    /// What stands in the fields.
    pub form: RwSignal<KeyForm>,
    /// What they began with.
    initial: StoredValue<KeyForm>,
    /// Every rule that they break.
    broken: Memo<Vec<FieldError>>,
    /// The fields that were left once.
    judged: RwSignal<HashSet<&'static str>>,
    /// What the server said of fields that were not changed since.
    from_server: RwSignal<Vec<FieldError>>,
    /// The server's day.
    pub today: NaiveDate,
}

impl FormState {
    /// A form that begins with `initial` on the server's day `today`.
    #[must_use]
    pub fn new(today: NaiveDate, initial: KeyForm, rules: Rules) -> Self {
        let form = RwSignal::new(initial.clone());
        let broken = Memo::new(move |_| form.with(|form| rules(form, today)));
        Self {
            form,
            initial: StoredValue::new(initial),
            broken,
            judged: RwSignal::default(),
            from_server: RwSignal::default(),
            today,
        }
    }

    /// What the fields begin with.
    #[must_use]
    pub fn initial(self) -> KeyForm {
        self.initial.get_value()
    }

    /// Whether anything differs from what the fields began with.
    #[must_use]
    pub fn is_changed(self) -> bool {
        self.form
            .with_untracked(|form| self.initial.with_value(|initial| initial != form))
    }

    /// Puts `form` into the controls, and begins anew from there.
    pub fn replace(self, form: KeyForm) {
        browser::set_value(NAME.id, &form.name);
        browser::set_value(DESCRIPTION.id, &form.description);
        browser::set_value(GROUP.id, &form.authorization_group_id);
        browser::set_value(ALLOWLIST.id, &form.ip_allowlist);
        self.initial.set_value(form);
        self.from_server.set(Vec::new());
        self.read();
    }

    /// Reads every control.
    pub fn read(self) {
        self.form.set(KeyForm {
            name: browser::value(NAME.id),
            description: browser::value(DESCRIPTION.id),
            authorization_group_id: browser::value(GROUP.id),
            expires_on: browser::date_value(EXPIRES.id),
            ip_allowlist: browser::value(ALLOWLIST.id),
        });
    }

    /// A control was changed.
    pub fn change(self, field: Field) {
        self.read();
        self.from_server
            .update(|errors| errors.retain(|error| error.field != field.name));
    }

    /// A control was left. Judged when no button is pressed any more: a message that appears moves what stands below it, and the
    /// button would be gone from under the pointer.
    pub fn leave(self, field: Field) {
        browser::after_press(move || {
            let is_known = self.judged.try_update(|judged| judged.insert(field.name));
            // The page may be gone by now.
            if is_known.is_some() {
                self.read();
            }
        });
    }

    /// Judges every field, and says what is wrong.
    #[must_use]
    pub fn judge_all(self) -> Vec<FieldError> {
        self.read();
        self.judged
            .set(FIELDS.iter().map(|field| field.name).collect());
        self.from_server.set(Vec::new());
        self.broken.get_untracked()
    }

    /// Shows what the server found wrong.
    pub fn refuse(self, errors: Vec<FieldError>) {
        self.from_server.set(errors);
    }

    /// Shows what the server found wrong, where it did.
    pub fn refuse_fields_of<T>(self, result: &Result<T, AppError>) {
        if let Err(error) = result {
            self.from_server.try_set(error.fields.clone());
        }
    }

    /// The messages under a field.
    #[must_use]
    pub fn errors(self, field: Field) -> Signal<Vec<String>> {
        let messages_of = move |errors: &Vec<FieldError>| -> Vec<String> {
            let of_field = errors.iter().filter(|error| error.field == field.name);
            of_field.map(|error| error.message.clone()).collect()
        };
        let errors = Memo::new(move |_| {
            let messages = if self.judged.with(|judged| judged.contains(field.name)) {
                self.broken.with(messages_of)
            } else {
                Vec::new()
            };
            if messages.is_empty() {
                self.from_server.with(messages_of)
            } else {
                messages
            }
        });
        errors.into()
    }
}
