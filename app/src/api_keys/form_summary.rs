//! The summary of a failed form, above its fields.

use domain::FieldError;
use leptos::prelude::*;

use super::{dialog_parts::NextStepLink, form_state::FIELDS};
use crate::{
    browser,
    components::Icon,
    error::{AppError, ErrorCode},
    words,
};

/// The id of the summary.
const SUMMARY: &str = "errors";
/// The number of messages of one field in the summary; all of them are shown at the field.
const MAX_MESSAGES_OF_FIELD: usize = 3;

/// The failure of the form: one link for each error of a field, otherwise a message. The typed values stay.
#[component]
pub fn FormSummary(
    /// The failure.
    failure: AppError,
) -> impl IntoView {
    Effect::new(|_| {
        browser::focus(SUMMARY);
    });
    let content = if failure.code == ErrorCode::Invalid && !failure.fields.is_empty() {
        broken_rules(&failure.fields).into_any()
    } else {
        view! { <div><p>{failure.message}" "<NextStepLink code=failure.code /></p></div> }
            .into_any()
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
            // The router would navigate to the fragment without moving the focus.
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
