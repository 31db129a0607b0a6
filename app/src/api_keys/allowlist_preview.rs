//! The effect of a changed allowlist on the addresses that used the key: shown while the user types and, without a script, after the
//! button Check. It never blocks a save.

use std::time::Duration;

use domain::key::{
    allowlist::Allowlist,
    preview::{AllowlistCheck, AllowlistPreview},
};
use leptos::{prelude::*, task::spawn_local};

use super::{
    form_state::FormState,
    rejected_form::{CHECK, hidden},
    server_fns::preview_allowlist,
};
use crate::{
    components::{Callout, Tone},
    current_tenant::use_tenant,
    error::AppError,
    words,
};

/// The delay between the last input and the request.
const DELAY: Duration = Duration::from_millis(400);
/// The limit on waiting for a response.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// The effect of the text in the field, and the button Check.
#[component]
pub fn AllowlistEffect(
    /// The form.
    state: FormState,
    /// The id of the key.
    id: String,
    /// The stored allowlist.
    stored: Allowlist,
    /// The effect of the initial text, if the form was sent by the button Check.
    checked: Option<AllowlistCheck>,
) -> impl IntoView {
    let text = Memo::new(move |_| state.form.with(|form| form.ip_allowlist.clone()));
    let is_checked = checked.is_some();
    let preview = Preview::new(id, checked);
    Effect::new(move |before: Option<()>| {
        let text = text.get();
        if before.is_none() && is_checked {
            return;
        }
        let is_changed = Allowlist::parse_lines(&text).is_ok_and(|list| list != stored);
        preview.follow(is_changed.then_some(text));
    });
    let shown = move || {
        match preview.shown.get() {
        Shown::Nothing => None,
        Shown::Waiting => Some(
            view! { <p class="hint">"Checking which addresses this list would refuse…"</p> }
                .into_any(),
        ),
        Shown::Failed => Some(
            view! {
                <p class="hint">
                    "Latchkey could not check which addresses this list would refuse. You can save it all the same."
                </p>
            }
            .into_any(),
        ),
        Shown::Effect(AllowlistCheck::Unchanged) => Some(
            view! { <p class="hint">"This list admits the same addresses as the saved one."</p> }
                .into_any(),
        ),
        Shown::Effect(AllowlistCheck::Changed(preview)) => Some(effect(&preview).into_any()),
    }
    };
    view! {
        <div class="without-script">
            <button class="button button-s" name=hidden::ACTION value=CHECK>"Check"</button>
        </div>
        <div
            id="allowlist-effect"
            role="status"
            aria-busy=move || preview.is_outdated.get().then_some("true")
        >
            {shown}
        </div>
    }
    .into_any()
}

fn effect(preview: &AllowlistPreview) -> impl IntoView + use<> {
    let tone = if preview.refused.is_empty() {
        Tone::Neutral
    } else {
        Tone::Warning
    };
    let days = format!(
        "Counted from {} to {}, UTC. ",
        words::date(preview.first_day),
        words::date(preview.last_day)
    );
    let unjudged = preview.unjudged();
    let sentence = match tone {
        Tone::Warning => view! { <strong>{preview.sentence()}</strong> }.into_any(),
        _ => preview.sentence().into_any(),
    };
    view! {
        <Callout tone>
            <div>
                <p>{sentence}</p>
                <p>{days}{unjudged}</p>
            </div>
        </Callout>
    }
}

/// The part of the form below the field.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Shown {
    /// The text is invalid or that of the stored list.
    Nothing,
    /// No effect is known yet.
    Waiting,
    Effect(AllowlistCheck),
    Failed,
}

/// The requests for the effect of the text: one at a time, each for the newest text.
#[derive(Clone, Copy)]
struct Preview {
    shown: RwSignal<Shown>,
    /// Whether the text changed since its effect was shown.
    is_outdated: RwSignal<bool>,
    id: StoredValue<String>,
    tenant: StoredValue<Option<String>>,
    /// The newest text, if it has an effect to ask for.
    wanted: StoredValue<Option<String>>,
    /// The number of changes of the text.
    version: StoredValue<u64>,
    /// The version of the text whose response is awaited.
    asked: StoredValue<Option<u64>>,
}

impl Preview {
    fn new(id: String, checked: Option<AllowlistCheck>) -> Self {
        Self {
            shown: RwSignal::new(checked.map_or(Shown::Nothing, Shown::Effect)),
            is_outdated: RwSignal::new(false),
            id: StoredValue::new(id),
            tenant: StoredValue::new(use_tenant().get_untracked().0),
            wanted: StoredValue::new(None),
            version: StoredValue::new(0),
            asked: StoredValue::new(None),
        }
    }

    /// Handles a change of the text. `None`: it has no effect to ask for.
    fn follow(self, text: Option<String>) {
        let is_wanted = text.is_some();
        self.wanted.set_value(text);
        self.version.update_value(|version| *version += 1);
        self.is_outdated.set(is_wanted);
        if !is_wanted {
            self.shown.set(Shown::Nothing);
            return;
        }
        if !matches!(self.shown.get_untracked(), Shown::Effect(_)) {
            self.shown.set(Shown::Waiting);
        }
        let version = self.version.get_value();
        set_timeout(
            move || {
                // The text may have changed, or the dialog may be closed by now.
                if self.version.try_get_value() == Some(version) {
                    self.ask();
                }
            },
            DELAY,
        );
    }

    fn ask(self) {
        if self.asked.get_value().is_some() {
            // The end of the awaited request asks for the newest text.
            return;
        }
        let Some(lines) = self.wanted.get_value() else {
            return;
        };
        let version = self.version.get_value();
        self.asked.set_value(Some(version));
        set_timeout(move || self.end(version, None), RESPONSE_TIMEOUT);
        let (tenant, id) = (self.tenant.get_value(), self.id.get_value());
        spawn_local(async move {
            let result = preview_allowlist(tenant, id, lines).await;
            self.end(version, Some(result));
        });
    }

    /// Ends the wait for the response to this version; `None` if it did not arrive in time.
    fn end(self, version: u64, result: Option<Result<AllowlistCheck, AppError>>) {
        // The wait is over already, or the dialog is closed.
        if self.asked.try_get_value() != Some(Some(version)) {
            return;
        }
        self.asked.set_value(None);
        if self.version.get_value() != version {
            self.ask();
            return;
        }
        self.is_outdated.set(false);
        self.shown.set(match result {
            Some(Ok(AllowlistCheck::Unchanged)) => Shown::Nothing,
            Some(Ok(check)) => Shown::Effect(check),
            Some(Err(_)) | None => Shown::Failed,
        });
    }
}
