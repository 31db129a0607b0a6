//! A message that stays where it is.

use leptos::prelude::*;

use super::Icon;

/// What a callout means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Something to know.
    Neutral,
    /// Something that may not be meant.
    Warning,
    /// Something that failed.
    Danger,
}

/// A message with its icon; its children are one element.
#[component]
pub fn Callout(
    /// What it means.
    tone: Tone,
    /// For `aria-describedby`.
    #[prop(optional)]
    id: Option<&'static str>,
    /// One element.
    children: Children,
) -> impl IntoView {
    let (tone, icon) = match tone {
        Tone::Neutral => (None, "info"),
        Tone::Warning => (Some("warning"), "alert"),
        Tone::Danger => (Some("danger"), "alert"),
    };
    view! {
        <div class="callout" data-tone=tone id=id>
            <Icon name=icon />
            {children()}
        </div>
    }
}
