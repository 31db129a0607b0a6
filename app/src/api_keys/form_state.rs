//! The state of a key's form, and its validation: a field is validated when it is first left, and from then on with each input.

use std::collections::HashSet;

use chrono::NaiveDate;
use domain::{
    FieldError,
    key::{form::KeyForm, lifetime::LifetimeRule},
};
use leptos::prelude::*;

use crate::{browser, error::AppError};

/// A field of the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name in errors and in the JSON API.
    pub name: &'static str,
    /// The id of its control.
    pub id: &'static str,
    /// Its label.
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
/// The fields, in the order of the form.
pub const FIELDS: [Field; 5] = [NAME, DESCRIPTION, GROUP, EXPIRES, ALLOWLIST];

/// The validation of a form: as a new key on the given date by the tenant's rule, or as an edit.
pub type Validation = fn(&KeyForm, LifetimeRule, NaiveDate) -> Vec<FieldError>;

/// Validates a new key.
#[must_use]
pub fn validate_new(form: &KeyForm, rule: LifetimeRule, today: NaiveDate) -> Vec<FieldError> {
    form.validate(rule, today).err().unwrap_or_default()
}

/// Validates an edit, which has no expiration date.
#[must_use]
pub fn validate_edit(form: &KeyForm, _rule: LifetimeRule, _today: NaiveDate) -> Vec<FieldError> {
    form.validate_edit().err().unwrap_or_default()
}

/// The state of a form. The controls hold the text. Each change is read from them, so that text typed before the script started is not
/// lost.
#[derive(Clone, Copy)]
pub struct FormState {
    /// The current values.
    pub form: RwSignal<KeyForm>,
    /// The initial values.
    initial: StoredValue<KeyForm>,
    /// The errors of validation.
    errors_of_validation: Memo<Vec<FieldError>>,
    /// The fields that were left once; their errors are shown.
    touched: RwSignal<HashSet<&'static str>>,
    /// The server's errors of fields that have not changed since.
    server_errors: RwSignal<Vec<FieldError>>,
    /// The server's date.
    pub today: NaiveDate,
    /// The tenant's rule for the expiration date.
    pub rule: LifetimeRule,
}

impl FormState {
    /// A form with these initial values, on the server's date `today`.
    #[must_use]
    pub fn new(
        today: NaiveDate,
        rule: LifetimeRule,
        initial: KeyForm,
        validate: Validation,
    ) -> Self {
        let form = RwSignal::new(initial.clone());
        let errors_of_validation =
            Memo::new(move |_| form.with(|form| validate(form, rule, today)));
        Self {
            form,
            initial: StoredValue::new(initial),
            errors_of_validation,
            touched: RwSignal::default(),
            server_errors: RwSignal::default(),
            today,
            rule,
        }
    }

    /// The initial values.
    #[must_use]
    pub fn initial(self) -> KeyForm {
        self.initial.get_value()
    }

    /// Whether a value differs from the initial one.
    #[must_use]
    pub fn is_changed(self) -> bool {
        self.form
            .with_untracked(|form| self.initial.with_value(|initial| initial != form))
    }

    /// Sets the values and makes them the initial ones.
    pub fn replace(self, form: KeyForm) {
        browser::set_value(NAME.id, &form.name);
        browser::set_value(DESCRIPTION.id, &form.description);
        browser::set_value(GROUP.id, &form.authorization_group_id);
        browser::set_value(ALLOWLIST.id, &form.ip_allowlist);
        self.initial.set_value(form);
        self.server_errors.set(Vec::new());
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

    /// Handles an input event.
    pub fn handle_input(self, field: Field) {
        self.read();
        self.server_errors
            .update(|errors| errors.retain(|error| error.field != field.name));
    }

    /// Handles a blur event. Waits until no pointer button is pressed: an error message that appears moves the content below it, and the
    /// button would move away from under the pointer.
    pub fn handle_blur(self, field: Field) {
        browser::after_pointer_release(move || {
            let is_known = self
                .touched
                .try_update(|touched| touched.insert(field.name));
            // The page may be closed by now.
            if is_known.is_some() {
                self.read();
            }
        });
    }

    /// Validates every field and returns the errors.
    #[must_use]
    pub fn validate_all(self) -> Vec<FieldError> {
        self.read();
        self.touched
            .set(FIELDS.iter().map(|field| field.name).collect());
        self.server_errors.set(Vec::new());
        self.errors_of_validation.get_untracked()
    }

    /// Shows the server's errors.
    pub fn show_server_errors(self, errors: Vec<FieldError>) {
        self.server_errors.set(errors);
    }

    /// Shows the server's errors if the result has some.
    pub fn show_errors_of<T>(self, result: &Result<T, AppError>) {
        if let Err(error) = result {
            self.server_errors.try_set(error.fields.clone());
        }
    }

    /// The errors to show at a field.
    #[must_use]
    pub fn errors(self, field: Field) -> Signal<Vec<String>> {
        let messages_of = move |errors: &Vec<FieldError>| -> Vec<String> {
            let of_field = errors.iter().filter(|error| error.field == field.name);
            of_field.map(|error| error.message.clone()).collect()
        };
        let errors = Memo::new(move |_| {
            let messages = if self.touched.with(|touched| touched.contains(field.name)) {
                self.errors_of_validation.with(messages_of)
            } else {
                Vec::new()
            };
            if messages.is_empty() {
                self.server_errors.with(messages_of)
            } else {
                messages
            }
        });
        errors.into()
    }
}
