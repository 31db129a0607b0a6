//! Confirms a change: the sentence in the page's toast, and the row to mark. On a page that the browser does not hydrate, or after a form was
//! sent without a script, the cookie of `done` carries the change to the next page.

use domain::propagation::Propagation;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{components::Icon, current_tenant::use_acting_tenant, words};

/// The confirmation of a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmation {
    /// The sentence, e.g. `Saved ERP nightly sync.`
    pub text: String,
    /// The id of the created or changed object, whose row is marked.
    pub row: Option<String>,
    /// Whether the change concerns the tenant of the page, and not the user.
    pub is_of_tenant: bool,
}

/// The confirmation that the page shows.
#[derive(Clone, Copy)]
pub struct Notice {
    text: RwSignal<String>,
    is_of_tenant: StoredValue<bool>,
    row: StoredValue<Option<String>>,
}

impl Notice {
    /// A page that confirms the change before it, if there is one.
    #[must_use]
    pub fn new(confirmation: Option<Confirmation>) -> Self {
        let (text, row, is_of_tenant) =
            confirmation.map_or_else(Default::default, |confirmation| {
                (
                    confirmation.text,
                    confirmation.row,
                    confirmation.is_of_tenant,
                )
            });
        Self {
            text: RwSignal::new(text),
            is_of_tenant: StoredValue::new(is_of_tenant),
            row: StoredValue::new(row),
        }
    }

    /// The notice of the console's layout.
    #[must_use]
    pub fn of_page() -> Self {
        use_context().unwrap_or_else(|| Self::new(None))
    }

    /// Shows a confirmation. The row is marked when its list is rendered next.
    pub fn show(self, confirmation: Confirmation) {
        self.row.set_value(confirmation.row);
        self.is_of_tenant.set_value(confirmation.is_of_tenant);
        self.text.set(confirmation.text);
    }

    /// Hides the confirmation: another change begins.
    pub fn clear(self) {
        self.text.set(String::new());
        self.row.set_value(None);
    }

    /// The row to mark. Only the first call returns it: the next list is not about the change.
    #[must_use]
    pub fn take_row(self) -> Option<String> {
        self.row.try_update_value(Option::take).flatten()
    }
}

/// The live region of the console, with the confirmation of the last change. For super users it begins with the tenant's name. The style hides it after some seconds.
#[component]
pub fn Toasts(
    /// The notice of the page.
    notice: Notice,
) -> impl IntoView {
    let tenant = use_acting_tenant();
    let toast = move || {
        let text = notice.text.get();
        // A super user may act in any tenant.
        let of = tenant
            .get()
            .filter(|_| notice.is_of_tenant.get_value())
            .map(|tenant| view! { <bdi>{tenant.name}</bdi>": " });
        (!text.is_empty()).then(|| {
            view! {
                <div class="toast">
                    <Icon name="check-circle" />
                    <p>{of}{text}</p>
                    <button class="icon-button" type="button" aria-label="Dismiss" on:click=move |_| notice.clear()>
                        <Icon name="x" />
                    </button>
                </div>
            }
        })
    };
    view! { <div class="toasts" role="status">{toast}</div> }.into_any()
}

/// `Generated Mobile App.`
#[must_use]
pub fn generated(name: &str) -> String {
    format!("Generated {name}.")
}

/// `Saved ERP nightly sync.`, with the replicas where the change is in force.
#[must_use]
pub fn saved(name: &str, propagation: Option<Propagation>) -> String {
    let saved = format!("Saved {name}.");
    match propagation {
        Some(propagation) => format!("{saved} {}", propagation.sentence("In force")),
        None => saved,
    }
}

/// `Suspended Acme. Its keys and sessions are refused.`, with the replicas where the change is in force.
#[must_use]
pub fn suspended(name: &str, propagation: Option<Propagation>) -> String {
    let suspended = format!("Suspended {name}. Its keys and sessions are refused.");
    match propagation {
        Some(propagation) => format!("{suspended} {}", propagation.sentence("In force")),
        None => suspended,
    }
}

/// `Resumed Acme. Its keys work again.`, with the replicas where the change is in force.
#[must_use]
pub fn resumed(name: &str, propagation: Option<Propagation>) -> String {
    let resumed = format!("Resumed {name}. Its keys work again.");
    match propagation {
        Some(propagation) => format!("{resumed} {}", propagation.sentence("In force")),
        None => resumed,
    }
}

/// `Rotated ERP nightly sync. Its old secret is refused.`
#[must_use]
pub fn rotated(name: &str) -> String {
    format!("Rotated {name}. Its old secret is refused.")
}

/// `Revoked ERP nightly sync. Its next request is refused.`, or with the replicas that refuse it.
#[must_use]
pub fn revoked(name: &str, propagation: Option<Propagation>) -> String {
    let refused = propagation.map_or_else(
        || "Its next request is refused.".to_owned(),
        |propagation| propagation.sentence("Refused"),
    );
    format!("Revoked {name}. {refused}")
}

/// The same for keys that were revoked together.
#[must_use]
pub fn revoked_many(number: usize, propagation: Option<Propagation>) -> String {
    let refused = match (propagation, number) {
        (Some(propagation), _) => propagation.sentence("Refused"),
        (None, 1) => "Its next request is refused.".to_owned(),
        (None, _) => "Their next requests are refused.".to_owned(),
    };
    let keys = words::count(number as u64, "key", "keys");
    format!("Revoked {keys}. {refused}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revocation_names_the_key_and_when_it_is_refused() {
        let propagation = Propagation {
            replicas: 3,
            refused_on: 3,
            after_ms: 12,
        };
        assert_eq!(
            revoked("ERP", None),
            "Revoked ERP. Its next request is refused."
        );
        assert_eq!(
            revoked("ERP", Some(propagation)),
            "Revoked ERP. Refused on 3 of 3 replicas after 12 ms."
        );
        assert_eq!(
            revoked_many(3, None),
            "Revoked 3 keys. Their next requests are refused."
        );
        assert_eq!(
            revoked_many(1, None),
            "Revoked 1 key. Its next request is refused."
        );
        assert_eq!(saved("ERP", None), "Saved ERP.");
    }
}
